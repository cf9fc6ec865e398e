"""Pages hold all that they show, in reading order, and nothing that runs."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dissect_iqa.pages.page import Section, page, table
from dissect_iqa.pages.write_pages import Shown, markdown, write_pages


class Reader(HTMLParser):
    """Collects a page's elements, and checks that each that is opened is closed."""

    VOID = ("meta", "img", "br", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, list[Shown]]:
    Image.new("RGB", (8, 6), "red").save(tmp_path / "depth.png")
    (tmp_path / "depth.rst").write_text(
        "**What it shows**: {{ snakemake.config.get('level', 0.95) }}, ``code``.\n"
    )
    (tmp_path / "claims.md").write_text(
        "# Findings\n\n**Study a<b.**\n\n## One *holds.*\n\n"
        "| a | b |\n|---|---|\n| 1 | <i>x</i> |\n"
    )
    pd.DataFrame(
        {"model": ["<b>a</b>", "c"], "best": [0.123456, None], "n": [3, 4], "empty": [None, None]}
    ).to_csv(tmp_path / "summary.csv", index=False)
    return {
        "figures": [Shown("Figure 1. Depth", tmp_path / "depth.png", tmp_path / "depth.rst")],
        "claims": [Shown("", tmp_path / "claims.md")],
        "tables": [
            Shown("Best", tmp_path / "summary.csv"), Shown("Again", tmp_path / "summary.csv"),
        ],
    }  # fmt: skip


def written(shown: dict[str, list[Shown]], folder: Path) -> dict[str, Reader]:
    pages = {folder / f"{name}.html": (name.title(), items) for name, items in shown.items()}
    write_pages(pages, "Study a<b.", {"level": 0.9})
    return {path.stem: Reader(path.read_text()) for path in pages}


def test_pages_hold_all_that_they_show(shown: dict[str, list[Shown]], tmp_path: Path) -> None:
    pages = written(shown, tmp_path)
    for name, reader in pages.items():
        assert reader.words.count(name.title()) == 2, "as the window's title and as a heading"
        assert reader.words.count("Study a<b.") == 1
        assert not {"script", "link", "iframe", "i", "b"} & {tag for tag, _ in reader.seen}
    (picture,) = pages["figures"].of("img")
    content = str(picture["src"]).removeprefix("data:image/png;base64,")
    assert base64.b64decode(content) == (tmp_path / "depth.png").read_bytes()
    assert picture["alt"] == "Figure 1. Depth" and ": 0.9, " in pages["figures"].words
    assert {"<i>x</i>", "One "} <= set(pages["claims"].words)
    assert len(pages["claims"].of("table")) == 1
    assert [link["href"] for link in pages["tables"].of("a")] == ["#section-1", "#section-2"]
    assert not pages["figures"].of("a"), "a list of one is no help"


def test_numbers_of_a_table_are_short_and_words_are_words(
    shown: dict[str, list[Shown]], tmp_path: Path
) -> None:
    text = table(tmp_path / "summary.csv")
    assert re.findall("<td class=.number.>([^<]*)</td>", text) == ["0.1235", "3", "", "4"]
    assert "&lt;b&gt;a&lt;/b&gt;" in text and "empty" not in text


def test_markdown_is_text() -> None:
    assert "<script>" not in markdown("<script>alert(1)</script>\n\n[x](javascript:alert(1))")
    assert "href" not in markdown("[x](javascript:alert(1))")


def test_titles_and_notices_are_text() -> None:
    reader = Reader(page("a <b>", "<i>x</i>", [Section("<u>", "<p>body</p>"), Section("two", "")]))
    assert {"a <b>", "<i>x</i>", "<u>", "body"} <= set(reader.words)


def test_the_same_files_give_the_same_page(shown: dict[str, list[Shown]], tmp_path: Path) -> None:
    def bytes_of() -> list[bytes]:
        written(shown, tmp_path)
        return [path.read_bytes() for path in sorted(tmp_path.glob("*.html"))]

    assert bytes_of() == bytes_of()
