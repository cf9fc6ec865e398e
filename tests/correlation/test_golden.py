"""Published figures: the table is whole, and a run is judged row by row."""

import numpy as np
import pandas as pd
import pytest

from dissect_iqa.correlation.golden import PUBLISHED_COLUMNS, check_published, read_published
from dissect_iqa.errors import UserError


@pytest.fixture(scope="module")
def published():
    return read_published()


def as_run(published, shift=0.0):
    """Return the correlations of a run that found exactly what was published, plus `shift`."""
    rows = []
    single = published[published["position"].isna() & (published["layer"] == "")]
    for row in single.itertuples():
        rows.append((row.dataset, row.model, "", np.nan, row.distance, row.statistic, row.value,
                     row.n))  # fmt: skip
    keys = ["dataset", "model", "distance", "statistic"]
    for key, group in published[published["position"].notna()].groupby(keys):
        values = dict(zip(group["position"], group["value"], strict=True))
        count = int(group["positions"].iloc[0])
        for k in range(count):
            rows.append((key[0], key[1], f"layer{k}", (k + 1) / count, key[2], key[3],
                         values.get(k, 0.5), group["n"].iloc[0]))  # fmt: skip
    names = ["dataset", "model", "layer", "depth", "distance", "statistic", "value", "n"]
    table = pd.DataFrame(rows, columns=names).drop_duplicates(names[:6])
    return table.assign(subset="all", value=table["value"] + shift)


def test_the_table_is_whole(published):
    assert list(published.columns) == PUBLISHED_COLUMNS
    assert (published["source"] != "").all()
    assert published["value"].between(0, 1).all() and published["tolerance"].between(0, 0.1).all()
    assert not published.duplicated(
        ["dataset", "model", "layer", "distance", "statistic", "source"]
    ).any()
    known = published[published["position"].notna()]
    assert (known["position"] < known["positions"]).all()
    rows = published[published["model"] == "vgg16_caffe_in1k"]
    assert rows["position"].notna().sum() == 2 * 18 * 2  # data sets, layers, statistics
    assert rows["position"].isna().sum() == 2 * 4  # data sets, layers side by side


def test_figures_stand_as_published(published):
    def value(**wanted):
        rows = published
        for name, found in wanted.items():
            rows = rows[rows[name] == found]
        assert len(rows) == 1
        return rows["value"].item()

    assert value(dataset="tid2013", model="psnr", statistic="krcc") == 0.4958
    assert value(dataset="kadid10k", model="lpips_vgg", statistic="srcc") == 0.7201
    common = {"dataset": "tid2013", "model": "vgg16_caffe_in1k", "statistic": "srcc"}
    assert value(layer="conv4_1", **common) == 0.841
    common = {"model": "clip_vitb16_openai", "distance": "cosine", "statistic": "plcc"}
    assert value(layer="hidden state 12", **common) == 0.693


def test_a_run_that_finds_the_published_figures_passes(published):
    found = check_published(as_run(published))
    assert len(found) == len(published)
    compared = found[found["verdict"] != "not compared"]
    assert (compared["verdict"] == "pass").all() and (compared["difference"].abs() < 6e-4).all()
    rest = found[found["verdict"] == "not compared"]
    assert rest["model"].str.contains("lip").all() and (rest["reason"] != "").all()


def test_a_run_that_is_off_fails(published):
    found = check_published(as_run(published, shift=-0.06))
    compared = found[found["verdict"] != "not compared"]
    assert (compared["verdict"] == "fail").all()
    assert compared["reason"].str.fullmatch(r"off by -0\.0[56]\d\d, allowed 0\.\d+").all()


def test_what_is_not_the_same_is_not_compared(published):
    run = as_run(published)
    psnr = (run["model"] == "psnr") & (run["dataset"] == "tid2013")
    run.loc[psnr, "n"] = 2880
    run = run[(run["model"] != "vgg16_caffe_in1k") | (run["layer"] != "layer3")]
    run = run[run["dataset"] != "kadid10k"]
    run = run[(run["model"] != "gmsd") | (run["statistic"] != "krcc")]
    found = check_published(run).set_index(["dataset", "model"])
    assert set(found.loc[("tid2013", "psnr"), "reason"]) == {"2880 pairs here, 3000 there"}
    layers = found.loc[("tid2013", "vgg16_caffe_in1k")].dropna(subset="position")
    assert set(layers["reason"]) == {"17 layers here, 18 there"}
    assert "data set kadid10k is not in this run" in set(found["reason"])
    gmsd = found.loc[("tid2013", "gmsd")].set_index("statistic")
    assert gmsd.loc["krcc", "reason"] == "krcc of gmsd was not computed"
    assert gmsd.loc["srcc", "verdict"] == "pass"


def test_an_undefined_value_fails(published):
    run = as_run(published)
    run["value"] = np.nan
    found = check_published(run)
    assert set(found["verdict"]) == {"fail", "not compared"}
    assert set(found.loc[found["verdict"] == "fail", "reason"]) == {"undefined here"}


def test_a_table_without_a_column_is_named(published):
    with pytest.raises(UserError, match="column 'tolerance' is missing"):
        check_published(as_run(published), published.drop(columns="tolerance"))
