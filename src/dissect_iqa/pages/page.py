"""One HTML page that needs nothing but itself: titles, text, pictures and tables in it."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

#: Numbers in tables have so many significant digits.
DIGITS = 4
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #ccc; --head: #f2f2f2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --line: #444; --head: #23262c; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       margin: 0 auto; padding: 1rem; max-width: 70rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; }
p, li { max-width: 46rem; }
img { max-width: 100%; height: auto; background: #fff; }
figure { margin: 0; } figcaption { max-width: 46rem; }
.table { overflow: auto; max-height: 80vh; border: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .5rem; border-bottom: 1px solid var(--line); text-align: left;
         vertical-align: top; }
.table td, .table th { white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--head); }
td.number { text-align: right; }
code { font-size: .9em; }
"""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    title : str
        Its heading, plain text.
    body : str
        HTML.
    """

    title: str
    body: str


def page(title: str, notice: str, sections: Sequence[Section]) -> str:
    """Return an HTML page with a list of its sections, if there are several.

    Parameters
    ----------
    title : str
        Of the whole, plain text.
    notice : str
        What stands below it: whose page it is.
    sections : sequence of Section
        In the order in which they are read; those without a title have no entry in the list.
    """
    parts, entries = [], []
    for number, section in enumerate(sections, 1):
        anchor = f"section-{number}"
        if section.title:
            parts.append(f'<h2 id="{anchor}">{html.escape(section.title)}</h2>')
            entries.append(f'<li><a href="#{anchor}">{html.escape(section.title)}</a></li>')
        parts.append(section.body)
    listed = f"<nav><ul>{''.join(entries)}</ul></nav>" if len(entries) > 1 else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n<p><strong>{html.escape(notice)}</strong></p>\n"
        f"{listed}\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def picture(file: Path | str, title: str) -> str:
    """Return a PNG as HTML that holds all its bytes; the title is read out to who can't see it."""
    content = base64.b64encode(Path(file).read_bytes()).decode()
    return f'<img alt="{html.escape(title)}" src="data:image/png;base64,{content}">'


def table(file: Path | str) -> str:
    """Return a CSV as an HTML table; columns without any value are left out."""
    frame = pd.read_csv(file, dtype_backend="numpy_nullable").dropna(axis="columns", how="all")
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in frame.columns)
    numbers = [
        pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
        for kind in frame.dtypes
    ]
    rows = [
        "".join(
            f'<td class="number">{_number(cell)}</td>'
            if number
            else f"<td>{'' if pd.isna(cell) else html.escape(str(cell))}</td>"
            for number, cell in zip(numbers, row, strict=True)
        )
        for row in frame.itertuples(index=False)
    ]
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    return (
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>"
    )


def _number(cell: object) -> str:
    """Return a number as tables show it: whole ones whole, others with `DIGITS` digits."""
    if pd.isna(cell):
        return ""
    return str(cell) if isinstance(cell, int) else f"{cell:.{DIGITS}g}"
