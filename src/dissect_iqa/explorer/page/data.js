"use strict";
// The study's explorer. All data lie in the page; what is shown lies in the address, so that a view
// can be sent. Charts are Vega-Lite's; tables, filters and the address are plain.

const NOTHING = -32768;
const $ = (selector) => document.querySelector(selector);
const text = (tag, content, more = {}) =>
  Object.assign(document.createElement(tag), { textContent: content }, more);
const shown = (value, digits = 3) =>
  Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2013";

let study, bytes;  // the header, and the buffer of all numbers
let state = {};

async function unpack() {
  const packed = atob($("#data").textContent.trim());
  const plain = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) plain[i] = packed.charCodeAt(i);
  const stream = new Blob([plain]).stream().pipeThrough(new DecompressionStream("gzip"));
  bytes = await new Response(stream).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  study = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  study.start = 4 + length;
  study.names = [...study.networks, ...study.metrics];
}

function numbers(part) {
  // part: [first, how many, scale, what to add]; numbers are read as they are asked for
  if (!part) return { length: 0, at: () => NaN, digits: 3 };
  const raw = new Int16Array(bytes, study.start + 2 * part[0], part[1]);
  return {
    length: part[1],
    digits: Math.max(0, Math.min(3, Math.floor(Math.log10(part[2])))),  // that are certain
    at: (i) => (raw[i] === NOTHING ? NaN : raw[i] / part[2] + (part[3] || 0)),
  };
}

const set = () => study.sets.find((one) => one.name === state.set) || study.sets[0];
const measure = () => set().measures.find((one) => one.title === state.measure) || set().measures[0];

function profile(network) {
  // the measure over depth: a list of {layer, depth, value, low, high}
  const one = measure(), own = set().layers[network];
  const distance = one.distances.indexOf(state.distance);
  if (!own || distance < 0 || !one.values[network]) return [];
  const count = own.names.length, subsets = one.subsets.length;
  const subset = Math.max(0, one.subsets.indexOf(state.subset));
  const depths = numbers(own.depths), values = numbers(one.values[network]);
  const low = numbers(one.low && one.low[network]), high = numbers(one.high && one.high[network]);
  const whole = subset === 0 && low.length > 0;
  const rows = [];
  for (let i = 0; i < count; i++) {
    const value = values.at((distance * subsets + subset) * count + i);
    if (!Number.isFinite(value)) continue;
    rows.push({
      layer: own.names[i], depth: depths.at(i), value, digits: values.digits,
      low: whole ? low.at(distance * count + i) : NaN,
      high: whole ? high.at(distance * count + i) : NaN,
    });
  }
  return rows;
}

function best(rows, less) {
  return rows.reduce((kept, row) =>
    !kept || (less ? row.value < kept.value : row.value > kept.value) ? row : kept, null);
}

function passes(entry) {
  const find = state.find.toLowerCase();
  if (find && !entry.name.toLowerCase().includes(find)) return false;
  if (entry.kind === "metric") return true;
  return FACETS.every((facet) => !state[facet] || state[facet].includes(entry[facet]));
}

function rows() {
  // a row a network or metric that passes the filters and has a value here
  const one = measure(), found = [], first = set().measures[0];
  const honest = numbers(set().honest), distance = first.distances.indexOf(state.distance);
  study.networks.forEach((entry, i) => {
    if (!passes(entry)) return;
    const layers = profile(i), top = best(layers, one.less);
    if (!top) return;
    found.push({
      ...entry, ...top, index: i, layers, last: layers.at(-1).value,
      honest: one.honest && distance >= 0 && state.subset === "all"
        ? honest.at(i * first.distances.length + distance) : NaN,
    });
  });
  const subset = one.subsets.indexOf(state.subset), known = one.metrics;
  const [values, low, high] = [known.values, known.low, known.high].map(numbers);
  study.metrics.forEach((entry, i) => {
    const value = subset < 0 ? NaN : values.at(i * one.subsets.length + subset);
    if (!passes(entry) || !Number.isFinite(value)) return;
    const whole = subset === 0 && low.length > 0;
    found.push({
      ...entry, index: study.networks.length + i, value, digits: values.digits,
      layer: "", depth: NaN, last: NaN,
      low: whole ? low.at(i) : NaN, high: whole ? high.at(i) : NaN, honest: NaN,
    });
  });
  return found;
}
