"""Figures: what they show, what they say is missing, and equal bytes from equal input."""

import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from matplotlib.text import Text
from model_rows import described
from PIL import Image
from pydantic import ValidationError

from dissect_iqa.baselines.names import BASELINES
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError
from dissect_iqa.figures.comparisons import draw_comparisons, flow, read_groups
from dissect_iqa.figures.depth import MOST_IN_A_FACET, MOST_LEVELS, draw_depth, facets, levels
from dissect_iqa.figures.distortions import cell_text, draw_types, table_by_type
from dissect_iqa.figures.labels import fit, spread, text_width, wrap
from dissect_iqa.figures.plot import FIGURES, plot
from dissect_iqa.figures.ranking import draw_ranking, minus, shorten
from dissect_iqa.figures.select import ranked, twins, views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import CONTEXT, colours, look
from dissect_iqa.figures.training import draw_training

SETTINGS = FigureSettings()
TWO = ("rmse", "cosine")
#: The figures of the models' correlations, which this module tests; the others have one each.
OPINIONS = [
    name for name, figure in FIGURES.items() if "models" in figure.takes and not figure.needs
]
REPORTS = Path(__file__).parents[2] / "workflow" / "report"


def draw(name, correlations, models, label=None, settings=SETTINGS, comparisons=data.COMPARISONS):
    """Draw a figure by its name, layout included; a layout that fails is an error."""
    functions = {
        "depth": draw_depth,
        "ranking": draw_ranking,
        "training": draw_training,
        "types": draw_types,
    }
    with look(settings), warnings.catch_warnings():
        warnings.simplefilter("error")
        if name == "comparisons":
            figure = draw_comparisons(correlations, models, comparisons, label, settings)
        else:
            figure = functions[name](correlations, models, label, settings)
        FigureCanvasAgg(figure).draw()
    return figure


def texts(figure):
    """Return all text of a figure as one line."""
    found = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return " ".join(" ".join(found).split())


def only_view(correlations, models, settings=SETTINGS):
    (view,) = views(correlations, models, None, settings)
    return view


@pytest.fixture(scope="module")
def seven():
    models = data.models()
    return data.correlations(models), models


@pytest.fixture(scope="module")
def small():
    models = data.models()
    return data.correlations(models, distances=TWO, types=data.TYPES[:2]), models


@pytest.fixture(scope="module")
def many():
    models = data.zoo(46)
    return data.correlations(models, distances=TWO, types=data.TYPES[:3], width=0.02), models


# --- files ---------------------------------------------------------------------------------


def test_importing_the_package_and_its_settings_loads_no_plotting_library():
    code = (
        "import sys, dissect_iqa.figures, dissect_iqa.figures.settings; "
        "assert not {'matplotlib', 'seaborn', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_equal_to_the_byte_and_hold_notice_fingerprint_and_fonts(small, tmp_path):
    tables = dict(zip(("correlations", "models"), small, strict=True))
    for stem in ("first/ranking.v2", "second/ranking.v2"):
        plot("ranking", tables, data.NOTICE, tmp_path / stem, spec='{"a":1}')
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["ranking.v2.pdf", "ranking.v2.png", "ranking.v2.svg"]
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    mark = "fingerprint 015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    with Image.open(tmp_path / "first/ranking.v2.png") as picture:
        assert picture.info["Description"] == data.NOTICE
        assert picture.info["Source"] == mark
        assert round(picture.info["dpi"][0]) == 200
        assert picture.width == round(190 / 25.4 * 200)
    svg = (tmp_path / "first/ranking.v2.svg").read_text()
    assert data.NOTICE in svg and mark in svg and "<dc:date>" not in svg
    pdf = (tmp_path / "first/ranking.v2.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf


def test_only_the_chosen_formats_are_written_and_the_users_own_style_has_no_say(small, tmp_path):
    import matplotlib as mpl

    tables = dict(zip(("correlations", "models"), small, strict=True))
    plot("ranking", tables, None, tmp_path / "a", formats=("svg",))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.transparent": True}):
        plot("ranking", tables, None, tmp_path / "b", formats=("svg",))
        assert mpl.rcParams["font.size"] == 30
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.svg", "b.svg"]
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"statistik": "srcc"},
        {"formats": ("pdf", "pdf")},
        {"formats": ()},
        {"palette": "jet"},
        {"width_mm": 20},
    ],
)
def test_wrong_options_are_refused(small, tmp_path, options):
    with pytest.raises(ValidationError):
        plot(
            "ranking",
            {"correlations": small[0], "models": small[1]},
            None,
            tmp_path / "x",
            **options,
        )
    assert not list(tmp_path.iterdir())


# --- every figure ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPINIONS)
def test_notice_stands_in_the_figure_and_no_text_leaves_the_page(seven, name):
    figure = draw(name, *seven, data.NOTICE)
    assert data.NOTICE in texts(figure)
    assert_inside(figure)


@pytest.mark.parametrize("name", OPINIONS)
def test_forty_six_models_fit_on_a_page(many, name):
    correlations, models = many
    comparisons = data.zoo_comparisons(models)
    figure = draw(name, correlations, models, None, SETTINGS, comparisons)
    assert_inside(figure)
    assert figure.get_figheight() * 25.4 < 290


def assert_inside(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = figure.bbox.size
    hidden = {label for axes in figure.findobj(Axes) for label in labels_out_of_view(axes)}
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip() or text in hidden:
            continue
        assert text.get_fontsize() >= 6
        box = text.get_window_extent(renderer)
        inside = box.x0 > -1.5 and box.y0 > -1.5 and box.x1 < width + 1.5 and box.y1 < height + 1.5
        assert inside, f"{text.get_text()!r} at {box.extents} of {width} x {height}"


def labels_out_of_view(axes):
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick in axis.get_major_ticks():
            if not min(limits) - 1e-9 <= tick.get_loc() <= max(limits) + 1e-9:
                yield from (tick.label1, tick.label2)


def one_model(correlations, models):
    kept = models[models["id"] == "efflite0_in1k"]
    return correlations[correlations["model"] == "efflite0_in1k"], kept


def only_baselines(correlations, models):
    return correlations[correlations["model"].isin(data.BASELINES)], models


def nothing_finite(correlations, models):
    return correlations.assign(value=np.nan, low=np.nan, high=np.nan), models


def no_intervals_and_holes(correlations, models):
    holes = (correlations["model"] == "vgg16_hed") | (correlations.index % 7 == 3)
    table = correlations.assign(low=np.nan, high=np.nan)
    return table.assign(value=table["value"].where(~holes)), models


def all_inverted(correlations, models):
    numbers = {"value": -correlations["value"], "low": -correlations["high"]}
    return correlations.assign(**numbers, high=-correlations["low"]), models


def two_data_sets(correlations, models):
    bare = correlations[correlations["subset"] == "all"].assign(dataset="other")
    return pd.concat([correlations, bare], ignore_index=True), models


@pytest.mark.parametrize("name", OPINIONS)
@pytest.mark.parametrize(
    "change",
    [
        one_model,
        only_baselines,
        nothing_finite,
        no_intervals_and_holes,
        all_inverted,
        two_data_sets,
    ],
)
def test_what_is_missing_gives_a_figure_or_a_statement(small, name, change):
    correlations, models = change(*small)
    figure = draw(name, correlations, models, data.NOTICE)
    assert data.NOTICE in texts(figure)
    if change is nothing_finite:
        assert "nothing" in texts(figure) or "no " in texts(figure).lower()
    if change is no_intervals_and_holes and name != "comparisons":
        assert "No finite value: vgg16_hed" in texts(figure)
        assert "jackknife" not in texts(figure)
    if change is two_data_sets:
        assert "other" in texts(figure)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, m: (c.drop(columns="low"), m), "column 'low' is missing"),
        (lambda c, m: (c, m.drop(columns="untrained")), "column 'untrained' is missing"),
        (lambda c, m: (c, m[m["id"] != "vgg16_hed"]), "'vgg16_hed', which the model table doesn't"),
        (lambda c, m: (c[c["statistic"] == "krcc"], m), "'srcc' was not computed for data set"),
    ],
)
def test_wrong_tables_are_named(small, change, message):
    with pytest.raises(UserError, match=message):
        draw_ranking(*change(*small))


def test_unknown_distance_is_refused_with_the_nearest_one(small):
    with pytest.raises(UserError, match=r"'cosin' was not computed \(did you mean 'cosine'\?\)"):
        draw_ranking(*small, None, FigureSettings(distance="cosin"))


# --- selection -------------------------------------------------------------------------------


def test_the_distance_is_the_one_with_the_highest_median_of_honest_values(seven):
    correlations, models = seven
    view = only_view(correlations, models)
    honest = correlations[correlations["statistic"] == "srcc_nested"]
    assert view.distance == honest.groupby("distance")["value"].median().idxmax()
    # without honest values, as of triplets, the best layers decide
    whole = correlations.query("statistic == 'srcc' and subset == 'all' and layer != ''")
    best = whole.groupby(["distance", "model"])["value"].max().unstack("distance").median()
    plain = correlations[correlations["statistic"] != "srcc_nested"]
    assert only_view(plain, models).distance == best.idxmax() != view.distance
    assert only_view(correlations, models, FigureSettings(distance="dists")).distance == "dists"


def test_best_layer_is_the_shallowest_of_ties_and_metrics_are_ranked_with_the_models(small):
    correlations, models = small
    tied = correlations.copy()
    mine = (tied["model"] == "vgg16_hed") & (tied["layer"] != "")
    tied.loc[mine, "value"] = 0.5
    view = only_view(tied, models)
    row = view.best(view.distance).set_index("model").loc["vgg16_hed"]
    assert row["depth"] == pytest.approx(1 / 17)
    rows = ranked(view)
    assert rows["value"].is_monotonic_decreasing
    assert set(rows["model"]) == {*models["id"], *data.BASELINES}


def test_triplet_sets_show_agreement(small):
    correlations, models = small
    srcc = correlations[correlations["statistic"] == "srcc"]
    figure = draw("ranking", srcc.assign(statistic="agreement"), models)
    assert "Agreement with people’s choices" in texts(figure)
    assert "SRCC" not in texts(figure)


def test_pairs_references_and_ceiling_are_read(small):
    correlations, models = small
    ceiling = {
        "model": "noise_ceiling",
        "kind": "ceiling",
        "layer": "",
        "distance": "noise_ceiling",
        "value": 0.96,
    }
    row = {**correlations.iloc[0].to_dict(), **ceiling, "depth": np.nan}
    table = pd.concat([correlations, pd.DataFrame([row])], ignore_index=True).assign(references=6)
    view = only_view(table, models)
    assert (view.pairs, view.references, view.ceiling) == (390, 6, 0.96)
    figure = draw("depth", table, models)
    assert "noise ceiling" in texts(figure)
    assert "(6 references)" in texts(figure)
    assert figure.subfigs[0].axes[0].get_ylim()[1] > 0.96


def test_twins_are_by_architecture_without_its_options_else_by_family(small):
    correlations, models = small
    (lite, vgg) = twins(only_view(correlations, models))
    assert (lite.trained, lite.untrained, lite.exact) == (
        ("efflite0_in1k",),
        ("efflite0_untrained",),
        True,
    )
    assert (vgg.trained, vgg.untrained) == (("vgg16bn_craft",), ("vgg16bn_untrained",))
    renamed = models.replace({"architecture": {"vgg16_bn": "vgg16_bn head=none"}})
    renamed.loc[renamed["id"] == "vgg16bn_craft", "architecture"] = "vgg16_bn"
    renamed = described(renamed)
    assert twins(only_view(correlations, renamed))[1].exact
    renamed.loc[renamed["id"] == "vgg16bn_craft", "architecture"] = "craft_trunk"
    renamed = described(renamed)
    group = twins(only_view(correlations, renamed))[1]
    assert (group.title, group.exact) == ("VGG", False)
    assert group.trained == ("vgg16bn_craft", "vgg16_hed")
    alone = models[~models["id"].isin(["efflite0_in1k", "efflite1_in1k", "efflite2_in1k"])]
    table = correlations[correlations["model"].isin([*alone["id"], *data.BASELINES])]
    assert [group.title for group in twins(only_view(table, alone))] == ["vgg16_bn"]


def test_readouts_without_a_depth_are_ranked_but_not_drawn_over_depth(small):
    correlations, models = small
    one = correlations.query("model == 'vgg16_hed' and statistic == 'srcc' and subset == 'all'")
    joined = one[:1].assign(layer="all layers", depth=np.nan, value=0.95, low=0.94, high=0.96)
    table = pd.concat([correlations, joined], ignore_index=True)
    first = draw("ranking", table, models).subfigs[0].axes[0].get_yticklabels()[0]
    assert first.get_text() == "vgg16_hed"
    for axes in draw("depth", table, models).subfigs[0].axes:
        assert all(0.95 not in np.asarray(line.get_ydata()) for line in axes.lines)


def test_categories_bring_no_empty_groups(small):
    correlations, models = small
    words = ["dataset", "model", "layer", "distance", "subset", "statistic"]
    table = correlations.astype(dict.fromkeys(words, "category"))
    kept = table[table["model"] != "vgg16_hed"]
    view = only_view(kept, models)
    assert len(view.models) == 6
    plain = only_view(correlations[correlations["model"] != "vgg16_hed"], models)
    pd.testing.assert_frame_equal(ranked(view), ranked(plain))
    assert "vgg16_hed" not in texts(draw("ranking", kept, models))


# --- what is drawn ---------------------------------------------------------------------------


def test_of_many_metrics_depth_shows_the_best_and_the_rivals():
    """19 metrics beside each panel, as a study of the paper has them, can't be read."""
    models = data.models()
    metrics = {name: 0.4 + 0.02 * i for i, name in enumerate(BASELINES)}
    table = data.correlations(models, baselines={**metrics, "theirs": 0.99})
    view = views(table, models, None, SETTINGS)[0]
    shown = list(levels(view)["model"])
    assert shown[0] == "theirs" and len(shown) <= MOST_LEVELS < len(view.baselines)
    families = [BASELINES[name].family or name for name in shown[1:]]
    assert sorted(families) == ["DISTS", "LPIPS", "SSIM", "ms_ssim"]
    assert "ssim_downsampled" in shown, "of a family its better form"
    figure = draw("depth", table, models)
    assert f"Dotted: {len(shown)} of {len(view.baselines)} metrics" in texts(figure)


def test_depth_has_a_panel_a_distance_with_every_profile_its_best_layer_and_the_baselines(seven):
    correlations, models = seven
    figure = draw("depth", correlations, models)
    panels = figure.subfigs[0].axes
    assert len(panels) == len(data.DISTANCES)
    for axes, distance in zip(panels, data.DISTANCES, strict=True):
        lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
        dots = [line for line in axes.lines if len(line.get_xdata()) == 1]
        whole = correlations.query("statistic == 'srcc' and subset == 'all'")
        rows = whole[whole["distance"] == distance]
        for line, dot, (id, untrained) in zip(
            lines, dots, models[["id", "untrained"]].itertuples(index=False), strict=True
        ):
            mine = rows[rows["model"] == id]
            np.testing.assert_array_equal(line.get_ydata(), mine["value"])
            np.testing.assert_array_equal(line.get_xdata(), mine["depth"])
            assert dot.get_ydata()[0] == mine["value"].max()
            assert line.is_dashed() == untrained
            assert same_color(dot.get_markerfacecolor(), "white") == untrained
        levels = {line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2}
        assert levels >= set(data.BASELINES.values())
    colour = {line.get_ydata()[0]: line.get_color() for line in panels[0].lines}
    lite = correlations.query("statistic == 'srcc' and subset == 'all' and distance == 'rmse'")
    first = lite.groupby("model")["value"].first()
    assert colour[first["efflite0_in1k"]] == colour[first["efflite0_untrained"]]


def test_an_inverted_correlation_is_in_sight(small):
    correlations, models = small
    wrong = correlations.copy()
    mine = wrong["model"] == "vgg16_hed"
    wrong.loc[mine, ["value", "low", "high"]] *= -1
    figure = draw("depth", wrong, models)
    low, _ = figure.subfigs[0].axes[0].get_ylim()
    assert low < wrong.loc[mine & (wrong["subset"] == "all"), "value"].min()
    assert "\N{MINUS SIGN}0." in texts(draw("ranking", wrong, models))


def test_with_many_models_each_is_named_in_one_panel_and_grey_in_all_others(many):
    correlations, models = many
    view = only_view(correlations, models)
    groups = facets(view, SETTINGS)
    members = [name for _, ids in groups for name in ids]
    assert sorted(members) == sorted(models["id"])
    assert max(len(ids) for _, ids in groups) <= MOST_IN_A_FACET
    figure = draw("depth", correlations, models)
    panels = figure.subfigs[0].axes
    assert len(panels) == len(groups)
    for axes, (_, ids) in zip(panels, groups, strict=True):
        grey = [line for line in axes.lines if same_color(line.get_color(), CONTEXT)]
        assert len(grey) == len(models) - len(ids)
        named = {text.get_text() for text in axes.texts}
        assert named >= set(ids)
    by_family = facets(view, FigureSettings(facet="family"))
    assert {title.split(" (")[0] for title, _ in by_family} <= set(models["family"])


def test_ranking_lists_all_from_best_to_worst_with_honest_choice_beneath(small):
    correlations, models = small
    figure = draw("ranking", correlations, models)
    (axes,) = figure.subfigs[0].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    view = only_view(correlations, models)
    titles = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}
    titles["ssim_downsampled"] = "SSIM (downsampled)"
    assert names == [titles.get(name, name) for name in ranked(view)["model"]]
    squares = {line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"}
    nested = correlations.query("statistic == 'srcc_nested' and distance == @view.distance")
    assert squares == set(nested["value"])
    without = correlations[correlations["statistic"] != "srcc_nested"]
    assert "chosen on other references" not in texts(draw("ranking", without, models))


def test_training_says_how_to_get_a_twin_when_there_is_none(small):
    correlations, models = small
    trained = models[~models["untrained"]]
    rows = correlations[correlations["model"].isin([*trained["id"], *data.BASELINES])]
    assert "add a line with weights seed:0" in texts(draw("training", rows, trained))


def test_types_are_read_at_the_layer_that_is_best_over_all_pairs(seven):
    correlations, models = seven
    view = only_view(correlations, models)
    table = table_by_type(view)
    assert list(table.columns) == ["all", *data.TYPES]
    assert list(table.index[-4:]) == ["ms_ssim", "psnr", "ssim_downsampled", "ssim"]
    best = view.best(view.distance).set_index("model")
    for model in models["id"]:
        mine = correlations[correlations["model"] == model].query("statistic == 'srcc'")
        here = (mine["layer"] == best.loc[model, "layer"]) & (mine["distance"] == view.distance)
        rows = mine[here].set_index("subset")["value"]
        assert table.loc[model, "all"] == rows["all"]
        for name in data.TYPES:
            assert table.loc[model, name] == rows[f"type:{name}"]
    assert (table["contrast change"] < 0).sum() == 7  # inverted in the made-up data, and kept


def test_types_missing_for_one_row_are_marked(small):
    correlations, models = small
    gone = (correlations["model"] == "psnr") & (correlations["subset"] == f"type:{data.TYPES[0]}")
    figure = draw("types", correlations[~gone], models)
    assert "–: no value." in texts(figure)


def test_comparisons_keep_what_was_studied(small):
    correlations, models = small
    text = texts(draw("comparisons", correlations, models))
    assert "EfficientNet-Lite0: trained or not" in text
    assert "ResNet-50 by objective" not in text
    assert "2 of 3 comparisons" in text
    assert "No comparison is set up" in texts(
        draw("comparisons", correlations, models, comparisons=None)
    )


def test_comparisons_come_as_mappings_or_models_and_wrong_ones_are_named():
    groups = read_groups({"by_size": {"factor": "architecture", "members": ["a", "b"]}})
    assert (groups[0].title, groups[0].members) == ("by_size", ("a", "b"))
    item = SimpleNamespace(model_dump=lambda: dict(data.COMPARISONS[0]))
    assert read_groups([item])[0].factor == "function"
    with pytest.raises(UserError, match="factor is 'colour'; allowed: function"):
        read_groups([{"title": "x", "factor": "colour", "members": ["a", "b"]}])
    with pytest.raises(UserError, match="'x': it has no members"):
        read_groups([{"title": "x", "factor": "function"}])


def test_two_columns_of_comparisons_lose_no_one(many):
    _, models = many
    groups = read_groups(data.zoo_comparisons(models))
    columns = flow(groups)
    listed = [line.text for lines in columns for line in lines if line.kind == "member"]
    assert sorted(listed) == sorted(name for group in groups for name in group.members)
    sizes = [len(lines) for lines in columns]
    assert len(sizes) == 2 and max(sizes) < 0.7 * sum(sizes)


# --- small parts -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_labels_are_moved_apart_in_order_and_within_bounds(seed):
    rng = np.random.default_rng(seed)
    wanted = rng.uniform(0, 1, 12) ** 3
    places = spread(wanted, 0.07, 0.0, 1.0)
    order = np.argsort(wanted)
    assert (np.diff(places[order]) > 0.07 - 1e-9).all()
    assert places.min() > -1e-9 and places.max() < 1 + 1e-9
    apart = np.linspace(0.1, 0.9, 5)
    np.testing.assert_allclose(spread(apart, 0.05, 0, 1), apart)


def test_text_is_measured_wrapped_and_cut():
    line = "a sentence of several words that is longer than the line it must stand on"
    wrapped = wrap(line, 30)
    assert wrapped.replace("\n", " ") == line
    assert all(text_width(part, 7.0) <= 30 / 25.4 * 72 for part in wrapped.splitlines())
    assert fit("short", 30, 7.0) == "short"
    cut = fit(line, 30, 7.0)
    assert cut.endswith("…") and text_width(cut, 7.0) <= 30 / 25.4 * 72


def test_numbers_and_names_in_print():
    assert [cell_text(x) for x in (0.873, -0.2, 1.0, -0.001, -1.0)] == [
        ".87", "\N{MINUS SIGN}.20", "1.00", ".00", "\N{MINUS SIGN}1.00",
    ]  # fmt: skip
    assert (minus(-0.001), minus(-0.456)) == ("0.00", "\N{MINUS SIGN}0.46")
    assert shorten("features.1") == "features.1"
    assert len(shorten("encoder.layers.encoder_layer_11.mlp.linear")) == 30


def test_colours_are_distinct_and_keep_clear_of_the_context_grey():
    for palette in ("colorblind", "grey"):
        chosen = colours(8, FigureSettings(palette=palette))
        assert len({str(colour) for colour in chosen}) == 8
        assert not any(same_color(colour, CONTEXT) for colour in chosen)


# --- captions --------------------------------------------------------------------------------


@pytest.mark.parametrize("caption", sorted(REPORTS.glob("*.rst")), ids=lambda path: path.stem)
@pytest.mark.parametrize("datasets", [["demo"], ["tid2013", "kadid10k"]], ids=["demo", "real"])
def test_captions_render_and_tell_of_transferred_scores_only_where_they_are(caption, datasets):
    from docutils.core import publish_parts
    from jinja2 import Environment, StrictUndefined

    template = Environment(undefined=StrictUndefined).from_string(caption.read_text())
    config = {"study": "demo", "datasets": datasets, "models": ["demo"]}
    strict = {"halt_level": 2, "report_level": 2}
    text = template.render(snakemake=SimpleNamespace(config=config))
    html = publish_parts(text, writer="html", settings_overrides=strict)["whole"]
    of_opinions = caption.stem not in ("sensitivity", "thresholds")
    assert ("transferred scores" in html) == (datasets == ["demo"] and of_opinions)
    if "% intervals" in html:
        defaults = StatisticsSettings()
        assert f"{100 * defaults.level:g} % intervals over references" in " ".join(html.split())
        assert "leaving" in html


def test_every_figure_has_its_caption():
    assert {path.stem for path in REPORTS.glob("*.rst")} >= {
        *(*FIGURES, "workflow", "summary", "thresholds", "invariance_table"),
    }
