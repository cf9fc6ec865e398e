"""Shares, and what turns a verdict, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from dissect_iqa.claims.evidence import FAILS, HOLDS, OPEN
from dissect_iqa.multiverse.choices import CHOICES, universes
from dissect_iqa.multiverse.count_verdicts import (
    COLUMNS,
    count_verdicts,
    shares_by_option,
    turned,
)


def universe_table(judge, dataset="set", **options):
    """Return a table of universes in which the verdict is a function of the choices."""
    given = {choice: ["only"] for choice in CHOICES} | options
    table = universes(given)
    verdicts = [judge(row) for row in table.to_dict("records")]
    default = np.arange(len(table)) == 0
    facts = {"dataset": dataset, "claim": "one", "finding": "One.", "default": default}
    return table.assign(**facts, verdict=verdicts)


OPTIONS = {"statistic": ["srcc", "krcc", "plcc"], "layer": ["honest", "last"]}


def test_a_choice_that_decides_alone():
    table = universe_table(lambda row: FAILS if row["statistic"] == "plcc" else HOLDS, **OPTIONS)
    shares = turned(table)
    # of three pairs of statistics, two differ
    assert shares["statistic"] == pytest.approx(2 / 3) and shares["layer"] == 0
    assert shares.drop(["statistic", "layer"]).isna().all()
    found = count_verdicts([table], table[table["default"]]).iloc[0]
    assert list(found.index) == COLUMNS
    assert found["turning_choice"] == "statistic" and found["turned"] == pytest.approx(2 / 3)
    assert found["by_its_options"] == (
        "srcc: holds 100 %; krcc: holds 100 %; plcc: does not hold 100 %"
    )
    assert (found["universes"], found["reported"]) == (6, HOLDS)
    assert [found[name] for name in (HOLDS, FAILS, OPEN)] == pytest.approx([4 / 6, 2 / 6, 0])


def test_two_choices_that_decide_together():
    def judge(row):
        return OPEN if (row["statistic"], row["layer"]) == ("plcc", "last") else HOLDS

    table = universe_table(judge, **OPTIONS)
    shares = turned(table)
    # 2 of 6 pairs of statistics, 1 of 3 pairs of layers
    assert shares["statistic"] == pytest.approx(2 / 6) and shares["layer"] == pytest.approx(1 / 3)
    split = shares_by_option(table, "layer")
    assert split.loc["last", OPEN] == pytest.approx(1 / 3) and split.loc["honest", HOLDS] == 1
    assert list(split.index) == ["honest", "last"] and split.sum(axis=1).eq(1).all()


def test_where_nothing_turns_no_choice_is_named():
    table = universe_table(lambda row: OPEN, **OPTIONS)
    found = count_verdicts([table], table.iloc[:0]).iloc[0]
    assert (found["turning_choice"], found["by_its_options"], found["turned"]) == ("", "", 0)
    assert found["reported"] == ""


def test_universes_that_are_not_asked_differ_from_nothing():
    table = universe_table(lambda row: HOLDS if row["layer"] == "honest" else FAILS, **OPTIONS)
    asked = table[~((table["layer"] == "last") & (table["statistic"] != "srcc"))]
    assert turned(asked)["layer"] == 1 and turned(asked)["statistic"] == 0


def test_one_universe_and_no_data_set():
    table = universe_table(lambda row: HOLDS)
    found = count_verdicts([table], table).iloc[0]
    assert found["turning_choice"] == "" and np.isnan(found["turned"])
    assert list(count_verdicts([], pd.DataFrame(columns=table.columns)).columns) == COLUMNS


def test_data_sets_are_counted_by_themselves():
    tables = [
        universe_table(lambda row: HOLDS, dataset="a", **OPTIONS),
        universe_table(lambda row: FAILS, dataset="b", **OPTIONS),
    ]
    found = count_verdicts(tables, pd.concat(tables).query("default")).set_index("dataset")
    assert found[HOLDS].to_dict() == {"a": 1, "b": 0}
    assert found["reported"].to_dict() == {"a": HOLDS, "b": FAILS}
