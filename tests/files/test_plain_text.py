"""Names with control characters, markup or dollars in them: figures open, tables stay tables."""

import xml.etree.ElementTree
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from pydantic import ValidationError

from dissect_iqa.figures.save import save
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.files.plain_text import cell, is_text, printable
from dissect_iqa.files.validation import Settings

NASTY = [
    "zero\0",
    "escape\x1b[2J",
    "c1\x85\x9f",
    "delete\x7f",
    "half \ud800",
    "none \ufffe\uffff",
    "turned \u202egvs",
    "<script>alert(1)</script> & \"quotes\" 'too'",
    "]]> -- <!-- -->",
    "costs $5 and $\\frac{1}$",
    "a_b^c %s {x} \\n",
    "naïve 画像 Ω",
    "two\nlines",
]


@pytest.mark.parametrize("text", NASTY)
def test_figures_open_whatever_names_they_hold(tmp_path: Path, text: str) -> None:
    with look(FigureSettings()):
        figure = Figure()
        axes = figure.add_subplot(title=text, xlabel=text)
        axes.plot([0, 1], label=text)
        axes.set_xticks([0], [text])
        axes.legend()
    files = save(figure, tmp_path / "x", FigureSettings(), text, text, spec="{}")
    found = {path.suffix: path for path in files}
    xml.etree.ElementTree.parse(found[".svg"])
    assert imread(found[".png"]).size
    assert found[".pdf"].read_bytes().rstrip().endswith(b"%%EOF")


def test_what_is_shown_of_them() -> None:
    assert printable("zero\0 and one") == "zero\ufffd and one"
    assert printable("turned \u202egvs") == "turned \ufffdgvs"
    assert all(is_text(text) for text in NASTY[7:]) and not any(map(is_text, NASTY[:7]))
    assert cell("a|b\n| c <b>&\0") == "a/b / c &lt;b&gt;&amp;\ufffd"
    assert cell(None) == "None"


def test_settings_refuse_them() -> None:
    class Entry(Settings):
        label: str = ""

    assert Entry(label="naïve 画像 <b>").label == "naïve 画像 <b>"
    for text in NASTY[:7]:
        with pytest.raises(ValidationError, match="has control characters; take them out"):
            Entry(label=text)
