"""What the explorer's page holds: every number, small, and the same bytes for the same study."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest
from explored_tables import explored, large

from dissect_iqa.explorer import pairs
from dissect_iqa.explorer.contents import contents
from dissect_iqa.explorer.pack import NOTHING, Numbers
from dissect_iqa.explorer.write_explorer import write_explorer
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.files.provenance import fingerprint

SETTINGS = FigureSettings(distance="rmse")


def unpacked(page):
    """Return description and numbers of a page, read as its script reads them."""
    found = re.search(r'id="data">([^<]*)</script>', page)[1]
    whole = gzip.decompress(base64.b64decode(found))
    length = int.from_bytes(whole[:4], "little")
    return json.loads(whole[4 : 4 + length]), np.frombuffer(whole[4 + length :], "<i2")


def values(raw, place):
    first, count, scale, *more = place
    part = raw[first : first + count]
    return np.where(part == NOTHING, np.nan, part / scale + (more[0] if more else 0))


@pytest.fixture(scope="module")
def shown():
    return explored(7)


@pytest.fixture(scope="module")
def page(shown, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "explorer.html"
    write_explorer(shown, file, SETTINGS, spec='{"a": 1}')
    return file.read_text(encoding="utf-8")


def test_numbers_come_back_rounded():
    numbers, rng = Numbers(), np.random.default_rng(0)
    plain, wide = rng.uniform(-1, 1, 50), rng.normal(1e6, 1e3, 40)
    plain[3] = wide[7] = np.nan
    places = [numbers.add(plain), numbers.add_spread(wide), numbers.add_spread(np.full(3, 7.25))]
    text = f'id="data">{numbers.packed({"ä": "</script>"})}</script>'
    header, raw = unpacked(text)
    assert header == {"ä": "</script>"}
    assert values(raw, places[0]) == pytest.approx(plain, abs=5e-5, nan_ok=True)
    assert values(raw, places[1]) == pytest.approx(wide, abs=0.1, nan_ok=True)
    assert values(raw, places[2]) == pytest.approx(np.full(3, 7.25))


@pytest.mark.parametrize("largest", [3.3, 7.24, 1e9, 0.0, np.nan, np.inf])
def test_what_is_too_large_for_sixteen_bits_is_kept_coarser(largest):
    numbers, plain = Numbers(), np.array([0.5, -largest, 0.25])
    place = numbers.add(plain)
    _, raw = unpacked(f'id="data">{numbers.packed({})}</script>')
    expected = np.where(np.isinf(plain), np.nan, plain)
    reach = np.nanmax(np.abs(expected))
    assert values(raw, place) == pytest.approx(expected, abs=max(5e-5, reach / 6e4), nan_ok=True)


def test_every_correlation_is_in_the_page(shown, page):
    header, raw = unpacked(page)
    (one,), rows = header["sets"], shown.correlations
    main = one["measures"][0]
    rows = rows[(rows["statistic"] == "srcc") & rows["depth"].notna()]
    names = [entry["name"] for entry in header["networks"]]
    cubes = [
        values(raw, main["values"][i]).reshape(
            len(main["distances"]), len(main["subsets"]), len(one["layers"][i]["names"])
        )
        for i in range(len(names))
    ]
    for row in rows.itertuples():
        i = names.index(row.model)
        where = (
            main["distances"].index(row.distance),
            main["subsets"].index(row.subset),
            one["layers"][i]["names"].index(row.layer),
        )
        assert cubes[i][where] == pytest.approx(row.value, abs=1e-4)
    assert sum(np.isfinite(cube).sum() for cube in cubes) == len(rows)


def test_the_page_says_whose_it_is_and_equal_studies_give_equal_bytes(shown, page, tmp_path):
    mark = fingerprint('{"a": 1}')
    assert f'content="study made-up, fingerprint {mark}"' in page
    write_explorer(shown, tmp_path / "again.html", SETTINGS, spec='{"a": 1}')
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_a_large_study_stays_below_five_megabytes(tmp_path):
    write_explorer(large(), tmp_path / "large.html", SETTINGS)
    assert (tmp_path / "large.html").stat().st_size < 5e6


@pytest.mark.parametrize("most", [0, 3, 200])
def test_of_so_many_pairs_there_are_pictures(shown, most):
    header = contents(shown, Numbers(), SETTINGS, most)
    given = header["sets"][0]["pairs"]
    misjudged = shown.misjudged["demo"]
    networks = misjudged[misjudged["kind"] == "network"]
    assert len(given["thumbs"]) == min(most, misjudged["pair"].nunique())
    assert (len(header["pictures"]) == 0) == (most == 0)
    assert len(set(header["pictures"])) <= 2  # references are blue, distorted pictures red
    if most == 3:
        first = networks[networks["place"] == 1]["pair"].drop_duplicates().head(3)
        assert sorted(given["thumbs"]) == sorted(first)
    for pair, (reference, distorted) in given["thumbs"].items():
        small = shown.thumbnails["demo"].set_index("file")["webp"]
        for place, name in ((reference, "reference"), (distorted, "distorted")):
            assert base64.b64decode(header["pictures"][place]) == small[given[name][pair]]


def test_of_many_pairs_those_misjudged_and_a_sample_stay(shown, monkeypatch):
    monkeypatch.setattr(pairs, "MOST_PAIRS", 220)
    header = contents(shown, Numbers(), SETTINGS, 0)
    given, table = header["sets"][0]["pairs"], shown.pairs["demo"]
    assert len(given["distorted"]) == 220 < len(table)
    misjudged = shown.misjudged["demo"]
    assert set(misjudged["distorted_file"]) <= set(given["distorted"])
    names = [entry["name"] for entry in header["networks"]]
    for name, worst in zip(names, given["worst"], strict=False):
        own = misjudged[misjudged["model"] == name]["distorted_file"]
        assert [given["distorted"][place] for place in worst["pairs"]] == list(own)
    order = table.set_index("distorted_file")["pair"]
    assert order[given["distorted"]].is_monotonic_increasing
    assert "220 of 320 pairs" in given["note"]


def test_what_was_not_measured_is_left_out(shown):
    bare = explored(
        7, contests={}, predictions={}, misjudged={}, thumbnails={}, pairs={},
        layers=shown.layers.head(0), invariance=shown.invariance.head(0),
    )  # fmt: skip
    (one,) = contents(bare, Numbers(), SETTINGS, 200)["sets"]
    assert "pairs" not in one and one["contests"] is None and len(one["measures"]) == 1


def test_what_is_not_known_is_no_number_of_the_page(shown, tmp_path):
    sizes = shown.sizes.assign(parameters=np.nan, gflops=np.inf)
    models = shown.models.assign(top1=np.nan)
    rows = shown.correlations
    ceiling = rows.iloc[:1].assign(kind="ceiling", model="noise ceiling", depth=np.nan,
                                   value=np.nan, statistic="srcc", subset="all")  # fmt: skip
    study = explored(7, sizes=sizes, models=models, correlations=pd.concat([rows, ceiling]))
    write_explorer(study, tmp_path / "explorer.html", SETTINGS)
    header, _ = unpacked((tmp_path / "explorer.html").read_text(encoding="utf-8"))
    for entry in header["networks"]:
        assert entry["top1"] is entry["parameters"] is entry["gflops"] is None


def test_a_page_that_fails_leaves_the_old_one(shown, page, tmp_path, monkeypatch):
    file = tmp_path / "explorer.html"
    file.write_text("old")
    monkeypatch.setattr(Numbers, "packed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_explorer(shown, file, SETTINGS)
    assert file.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
