/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

/* What comes last in a boot is drawn a margin longer than the boot is. */
function setEnds(margin) {
  for (const boot of boots)
    boot.to = boot.rows.reduce((u, row) => Math.max(u, row.u), 0) + margin;
  scale.end = Math.max(1, ...boots.map(boot => boot.to));
}

function placeByTime() {
  for (const boot of boots)
    for (const row of boot.rows)
      row.u = row.t;
  setEnds(Math.max(...boots.map(boot => boot.end), 1) * .03);
  scale.timeAt = u => u;
}

/* Each checkpoint is as far from the next, whatever lies between; the second boot is laid onto the first. */
function placeEvenly() {
  const [first, second] = boots;
  const rows = first.checkpoints.length ? first.checkpoints : first.rows;
  const moments = [...new Set([...rows.map(row => row.t), first.end])].sort((a, b) => a - b);
  const points = moments.map((t, i) => [t, i]);
  const place = through(points, 0);
  for (const row of first.rows)
    row.u = place(row.t);
  if (second)
    placeOnto(second);
  setEnds(.7);
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
    if (boot.end > points[points.length - 1][0])
      points.push([boot.end, points[points.length - 1][1] + 1]);
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
function zoom(factor, at = (view.from + view.to) / 2) {
  look(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

/* Where what begins with the row ends. */
function endOf(list, i) {
  return i + 1 < list.length ? list[i + 1].u : list[i].boot.to;
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
