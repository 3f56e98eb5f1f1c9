/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Draws the data of the page: one boot, or two beside each other. Whatever a guest wrote becomes text nodes only.
 * Times are nanoseconds since the first record of a boot; `u` is a position in the scale that was chosen.
 */
'use strict';

const CHECKPOINT = 0, NOISE = 1, TEXT = 2, LOST = 3, CUT = 4;
const HUES = 10, GUTTER = 96, LANE = 32, LINE = 20, GAP = 12, AXIS = 22, ROW = 27;

const $ = id => document.getElementById(id);
const page = JSON.parse($('data').textContent);
const compare = page.boots.length === 2;
const letters = ['A', 'B'];

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== undefined && value !== null)
      node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS($('timeline').namespaceURI, tag), attributes, children);

/* ---- numbers ---- */

function span(ns) {
  const size = Math.abs(ns);
  const [unit, per] = size < 1e3 ? ['ns', 1] : size < 1e6 ? ['\u00b5s', 1e3] : size < 1e9 ? ['ms', 1e6] : ['s', 1e9];
  const value = ns / per;
  return `${per === 1 ? value : value.toFixed(Math.abs(value) < 10 ? 3 : Math.abs(value) < 100 ? 2 : 1)} ${unit}`;
}
const tick = ns => span(ns).replace(/\.?0+ /, ' ');
const signed = ns => (ns < 0 ? '\u2212' : '+') + span(Math.abs(ns));
const ms = ns => (ns / 1e6).toFixed(3);
const count = (n, what) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
const address = x => x || '\u2013';

/* The first index whose key is above `at`. */
function above(list, at, key) {
  let from = 0, to = list.length;
  while (from < to) {
    const mid = (from + to) >> 1;
    if (key(list[mid]) > at)
      to = mid;
    else
      from = mid + 1;
  }
  return from;
}

/* ---- the records ---- */

const hues = new Map();
function hueOf(label) {
  if (!hues.has(label))
    hues.set(label, hues.size % HUES);
  return hues.get(label);
}

class Row {
  constructor(boot, list) {
    let fields;
    [this.seq, this.t, this.vcpu, this.kind, this.port, this.value, this.pc, this.name, this.source, this.note, fields] = list;
    this.boot = boot;
    this.fields = fields || [];
    this.label = this.name || this.value;
    this.lasts = null; // until the next checkpoint of its vCPU
    this.pair = null;
  }

  get fieldText() {
    return this.fields.map(([name, value]) => `${name}=${value}`).join(' ');
  }

  get what() {
    return `${this.label} ${this.fieldText}`.trim();
  }
}

class Boot {
  constructor(data, index) {
    this.index = index;
    this.file = data.file;
    this.begun = data.epoch;
    this.torn = data.torn;
    this.rows = data.rows.map(list => new Row(this, list));
    this.end = this.rows.reduce((end, row) => Math.max(end, row.t), 0);
    this.lanes = new Map();
    this.texts = this.rows.filter(row => row.kind === TEXT);
    this.noise = this.rows.filter(row => row.kind === NOISE);
    this.marks = this.rows.filter(row => row.kind === LOST || row.kind === CUT);
    for (const row of this.rows)
      if (row.kind === CHECKPOINT) {
        const lane = this.lanes.get(row.vcpu) || [];
        if (lane.length)
          lane[lane.length - 1].lasts = row.t - lane[lane.length - 1].t;
        lane.push(row);
        this.lanes.set(row.vcpu, lane);
      }
    this.checkpoints = this.rows.filter(row => row.kind === CHECKPOINT);
  }
}

/* A checkpoint of one boot or of both. */
class Pair {
  constructor([a, b, aLasts, bLasts, otherData]) {
    this.a = a < 0 ? null : boots[0].rows[a];
    this.b = b < 0 ? null : boots[1].rows[b];
    this.both = Boolean(this.a && this.b);
    this.aLasts = aLasts;
    this.bLasts = bLasts;
    this.sign = !this.b ? 'minus' : !this.a ? 'plus' : otherData ? 'other' : '';
    for (const row of [this.a, this.b])
      if (row)
        row.pair = this;
  }

  get row() {
    return this.a || this.b;
  }

  /* Is it known how long it lasted? The last of a vCPU has no end. */
  get timed() {
    return this.both && this.aLasts + this.bLasts > 0;
  }

  get difference() {
    return this.timed ? this.bLasts - this.aLasts : null;
  }
}
const SIGNS = { minus: '\u2212', plus: '+', other: '~', '': '' };
const SIGN_WORDS = { minus: 'only in A', plus: 'only in B', other: 'in both, with other data' };

const boots = page.boots.map((data, index) => new Boot(data, index));
boots.forEach(boot => boot.checkpoints.forEach(row => hueOf(row.label))); // whatever is drawn first
const pairs = compare ? page.pairs.map(list => new Pair(list)) : [];
const vcpus = [...new Set(boots.flatMap(boot => [...boot.lanes.keys()]))].sort((a, b) => a - b);
const vcpuName = vcpu => vcpu < 0 ? 'vCPU ?' : `vCPU ${vcpu}`;

/* ---- scales: what gives a row its place ---- */

/* A function that goes through the points, and beyond them as steeply as `slope` says. */
function through(points, slope) {
  return t => {
    const i = above(points, t, point => point[0]);
    if (i === 0)
      return points.length ? points[0][1] - (points[0][0] - t) * slope : 0;
    const [t0, u0] = points[i - 1];
    if (i === points.length)
      return u0 + (t - t0) * slope;
    const [t1, u1] = points[i];
    return u0 + (t - t0) * (u1 - u0) / (t1 - t0);
  };
}

const scale = { even: false, end: 1, timeAt: u => u };

function placeByTime() {
  for (const boot of boots)
    for (const row of boot.rows)
      row.u = row.t;
  scale.end = Math.max(...boots.map(boot => boot.end), 1) * 1.03;
  scale.timeAt = u => u;
}

/* Each moment at which something happens is as far from the next. The second boot is laid onto the first. */
function placeEvenly() {
  const [first, second] = boots;
  const moments = [...new Set(first.rows.filter(row => row.kind !== NOISE).map(row => row.t))].sort((a, b) => a - b);
  const points = moments.map((t, i) => [t, i]);
  const place = through(points, 0);
  for (const row of first.rows)
    row.u = place(row.t);
  if (second)
    placeOnto(second);
  scale.end = Math.max(1, ...boots.map(boot => boot.rows.reduce((u, row) => Math.max(u, row.u), 0))) + 1;
  scale.timeAt = through(points.map(([t, u]) => [u, t]), 0);
}

function placeOnto(boot) {
  const maps = new Map();
  for (const [vcpu, lane] of boot.lanes) {
    const points = [];
    let waiting = [], last = null;
    const settle = next => {
      const from = last === null ? Math.max(0, next - 1) : last;
      waiting.forEach((row, i) => row.u = from + (next - from) * (i + 1) / (waiting.length + 1));
      waiting = [];
    };
    for (const row of lane) {
      if (row.pair && row.pair.both) {
        row.u = Math.max(row.pair.a.u, last === null ? 0 : last);
        settle(row.u);
        last = row.u;
      } else {
        waiting.push(row);
      }
    }
    settle((last === null ? 0 : last) + waiting.length + 1);
    for (const row of lane)
      if (!points.length || row.t > points[points.length - 1][0])
        points.push([row.t, row.u]);
    maps.set(vcpu, through(points, 0));
  }
  const any = maps.values().next().value || (() => 0);
  for (const row of boot.rows)
    if (row.kind !== CHECKPOINT)
      row.u = (maps.get(row.vcpu) || any)(row.t);
}

/* ---- what is seen ---- */

const view = { from: 0, to: 1, width: 800, selected: null, noise: false };
const xOf = u => GUTTER + (u - view.from) / (view.to - view.from) * (view.width - GUTTER);
const uOf = x => view.from + (x - GUTTER) / (view.width - GUTTER) * (view.to - view.from);

function look(from, to) {
  const least = scale.even ? 2 : 200, width = Math.min(Math.max(to - from, least), scale.end);
  view.from = Math.min(Math.max(from - (width - (to - from)) / 2, 0), scale.end - width);
  view.to = view.from + width;
  later(draw);
}
const lookAtAll = () => look(0, scale.end);
const zoom = (factor, at = (view.from + view.to) / 2) => look(at - (at - view.from) * factor, at + (view.to - at) * factor);

/* Where what begins with the row ends. */
function endOf(list, i) {
  return i + 1 < list.length ? list[i + 1].u : scale.end;
}

function lookAtRow(row) {
  const list = listOf(row), i = list.indexOf(row), to = i < 0 ? row.u : endOf(list, i);
  let from = row.u, end = to;
  for (const other of row.pair && row.pair.both ? [row.pair.a, row.pair.b] : []) {
    const its = listOf(other);
    from = Math.min(from, other.u);
    end = Math.max(end, endOf(its, its.indexOf(other)));
  }
  const margin = Math.max((end - from) * .35, scale.even ? 1.5 : 2000);
  look(from - margin, end + margin);
}

let planned = new Set();
function later(work) {
  if (!planned.size)
    requestAnimationFrame(() => {
      const works = planned;
      planned = new Set();
      works.forEach(w => w());
    });
  planned.add(work);
}

/* ---- lanes ---- */

/* From top to bottom. */
function layOut() {
  const lanes = [];
  let y = AXIS + 6;
  for (const vcpu of vcpus) {
    boots.forEach((boot, i) => {
      lanes.push({ boot, vcpu, y, height: LANE, list: boot.lanes.get(vcpu) || [], name: i === 0 ? vcpuName(vcpu) : '' });
      y += LANE + (compare && i === 0 ? GAP : 0);
    });
    y += compare ? 20 : 8;
  }
  if (boots.some(boot => boot.texts.length)) {
    boots.forEach((boot, i) => {
      lanes.push({ boot, y, height: LINE, list: boot.texts, text: true, name: i === 0 ? 'Console' : '' });
      y += LINE + 2;
    });
    y += 6;
  }
  return { lanes, height: y };
}
const layout = layOut();

function listOf(row) {
  return row.kind === TEXT ? row.boot.texts : row.kind === CHECKPOINT ? row.boot.lanes.get(row.vcpu) : [];
}

let hits = []; // what can be pointed at: rows, or {rows, from, to}
function hit(thing) {
  hits.push(thing);
  return hits.length - 1;
}

const letterWidth = 6.65;
function clipped(text, width) {
  const n = Math.floor(width / letterWidth);
  return text.length <= n ? text : n >= 4 ? text.slice(0, n - 1) + '\u2026' : '';
}

function drawPhase(lane, i, x0, x1) {
  const row = lane.list[i], left = Math.max(x0, GUTTER), width = Math.max(Math.min(x1, view.width) - left, 1);
  const label = clipped(row.label, width - 10);
  const kind = lane.text ? 'line' : `phase hue${hueOf(row.label)}${i + 1 === lane.list.length ? ' open' : ''}`;
  return svg('g', { class: kind, 'data-hit': hit(row) },
    svg('rect', { class: 'body', x: left, y: lane.y, width, height: lane.height }),
    x0 >= GUTTER ? svg('rect', { class: 'edge', x: x0, y: lane.y, width: Math.min(2, width), height: lane.height }) : null,
    label ? svg('text', { x: left + 6, y: lane.y + lane.height / 2 + 4 }, label) : null);
}

/* The name that takes most of the time. */
function mostOf(rows) {
  const sums = new Map();
  for (const row of rows)
    sums.set(row.label, (sums.get(row.label) || 0) + (row.lasts || 0));
  let most = rows[0].label;
  sums.forEach((sum, label) => {
    if (sum > sums.get(most))
      most = label;
  });
  return most;
}

function drawCluster(lane, from, to, x0, x1) {
  const width = Math.max(x1 - x0, 2), rows = lane.list.slice(from, to);
  const sign = ['minus', 'plus', 'other'].find(name => rows.some(row => row.pair && row.pair.sign === name));
  return svg('g', { class: lane.text ? 'line cluster' : `phase cluster hue${hueOf(mostOf(rows))}`, 'data-hit': hit({ rows, to: endOf(lane.list, to - 1) }) },
    svg('rect', { class: 'body', x: x0, y: lane.y, width, height: lane.height }),
    svg('rect', { class: 'edge', x: x0, y: lane.y + lane.height - 4, width, height: 4 }),
    sign ? svg('rect', { class: `strip ${sign}`, x: x0, y: lane.y - 4, width, height: 4 }) : null);
}

/* What would be narrower than that becomes a cluster with its neighbours, up to so wide; badges, if they are not too many. */
const NARROW = 2.5, WIDE = 6, BADGES = 30;

function drawLane(lane, out) {
  const { list } = lane;
  let i = Math.max(0, above(list, view.from, row => row.u) - 1), lastBadge = -99;
  const badges = [];
  const badge = (row, x) => {
    if (!row.pair || !row.pair.sign || x < GUTTER || x - lastBadge < 13)
      return;
    lastBadge = x;
    badges.push(svg('g', { class: `badge ${row.pair.sign}` }, svg('circle', { cx: x + 1, cy: lane.y, r: 6.5 }),
      svg('text', { x: x + 1, y: lane.y + 4 }, SIGNS[row.pair.sign])));
  };
  while (i < list.length && list[i].u <= view.to) {
    const begin = i, x0 = xOf(list[i].u);
    let x1 = xOf(endOf(list, i));
    if (x1 - x0 >= NARROW || i + 1 === list.length) {
      if (x1 > GUTTER)
        out.push(drawPhase(lane, i, x0, x1));
      badge(list[i], x0);
      i++;
      continue;
    }
    while (i < list.length && xOf(endOf(list, i)) - xOf(list[i].u) < NARROW && (i === begin || xOf(endOf(list, i)) - x0 < WIDE)) {
      badge(list[i], xOf(list[i].u));
      x1 = xOf(endOf(list, i));
      i++;
    }
    if (x1 <= GUTTER)
      continue;
    out.push(i - begin === 1 ? drawPhase(lane, begin, x0, x1)
      : drawCluster(lane, begin, i, Math.max(x0, GUTTER), Math.min(x1, view.width)));
  }
  if (badges.length <= BADGES)
    out.push(...badges);
}

/* From a checkpoint in one boot to the same in the other. */
function drawJoins(above_, below, out) {
  const from = above_.y + above_.height, to = below.y;
  let last = -9, path = '';
  for (const row of above_.list) {
    if (!row.pair || !row.pair.both || row.pair.b.vcpu !== below.vcpu)
      continue;
    const x0 = xOf(row.u), x1 = xOf(row.pair.b.u);
    if (Math.max(x0, x1) < GUTTER || Math.min(x0, x1) > view.width || x0 - last < 7)
      continue;
    last = x0;
    path += `M${x0.toFixed(1)} ${from}L${x1.toFixed(1)} ${to}`;
  }
  out.push(svg('g', { 'clip-path': 'url(#inside)' }, svg('path', { class: 'join', d: path || 'M0 0' })));
}

function drawNoise(out) {
  for (const boot of boots) {
    let last = -9;
    const group = svg('g', { class: 'noise' });
    for (const row of boot.noise) {
      const lane = layout.lanes.find(l => l.boot === boot && l.vcpu === row.vcpu && !l.text), x = xOf(row.u);
      if (!lane || x < GUTTER || x > view.width || x - last < 2)
        continue;
      last = x;
      group.append(svg('line', { 'data-hit': hit(row), x1: x, x2: x, y1: lane.y + lane.height - 8, y2: lane.y + lane.height, 'stroke-width': 2 }));
    }
    out.push(group);
  }
}

function drawMarks(out) {
  for (const row of boots.flatMap(boot => boot.marks)) {
    const x = xOf(row.u);
    if (x < GUTTER || x > view.width)
      continue;
    out.push(svg('g', { class: 'mark', 'data-hit': hit(row) }, svg('line', { x1: x, x2: x, y1: AXIS, y2: layout.height }),
      svg('text', { x: x + 4, y: layout.height - 2 }, row.label)));
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(n => n * power).find(step => step >= least) || 10 * power;
}

function drawAxis(out) {
  const group = svg('g', { class: 'axis' });
  let step = niceStep((view.to - view.from) / Math.max(1, (view.width - GUTTER) / 110));
  if (scale.even)
    step = Math.max(1, Math.round(step));
  for (let u = Math.ceil(view.from / step) * step; u <= view.to; u += step) {
    const x = xOf(u), text = u === 0 ? '0' : tick(scale.even ? scale.timeAt(u) : Number(u.toPrecision(12)));
    group.append(svg('line', { x1: x, x2: x, y1: AXIS - 4, y2: layout.height }));
    if (x + text.length * letterWidth < view.width)
      group.append(svg('text', { x: x + 4, y: AXIS - 9 }, text));
  }
  out.push(group);
}

function drawCursor(out) {
  const row = view.selected;
  const lane = row && layout.lanes.find(l => l.boot === row.boot && l.list.includes(row));
  if (!row)
    return;
  const x = xOf(row.u);
  if (x < GUTTER - 1 || x > view.width)
    return;
  const group = svg('g', { class: 'cursor' }, svg('line', { x1: x, x2: x, y1: AXIS - 4, y2: layout.height }));
  if (lane) {
    const to = Math.min(view.width - 1, Math.max(x + 3, xOf(endOf(lane.list, lane.list.indexOf(row)))));
    group.append(svg('rect', { x, y: lane.y, width: to - x, height: lane.height }));
  }
  out.push(group);
}

function draw() {
  const root = $('timeline');
  const width = root.clientWidth || 800, out = [];
  view.width = width;
  hits = [];
  root.setAttribute('viewBox', `0 0 ${width} ${layout.height}`);
  root.setAttribute('height', layout.height);
  out.push(svg('clipPath', { id: 'inside' }, svg('rect', { x: GUTTER, y: 0, width: width - GUTTER, height: layout.height })));
  for (const lane of layout.lanes)
    if (!lane.text)
      out.push(svg('rect', { class: 'lane-back', x: GUTTER, y: lane.y, width: width - GUTTER, height: lane.height }));
  drawAxis(out);
  layout.lanes.forEach((lane, i) => {
    out.push(svg('text', { class: 'lane-name', x: 2, y: lane.y + lane.height / 2 + 4 }, lane.name));
    if (compare)
      out.push(svg('text', { class: `lane-boot of-${letters[lane.boot.index].toLowerCase()}`, x: GUTTER - 16, y: lane.y + lane.height / 2 + 4 }, letters[lane.boot.index]));
    if (compare && lane.boot.index === 1 && !lane.text)
      drawJoins(layout.lanes[i - 1], lane, out);
  });
  for (const lane of layout.lanes)
    drawLane(lane, out);
  if (view.noise)
    drawNoise(out);
  drawMarks(out);
  drawCursor(out);
  root.replaceChildren(...out);
  drawOverview();
}

/* ---- the strip with all of it ---- */

const BIN = 3;
const overview = { density: null };

function drawDensity() {
  const width = view.width - GUTTER, bins = Math.max(1, Math.floor(width / BIN));
  const all = new Array(bins).fill(0), differs = new Array(bins).fill(0), out = [];
  for (const boot of boots)
    for (const row of boot.rows)
      if (row.kind === CHECKPOINT) {
        const bin = Math.min(bins - 1, Math.floor(row.u / scale.end * bins));
        all[bin]++;
        differs[bin] += row.pair && row.pair.sign ? 1 : 0;
      }
  const most = Math.max(1, ...all), height = n => n ? 3 + 25 * Math.log1p(n) / Math.log1p(most) : 0;
  all.forEach((n, i) => n && out.push(svg('rect', { class: 'density', x: GUTTER + i * BIN, y: 32 - height(n), width: BIN - .5, height: height(n) })));
  differs.forEach((n, i) => n && out.push(svg('rect', { class: 'density differs', x: GUTTER + i * BIN, y: 32 - height(n), width: BIN - .5, height: height(n) })));
  overview.density = svg('g', {}, ...out);
  overview.width = view.width;
}

function drawOverview() {
  const root = $('overview'), all = u => GUTTER + u / scale.end * (view.width - GUTTER);
  if (!overview.density || overview.width !== view.width)
    drawDensity();
  root.setAttribute('viewBox', `0 0 ${view.width} 34`);
  const parts = [svg('text', { class: 'lane-name', x: 2, y: 22 }, 'All'), svg('rect', { class: 'lane-back', x: GUTTER, y: 2, width: view.width - GUTTER, height: 30 }), overview.density];
  if (view.to - view.from < scale.end * .999)
    parts.push(svg('rect', { class: 'window', x: all(view.from), y: 2, width: Math.max(3, all(view.to) - all(view.from)), height: 30 }));
  root.replaceChildren(...parts);
}

/* ---- what is told about a thing ---- */

function aboutRow(row) {
  const lines = [];
  const add = (name, value) => value !== undefined && value !== null && value !== '' && lines.push([name, value]);
  if (row.pair && row.pair.sign)
    add('difference', SIGN_WORDS[row.pair.sign]);
  if (row.name && row.value)
    add('value', row.value);
  add('time', `${ms(row.t)} ms${compare ? ` in ${letters[row.boot.index]}` : ''}`);
  if (row.kind === CHECKPOINT)
    add('lasts', row.lasts === null ? 'until the end: the last of this vCPU' : span(row.lasts));
  if (row.pair && row.pair.both) {
    const { a, b, aLasts, bLasts, difference } = row.pair;
    add('', `${ms((row === a ? b : a).t)} ms in ${letters[1 - row.boot.index]}`);
    if (row.pair.timed)
      add('A \u2192 B', `${span(aLasts)} \u2192 ${span(bLasts)} (${signed(difference)})`);
  }
  if (row.kind !== LOST && row.kind !== CUT) {
    add('vCPU', row.vcpu < 0 ? 'not known' : String(row.vcpu));
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
  const lines = [['time', `${span(rows[0].t)} \u2013 ${span(rows[rows.length - 1].t)}`], ['vCPU', rows[0].vcpu < 0 ? 'not known' : String(rows[0].vcpu)]];
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
  const { width, height } = tip.getBoundingClientRect(), [w, h] = [document.documentElement.clientWidth, window.innerHeight];
  tip.style.left = `${Math.max(8, x + 16 + width > w - 8 ? Math.min(x - width - 12, w - width - 8) : x + 16)}px`;
  tip.style.top = `${Math.max(8, y + 18 + height > h - 8 ? y - height - 12 : y + 18)}px`;
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
  const row = view.selected, lane = layout.lanes.find(l => l.boot === row.boot && l.list.includes(row));
  const box = $('timeline').getBoundingClientRect();
  tell(row, box.left + Math.min(Math.max(xOf(row.u), GUTTER), view.width), box.top + (lane ? lane.y + lane.height : AXIS) - 14);
}

/* Arrow keys: along a lane, or to the nearest in another. */
function step(dx, dy) {
  const lanes = layout.lanes.filter(lane => lane.list.length);
  if (!lanes.length)
    return;
  let at = lanes.findIndex(lane => view.selected && lane.boot === view.selected.boot && lane.list.includes(view.selected));
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
  const keys = {
    ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
    Enter: () => view.selected && (lookAtRow(view.selected), later(tellSelected)), Escape: untell,
    '+': () => zoom(.5, view.selected ? view.selected.u : undefined), '=': () => zoom(.5, view.selected ? view.selected.u : undefined),
    '-': () => zoom(2, view.selected ? view.selected.u : undefined), 0: lookAtAll,
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

/* ---- the table ---- */

const column = (title, cell, key, className = '') => ({ title, cell, key, className });
const timeCell = ns => ns === null ? '' : ms(ns);

const KINDS = { [CHECKPOINT]: 'checkpoint', [NOISE]: 'noise', [TEXT]: 'console', [LOST]: 'lost', [CUT]: 'cut' };
const wideCell = row => [row.label, row.fields.length ? el('span', { class: 'soft' }, row.fieldText) : null,
  row.note ? el('span', { class: 'soft' }, `${KINDS[row.kind] === 'noise' ? 'noise: ' : ''}${row.note}`) : null,
  row.source ? el('span', { class: 'soft' }, row.source) : null];

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
  column('B \u2212 A (ms)', pair => pair.timed ? (pair.difference < 0 ? '\u2212' : '+') + ms(Math.abs(pair.difference)) : '',
    pair => pair.timed ? Math.abs(pair.difference) : -1, 'right'),
  column('Value', pair => pair.row.value, pair => pair.row.value.padStart(20)),
  column('What', pair => [...wideCell(pair.row), pair.sign === 'other' ? el('span', { class: 'other' }, ` in B: ${pair.b.what}`) : null],
    pair => pair.row.label, 'wide'),
];

const rowWords = row => [row.seq, KINDS[row.kind], vcpuName(row.vcpu), row.pc, row.port, row.value, row.label, row.fieldText, row.source, row.note];
const pairWords = pair => [...rowWords(pair.row), SIGN_WORDS[pair.sign], pair.both ? pair.b.fieldText : ''];

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
      return el('th', { class: c.className, scope: 'col', 'aria-sort': this.sort === c ? this.down ? 'descending' : 'ascending' : null,
        'aria-label': c.title || 'difference' }, button);
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
      rows.push(el('tr', { class: 'gap' }, el('td', { colspan: this.columns.length, class: 'soft' }, '\u00a0 No record has all of these words.')));
    box.querySelector('tbody').replaceChildren(...rows);
  },

  rowNode(thing, index) {
    const row = this.rowOf(thing), quiet = row.kind === NOISE || row.kind === TEXT ? 'quiet' : '';
    const tr = el('tr', { class: thing.sign || quiet || null, 'data-index': index, tabindex: 0, 'aria-selected': this.isSelected(thing) });
    this.columns.forEach((c, i) => {
      const cell = c.cell(thing), content = Array.isArray(cell) ? cell : [String(cell)];
      const class_ = [c.className, thing.sign && i === 0 ? thing.sign : ''].join(' ').trim();
      tr.append(el('td', { class: class_ || null, title: c.className === 'wide' ? row.what : null }, ...content));
    });
    return tr;
  },

  isSelected(thing) {
    return view.selected !== null && (thing === view.selected || (thing instanceof Pair && (thing.a === view.selected || thing.b === view.selected)));
  },

  /* Scroll to a row, if it is there. */
  show(row) {
    const index = this.shown.findIndex(thing => thing === row || (thing instanceof Pair && (thing.a === row || thing.b === row)));
    const box = $('scroller'), at = index * ROW;
    if (index >= 0 && (at < box.scrollTop || at > box.scrollTop + box.clientHeight - 3 * ROW))
      box.scrollTop = Math.max(0, at - box.clientHeight / 2);
    this.drawBody();
  },
};

function onTable() {
  const tabs = compare ? [{ name: 'Comparison', pairs }, ...boots.map((boot, i) => ({ name: letters[i], boot }))] : [{ name: 'Records', boot: boots[0] }];
  if (compare)
    $('tables').append(...tabs.map(tab => {
      const button = el('button', { type: 'button' }, tab.name);
      button.addEventListener('click', () => table.open(tab));
      return button;
    }));
  $('filter-vcpu').append(el('option', { value: 'all' }, 'All vCPUs'), ...vcpus.map(vcpu => el('option', { value: vcpu }, vcpuName(vcpu))));
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
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.index : undefined;
  table.drawBody();
  const again = focused === undefined ? null : $('scroller').querySelector(`tr[data-index="${Number(focused)}"]`);
  if (again)
    again.focus({ preventScroll: true });
};

/* ---- summary and rankings ---- */

const RANKED = 8;

function fact(name, value, more) {
  return el('dl', { class: 'fact' }, el('dt', {}, name), el('dd', {}, value, more ? el('small', {}, ` ${more}`) : null));
}

function summarise() {
  const names = boots.map(boot => boot.file.split('/').pop());
  document.title = `${names.join(' / ')} \u2013 checkpoints`;
  $('title').replaceChildren(...(compare
    ? [el('span', { class: 'chip of-a' }, 'A'), ` ${names[0]} `, el('span', { class: 'chip of-b' }, 'B'), ` ${names[1]}`] : [names[0]]));
  $('subtitle').textContent = boots.map(boot => new Date(boot.begun * 1000).toISOString().replace('T', ' ').slice(0, 19) + ' UTC').join('  /  ');
  const both = f => boots.map(f).join(' / '), [a, b] = boots;
  const lost = boots.flatMap(boot => boot.marks).length + boots.filter(boot => boot.torn).length;
  const facts = [fact('First to last record', both(boot => span(boot.end)), compare ? signed(b.end - a.end) : '')];
  if (compare) {
    const n = sign => pairs.filter(pair => pair.sign === sign).length;
    facts.push(fact('In both', pairs.filter(pair => pair.both).length.toLocaleString('en'), n('other') ? `${n('other')} with other data` : ''),
      fact('Only in A / only in B', `${n('minus')} / ${n('plus')}`, n('minus') + n('plus') ? '' : 'same order'));
  } else {
    facts.push(fact('Checkpoints', a.checkpoints.length.toLocaleString('en'), a.noise.length ? `and ${a.noise.length.toLocaleString('en')} of noise` : ''));
  }
  facts.push(fact('vCPUs', String(vcpus.length)), fact('Console lines', both(boot => boot.texts.length.toLocaleString('en'))));
  if (lost)
    facts.push(fact('Not complete', boots.flatMap(boot => [...boot.marks.map(mark => mark.label), boot.torn ? 'the file ends early' : null]).filter(x => x).join(', ')));
  $('facts').replaceChildren(...facts);
  if (compare)
    $('legend').replaceChildren(...['minus', 'plus', 'other'].map(sign => el('span', { class: sign }, el('b', {}, SIGNS[sign]), ` ${SIGN_WORDS[sign]}`)));
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
    const button = el('button', { type: 'button', title: item.title }, el('span', { class: 'name' }, item.name), bars, el('span', { class: `amount ${item.sign || ''}` }, item.amount));
    button.addEventListener('click', item.go);
    return el('li', {}, button);
  })));
}

const largest = (list, key) => list.filter(item => key(item) > 0).sort((a, b) => key(b) - key(a)).slice(0, RANKED);
const where = row => vcpus.length > 1 ? ` \u00b7 ${vcpuName(row.vcpu)}` : '';

function rank() {
  const cards = [];
  if (compare) {
    cards.push(ranking('Where the time went: A to B', largest(pairs.filter(pair => pair.both), pair => Math.abs(pair.difference)).map(pair => ({
      name: pair.a.what + where(pair.a), title: pair.a.what, bars: [['of-a', pair.aLasts], ['of-b', pair.bLasts]],
      amount: signed(pair.difference), sign: pair.difference > 0 ? 'minus' : 'plus', go: () => choose(pair.a, { reveal: true }) }))));
  }
  for (const boot of compare ? [] : boots)
    cards.push(ranking('Longest', largest(boot.checkpoints, row => row.lasts || 0).map(row => ({
      name: row.what + where(row), title: row.what, bars: [['', row.lasts]], amount: span(row.lasts), go: () => choose(row, { reveal: true }) }))));
  cards.push(byName());
  $('rankings').replaceChildren(...cards.filter(card => card.querySelector('li')));
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
  const size = sum => compare ? Math.abs(sum.ns[1] - sum.ns[0]) : sum.ns[0];
  return ranking(compare ? 'By name: A to B' : 'By name', largest([...names.values()], size).map(sum => ({
    name: `${sum.name} \u00d7${compare && sum.n[0] !== sum.n[1] ? sum.n.join('/') : sum.n[0] || sum.n[1]}`, title: `Filter by ${sum.name}`,
    bars: compare ? [['of-a', sum.ns[0]], ['of-b', sum.ns[1]]] : [['', sum.ns[0]]],
    amount: compare ? signed(sum.ns[1] - sum.ns[0]) : span(sum.ns[0]), sign: compare ? sum.ns[1] > sum.ns[0] ? 'minus' : 'plus' : '',
    go: () => {
      $('filter').value = sum.name;
      table.update();
      $('table-head').scrollIntoView({ block: 'start' });
    } })));
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
