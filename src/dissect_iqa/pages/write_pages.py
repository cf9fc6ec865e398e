"""Write a study's pages: figures with captions in reading order, findings, methods, tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dissect_iqa.files.provenance import atomic_path
from dissect_iqa.pages.page import Section, page, picture, table


@dataclass(frozen=True)
class Shown:
    """What a page shows.

    Attributes
    ----------
    title : str
        Its heading.
    file : path
        A PNG, a CSV or a Markdown text.
    caption : path or None
        reStructuredText with Jinja expressions over ``snakemake``, as Snakemake's report takes it.
    """

    title: str
    file: Path | str
    caption: Path | str | None = None


def write_pages(
    pages: Mapping[Path | str, tuple[str, Iterable[Shown]]], notice: str, config: Mapping[str, Any]
) -> None:
    """Write HTML pages, each whole or not at all.

    Parameters
    ----------
    pages : mapping of path to (str, iterable of Shown)
        By file: the page's title and what it shows, in reading order.
    notice : str
        Stands below every title: whose pages these are.
    config : mapping
        The workflow's configuration, for the captions.
    """
    for file, (title, shown) in pages.items():
        sections = [_section(item, notice, config) for item in shown]
        with atomic_path(file) as temporary:
            temporary.write_text(page(title, notice, sections), encoding="utf-8")


def _section(shown: Shown, notice: str, config: Mapping[str, Any]) -> Section:
    caption = in_html(Path(shown.caption), config) if shown.caption else ""
    suffix = Path(shown.file).suffix
    if suffix == ".png":
        body = (
            f"<figure>{picture(shown.file, shown.title)}<figcaption>{caption}</figcaption></figure>"
        )
    elif suffix == ".csv":
        body = caption + table(shown.file)
    else:
        text = Path(shown.file).read_text(encoding="utf-8")
        # the page has a title of its own, and says whose it is
        body = caption + markdown(text.split("\n", 1)[1].replace(f"**{notice}**", "", 1))
    return Section(shown.title, body)


def markdown(text: str) -> str:
    """Return Markdown as HTML, tables included; HTML in it is shown, not obeyed."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def in_html(caption: Path, config: Mapping[str, Any]) -> str:
    """Return a caption of Snakemake's report as HTML."""
    from docutils.core import publish_parts
    from jinja2 import Environment, StrictUndefined

    template = Environment(undefined=StrictUndefined).from_string(caption.read_text("utf-8"))
    text = template.render(snakemake={"config": config})
    return publish_parts(text, writer="html", settings_overrides={"report_level": 3})["body"]
