
// --- one network or metric -----------------------------------------------------------------------

const chosen = () => study.names.findIndex((entry) => entry.name === state.one);

function fill(table, titles, lines) {
  const head = document.createElement("tr");
  head.append(...titles.map((title, i) =>
    text("th", title, { scope: "col", className: i ? "n" : "" })));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...lines.map((cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map((content, i) =>
      text(i ? "td" : "th", content, i ? { className: "n" } : { scope: "row" })));
    return tr;
  }));
}

function drawOne() {
  const index = chosen(), entry = study.names[index];
  $("#one").hidden = !entry;
  if (!entry) return;
  $("#one-title").textContent = entry.name;
  const facts = [["function", entry.function], ["family", entry.family],
    ["trained on", entry.environment], ["tuned on", entry.tuned_on]];
  $("#facts").textContent = facts.filter((each) => each[1])
    .map((each) => each.join(": ")).join("; ") || "A metric.";
  const own = entry.kind === "network" ? profile(index) : [];
  $("#layers-part").hidden = !own.length;
  fill($("#layers"), ["Layer", "Depth", "Value", "Interval"], own.map((row) =>
    [row.layer, shown(row.depth, 2), shown(row.value, row.digits), interval(row)]));
  const held = set().contests;
  $("#contests-note").textContent = held ? held.note : "None were held on this data set.";
  fill($("#contests"), ["Against", "Difference", "Interval", "Verdict"],
    (held ? contestsOf(index) : []).map((row) => [row.name, shown(row.difference, row.digits),
      `${shown(row.low, row.digits)} to ${shown(row.high, row.digits)}`, row.verdict]));
}

function contestsOf(index) {
  const held = set().contests, found = [];
  const [a, b, winner] = [held.first, held.second, held.winner].map(numbers);
  const [difference, low, high] = [held.difference, held.low, held.high].map(numbers);
  const digits = Math.min(difference.digits, low.digits, high.digits);
  for (let i = 0; i < a.length; i++) {
    const turned = b.at(i) === index;
    if (a.at(i) !== index && !turned) continue;
    const won = winner.at(i), sign = turned ? -1 : 1;
    found.push({
      digits, name: study.names[turned ? a.at(i) : b.at(i)].name, difference: sign * difference.at(i),
      low: turned ? -high.at(i) : low.at(i), high: turned ? -low.at(i) : high.at(i),
      verdict: won < 0 ? "can\u2019t be told" : won === index ? "wins" : "loses",
    });
  }
  return found.sort((x, y) => y.difference - x.difference);
}

// --- its pairs -----------------------------------------------------------------------------------

let dots = [];

async function drawPairs() {
  const index = chosen(), given = set().pairs;
  const predicted = numbers(given && given.predicted[index]);
  $("#pairs").hidden = !predicted.length;
  if (!predicted.length) return;
  const quality = numbers(given.quality), network = study.names[index].kind === "network";
  $("#pairs-note").textContent = given.note + (network
    ? ` Distance: ${distanceName(given.distance)}; layer: ${given.layers[index]}.` : "");
  dots = Array.from({ length: predicted.length }, (_, i) => ({
    pair: i, x: network ? -predicted.at(i) : predicted.at(i), y: quality.at(i),
  })).filter((dot) => Number.isFinite(dot.x) && Number.isFinite(dot.y));
  drawWorst(given, given.worst[index]);
  const x = { field: "x", type: "quantitative", scale: { zero: false },
    title: network ? "distance" : "value of the metric (larger is better)" };
  const y = { field: "y", type: "quantitative", scale: { zero: false },
    title: "score (larger is better)" };
  const view = await chart("scatter", {
    $schema: SCHEMA, width: width("scatter"), height: 300, autosize: { type: "pad" },
    description: "Score against prediction, a dot a pair",
    layer: [
      { data: { name: "dots" }, encoding: { x, y },
        mark: { type: "circle", size: 24, opacity: .45, color: colour("--soft") } },
      { data: { name: "picked" }, encoding: { x, y },
        mark: { type: "point", size: 140, strokeWidth: 2.5, color: colour("--mark") } },
    ],
  }, { dots, picked: pickedDots() });
  follow("scatter", view, dots, {
    says: ({ pair, y: score }) =>
      `${given.distorted[pair]} (${given.types[given.type[pair]]}): score ${shown(score, 2)}`,
    picked: (dot) => change({ pair: String(dot.pair) }),
  });
}

const pickedDots = () => dots.filter((dot) => String(dot.pair) === state.pair);

function drawWorst(given, worst) {
  // its contact sheet: the pairs on which it and people disagree most
  $("#worst-part").hidden = !worst;
  if (!worst) return;
  $("#worst-note").textContent = given.closed;
  const mapped = numbers(worst.mapped), quality = numbers(given.quality);
  const psnr = numbers(given.predicted[study.psnr]);
  $("#worst").replaceChildren(...worst.pairs.map((pair, i) => {
    const button = text("button", "", { type: "button" });
    button.dataset.pair = pair;
    const error = mapped.at(i) - quality.at(pair);
    const sees = Math.abs(error) < .005 ? "" : ` (sees too ${error > 0 ? "little" : "much"} distortion)`;
    const lines = [`score ${shown(quality.at(pair), 2)}, it says ${shown(mapped.at(i), 2)}${sees}`,
      given.types[given.type[pair]] + (psnr.length ? `; PSNR ${shown(psnr.at(pair), 1)} dB` : "")];
    button.append(...pictures(given, pair), ...lines.map((line) => text("span", line)));
    const item = text("li", "");
    item.append(button);
    return item;
  }));
}

function pictures(given, pair) {
  // both pictures small, or their names
  const small = given.thumbs[pair];
  const names = [given.reference[pair], given.distorted[pair]];
  if (!small) return names.map((name) => text("span", name, { className: "file" }));
  const both = text("span", "", { className: "both" });
  both.append(...small.map((place, i) => Object.assign(new Image(), {
    src: "data:image/webp;base64," + study.pictures[place], title: names[i],
    alt: (i ? "distorted: " : "reference: ") + names[i],
  })));
  return [both];
}

function drawPair() {
  const place = $("#pair-view"), given = set().pairs, i = Number(state.pair);
  for (const button of $("#worst").querySelectorAll("button")) {
    button.ariaPressed = String(button.dataset.pair === state.pair);
  }
  const known = given && chosen() >= 0 && /^\d+$/.test(state.pair) && i < given.distorted.length;
  charts.scatter?.view.data("picked", known ? pickedDots() : []).runAsync();
  if (!known) {
    place.replaceChildren(text("p", "Click a dot, or one of the pairs below, to see its pictures "
      + "and where every network and metric ranks it.", { className: "hint" }));
    return;
  }
  const quality = numbers(given.quality), people = numbers(given.rank).at(i);
  const lines = study.names.map((entry, k) => {
    const own = numbers(given.ranks[k]).at(i);
    return { name: entry.name, own, away: own - people };
  }).filter((line) => line.own > 0).sort((a, b) => a.own - b.own);
  const scroll = text("div", "", { className: "scroll short", tabIndex: 0 });
  const table = document.createElement("table");
  scroll.setAttribute("role", "region");
  scroll.ariaLabel = "Ranks of this pair";
  table.append(document.createElement("thead"), document.createElement("tbody"));
  fill(table, ["Who", "Rank", "Less people\u2019s"], lines.map((line) =>
    [line.name, String(line.own), (line.away > 0 ? "+" : "") + shown(line.away, 0)]));
  scroll.append(table);
  place.replaceChildren(
    text("h4", given.distorted[i]),
    ...pictures(given, i),
    ...(given.thumbs[i] ? [] : [text("p", given.without, { className: "hint" })]),
    text("p", `${given.types[given.type[i]]}; score ${shown(quality.at(i), 2)}, rank ${people} of `
      + `${quality.length} from the best. Ranks by networks and metrics:`),
    scroll);
}
