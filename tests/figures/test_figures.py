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
from figure_tables import tables, tables_for
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
from dissect_iqa.figures.best_layers import best_and_last
from dissect_iqa.figures.comparisons import paired
from dissect_iqa.figures.datasets import agreement
from dissect_iqa.figures.depth import MOST_IN_A_PANEL, MOST_LEVELS, levels, panels_of
from dissect_iqa.figures.distortions import _clustered, table_by_type
from dissect_iqa.figures.distortions import shorten as shorten_type
from dissect_iqa.figures.fits import chosen
from dissect_iqa.figures.labels import fit, spread, text_width, wrap
from dissect_iqa.figures.looks import looks
from dissect_iqa.figures.names import display
from dissect_iqa.figures.plot import FIGURES, plot
from dissect_iqa.figures.ranking import draw_ranking, shorten
from dissect_iqa.figures.readouts import plain_and_read_out
from dissect_iqa.figures.select import ranked, twins, views
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import CONTEXT, colours, look, number
from dissect_iqa.figures.trends import trend_words

SETTINGS = FigureSettings()
TWO = ("rmse", "cosine")
REPORTS = Path(__file__).parents[2] / "workflow" / "report"


def draw(name, correlations, models, label=None, settings=SETTINGS):
    """Draw a figure of correlations by its name, layout included, which must not fail."""
    with look(settings), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = FIGURES[name].draw(correlations, models, label, settings)
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


# --- wrong input -----------------------------------------------------------------------------


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
    assert f"Of {len(view.baselines)} metrics the best and the usual rivals" in texts(figure)


def test_depth_has_a_panel_a_family_with_every_profile_its_best_layer_and_the_metrics(seven):
    correlations, models = seven
    view = only_view(correlations, models)
    figure = draw("depth", correlations, models)
    panels = panels_of(view, SETTINGS)
    whole = correlations.query("statistic == 'srcc' and subset == 'all'")
    rows = whole[whole["distance"] == view.distance]
    untrained = models.set_index("id")["untrained"]
    for axes, panel in zip(figure.subfigs[0].axes, panels, strict=True):
        coloured = [line for line in axes.lines if not same_color(line.get_color(), CONTEXT)]
        lines = [line for line in coloured if len(line.get_xdata()) > 2]
        dots = [line for line in coloured if len(line.get_xdata()) == 1]
        for line, dot, id in zip(lines, dots, panel.lines, strict=True):
            mine = rows[rows["model"] == id]
            np.testing.assert_array_equal(line.get_ydata(), mine["value"])
            np.testing.assert_array_equal(line.get_xdata(), mine["depth"])
            assert dot.get_ydata()[0] == mine["value"].max()
            assert same_color(dot.get_markerfacecolor(), "white") == untrained[id]
        levels = {line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2}
        assert levels >= set(data.BASELINES.values())
    words = texts(figure)
    assert words.count("PSNR .73") == 1, "metrics are named once, with their values"


def test_depth_can_have_a_panel_a_distance(seven):
    correlations, models = seven
    settings = FigureSettings(facet="distance")
    figure = draw("depth", correlations, models, settings=settings)
    titles = [axes.get_title(loc="left") for axes in figure.subfigs[0].axes]
    assert titles == [display(name) for name in data.DISTANCES]
    for axes in figure.subfigs[0].axes:
        assert sum(len(line.get_xdata()) > 2 for line in axes.lines) == len(models)


def test_an_inverted_correlation_is_in_sight(small):
    correlations, models = small
    wrong = correlations.copy()
    mine = wrong["model"] == "vgg16_hed"
    wrong.loc[mine, ["value", "low", "high"]] *= -1
    figure = draw("depth", wrong, models)
    low, _ = figure.subfigs[0].axes[0].get_ylim()
    assert low < wrong.loc[mine & (wrong["subset"] == "all"), "value"].min()
    assert "\N{MINUS SIGN}." in texts(draw("ranking", wrong, models))


def test_with_many_models_each_is_named_in_one_panel_and_grey_in_all_others(many):
    correlations, models = many
    view = only_view(correlations, models)
    panels = panels_of(view, SETTINGS)
    members = [name for panel in panels for name in panel.lines]
    assert sorted(members) == sorted(models["id"])
    assert max(len(panel.lines) for panel in panels) <= MOST_IN_A_PANEL
    assert len({panel.title for panel in panels}) == len(panels)
    figure = draw("depth", correlations, models)
    for axes, panel in zip(figure.subfigs[0].axes, panels, strict=True):
        grey = [line for line in axes.lines if same_color(line.get_color(), CONTEXT)]
        assert len(grey) == len(models) - len(panel.lines)
        assert {text.get_text() for text in axes.texts} == set(panel.lines)
    known = set(models["family"])
    assert all(panel.title.split(" (")[0].split(",")[0] in known for panel in panels)


def test_lines_of_one_function_differ_in_lightness_within_a_panel(many):
    _, models = many
    known = looks(models.set_index("id"), SETTINGS)
    same = [name for name, of in known.of.items() if of == "supervised classification"][:6]
    shades = known.shades(same)
    assert len({str(shade.colour) for shade in shades.values()}) == 6
    assert {shade.marker for shade in shades.values()} == {known[same[0]].marker}


def test_ranking_lists_all_from_best_to_worst_with_honest_choice_beneath(small):
    correlations, models = small
    figure = draw("ranking", correlations, models)
    (axes,) = figure.subfigs[0].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    view = only_view(correlations, models)
    titles = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}
    titles["ssim_downsampled"] = "SSIM (downsampled)"
    assert names == [titles.get(name, name) for name in ranked(view)["model"]]
    squares = {line.get_xdata()[0] for line in axes.lines if line.get_markersize() < 3}
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


def test_types_are_drawn_as_difference_to_the_best_metric_of_each(seven):
    correlations, models = seven
    figure = draw("types", correlations, models)
    axes = next(axes for axes in figure.findobj(Axes) if axes.images)
    view = only_view(correlations, models)
    table = table_by_type(view)
    rows = [label.get_text() for label in axes.get_yticklabels()]
    titles = {display(name, baseline=True): name for name in data.BASELINES}
    names = [titles.get(name, name) for name in rows]
    columns = {shorten_type(name): name for name in table.columns}
    types = [columns[label.get_text()] for label in axes.get_xticklabels()]
    assert types[0] == "all" and set(types) == set(table.columns)
    best = table.loc[list(data.BASELINES)].max()
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown, (table - best).loc[names, types])
    above = [text.get_text() for text in axes.texts if text.get_position()[1] < -1]
    assert above[:-1] == [number(best[name]) for name in types]


def test_types_missing_for_one_row_are_marked(small):
    correlations, models = small
    gone = (correlations["model"] == "psnr") & (correlations["subset"] == f"type:{data.TYPES[0]}")
    figure = draw("types", correlations[~gone], models)
    assert "White: no value." in texts(figure)


def test_similar_networks_are_neighbours_and_the_higher_end_comes_first():
    low, high = np.full(4, -0.2), np.full(4, 0.1)
    table = pd.DataFrame([low, high, low + 0.01, high - 0.01], index=list("abcd"))
    order = _clustered(table)
    assert {*order[:2]} == {"b", "d"} and {*order[2:]} == {"a", "c"}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("additive Gaussian noise", "add. Gauss. noise"),
        ("Gaussian blur", "Gauss. blur"),
        ("somebody's own very particular distortion", "somebody's own very par…"),
    ],
)
def test_names_of_types_are_cut_by_words_first(name, short):
    assert shorten_type(name) == short


def met(*rows):
    columns = ["first", "second", "difference", "low", "high", "winner"]
    return pd.DataFrame(rows, columns=columns)


def test_comparisons_are_paired_with_their_first_member_whatever_the_order_of_the_contest():
    contests = met(("a", "b", 0.1, 0.05, 0.15, "a"), ("c", "a", 0.02, -0.01, 0.05, ""))
    wanted = [
        {"title": "Two", "factor": "environment", "members": ["a", "c"]},
        {"title": "Three", "factor": "function", "members": ["a", "b", "c", "unknown"]},
        {"title": "None", "factor": "function", "members": ["b", "unknown"]},
    ]
    groups = paired(wanted, contests)
    assert [group.title for group in groups] == ["Three", "Two"]
    table = groups[0].differences
    assert groups[0].first == "a" and list(table["model"]) == ["c", "b"]
    numbers = table[["difference", "low", "high"]].to_numpy()
    np.testing.assert_allclose(numbers, [[0.02, -0.01, 0.05], [-0.1, -0.15, -0.05]])
    assert list(table["told"]) == [False, True]


def test_wrong_comparisons_are_named():
    contests = met(("a", "b", 0.1, 0.05, 0.15, "a"))
    with pytest.raises(UserError, match="factor is 'colour'; allowed: function"):
        paired([{"title": "x", "factor": "colour", "members": ["a", "b"]}], contests)
    with pytest.raises(UserError, match="'x': it has no members"):
        paired([{"title": "x", "factor": "function"}], contests)


def test_best_and_last_layers_are_read_over_depth(seven):
    correlations, models = seven
    view = only_view(correlations, models)
    table = best_and_last(view).set_index("model")
    rows = correlations.query("statistic == 'srcc' and subset == 'all'")
    for name in models["id"]:
        mine = rows[(rows["model"] == name) & (rows["distance"] == view.distance)]
        best = mine.loc[mine["value"].idxmax()]
        last = mine.loc[mine["depth"].idxmax()]
        assert table.loc[name, "depth"] == best["depth"]
        assert table.loc[name, "fall"] == pytest.approx(last["value"] - best["value"])
    middle = table.groupby("row", sort=False)["depth"].median()
    assert middle.is_monotonic_increasing and set(middle.index) == {"EfficientNet (4)", "VGG (3)"}


def test_judged_is_honest_where_that_is_known(seven):
    correlations, models = seven
    view = only_view(correlations, models)
    honest = correlations.query("statistic == 'srcc_nested' and distance == @view.distance")
    wanted = honest.set_index("model")["value"]
    assert view.is_honest
    assert view.judged()["value"].to_dict() == wanted.to_dict()
    plain = correlations[correlations["statistic"] != "srcc_nested"]
    view = only_view(plain, models)
    assert not view.is_honest
    assert view.judged()["value"].max() == view.best(view.distance)["value"].max()


def test_fits_show_the_best_of_each_function_psnr_and_the_logistic():
    found = tables_for("fits", 46, tables(46))
    view = only_view(found["correlations"], found["models"])
    names = chosen(view, found["predictions"], SETTINGS)
    assert len(names) == 12 and "psnr" in names
    of = looks(view.models, SETTINGS).of
    networks = [name for name in ranked(view)["model"] if name in of]
    for function in {*of.values()}:
        assert next(name for name in networks if of[name] == function) in names
    figure = FIGURES["fits"].draw(found["predictions"], found["correlations"], found["models"])
    panels = figure.findobj(Axes)
    assert [len(axes.lines) for axes in panels][-1] == 1, "PSNR's predictions weren't mapped"
    own = found["predictions"][found["predictions"]["model"] == names[0]].sort_values("predicted")
    dots, line = panels[0].lines
    np.testing.assert_array_equal(np.sort(dots.get_xdata()), np.sort(-own["predicted"]))
    np.testing.assert_array_equal(line.get_ydata()[::-1], own["mapped"])


def test_data_sets_agree_by_rank_and_of_many_there_is_a_table():
    table = pd.DataFrame({"a": [1, 2, 3, 4.0], "b": [2, 3, 1, 9.0], "c": [1, np.nan, np.nan, 2]})
    found = agreement(table)
    assert found.loc["a", "b"] == pytest.approx(0.4) and np.isnan(found.loc["a", "c"])
    models = data.models()
    several = pd.concat(
        [data.correlations(models, dataset=name, distances=TWO, types=()) for name in "vwxyz"]
    )
    figure = draw("datasets", several, models)
    assert len([axes for axes in figure.findobj(Axes) if axes.images]) == 1
    assert "Fewer than two data sets" in texts(
        draw("datasets", several[several["dataset"] == "v"], models)
    )


def test_readouts_stand_beside_the_plain_distance():
    found = tables(7)
    view = only_view(found["correlations"], found["models"])
    table = plain_and_read_out(view, found["correlations"])
    assert set(table["readout"]) == {"plain", "nnls_mse", "rmse on all layers"}
    plain = table[table["readout"] == "plain"].set_index("model")["value"]
    honest = view.nested[view.nested["distance"] == "rmse"].set_index("model")["value"]
    assert plain.to_dict() == honest.to_dict()


def test_trends_are_over_trained_networks_with_as_many_families_as_there_are():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    table = pd.DataFrame(
        {"x": x, "value": x + rng.normal(size=40), "family": [f"f{i % 8}" for i in range(40)],
         "untrained": [i > 35 for i in range(40)]}
    )  # fmt: skip
    words = trend_words(table, {"accuracy": "x"})
    rho = table[:36][["x", "value"]].corr("spearman").iloc[0, 1]
    assert "36 trained networks" in words and f"families, 8: accuracy {rho:+.2f}" in words
    assert "no trend can be told" in trend_words(table.assign(family="one"), {"accuracy": "x"})


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
    assert [number(x) for x in (0.873, -0.2, 1.0, -0.001, -1.0)] == [
        ".87", "\N{MINUS SIGN}.20", "1.00", ".00", "\N{MINUS SIGN}1.00",
    ]  # fmt: skip
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
    # a figure says it itself
    of_opinions = caption.stem not in ("thresholds", *FIGURES)
    assert ("transferred scores" in html) == (datasets == ["demo"] and of_opinions)
    if "% intervals" in html:
        defaults = StatisticsSettings()
        level, said = f"{100 * defaults.level:g} % intervals", " ".join(html.split())
        assert f"{level} over references" in said or f"{level} of the paired difference" in said
        assert "leaving" in html or "jackknife over references" in said


def test_every_figure_has_its_caption():
    assert {path.stem for path in REPORTS.glob("*.rst")} >= {
        *(*FIGURES, "workflow", "summary", "thresholds", "invariance_table"),
    }
