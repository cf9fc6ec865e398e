"""Names of files as tables, disks and people's eyes have them."""

import unicodedata

#: Dashes and quotation marks that programs put in place of those on the keyboard.
_TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u2033", '"')
)


def is_text(name: str) -> bool:
    """Tell whether a name on disk is UTF-8: Python reads other bytes as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def folded(name: str) -> str:
    """Return what is equal of names that differ only by case or by Unicode form (NFC, NFD)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def looks(name: str) -> str:
    """Return what is equal of names that look the same, whatever their blanks and dashes are."""
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_TYPOGRAPHIC)
    shown = (c for c in plain if unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join("".join(shown).split())


def spelled(name: str) -> str:
    """Return a name in quotes, and by the numbers of its characters where ASCII isn't enough."""
    return repr(name) if name.isascii() else f"{name!r}, spelled {name!a}"
