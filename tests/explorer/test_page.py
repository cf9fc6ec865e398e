"""The explorer in a real browser: it opens from disk, and does what its parts say."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from browser import INSTALLING, browser, opened, running
from explored_tables import explored
from PIL import Image

from dissect_iqa.explorer.write_explorer import write_explorer
from dissect_iqa.figures.settings import FigureSettings

CHROMIUM = browser()
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason=f"no Chromium here; {INSTALLING}=1 installs one"),
    # Playwright's own loop, closed by the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def chromium():
    with running(CHROMIUM) as program:
        yield program


@pytest.fixture(scope="module")
def shown():
    return explored(7)


@pytest.fixture(scope="module")
def address(shown, tmp_path_factory):
    file = tmp_path_factory.mktemp("explorer") / "explorer ä b.html"
    write_explorer(shown, file, FigureSettings(distance="rmse"))
    return file.as_uri()


@pytest.fixture
def page(chromium, address):
    with opened(chromium, address) as (page, heard):
        yield page
        assert not heard.said


def waited(page, act):
    """Do something, and wait until what it changes is drawn."""
    page.evaluate("() => { delete document.documentElement.dataset.drawn; }")
    act()
    page.wait_for_selector("html[data-drawn]")


def names(page):
    return page.locator("#table tbody th button").all_inner_texts()


def column(page, number):
    cells = page.locator(f"#table tbody td:nth-child({number})").all_inner_texts()
    return [float(cell.replace("\u2212", "-")) for cell in cells if cell not in ("", "\u2013")]


def pick(page, name):
    waited(page, page.get_by_role("button", name=name, exact=True).click)


def test_it_loads_without_a_word_or_a_request(chromium, address):
    with opened(chromium, address) as (page, heard):
        assert page.title() == "Study made-up: which deep features predict perceived quality"
        assert page.locator("#remark").inner_text() == "Nobody rated."
        status = page.get_by_role("status").inner_text()
        assert status == "7 of 7 networks and 4 of 4 metrics are shown."
        assert page.locator("#curves canvas").count() == 1
        pick(page, "PSNR")
        assert not heard.said and heard.asked == [address]


def test_values_are_those_of_the_table(page, shown):
    rows = shown.correlations
    whole = rows[(rows["subset"] == "all") & (rows["statistic"] == "srcc")]
    ours = whole[(whole["kind"] == "network") & (whole["distance"] == "rmse")]
    best = ours.groupby("model")["value"].max()
    metrics = whole[whole["kind"] == "metric"].set_index("model")["value"]
    found = dict(zip(names(page), column(page, 2), strict=True))
    for name, value in best.items():
        assert found[name] == pytest.approx(value, abs=0.0006)
    assert found["PSNR"] == pytest.approx(metrics["psnr"], abs=0.0006)
    honest = rows[(rows["statistic"] == "srcc_nested") & (rows["distance"] == "rmse")]
    assert sorted(column(page, 4)) == pytest.approx(sorted(honest["value"]), abs=0.0006)


def test_every_column_sorts_both_ways(page):
    for number, title in ((2, "Best"), (6, "Depth"), (11, "Top-1"), (13, "GFLOPs")):
        head = page.locator(f"#table thead th:nth-child({number})")
        for order in ("descending", "ascending"):
            if head.get_attribute("aria-sort") != order:
                waited(page, head.locator("button").click)
            if head.get_attribute("aria-sort") != order:
                waited(page, head.locator("button").click)
            values = column(page, number)
            assert values == sorted(values, reverse=order == "descending"), title
            assert head.locator("button").evaluate("b => b === document.activeElement") or (
                number == 2 and order == "descending"
            )
    waited(page, page.locator("#table thead th:nth-child(1) button").click)
    assert names(page) == sorted(names(page), key=str.lower, reverse=True)


def test_filters_leave_what_they_say(page):
    waited(page, lambda: page.get_by_label("Name", exact=True).fill("vgg"))
    assert names(page) and all("vgg" in name.lower() for name in names(page))
    waited(page, page.get_by_role("button", name="Reset").click)
    assert len(names(page)) == 11
    page.locator("summary", has_text="Function").click()
    waited(page, lambda: page.get_by_label("untrained", exact=True).uncheck())
    functions = page.locator("#table tbody td:nth-child(8)").all_inner_texts()
    assert "untrained" not in functions and "supervised classification" in functions
    assert page.locator("summary").first.inner_text().endswith("(2 of 3)")
    assert "5 of 7 networks" in page.get_by_role("status").inner_text()


def test_distance_subset_and_measure_change_the_numbers(page, shown):
    rows = shown.correlations
    before = dict(zip(names(page), column(page, 2), strict=True))
    waited(page, lambda: page.get_by_label("Distance").select_option("cosine"))
    after = dict(zip(names(page), column(page, 2), strict=True))
    one = next(name for name in before if name != "PSNR" and before[name] != after[name])
    mine = rows[(rows["model"] == one) & (rows["distance"] == "cosine")]
    mine = mine[(mine["subset"] == "all") & (mine["statistic"] == "srcc")]
    assert after[one] == pytest.approx(mine["value"].max(), abs=0.0006)
    waited(page, lambda: page.get_by_label("Pairs").select_option("type:Gaussian blur"))
    assert page.get_by_label("Distance").input_value() == "cosine"
    waited(page, lambda: page.get_by_label("Measure").select_option(index=1))
    assert "thresholds" in page.locator("#curves-title").inner_text()
    least = column(page, 2)
    assert least == sorted(least), "of errors the least is the best"
    head = page.locator("#table thead th:nth-child(2)")
    assert head.get_attribute("aria-sort") == "ascending"
    layers = shown.layers.query("kind != 'ceiling' and direction == 'all'")
    layers = layers[layers["statistic"] == "rmse_db"]
    assert least[0] == pytest.approx(layers["value"].min(), abs=0.006)
    waited(page, lambda: page.get_by_label("Measure").select_option(index=2))
    assert "kept when misaligned" in page.locator("#curves-title").inner_text()
    kept = shown.invariance[shown.invariance["kind"] == "network"].groupby("model")["kept"].max()
    assert max(column(page, 2)) == pytest.approx(kept.max(), abs=0.002)


def test_a_network_has_layers_contests_and_its_worst_pairs(page, shown):
    name = shown.models["id"].iloc[0]
    pick(page, name)
    assert page.locator("#one-title").inner_text() == name
    assert page.locator("tr.picked th").inner_text() == name
    held = shown.contests["demo"]
    mine = held[(held["first"] == name) | (held["second"] == name)]
    assert page.locator("#contests tbody tr").count() == len(mine)
    won = page.locator("#contests tbody td", has_text=re.compile("^wins$")).count()
    assert won == (mine["winner"] == name).sum()
    worst = shown.misjudged["demo"].query("model == @name")
    assert page.locator("#worst button").count() == len(worst) == 20
    first = page.locator("#worst button").first
    said = first.inner_text()
    assert f"score {worst['quality'].iloc[0]:.2f}" in said
    assert f"says {worst['mapped'].iloc[0]:.2f}" in said
    little = worst["error"].iloc[0] > 0
    assert ("too little" if little else "too much") in said
    assert f"PSNR {worst['psnr'].iloc[0]:.1f} dB" in said
    waited(page, first.click)
    assert first.get_attribute("aria-pressed") == "true"
    view = page.locator("#pair-view")
    assert worst["distorted_file"].iloc[0] in view.inner_text()
    sizes = view.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert sizes == [160, 160]


def test_ranks_are_those_of_a_sort(page, shown):
    name = shown.models["id"].iloc[0]
    pick(page, name)
    pair = int(page.locator("#worst button").first.get_attribute("data-pair"))
    waited(page, page.locator("#worst button").first.click)
    said = page.locator("#pair-view tbody tr").all_inner_texts()
    found = {line.split("\t")[0]: int(line.split("\t")[1]) for line in said}
    predictions = shown.predictions["demo"]
    for competitor, id in ((name, name), ("PSNR", "psnr")):
        own = predictions[predictions["model"] == id]["predicted"].to_numpy()
        assert found[competitor] == (own > own[pair]).sum() + 1


def test_a_click_on_a_dot_and_on_a_line(page):
    waited(page, lambda: page.locator("#curves canvas").click(position={"x": 500, "y": 160}))
    assert page.locator("#one").is_visible()
    box = page.locator("#scatter canvas").bounding_box()
    middle = {"x": box["width"] / 2, "y": box["height"] / 2}
    page.locator("#scatter canvas").hover(position=middle)
    said = page.locator("#tip").inner_text()
    waited(page, lambda: page.locator("#scatter canvas").click(position=middle))
    file = page.locator("#pair-view h4").inner_text()
    assert said.startswith(file)
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()


def test_the_address_restores_the_view(chromium, page, address):
    waited(page, lambda: page.get_by_label("Distance").select_option("dists"))
    waited(page, page.locator("#table thead th:nth-child(6) button").click)
    page.locator("summary", has_text="Function").click()
    waited(page, lambda: page.get_by_label("untrained", exact=True).uncheck())
    pick(page, names(page)[2])
    waited(page, page.locator("#worst button").nth(4).click)
    told, before = page.url, page.locator("main").inner_text()
    assert told.startswith(address + "#")
    with opened(chromium, told) as (other, heard):
        assert other.locator("main").inner_text() == before
        assert other.get_by_label("Distance").input_value() == "dists"
        waited(other, lambda: other.evaluate("() => { location.hash = ''; }"))
        assert "11" not in other.url and len(names(other)) == 11
        assert not heard.said


def test_nothing_ticked_is_in_the_address_too(chromium, page):
    page.locator("summary", has_text="Function").click()
    for box in page.locator("[data-facet=function] input").all():
        waited(page, box.uncheck)
    assert "0 of 7 networks" in page.get_by_role("status").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("[data-facet=function]").is_hidden()
    with opened(chromium, page.url) as (other, _):
        assert "0 of 7 networks" in other.get_by_role("status").inner_text()


@pytest.mark.parametrize("pair", ["1.5", "1e1", "0x10", " 5", "-1", "x"])
def test_what_is_no_pair_shows_none(chromium, address, shown, pair):
    name = shown.models["id"].iloc[0]
    with opened(chromium, f"{address}#one={name}&pair={pair}") as (page, heard):
        assert page.locator("#pair-view h4").count() == 0
        assert page.locator("#one-title").inner_text() == name and not heard.said


def test_a_wrong_address_shows_what_there_is(chromium, address):
    wrong = "#set=none&distance=none&subset=none&measure=none&sort=none&one=nobody&pair=9999"
    with opened(chromium, address + wrong) as (page, heard):
        assert len(names(page)) == 11 and page.locator("#one").is_hidden()
        assert not heard.said


def test_the_csv_holds_the_selection(page):
    waited(page, lambda: page.get_by_label("Name", exact=True).fill("ssim"))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save these rows as CSV").click()
    assert waiting.value.suggested_filename == "made-up_demo.csv"
    lines = list(csv.DictReader(Path(waiting.value.path()).read_text().splitlines()))
    assert [line["name"] for line in lines] == names(page)
    assert {line["remark"] for line in lines} == {"Study made-up. Nobody rated."}
    assert {line["study"] for line in lines} == {"made-up"}
    shown = [f"{float(line['value']):.3f}" for line in lines]
    assert shown == [f"{value:.3f}" for value in column(page, 2)]


def test_by_keyboard_alone(page):
    waited(page, lambda: page.get_by_label("Name", exact=True).fill("vgg"))
    before = page.url
    page.evaluate("() => document.activeElement.blur()")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "table-part"
    assert page.url == before and all("VGG" in name for name in names(page))
    waited(page, page.get_by_role("button", name="Reset").click)
    page.locator("#table tbody th button").nth(1).focus()
    waited(page, lambda: page.keyboard.press("Enter"))
    assert page.locator("#one").is_visible()
    page.locator("#worst button").nth(2).focus()
    waited(page, lambda: page.keyboard.press("Space"))
    assert page.locator("#worst button").nth(2).get_attribute("aria-pressed") == "true"
    inside = "e => getComputedStyle(e).outlineStyle"
    assert page.locator("#worst button").nth(2).evaluate(inside) != "none"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_its_window_in_dark_and_light(chromium, address, tmp_path, width, dark):
    with opened(chromium, address, width=width, dark=dark) as (page, heard):
        pick(page, names(page)[0])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for place in ("#curves canvas", "#scatter canvas", "#worst li"):
            box = page.locator(place).first.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1
        page.screenshot(path=tmp_path / "page.png")
        corner = np.asarray(Image.open(tmp_path / "page.png").convert("L"))[-1, -1]
        assert (corner < 60) == dark
        ink = page.locator("h1").evaluate("e => getComputedStyle(e).color")
        assert (int(re.findall(r"\d+", ink)[0]) > 200) == dark
        assert not heard.said


def test_long_names_fit_a_telephone(chromium, shown, tmp_path):
    long = "a_name_that_goes_on_and_on_" * 5
    models = shown.models.assign(family=long, environment=long.replace("_", " "))
    rows = shown.correlations
    typed = rows["subset"] == "type:Gaussian blur"
    study = explored(
        7, models=models, study=long, remarks={"demo": long},
        correlations=rows.assign(subset=rows["subset"].mask(typed, f"type:{long}")),
    )  # fmt: skip
    write_explorer(study, tmp_path / "explorer.html", FigureSettings())
    file = (tmp_path / "explorer.html").as_uri()
    with opened(chromium, file, width=390) as (page, heard):
        pick(page, shown.models["id"].iloc[0])
        for facet in page.locator("summary").all():
            facet.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not heard.said


def test_everything_has_a_name_for_a_screen_reader(page):
    pick(page, names(page)[0])
    for role in ("button", "combobox", "searchbox", "checkbox", "table", "region"):
        for one in page.get_by_role(role).all():
            if role != "table":
                label = one.evaluate("e => e.ariaLabel || e.innerText || e.labels?.[0]?.innerText"
                                     " || e.getAttribute('aria-labelledby')")  # fmt: skip
                assert label, one.evaluate("e => e.outerHTML.slice(0, 80)")
    assert all(page.locator("img").evaluate_all("all => all.map(one => !!one.alt)"))
    heads = page.locator("#table thead th").evaluate_all("all => all.map(one => one.scope)")
    assert set(heads) == {"col"}


def test_closed_pictures_give_names_and_say_why(chromium, shown, tmp_path):
    closed = "Their terms forbid it."
    study = explored(7, thumbnails={"demo": shown.thumbnails["demo"].head(0)},
                     closed={"demo": closed})  # fmt: skip
    write_explorer(study, tmp_path / "explorer.html", FigureSettings())
    with opened(chromium, (tmp_path / "explorer.html").as_uri()) as (page, heard):
        pick(page, shown.models["id"].iloc[0])
        assert page.locator("#worst img").count() == 0
        worst = shown.misjudged["demo"].iloc[0]
        assert worst["reference_file"] in page.locator("#worst button").first.inner_text()
        assert closed in page.locator("#worst-part").inner_text()
        waited(page, page.locator("#worst button").first.click)
        assert closed in page.locator("#pair-view").inner_text()
        assert not heard.said


def without_opinions(shown):
    none = {"contests": {}, "predictions": {}, "misjudged": {}, "thumbnails": {}, "pairs": {}}
    return {"correlations": shown.correlations.head(0), **none}


def of_metrics(shown):
    def metrics(tables):
        return {name: table[table["kind"] == "metric"] for name, table in tables.items()}

    return {
        "correlations": shown.correlations[shown.correlations["kind"] == "metric"],
        "models": shown.models.head(0), "contests": {"demo": shown.contests["demo"].head(0)},
        "predictions": metrics(shown.predictions), "misjudged": metrics(shown.misjudged),
    }  # fmt: skip


def of_networks(shown):
    return {"correlations": shown.correlations[shown.correlations["kind"] != "metric"]}


def of_one(shown):
    rows = shown.correlations
    return {"correlations": rows[rows["model"] == rows["model"].iloc[0]]}


def undefined(shown):
    return {"correlations": shown.correlations.assign(value=np.nan, low=np.nan, high=np.nan)}


@pytest.mark.parametrize("some", [without_opinions, of_metrics, of_networks, of_one, undefined])
def test_a_study_of_less_is_shown_as_far_as_it_goes(chromium, shown, tmp_path, some):
    write_explorer(explored(7, **some(shown)), tmp_path / "explorer.html", FigureSettings())
    with opened(chromium, (tmp_path / "explorer.html").as_uri()) as (page, heard):
        if some in (without_opinions, undefined):
            assert "No layer and no metric" in page.get_by_role("status").inner_text()
            assert page.locator("main").is_hidden()
        else:
            for name in names(page):
                pick(page, name)
                assert page.locator("#one-title").inner_text() == name
        assert not heard.said


def test_names_from_anywhere_are_shown_and_not_obeyed(chromium, shown, tmp_path):
    bad = "<img src=x onerror=alert(1)></script><b>"
    models = shown.models.assign(family=bad)
    write_explorer(explored(7, models=models, study=bad, remarks={"demo": bad}),
                   tmp_path / "explorer.html", FigureSettings())  # fmt: skip
    with opened(chromium, (tmp_path / "explorer.html").as_uri()) as (page, heard):
        assert bad in page.title() and page.locator("#remark").inner_text() == bad
        assert page.locator("img").count() == 0 and not heard.said
