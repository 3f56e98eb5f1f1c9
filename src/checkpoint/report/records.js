/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Draws the data of the page: one boot, or two beside each other. Whatever a guest wrote becomes text nodes only.
 * Times are nanoseconds since the first record of a boot; `u` is a position in the scale that was chosen.
 */
'use strict';

const CHECKPOINT = 0, NOISE = 1, TEXT = 2, LOST = 3, CUT = 4, VERDICT = 5;
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
  constructor(boot, seq, t, thing, value) {
    let size, fields;
    [this.vcpu, this.kind, this.port, size, this.pc, this.name, this.source, this.note, fields] = thing;
    this.seq = seq;
    this.t = t;
    this.value = size ? `0x${value.toString(16).padStart(2 * size, '0')}` : null;
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
    this.rows = [];
    for (let i = 0, seq = 0, t = 0; i < data.rows.length; i += 4) {
      seq += data.rows[i];
      t += data.rows[i + 1];
      this.rows.push(new Row(this, seq, t, page.things[data.rows[i + 2]], data.rows[i + 3]));
    }
    this.end = this.rows.reduce((end, row) => Math.max(end, row.t), 0);
    this.lanes = new Map();
    this.texts = this.rows.filter(row => row.kind === TEXT);
    this.noise = this.rows.filter(row => row.kind === NOISE);
    this.marks = this.rows.filter(row => row.kind >= LOST);
    this.verdict = this.marks.find(row => row.kind === VERDICT);
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
  constructor(a, b, aLasts, bLasts, otherData) {
    this.a = a;
    this.b = b;
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
const pairs = [];
for (let i = 0, a = -1, b = -1; i < page.pairs.length; i += 5) {
  const [inA, inB, ...rest] = page.pairs.slice(i, i + 5);
  a += inA;
  b += inB;
  pairs.push(new Pair(inA ? boots[0].rows[a] : null, inB ? boots[1].rows[b] : null, ...rest));
}
const vcpus = [...new Set(boots.flatMap(boot => [...boot.lanes.keys()]))].sort((a, b) => a - b);
const vcpuWord = row => row.vcpu < 0 ? 'not known' : String(row.vcpu);
const vcpuName = vcpu => vcpu < 0 ? 'vCPU ?' : `vCPU ${vcpu}`;
