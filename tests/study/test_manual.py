"""The generated parts of the manual and the schemas are in step with the typed configuration."""

from pathlib import Path

import pytest

from dissect_iqa.study import manual

REPOSITORY = Path(__file__).parents[2]


def test_manual_is_in_step() -> None:
    text = (REPOSITORY / manual.MANUAL).read_text()
    assert manual.manual(text) == text, "run: python -m dissect_iqa.study.manual"


@pytest.mark.parametrize("path", manual.schemas())
def test_schema_is_in_step(path: Path) -> None:
    assert (REPOSITORY / path).read_text() == manual.schemas()[path], (
        "run: python -m dissect_iqa.study.manual"
    )


def test_every_option_is_described() -> None:
    rows = manual.options_table(manual.Config).splitlines()[2:]
    assert len(rows) > 20
    assert not [row for row in rows if row.endswith("|  |")]
