"""Scores from outside: every pair gets its own, or the table is refused with what is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from correlation_data import pairs as made_up_pairs

from dissect_iqa.baselines.outside import ScoresEntry
from dissect_iqa.baselines.outside_table import match_rows, read_outside
from dissect_iqa.baselines.read_scores import read_scores
from dissect_iqa.correlation.correlate import correlate
from dissect_iqa.correlation.hold_contests import hold_contests
from dissect_iqa.correlation.settings import StatisticsSettings
from dissect_iqa.errors import UserError

ZS_IQA = Path(__file__).parents[3] / "shared/data/zs_iqa/tid2013_scores.parquet"
METRICS = {"good": "higher", "bad": {"better": "lower", "column": "worst"}}
PAIRS = pd.DataFrame(
    {
        "pair": range(4),
        "reference": ["a", "a", "b", "b"],
        "reference_file": ["ref/A.bmp", "ref/A.bmp", "ref/b.bmp", "ref/b.bmp"],
        "distorted_file": ["dis/A_1.png", "dis/A_2.png", "dis/b_1.png", "dis/b_2.png"],
        "distortion": "noise",
        "level": pd.array([1, 2, 1, 2], "Int64"),
    }
)
ROWS = (
    "distorted,good,worst\nb_2,4,0.1\ndis\\a_1.PNG,1,.4\n/far/dis/b_1.png,3,2e-1\nA_2.png,2,0.3\n"
)


def entry(path: Path, text: str | None = ROWS, **options) -> ScoresEntry:
    if text is not None:
        path.write_text(text)
    return ScoresEntry(table=path, dataset="own", **{"metrics": METRICS, **options})


def refused(table: ScoresEntry, pairs: pd.DataFrame = PAIRS, metric: str = "good") -> str:
    with pytest.raises(UserError) as caught:
        read_scores(metric, table, pairs)
    return str(caught.value)


def test_each_pair_gets_its_score_whatever_the_order_and_the_names(tmp_path: Path) -> None:
    table = entry(tmp_path / "scores.csv")
    good, bad = (read_scores(name, table, PAIRS) for name in ("good", "bad"))
    assert good["value"].tolist() == [1, 2, 3, 4]
    assert bad["value"].tolist() == [0.4, 0.3, 0.2, 0.1]
    assert set(good["sign"]) == {1} and set(bad["sign"]) == {-1}
    assert set(good["kind"]) == {"metric"} and set(good["distance"]) == {"good"}
    assert good["distorted"].tolist() == PAIRS["distorted_file"].tolist()


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_every_format_says_the_same(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame(
        {"Distorted": PAIRS["distorted_file"], "good": [1.5, np.inf, -2, 1e-3], "worst": range(4)}
    )
    path = tmp_path / f"scores.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if ending == "tsv" else ";", decimal=".")
    found = read_scores("good", entry(path, None), PAIRS)
    assert found["value"].tolist() == [1.5, np.inf, -2, 1e-3]


def test_the_sum_is_of_the_scores_alone(tmp_path: Path) -> None:
    first = read_outside(entry(tmp_path / "a.csv"))
    lines = ROWS.splitlines()
    turned = "\n".join([lines[0] + ",more", *(f"{line},9" for line in lines[:0:-1])])
    again = read_outside(entry(tmp_path / "b.csv", turned))
    assert first.sum("good") == again.sum("good") != first.sum("bad")
    changed = read_outside(entry(tmp_path / "c.csv", ROWS.replace("b_2,4", "b_2,5")))
    assert changed.sum("good") != first.sum("good") and changed.sum("bad") == first.sum("bad")
    swapped = ROWS.replace("b_2,4", "b_2,2").replace("A_2.png,2", "A_2.png,4")
    assert read_outside(entry(tmp_path / "d.csv", swapped)).sum("good") != first.sum("good")
    with pytest.raises(UserError, match="good have changed since"):
        read_scores("good", entry(tmp_path / "c.csv", None), PAIRS, expect=first.sum("good"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (ROWS.replace("b_2,4,0.1\n", ""), ["no row for 1 of 4 pairs of 'own': dis/b_2.png"]),
        (ROWS.replace("b_2,", "b_7,"), ["dis/b_2.png", "rows of no pair: b_7"]),
        (ROWS + "B_2.PNG,4,0.1\n", ["line 6: 'B_2.PNG' is on line 2, too"]),
        (ROWS.replace("b_2,4", "b_2,"), ["good has no score for 1 of 4 pairs: line 2"]),
        (ROWS.replace("b_2,4", "b_2,NaN"), ["good has no score for 1 of 4 pairs: line 2"]),
        (ROWS.replace("b_2,4", "b_2,four"), ["line 2: found 'four'", "column 'good'"]),
        (ROWS.replace("worst", "best"), ["no column 'worst'"]),
        ("distorted,good,worst\n", ["no rows"]),
        (ROWS.replace("4,", "1,").replace(",3,", ",1,").replace(",2,", ",1,"), ["all 4 scores"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, wanted: list[str]) -> None:
    found = refused(entry(tmp_path / "scores.csv", text))
    for words in [*wanted, "scores.csv"]:
        assert words in found


def test_missing_and_doubled_pairs_are_told_together(tmp_path: Path) -> None:
    text = ROWS.replace("b_2,4", "b_1,4").replace("A_2.png", "unknown")
    found = refused(entry(tmp_path / "scores.csv", text))
    assert "is on line 2, too" in found and "no row for 2 of 4 pairs" in found


def test_pictures_of_one_name_need_their_folders_or_references(tmp_path: Path) -> None:
    twins = PAIRS.assign(distorted_file=["x/1.png", "x/2.png", "y/1.png", "y/2.png"])
    rows = "distorted,good,worst\n" + "".join(f"{n},{n[-1]}.{n[0] == 'y':d},0\n" for n in (
        "x/1", "x/2", "y/1", "y/2"))  # fmt: skip
    assert "'1.png' may be x/1.png, y/1.png" in refused(
        entry(tmp_path / "a.csv", rows.replace("x/1,", "1.png,")), twins
    )
    whole = rows.replace("/1,", "/1.png,").replace("/2,", "/2.png,")
    found = read_scores("good", entry(tmp_path / "b.csv", whole), twins)
    assert found["value"].tolist() == [1.0, 2.0, 1.1, 2.1]


def test_a_picture_of_several_pairs_needs_the_reference(tmp_path: Path) -> None:
    shared = PAIRS.assign(distorted_file=["1.png", "2.png", "1.png", "2.png"])
    rows = "original,distorted,good,worst\na,1,1,0\na,2,2,0\nb,1,3,0\nb,2,4,0\n"
    assert "say under 'reference'" in refused(entry(tmp_path / "a.csv", rows), shared)
    table = entry(tmp_path / "b.csv", rows, reference="original")
    assert read_scores("good", table, shared)["value"].tolist() == [1, 2, 3, 4]
    wrong = entry(tmp_path / "c.csv", rows.replace("b,2", "a,2"), reference="original")
    assert "'2' is on line 3, too" in refused(wrong, shared)


def test_parquet_that_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    frame = pd.DataFrame({"distorted": PAIRS["distorted_file"], "good": list("abcd"), "worst": 1})
    frame.to_parquet(path)
    assert "column 'good' holds" in refused(entry(path, None))
    frame.assign(good=True, distorted=range(4)).to_parquet(path)
    found = refused(entry(path, None))
    assert "'good' holds bool" in found and "'distorted' holds int64" in found
    frame.drop(columns="good").to_parquet(path)
    assert "no column 'good'" in refused(entry(path, None))
    assert "Parquet" in refused(entry(path, ROWS))
    path.unlink()
    assert "no such table" in refused(entry(path, None))


def test_rows_of_no_pair_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = read_outside(entry(tmp_path / "scores.csv", ROWS + "c_1.png,5,0\n"))
    assert match_rows(table, PAIRS, "'own'").tolist() == [1, 3, 2, 0]
    assert "left out: c_1.png" in caplog.text


def test_a_displaced_set_goes_by_the_names_in_place(tmp_path: Path) -> None:
    displaced = PAIRS.assign(distorted_file=[f"pictures/{i:06d}.png" for i in range(4)])
    table = entry(tmp_path / "scores.csv")
    found = read_scores("good", table, displaced, named=PAIRS)
    assert found["value"].tolist() == [1, 2, 3, 4]
    assert found["distorted"].tolist() == displaced["distorted_file"].tolist()


def test_a_rehearsal_needs_no_score(tmp_path: Path) -> None:
    table = entry(tmp_path / "gone.csv", None)
    one, two = (read_scores("good", table, PAIRS, rehearse=True)["value"] for _ in range(2))
    assert one.equals(two) and one.nunique() == 4
    assert not one.equals(read_scores("bad", table, PAIRS, rehearse=True)["value"])


def test_infinite_scores_are_correlated(tmp_path: Path) -> None:
    pairs = made_up_pairs()
    scores = pd.DataFrame({"distorted": pairs["distorted_file"], "good": pairs["quality"]})
    scores.loc[scores["good"].idxmax(), "good"] = np.inf
    scores.assign(worst=0.5).to_csv(tmp_path / "s.csv")
    table = read_scores("good", entry(tmp_path / "s.csv", None), pairs)
    found = correlate(table, pairs, dataset_name="own", model="good",
                      settings=StatisticsSettings(draws=0))  # fmt: skip
    value = found.query("statistic == 'srcc' and subset == 'all'")["value"].item()
    assert value == pytest.approx(1)


@pytest.mark.skipif(not ZS_IQA.is_file(), reason="needs the published scores of 42 metrics")
def test_published_scores_of_real_opinions() -> None:
    """Their SRCC to four digits, plain and after a shift by 1 %, and who beats whom."""
    told = {
        "psnr": (0.6869, 0.0336), "msssim": (0.7859, 0.1654), "fsim": (0.8509, 0.2863),
        "lpips": (0.7687, 0.7494), "dists": (0.7077, 0.7158), "dinov1_l2": (0.7918, 0.7197),
        "clip_vitb32_l2": (0.7933, 0.7274),
    }  # fmt: skip
    frame = pd.read_parquet(ZS_IQA)
    numbers = frame["dis"].str.lower().str.extract(r"i(\d+)_(\d+)_(\d+)")
    pairs = pd.DataFrame(
        {
            "pair": np.arange(3000),
            "reference": "i" + numbers[0],
            "reference_file": "reference_images/" + frame["ref"],
            "distorted_file": "distorted_images/" + frame["dis"].str.lower(),
            "distortion": numbers[1],
            "level": numbers[2].astype("Int64"),
            # the table holds 100 - MOS: a picture at the faintest level has 94, with 5.5 of 0..9
            "score": 100 - frame["mos"],
            "quality": 100 - frame["mos"],
        }
    )
    # all but PSNR are stored as distances, SSIM's family, too
    better = {name: "higher" if name == "psnr" else "lower" for name in told}
    metrics = {
        f"{name}{moved}": {"column": f"{name}{column}", "better": better[name]}
        for name in told for moved, column in (("", ""), ("_moved", "@shift1%"))
    }  # fmt: skip
    table = ScoresEntry(
        table=ZS_IQA, dataset="tid2013", distorted="dis", reference="ref", metrics=metrics
    )
    settings = StatisticsSettings(draws=100, logistic=False, per_type=False, within_reference=False)
    scores = {name: read_scores(name, table, pairs) for name in metrics}
    for name, values in told.items():
        for moved, value in zip(("", "_moved"), values, strict=True):
            found = correlate(scores[name + moved], pairs, dataset_name="tid2013", model=name,
                              settings=settings)  # fmt: skip
            rows = found.query("statistic == 'srcc' and subset == 'all'")
            assert rows["value"].item() == pytest.approx(value, abs=5e-5), name + moved
    held = hold_contests({name: scores[name] for name in told}, pairs, settings)
    winners = held.set_index(["first", "second"])["winner"]
    assert (winners["psnr", "fsim"], winners["msssim", "fsim"]) == ("fsim", "fsim")
    assert winners["fsim", "dists"] == "fsim"
    assert winners["dinov1_l2", "clip_vitb32_l2"] == "", "0.7918 against 0.7933 can't be told"
    beaten = held.set_index(["first", "second"]).loc[("psnr", "fsim")]
    assert beaten["difference"] == pytest.approx(0.6869 - 0.8509, abs=1e-4)
    assert beaten["low"] < beaten["difference"] < beaten["high"] < 0
