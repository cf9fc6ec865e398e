"""Names and remarks as they may stand in figures, tables and pages: text, and no commands.

Control characters make an SVG that no program opens, and a terminal do what they say; marks of
writing direction make a name look like another; bars, angle brackets and line ends are markup in
Markdown and HTML. Tables and settings refuse the first where people write them; what comes from
elsewhere (spreadsheets, MATLAB files, modules of networks) passes here before it is shown.
"""

import html
import unicodedata

#: Controls, halves of characters, and those that stand for nothing.
_NO_TEXT = frozenset(("Cc", "Cs", "Cn"))
#: Marks that turn the direction of what follows.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_text(text: str) -> bool:
    """Tell whether a text has no characters but such as are seen, blanks and line ends."""
    return printable(text) == text


def printable(text: str) -> str:
    r"""Return a text with a mark (U+FFFD) in the place of each character that is none to be seen.

    Examples
    --------
    >>> printable("a\x00b\nc")
    'a\ufffdb\nc'
    """
    return "".join(
        "\ufffd"
        if letter in _TURNS or (letter not in "\n\t" and unicodedata.category(letter) in _NO_TEXT)
        else letter
        for letter in text
    )


def cell(text: object) -> str:
    """Return a text as it may stand inside a line or a table of Markdown and of HTML.

    Examples
    --------
    >>> cell("a|b <script>")
    'a/b &lt;script&gt;'
    """
    line = " ".join(printable(str(text)).split())
    return html.escape(line.replace("|", "/"), quote=False)
