/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ---- the table ---- */

const column = (title, cell, key, className = '') => ({ title, cell, key, className });
const timeCell = ns => ns === null ? '' : ms(ns);

const KINDS = { [CHECKPOINT]: 'checkpoint', [NOISE]: 'noise', [TEXT]: 'console', [LOST]: 'lost', [CUT]: 'cut',
  [VERDICT]: 'verdict' };
const wideCell = row => [row.label, row.fields.length ? el('span', { class: 'soft' }, row.fieldText) : null,
  row.note ? el('span', { class: 'soft' }, `${KINDS[row.kind] === 'noise' ? 'noise: ' : ''}${row.note}`) : null,
  row.source ? el('span', { class: 'soft' }, row.source) : null];

const inOther = pair => pair.sign === 'other' ? el('span', { class: 'other' }, ` in B: ${pair.b.what}`) : null;

const bootColumns = [
  column('#', row => row.seq || '', row => row.seq, 'right'),
  column('Time (ms)', row => ms(row.t), row => row.t, 'right'),
  column('Lasts (ms)', row => timeCell(row.lasts), row => row.lasts === null ? -1 : row.lasts, 'right'),
  column('vCPU', row => row.kind > TEXT ? '' : row.vcpu < 0 ? '?' : row.vcpu, row => row.vcpu, 'right'),
  column('pc', row => address(row.pc), row => (row.pc || '').padStart(20)),
  column('Port', row => address(row.port), row => row.port),
  column('Value', row => row.value || '', row => (row.value || '').padStart(20)),
  column('What', wideCell, row => row.label, 'wide'),
];
const pairColumns = [
  column('', pair => SIGNS[pair.sign], pair => pair.sign),
  column('vCPU', pair => pair.row.vcpu < 0 ? '?' : pair.row.vcpu, pair => pair.row.vcpu, 'right'),
  column('A at (ms)', pair => pair.a ? ms(pair.a.t) : '', pair => pair.a ? pair.a.t : -1, 'right'),
  column('B at (ms)', pair => pair.b ? ms(pair.b.t) : '', pair => pair.b ? pair.b.t : -1, 'right'),
  column('A lasts (ms)', pair => pair.timed ? ms(pair.aLasts) : '', pair => pair.aLasts, 'right'),
  column('B lasts (ms)', pair => pair.timed ? ms(pair.bLasts) : '', pair => pair.bLasts, 'right'),
  column('B \u2212 A (ms)',
    pair => pair.timed ? (pair.difference < 0 ? '\u2212' : '+') + ms(Math.abs(pair.difference)) : '',
    pair => pair.timed ? Math.abs(pair.difference) : -1, 'right'),
  column('Value', pair => pair.row.value, pair => pair.row.value.padStart(20)),
  column('What', pair => [...wideCell(pair.row), inOther(pair)], pair => pair.row.label, 'wide'),
];

const rowWords = row => [row.seq, KINDS[row.kind], vcpuName(row.vcpu), row.pc, row.port, row.value, row.label,
  row.fieldText, row.source, row.note];
const pairWords = pair => [...rowWords(pair.row), SIGN_WORDS[pair.sign], pair.both ? pair.b.fieldText : ''];

const isOf = (thing, row) => thing === row || (thing instanceof Pair && (thing.a === row || thing.b === row));

const table = {
  tab: null, columns: [], all: [], shown: [], sort: null, down: true, words: new Map(), selected: null,

  rowOf(thing) {
    return thing instanceof Pair ? thing.row : thing;
  },

  open(tab) {
    this.tab = tab;
    this.columns = tab.pairs ? pairColumns : bootColumns;
    this.all = tab.pairs || tab.boot.rows;
    this.sort = null;
    this.words = new Map();
    [...$('tables').children].forEach(button => button.setAttribute('aria-pressed', button.textContent === tab.name));
    const kinds = tab.pairs ? [['all', 'All'], ['differ', 'What differs']]
      : [['all', 'All kinds'], ['checkpoint', 'Checkpoints'], ['console', 'Console'], ['noise', 'Noise']];
    $('filter-kind').replaceChildren(...kinds.map(([value, text]) => el('option', { value }, text)));
    this.update();
  },

  wordsOf(thing) {
    if (!this.words.has(thing))
      this.words.set(thing, (thing instanceof Pair ? pairWords(thing) : rowWords(thing)).join(' ').toLowerCase());
    return this.words.get(thing);
  },

  update() {
    const wanted = $('filter').value.toLowerCase().split(/\s+/).filter(word => word);
    const vcpu = $('filter-vcpu').value, kind = $('filter-kind').value;
    this.shown = this.all.filter(thing =>
      (vcpu === 'all' || this.rowOf(thing).vcpu === Number(vcpu)) &&
      (kind === 'all' || (thing instanceof Pair ? Boolean(thing.sign) : KINDS[thing.kind] === kind)) &&
      wanted.every(word => this.wordsOf(thing).includes(word)));
    if (this.sort) {
      const { key } = this.sort, sign = this.down ? -1 : 1;
      this.shown.sort((a, b) => key(a) < key(b) ? -sign : key(a) > key(b) ? sign : 0);
    }
    $('count').textContent = this.shown.length === this.all.length ? count(this.all.length, 'row')
      : `${this.shown.length.toLocaleString('en')} of ${count(this.all.length, 'row')}`;
    this.drawHead();
    $('scroller').scrollTop = 0;
    $('scroller').classList.toggle('short', this.shown.length * ROW < 560);
    this.drawBody();
  },

  drawHead() {
    $('scroller').querySelector('thead').replaceChildren(el('tr', {}, ...this.columns.map(c => {
      const button = el('button', { type: 'button' }, c.title || '\u00a0');
      button.addEventListener('click', () => {
        this.down = this.sort === c ? !this.down : c.className === 'right' && !/at|Time|#|vCPU/.test(c.title);
        this.sort = c;
        this.update();
      });
      const order = this.sort !== c ? null : this.down ? 'descending' : 'ascending';
      const name = c.title || 'difference';
      return el('th', { class: c.className, scope: 'col', 'aria-sort': order, 'aria-label': name }, button);
    })));
  },

  /* Only the rows that can be seen are there. */
  drawBody() {
    const box = $('scroller'), n = this.shown.length, seen = Math.ceil((box.clientHeight || 600) / ROW) + 20;
    const first = Math.max(0, Math.min(Math.floor(box.scrollTop / ROW) - 10, n - seen));
    const gap = rows => {
      const tr = el('tr', { class: 'gap', 'aria-hidden': 'true' }, el('td', { colspan: this.columns.length }));
      tr.firstChild.style.height = `${rows * ROW}px`;
      return tr;
    };
    const rows = this.shown.slice(first, first + seen).map((thing, i) => this.rowNode(thing, first + i));
    if (first > 0)
      rows.unshift(gap(first));
    if (first + seen < n)
      rows.push(gap(n - first - seen));
    if (!n)
      rows.push(el('tr', { class: 'gap' },
        el('td', { colspan: this.columns.length, class: 'soft' }, '\u00a0 No record is like that.')));
    box.querySelector('tbody').replaceChildren(...rows);
  },

  rowNode(thing, index) {
    const row = this.rowOf(thing), quiet = row.kind === NOISE || row.kind === TEXT ? 'quiet' : '';
    const chosen = view.selected !== null && isOf(thing, view.selected);
    const class_ = thing.sign || quiet || null;
    const tr = el('tr', { class: class_, 'data-index': index, tabindex: 0, 'aria-selected': chosen });
    this.columns.forEach((c, i) => {
      const cell = c.cell(thing), content = Array.isArray(cell) ? cell : [String(cell)];
      const title = c.className === 'wide' ? row.what : null;
      tr.append(el('td', { class: `${c.className} ${i === 0 && thing.sign || ''}`, title }, ...content));
    });
    return tr;
  },

  /* Scroll to a row, if it is there. */
  show(row) {
    const index = this.shown.findIndex(thing => isOf(thing, row));
    const box = $('scroller'), at = index * ROW;
    if (index >= 0 && (at < box.scrollTop || at > box.scrollTop + box.clientHeight - 3 * ROW))
      box.scrollTop = Math.max(0, at - box.clientHeight / 2);
    this.drawBody();
  },
};

function onTable() {
  const tabs = boots.map((boot, i) => ({ name: letters[i], boot }));
  if (compare)
    tabs.unshift({ name: 'Comparison', pairs });
  if (compare)
    $('tables').append(...tabs.map(tab => {
      const button = el('button', { type: 'button' }, tab.name);
      button.addEventListener('click', () => table.open(tab));
      return button;
    }));
  $('filter-vcpu').append(el('option', { value: 'all' }, 'All vCPUs'),
    ...vcpus.map(vcpu => el('option', { value: vcpu }, vcpuName(vcpu))));
  $('filter-vcpu').hidden = vcpus.length < 2;
  for (const id of ['filter', 'filter-vcpu', 'filter-kind'])
    $(id).addEventListener('input', () => table.update());
  $('scroller').addEventListener('scroll', () => later(drawTable));
  const open = event => {
    const tr = event.target.closest('tr[data-index]');
    if (tr)
      choose(table.rowOf(table.shown[Number(tr.dataset.index)]), { reveal: true, scroll: false });
    return tr;
  };
  $('scroller').querySelector('tbody').addEventListener('click', event => open(event) && table.drawBody());
  $('scroller').querySelector('tbody').addEventListener('keydown', event => {
    const tr = event.target.closest('tr[data-index]');
    if (!tr)
      return;
    const to = { ArrowDown: tr.nextElementSibling, ArrowUp: tr.previousElementSibling }[event.key];
    if (to && to.dataset.index !== undefined) {
      event.preventDefault();
      to.focus();
    } else if (event.key === 'Enter') {
      open(event);
    }
  });
  table.open(tabs[0]);
}
const drawTable = () => {
  const { index: focused } = (document.activeElement || document.body).dataset;
  table.drawBody();
  const again = focused === undefined ? null : $('scroller').querySelector(`tr[data-index="${Number(focused)}"]`);
  if (again)
    again.focus({ preventScroll: true });
};
