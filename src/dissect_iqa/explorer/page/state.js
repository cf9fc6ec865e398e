
// --- what is shown, and the address that says it -----------------------------------------------

const FACETS = ["function", "family", "environment"];
const WHAT = ["set", "measure", "distance", "subset", "find", ...FACETS];

function defaults() {
  const first = study.sets[0];
  return {
    set: first.name, measure: first.measures[0].title, distance: first.distance, subset: "all",
    find: "", sort: "value", down: "1", one: "", pair: "",
  };
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = defaults();
  for (const key of Object.keys(state)) if (given.has(key)) state[key] = given.get(key);
  for (const key of FACETS) state[key] = given.has(key) ? given.getAll(key).filter(Boolean) : null;
  settle();
}

function settle() {
  // what another data set or measure doesn't have falls back to what it has
  state.set = set().name;
  const one = measure(), { distance } = set();
  state.measure = one.title;
  if (!one.distances.includes(state.distance)) {
    state.distance = one.distances.includes(distance) ? distance : one.distances[0];
  }
  if (!one.subsets.includes(state.subset)) state.subset = one.subsets[0];
  if (!COLUMNS.some((column) => column.key === state.sort)) state.sort = "value";
}

function writeAddress() {
  const kept = new URLSearchParams(), usual = defaults();
  for (const key of Object.keys(usual)) if (state[key] !== usual[key]) kept.set(key, state[key]);
  for (const key of FACETS) {
    const values = state[key] && !state[key].length ? [""] : state[key] || [];
    for (const value of values) kept.append(key, value);
  }
  try {
    history.replaceState(null, "", "#" + kept.toString());
  } catch {
    // a page within a page, as in Snakemake's report, may have no address of its own
  }
}

function change(changes) {
  Object.assign(state, changes);
  settle();
  writeAddress();
  return draw();
}
