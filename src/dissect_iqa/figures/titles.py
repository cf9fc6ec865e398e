"""Networks' titles in the place of their ids, for all that people look at."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

#: Columns that name networks or metrics.
_NAMED = ("id", "model", "first", "second", "winner")
#: What follows these words in a note are networks.
_LISTED = re.compile(r"(?<=left out: )[^;]+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def titled(content: Any, titles: Mapping[str, str]) -> Any:
    """Return what a figure takes with titles in the place of ids, wherever networks are named.

    Parameters
    ----------
    content : DataFrame, mapping of str to DataFrame, or list of dict
        A table, tables by data set, or comparisons as plain data; not changed itself.
    titles : mapping of str to str
        By id. Other names, such as metrics', are kept.
    """
    if isinstance(content, Mapping):
        return {key: titled(table, titles) for key, table in content.items()}
    if not isinstance(content, pd.DataFrame):
        return [
            {**group, "members": [titles.get(name, name) for name in group["members"]]}
            for group in content
        ]
    named = {
        name: content[name].map(lambda id: titles.get(id, id)) for name in _NAMED if name in content
    }
    if "note" in content:
        named["note"] = content["note"].map(lambda note: _in_words(note, titles))
    return content.assign(**named)


def _in_words(note: str, titles: Mapping[str, str]) -> str:
    """Return a note whose list of networks that were left out has their titles."""
    return _LISTED.sub(lambda listed: _ID.sub(lambda id: titles.get(id[0], id[0]), listed[0]), note)
