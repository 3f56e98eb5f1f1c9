/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ---- summary and rankings ---- */

const RANKED = 8;
const VERDICT_SIGNS = { matched: 'plus', diverged: 'minus', stalled: 'minus', crashed: 'minus', ended: 'other' };

function fact(name, value, more) {
  return el('dl', { class: 'fact' }, el('dt', {}, name),
    el('dd', {}, el('span', {}, value), more ? el('small', {}, ` ${more}`) : null));
}

function summarise() {
  const names = boots.map(boot => boot.file.split('/').pop());
  document.title = `${names.join(' / ')} \u2013 checkpoints`;
  const chip = i => el('span', { class: `chip of-${letters[i].toLowerCase()}` }, letters[i]);
  $('title').replaceChildren(...(compare ? [chip(0), ` ${names[0]} `, chip(1), ` ${names[1]}`] : names));
  const both = f => boots.map(f).join(' / '), [a, b] = boots, number = n => n.toLocaleString('en');
  const date = boot => new Date(boot.begun * 1000).toISOString().replace('T', ' ').slice(0, 19);
  $('subtitle').textContent = both(boot => `${date(boot)} UTC`);
  const lost = boots.flatMap(boot => [...boot.marks.filter(mark => mark !== boot.verdict).map(mark => mark.label),
    boot.torn ? 'the file ends early' : ''].filter(text => text)
    .map(text => compare ? `${letters[boot.index]}: ${text}` : text));
  const whole = ns => span(ns).replace(' ', '\u00a0'); // may break behind it
  const facts = [fact('First to last record', both(boot => whole(boot.end)), compare ? signed(b.end - a.end) : '')];
  if (compare) {
    const n = sign => pairs.filter(pair => pair.sign === sign).length;
    facts.push(
      fact('In both', number(pairs.length - n('minus') - n('plus')), n('other') ? `${n('other')} with other data` : ''),
      fact('Only in A / only in B', `${n('minus')} / ${n('plus')}`, n('minus') + n('plus') ? '' : 'same order'));
  } else {
    const noise = a.noise.length ? `and ${number(a.noise.length)} of noise` : '';
    facts.push(fact('Checkpoints', number(a.checkpoints.length), noise));
  }
  facts.push(fact('vCPUs', String(vcpus.length)), fact('Console lines', both(boot => number(boot.texts.length))));
  if (lost.length)
    facts.push(fact('Complete', 'no', lost.join(', ')));
  $('facts').replaceChildren(...facts);
  $('verdicts').replaceChildren(...boots.filter(boot => boot.verdict).map(({ index, verdict }) =>
    el('p', { class: `card verdict ${VERDICT_SIGNS[verdict.name] || ''}` }, compare ? chip(index) : null, verdict.note)));
  if (compare)
    $('legend').replaceChildren(...['minus', 'plus', 'other'].map(sign =>
      el('span', { class: sign }, el('b', {}, SIGNS[sign]), ` ${SIGN_WORDS[sign]}`)));
  $('noise-label').hidden = !boots.some(boot => boot.noise.length);
}

function ranking(title, items) {
  const most = Math.max(1, ...items.flatMap(item => item.bars.map(bar => bar[1])));
  return el('div', { class: 'card' }, el('h2', {}, title), el('ol', {}, ...items.map(item => {
    const bars = el('span', { class: 'bars' }, ...item.bars.map(([class_, size]) => {
      const bar = el('i', { class: class_ });
      bar.style.width = `${100 * size / most}%`;
      return bar;
    }));
    const button = el('button', { type: 'button', title: item.title }, el('span', { class: 'name' }, item.name), bars,
      el('span', { class: `amount ${item.sign || ''}` }, item.amount));
    button.addEventListener('click', item.go);
    return el('li', {}, button);
  })));
}

const largest = (list, key) => list.filter(item => key(item) > 0).sort((a, b) => key(b) - key(a)).slice(0, RANKED);
const where = row => vcpus.length > 1 ? ` \u00b7 ${vcpuName(row.vcpu)}` : '';

function longest() {
  return ranking('Longest', largest(boots[0].checkpoints, row => row.lasts || 0).map(row => ({
    name: row.what + where(row),
    title: row.what,
    bars: [['', row.lasts]],
    amount: span(row.lasts),
    go: () => choose(row, { reveal: true }),
  })));
}

const slower = ns => ns > 0 ? 'minus' : 'plus';

function slipped() {
  return ranking('Where the time went: A to B', largest(pairs, pair => Math.abs(pair.difference)).map(pair => ({
    name: pair.a.what + where(pair.a),
    title: pair.a.what,
    bars: [['of-a', pair.aLasts], ['of-b', pair.bLasts]],
    amount: signed(pair.difference),
    sign: slower(pair.difference),
    go: () => choose(pair.a, { reveal: true }),
  })));
}

/* All checkpoints of a name together. */
function byName() {
  const names = new Map();
  for (const boot of boots)
    for (const row of boot.checkpoints) {
      const sum = names.get(row.label) || { name: row.label, ns: [0, 0], n: [0, 0] };
      sum.ns[boot.index] += row.lasts || 0;
      sum.n[boot.index]++;
      names.set(row.label, sum);
    }
  const difference = sum => sum.ns[1] - sum.ns[0];
  const size = sum => compare ? Math.abs(difference(sum)) : sum.ns[0];
  return ranking(compare ? 'By name: A to B' : 'By name', largest([...names.values()], size).map(sum => ({
    name: `${sum.name} \u00d7${compare && sum.n[0] !== sum.n[1] ? sum.n.join('/') : Math.max(...sum.n)}`,
    title: `Filter by ${sum.name}`,
    bars: compare ? [['of-a', sum.ns[0]], ['of-b', sum.ns[1]]] : [['', sum.ns[0]]],
    amount: compare ? signed(difference(sum)) : span(sum.ns[0]),
    sign: compare ? slower(difference(sum)) : '',
    go: () => {
      $('filter').value = sum.name;
      table.update();
      $('table-head').scrollIntoView({ block: 'start' });
    },
  })));
}

function rank() {
  const cards = [compare ? slipped() : longest(), byName()];
  $('rankings').replaceChildren(...cards.filter(card => card.querySelector('li')));
}

/* ---- all together ---- */

function setScale(even) {
  scale.even = even;
  (even ? placeEvenly : placeByTime)();
  $('scale-time').setAttribute('aria-pressed', !even);
  $('scale-even').setAttribute('aria-pressed', even);
  overview.density = null;
  lookAtAll();
}

function onTools() {
  $('scale-time').addEventListener('click', () => setScale(false));
  $('scale-even').addEventListener('click', () => setScale(true));
  $('zoom-in').addEventListener('click', () => zoom(.5));
  $('zoom-out').addEventListener('click', () => zoom(2));
  $('zoom-fit').addEventListener('click', lookAtAll);
  $('show-noise').addEventListener('change', event => {
    view.noise = event.target.checked;
    later(draw);
  });
  const themes = [['system', 'light dark'], ['light', 'light'], ['dark', 'dark']];
  let theme = 0;
  $('theme').addEventListener('click', () => {
    theme = (theme + 1) % themes.length;
    $('theme').textContent = `Theme: ${themes[theme][0]}`;
    document.documentElement.style.colorScheme = themes[theme][1];
  });
  new ResizeObserver(() => later(draw)).observe($('timeline'));
}

summarise();
placeByTime();
view.to = scale.end;
rank();
onTools();
onTimeline();
onOverview();
onTable();
draw();
