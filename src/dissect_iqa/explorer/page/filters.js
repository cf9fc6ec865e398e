
// --- filters -------------------------------------------------------------------------------------

function choices(select, values, chosen, titles = (value) => value) {
  const same = select.options.length === values.length
    && values.every((value, i) => select.options[i].value === value);
  if (!same) select.replaceChildren(...values.map((value) => new Option(titles(value), value)));
  select.value = chosen;
}

const distanceName = (name) => study.distances[name] || name.replaceAll("_", " ");
const subsetName = (name) =>
  (name === "all" ? "all pairs" : name.replace(/^type:/, "").replaceAll("_", " "));

function drawFilters() {
  const form = $("#filters").elements, one = measure();
  choices(form.set, study.sets.map((each) => each.name), state.set);
  choices(form.measure, set().measures.map((each) => each.title), state.measure);
  choices(form.distance, one.distances, state.distance, distanceName);
  choices(form.subset, one.subsets, state.subset, subsetName);
  if (form.find.value !== state.find) form.find.value = state.find;
  for (const facet of FACETS) drawFacet(facet);
  $("#remark").textContent = set().remark;
}

function drawFacet(facet) {
  const field = $(`[data-facet=${facet}]`);
  const values = [...new Set(study.networks.map((entry) => entry[facet]))];
  if (!field.children.length) {
    field.append(text("legend", facet, { className: "hint" }));
    for (const value of values) {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value });
      box.addEventListener("change", () => {
        const on = [...field.querySelectorAll("input:checked")].map((each) => each.value);
        change({ [facet]: on.length === values.length ? null : on });
      });
      const label = text("label", "");
      label.append(box, " " + value);
      field.append(label);
    }
  }
  for (const box of field.querySelectorAll("input")) {
    box.checked = !state[facet] || state[facet].includes(box.value);
  }
  const some = state[facet] ? ` (${state[facet].length} of ${values.length})` : "";
  field.previousElementSibling.textContent = facet[0].toUpperCase() + facet.slice(1) + some;
}
