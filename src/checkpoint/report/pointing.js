/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ---- what is told about a thing ---- */

function aboutRow(row) {
  const lines = [];
  const add = (name, value) => value !== undefined && value !== null && value !== '' && lines.push([name, value]);
  if (row.pair && row.pair.sign)
    add('difference', SIGN_WORDS[row.pair.sign]);
  if (row.name && row.value)
    add('value', row.value);
  add('time', `${ms(row.t)} ms${compare ? ` in ${letters[row.boot.index]}` : ''}`);
  if (row.pair && row.pair.both)
    lines.push(['', `${ms((row === row.pair.a ? row.pair.b : row.pair.a).t)} ms in ${letters[1 - row.boot.index]}`]);
  if (row.kind === CHECKPOINT)
    add('lasts', row.lasts === null ? 'until the end: the last of this vCPU' : span(row.lasts));
  if (row.pair && row.pair.timed)
    add('A \u2192 B', `${span(row.pair.aLasts)} \u2192 ${span(row.pair.bLasts)} (${signed(row.pair.difference)})`);
  if (row.kind < LOST) {
    add('vCPU', vcpuWord(row));
    add('pc', row.pc);
    add('port', row.port);
    add('record', String(row.seq));
  }
  row.fields.forEach(([name, value]) => add(name, value.length > 66 ? value.slice(0, 66) + '\u2026' : value));
  add('source', row.source);
  add(row.kind === NOISE ? 'noise' : 'note', row.note);
  return { title: row.label, hue: row.kind === CHECKPOINT ? hueOf(row.label) : null, lines };
}

function aboutCluster(cluster) {
  const { rows } = cluster, names = new Map();
  for (const row of rows)
    names.set(row.label, (names.get(row.label) || 0) + 1);
  const lines = [['time', `${span(rows[0].t)} \u2013 ${span(rows[rows.length - 1].t)}`], ['vCPU', vcpuWord(rows[0])]];
  for (const [name, n] of [...names].sort((a, b) => b[1] - a[1]).slice(0, 6))
    lines.push([`${n} \u00d7`, name]);
  if (names.size > 6)
    lines.push(['', `and ${names.size - 6} more`]);
  return { title: count(rows.length, rows[0].kind === TEXT ? 'line' : 'checkpoint'), hue: null, lines };
}

function tell(thing, x, y) {
  const tip = $('tip'), { title, hue, lines } = thing.rows ? aboutCluster(thing) : aboutRow(thing);
  tip.replaceChildren(el('h3', {}, hue === null ? null : el('span', { class: `body hue${hue}` }), title),
    el('dl', {}, ...lines.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect(), right = document.documentElement.clientWidth - 8;
  const left = x + 16 + width > right ? Math.min(x - 12, right) - width : x + 16;
  const top = y + 18 + height > window.innerHeight - 8 ? y - height - 12 : y + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, top)}px`;
}
const untell = () => $('tip').hidden = true;

/* ---- choosing a checkpoint ---- */

function choose(row, { reveal = false, scroll = true } = {}) {
  view.selected = row;
  if (reveal)
    lookAtRow(row);
  else if (row.u < view.from || row.u > view.to)
    look(row.u - (view.to - view.from) / 2, row.u + (view.to - view.from) / 2);
  if (scroll)
    table.show(row);
  later(draw);
}

function tellSelected() {
  const row = view.selected, lane = laneOf(row), box = $('timeline').getBoundingClientRect();
  const x = Math.min(Math.max(xOf(row.u), GUTTER), view.width), y = lane ? lane.y + lane.height : AXIS;
  tell(row, box.left + x, box.top + y - 14);
}

/* Arrow keys: along a lane, or to the nearest in another. */
function step(dx, dy) {
  const lanes = layout.lanes.filter(lane => lane.list.length);
  if (!lanes.length)
    return;
  let at = view.selected ? lanes.indexOf(laneOf(view.selected)) : -1;
  if (at < 0) {
    const first = Math.min(above(lanes[0].list, view.from - 1e-9, row => row.u), lanes[0].list.length - 1);
    choose(lanes[0].list[first]);
  } else if (dx) {
    const { list } = lanes[at];
    choose(list[Math.min(Math.max(list.indexOf(view.selected) + dx, 0), list.length - 1)]);
  } else {
    at = Math.min(Math.max(at + dy, 0), lanes.length - 1);
    const { list } = lanes[at];
    choose(list[Math.max(0, above(list, view.selected.u, row => row.u) - 1)]);
  }
  later(tellSelected);
}

function onKey(event) {
  const middle = view.selected ? view.selected.u : undefined;
  const keys = {
    ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
    Enter: () => view.selected && (lookAtRow(view.selected), later(tellSelected)), Escape: untell,
    '+': () => zoom(.5, middle), '=': () => zoom(.5, middle), '-': () => zoom(2, middle), 0: lookAtAll,
    Home: () => step(-1e9, 0), End: () => step(1e9, 0),
  };
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key])
    return;
  event.preventDefault();
  keys[event.key]();
}

/* ---- the pointer ---- */

const thingAt = event => {
  const node = event.target.closest && event.target.closest('[data-hit]');
  return node ? hits[Number(node.dataset.hit)] : null;
};

function onTimeline() {
  const root = $('timeline');
  let drag = null;
  const local = event => (event.clientX - root.getBoundingClientRect().left);
  root.addEventListener('pointerdown', event => {
    if (event.button === 0)
      drag = { x: local(event), from: view.from, moved: false, thing: thingAt(event) };
  });
  root.addEventListener('pointermove', event => {
    if (drag && Math.abs(local(event) - drag.x) > 3) {
      if (!drag.moved)
        root.setPointerCapture(event.pointerId);
      drag.moved = true;
      root.classList.add('moving');
      untell();
      const width = view.to - view.from, from = drag.from - (local(event) - drag.x) / (view.width - GUTTER) * width;
      view.from = Math.min(Math.max(from, 0), scale.end - width);
      view.to = view.from + width;
      later(draw);
      return;
    }
    const thing = drag ? null : thingAt(event);
    if (thing)
      tell(thing, event.clientX, event.clientY);
    else if (!drag)
      untell();
  });
  const drop = () => {
    root.classList.remove('moving');
    drag = null;
  };
  root.addEventListener('pointerup', () => {
    if (drag && !drag.moved && drag.thing) {
      if (drag.thing.rows)
        look(drag.thing.rows[0].u, drag.thing.to);
      else
        choose(drag.thing);
    }
    drop();
  });
  root.addEventListener('pointercancel', drop);
  root.addEventListener('pointerleave', () => drag || untell());
  root.addEventListener('dblclick', event => {
    const thing = thingAt(event);
    if (thing && !thing.rows)
      lookAtRow(thing);
    else
      zoom(.4, uOf(local(event)));
  });
  root.addEventListener('wheel', event => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))), uOf(Math.max(GUTTER, local(event))));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const by = (event.deltaX || event.deltaY) / view.width * (view.to - view.from);
      look(view.from + by, view.to + by);
    }
  }, { passive: false });
  root.addEventListener('keydown', onKey);
  root.addEventListener('blur', untell);
}

function onOverview() {
  const root = $('overview');
  let from = null;
  const at = event => {
    const x = event.clientX - root.getBoundingClientRect().left;
    return Math.min(Math.max((x - GUTTER) / (view.width - GUTTER), 0), 1) * scale.end;
  };
  root.addEventListener('pointerdown', event => {
    from = at(event);
    root.setPointerCapture(event.pointerId);
  });
  root.addEventListener('pointermove', event => {
    if (from !== null && Math.abs(at(event) - from) > scale.end / 200)
      look(Math.min(from, at(event)), Math.max(from, at(event)));
  });
  root.addEventListener('pointerup', event => {
    if (from !== null && Math.abs(at(event) - from) <= scale.end / 200) {
      const half = (view.to - view.from) / 2;
      look(from - half, from + half);
    }
    from = null;
  });
  root.addEventListener('pointercancel', () => from = null);
}
