"""Text that people write, such as tables and YAML: read as exactly what it says, or refused."""

import codecs
import re
from pathlib import Path

from dissect_iqa.errors import UserError

#: A table of a million pairs has about 100 MB.
MOST_BYTES = 256 * 2**20

#: Marks at the beginning that tell the encoding; the longer ones first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = {
    b"PK\x03\x04": "a spreadsheet or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
}
_LINE_END = re.compile(r"\r\n|\r|\n")
#: Characters that no table means; U+FFFD is what is left where an earlier conversion failed.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ufffe\uffff]")


def read_text(path: Path | str, what: str = "file", most: int = MOST_BYTES) -> str:
    """Return the text of a file that a person wrote.

    Parameters
    ----------
    path : path
        UTF-8, with or without a byte-order mark; UTF-16 and UTF-32 with one.
    what : str
        What the file is, for errors.
    most : int
        Bytes that it may have; a larger one isn't read.

    Returns
    -------
    str
        Without byte-order mark, its line ends as they are.

    Raises
    ------
    UserError
        If it isn't there, no regular file or too large, or isn't text in one of these encodings;
        names the line.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: this is no regular file; a {what} is needed")
        size = path.stat().st_size
        if size > most:
            raise UserError(
                f"{path}: {size / 1e6:,.0f} MB are too much for a {what} (at most "
                f"{most / 1e6:,.0f} MB); is it the right file?"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such {what}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: this {what} can't be read ({reason})") from error
    return _decode(path, content)


def split_lines(text: str) -> list[str]:
    r"""Split at ``\n``, ``\r\n`` and ``\r`` only, so that line numbers are those of an editor."""
    return _LINE_END.split(text)


def _decode(path: Path, content: bytes) -> str:
    for start, found in _BINARY.items():
        if content.startswith(start):
            raise UserError(f"{path}: this is {found}, not text; save it as CSV in UTF-8")
    mark, encoding = next((pair for pair in _MARKS if content.startswith(pair[0])), (b"", "utf-8"))
    content = content[len(mark) :]
    if encoding == "utf-8" and content.count(0) > len(content) / 5:
        raise UserError(
            f"{path}: many bytes are zero, as in UTF-16 without its mark or in a file that is no "
            "text; save the file as UTF-8"
        )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, errors="replace")
        line = len(split_lines(before))
        guess = ""
        if encoding == "utf-8":
            # Every byte means something in these, so that their names are only a guess
            begin = max(content.rfind(end, 0, error.start) for end in (b"\n", b"\r")) + 1
            rest = _LINE_END.split(content[begin : begin + 80].decode("latin-1"))[0].strip()
            guess = f"; as Latin-1 (Windows-1252) the line reads {rest!r}"
        raise UserError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not "
            f"{encoding.upper()}{guess}; save the file as UTF-8"
        ) from error
    wrong = _FORBIDDEN.search(text)
    if wrong:
        line = len(split_lines(text[: wrong.start()]))
        why = " (left by a conversion that failed)" if wrong[0] == "\ufffd" else ""
        raise UserError(
            f"{path}, line {line}: character U+{ord(wrong[0]):04X}{why} can't stand here; take it "
            "out, or save the file anew as UTF-8"
        )
    return text
