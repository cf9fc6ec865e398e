"""Choose rows of the model table by id, set, or pattern."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.row import ModelRow

#: In front of a pattern: take out again what it matches.
OUT = "-"
_WILD = set("*?[")


def select(models: Mapping[str, ModelRow], patterns: Sequence[str]) -> list[ModelRow]:
    """Return the rows that any of the patterns names, each once.

    Parameters
    ----------
    models : mapping of str to ModelRow
        What `read_models` returned.
    patterns : sequence of str
        Each is an id, a set (``demo``, ``paper``, ``extended``, ``own``), a glob over ids such
        as ``rn50_*``, or ``timm:`` and a glob over timm's pretrained names such as
        ``timm:vit_*dino*``; the latter makes a row for every match. With ``-`` in front one of
        the first three takes out again what others name.

    Returns
    -------
    list of ModelRow
        Rows of the table in the table's order, then generated rows in alphabetical order.

    Raises
    ------
    UserError
        If a pattern matches nothing, naming the closest ids and the sets, or takes out nothing;
        if none is left.
    """
    chosen: dict[str, ModelRow] = {}
    generated: dict[str, ModelRow] = {}
    for pattern in patterns:
        if pattern.startswith(OUT):
            continue
        if pattern.startswith("timm:"):
            from dissect_iqa.zoo.timm_rows import timm_rows

            generated.update({row.id: row for row in timm_rows(pattern.removeprefix("timm:"))})
            continue
        matches = _matches(models, pattern)
        if not matches:
            raise UserError(_no_match(models, pattern))
        chosen.update({row.id: row for row in matches})
    rows = [row for row in models.values() if row.id in chosen]
    rows += [row for name, row in sorted(generated.items()) if name not in chosen]
    return _without(rows, [pattern for pattern in patterns if pattern.startswith(OUT)], models)


def _without(
    rows: list[ModelRow], patterns: Sequence[str], models: Mapping[str, ModelRow]
) -> list[ModelRow]:
    """Return rows without those that patterns with `OUT` in front name."""
    if not patterns:
        return rows
    out: set[str] = set()
    for pattern in patterns:
        name = pattern.removeprefix(OUT)
        found = {row.id for row in _matches({row.id: row for row in rows}, name)}
        if not found and not _matches(models, name):
            raise UserError(_no_match(models, name))
        if not found:
            raise UserError(f"models: {pattern!r} takes out nothing: nothing else names {name!r}")
        out |= found
    left = [row for row in rows if row.id not in out]
    if not left:
        raise UserError(f"models: nothing is left without {', '.join(sorted(out))}")
    return left


def _matches(models: Mapping[str, ModelRow], pattern: str) -> list[ModelRow]:
    if pattern in models:
        return [models[pattern]]
    of_set = [row for row in models.values() if row.set == pattern]
    if of_set or not _WILD & set(pattern):
        return of_set
    return [row for row in models.values() if fnmatchcase(row.id, pattern)]


def _no_match(models: Mapping[str, ModelRow], pattern: str) -> str:
    sets = sorted({row.set for row in models.values()})
    close = suggest(pattern, [*models, *sets])
    return (
        f"models: {pattern!r} is neither an id nor a set of the model table, and matches no id"
        f"{close}; sets: {', '.join(sets)}; `dissect-iqa models` lists all ids; any timm model "
        "can be named as 'timm:NAME'"
    )
