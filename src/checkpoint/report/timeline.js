/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ---- lanes ---- */

/* From top to bottom. */
function layOut() {
  const lanes = [];
  let y = AXIS + 6;
  for (const vcpu of vcpus) {
    boots.forEach((boot, i) => {
      const list = boot.lanes.get(vcpu) || [];
      lanes.push({ boot, vcpu, y, height: LANE, list, name: i === 0 ? vcpuName(vcpu) : '' });
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
  return { lanes, height: y + (boots.some(boot => boot.marks.length) ? 16 : 0) };
}
const layout = layOut();

/* The lane that a row is in; undefined: none. */
const laneOf = row => layout.lanes.find(lane => lane.boot === row.boot && lane.list.includes(row));

function listOf(row) {
  return row.kind === TEXT ? row.boot.texts : row.kind === CHECKPOINT ? row.boot.lanes.get(row.vcpu) : [];
}

const rect = (class_, x, y, width, height) => svg('rect', { class: class_, x, y, width, height });
const label = (class_, x, y, text) => svg('text', { class: class_, x, y }, text);

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
  const name = clipped(row.label, width - 10);
  const kind = lane.text ? 'line' : `phase hue${hueOf(row.label)}${i + 1 === lane.list.length ? ' open' : ''}`;
  return svg('g', { class: kind, 'data-hit': hit(row) },
    rect('body', left, lane.y, width, lane.height),
    x0 >= GUTTER ? rect('edge', x0, lane.y, Math.min(2, width), lane.height) : null,
    name ? label(null, left + 6, lane.y + lane.height / 2 + 4, name) : null);
}

/* The name that takes most of the time; of many rows some are asked. */
function mostOf(rows) {
  const sums = new Map(), step = Math.ceil(rows.length / 40);
  for (let i = 0; i < rows.length; i += step)
    sums.set(rows[i].label, (sums.get(rows[i].label) || 0) + (rows[i].lasts || 0));
  let most = rows[0].label;
  sums.forEach((sum, label) => {
    if (sum > sums.get(most))
      most = label;
  });
  return most;
}

function drawCluster(lane, from, to, x0, x1) {
  const width = Math.max(x1 - x0, 2), rows = lane.list.slice(from, to);
  const differs = compare && rows.find(row => row.pair && row.pair.sign), sign = differs && differs.pair.sign;
  const kind = lane.text ? 'line cluster' : `phase cluster hue${hueOf(mostOf(rows))}`;
  return svg('g', { class: kind, 'data-hit': hit({ rows, to: endOf(lane.list, to - 1) }) },
    rect('body', x0, lane.y, width, lane.height),
    rect('edge', x0, lane.y + lane.height - 4, width, 4),
    sign ? rect(`strip ${sign}`, x0, lane.y - 4, width, 4) : null);
}

/* What would be narrower becomes a cluster with its neighbours, up to so wide. Badges are drawn if they are few. */
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
    for (let end = x1, at = x0; i < list.length && end - at < NARROW && (i === begin || end - x0 < WIDE); at = end) {
      badge(list[i], at);
      x1 = end;
      i++;
      end = i < list.length ? xOf(endOf(list, i)) : end;
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
    const x0 = xOf(row.u), x1 = xOf(row.pair.b.u), seen = Math.max(x0, x1) > GUTTER && Math.min(x0, x1) < view.width;
    if (!seen || x0 - last < 7 || Math.abs(x1 - x0) > view.width / 3) // flatter lines say nothing
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
      const end = lane.y + lane.height;
      group.append(svg('line', { 'data-hit': hit(row), x1: x, x2: x, y1: end - 8, y2: end, 'stroke-width': 2 }));
    }
    out.push(group);
  }
}

function drawMarks(out) {
  let free = 0; // where the next text has room
  for (const row of boots.flatMap(boot => boot.marks)) {
    const x = xOf(row.u), text = compare ? `${letters[row.boot.index]}: ${row.label}` : row.label;
    if (x < GUTTER || x > view.width)
      continue;
    const at = Math.min(x + 4, view.width - text.length * letterWidth);
    out.push(svg('g', { class: 'mark', 'data-hit': hit(row) },
      svg('line', { x1: x, x2: x, y1: AXIS, y2: layout.height - 14 }),
      at > free ? label(null, at, layout.height - 3, text) : null));
    free = Math.max(free, at + text.length * letterWidth);
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
  if (!row)
    return;
  const lane = laneOf(row), x = xOf(row.u);
  if (x < GUTTER - 1 || x > view.width)
    return;
  const group = svg('g', { class: 'cursor' }, svg('line', { x1: x, x2: x, y1: AXIS - 4, y2: layout.height }));
  if (lane) {
    const to = Math.min(view.width - 1, Math.max(x + 3, xOf(endOf(lane.list, lane.list.indexOf(row)))));
    group.append(rect(null, x, lane.y, to - x, lane.height));
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
  out.push(svg('clipPath', { id: 'inside' }, rect(null, GUTTER, 0, width - GUTTER, layout.height)));
  for (const lane of layout.lanes)
    if (!lane.text)
      out.push(rect('lane-back', GUTTER, lane.y, width - GUTTER, lane.height));
  drawAxis(out);
  layout.lanes.forEach((lane, i) => {
    const y = lane.y + lane.height / 2 + 4, letter = letters[lane.boot.index];
    out.push(label('lane-name', 2, y, lane.name));
    if (compare)
      out.push(label(`lane-boot of-${letter.toLowerCase()}`, GUTTER - 16, y, letter));
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
      if (row.kind !== NOISE) {
        const bin = Math.min(bins - 1, Math.floor(row.u / scale.end * bins));
        all[bin]++;
        differs[bin] += row.pair && row.pair.sign ? 1 : 0;
      }
  const most = Math.max(1, ...all), height = n => n ? 3 + 25 * Math.log1p(n) / Math.log1p(most) : 0;
  for (const [class_, bars] of [['density', all], ['density differs', differs]])
    bars.forEach((n, i) => n && out.push(rect(class_, GUTTER + i * BIN, 32 - height(n), BIN - .5, height(n))));
  overview.density = svg('g', {}, ...out);
  overview.width = view.width;
}

function drawOverview() {
  const root = $('overview'), all = u => GUTTER + u / scale.end * (view.width - GUTTER);
  if (!overview.density || overview.width !== view.width)
    drawDensity();
  root.setAttribute('viewBox', `0 0 ${view.width} 34`);
  const back = rect('lane-back', GUTTER, 2, view.width - GUTTER, 30), parts = [label('lane-name', 2, 22, 'All'), back];
  parts.push(overview.density);
  if (view.to - view.from < scale.end * .999)
    parts.push(rect('window', all(view.from), 2, Math.max(3, all(view.to) - all(view.from)), 30));
  root.replaceChildren(...parts);
}
