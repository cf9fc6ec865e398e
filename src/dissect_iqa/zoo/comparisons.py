"""Which configurations belong together, which factor varies among them, and what is held fixed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from dissect_iqa.errors import Problems, UserError, suggest
from dissect_iqa.files.strict_yaml import read_yaml
from dissect_iqa.files.validation import Settings, explain, find_in_yaml
from dissect_iqa.zoo.row import ModelRow

Factor = Literal["function", "architecture", "environment"]
Held = Literal["function", "architecture", "family", "environment"]


class Comparison(Settings):
    """Models that differ in one factor.

    Attributes
    ----------
    id : str
        Short name, unique in the file.
    title : str
        What a figure prints above it.
    factor : {"function", "architecture", "environment"}
        The column that varies.
    held : tuple of str
        Columns that are the same for all members but the exceptions.
    members : tuple of str
        Ids of the model table, in the order in which they are shown.
    exceptions : dict of str to str
        Members for which a held column differs, each with the reason.
    notes : str
        What else differs: recipe, sizes, hosts.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str = Field(min_length=1)
    factor: Factor
    held: tuple[Held, ...] = Field(min_length=1)
    members: tuple[str, ...] = Field(min_length=2)
    exceptions: dict[str, str] = Field(default_factory=dict)
    notes: str = ""

    @field_validator("members")
    @classmethod
    def _once(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in members if members.count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} appears twice")
        return members


def read_comparisons(path: Path | str, models: Mapping[str, ModelRow]) -> tuple[Comparison, ...]:
    """Read the comparisons and check them against the model table.

    Parameters
    ----------
    path : path
        A YAML file with the one key ``comparisons``, a list.
    models : mapping of str to ModelRow
        The whole table, as `read_models` returned it.

    Raises
    ------
    UserError
        If the file is malformed, a member isn't in the table, the factor doesn't vary, or a
        column that is said to be held fixed differs for a member that is no exception.
    """
    path = Path(path)
    content = read_yaml(path, "file of comparisons")
    if not isinstance(content, dict) or set(content) != {"comparisons"}:
        raise UserError(f"{path}: must hold one key, 'comparisons', and under it a list")
    items = content["comparisons"] or []
    if not isinstance(items, list):
        raise UserError(f"{path}: 'comparisons' must hold a list; each item begins with '- id:'")
    found: dict[str, Comparison] = {}
    problems = Problems()
    for number, item in enumerate(items):
        with problems.caught():
            comparison = _parse(path, number, item)
            if comparison.id in found:
                where = find_in_yaml([path], ("comparisons", number, "id"))
                problems.add(f"{where}: comparison {comparison.id!r} appears twice")
            found.setdefault(comparison.id, comparison)
            _check(path, number, comparison, models)
    problems.raise_all()
    return tuple(found.values())


def _parse(path: Path, number: int, item: Any) -> Comparison:
    place = ("comparisons", number)
    try:
        return Comparison.model_validate(item)
    except ValidationError as error:
        raise UserError(
            explain(error, Comparison, lambda location: find_in_yaml([path], (*place, *location)))
        ) from error


def factor_value(row: ModelRow, column: str) -> str:
    """Return what a row has in a column of a comparison; of the architecture only the name."""
    return row.name if column == "architecture" else str(getattr(row, column))


def _check(path: Path, number: int, comparison: Comparison, models: Mapping[str, ModelRow]) -> None:
    """Check a comparison against the model table; raise all that is wrong with it."""

    def where(*location: str | int) -> str:
        place = find_in_yaml([path], ("comparisons", number, *location))
        return f"{place}: comparison {comparison.id!r}"

    problems = Problems()
    for at, name in enumerate(comparison.members):
        if name not in models:
            close = suggest(name, tuple(models))
            problems.add(f"{where('members', at)}: no model {name!r}{close}")
    for name in comparison.exceptions:
        if name not in comparison.members:
            close = suggest(name, comparison.members)
            problems.add(f"{where('exceptions', name)}: exception {name!r} is no member{close}")
    if comparison.factor in comparison.held:
        factor = comparison.factor
        problems.add(f"{where('held')}: {factor!r} can't both vary and be held")
    problems.raise_all()
    rows = [models[name] for name in comparison.members]
    if len({factor_value(row, comparison.factor) for row in rows}) < 2:
        problems.add(f"{where('factor')}: {comparison.factor!r} is the same for all members")
    for column in comparison.held:
        rest = [row for row in rows if row.id not in comparison.exceptions]
        values = {factor_value(row, column) for row in rest}
        if len(values) > 1:
            problems.add(
                f"{where('held')}: {column!r} is said to be held, but its members have: "
                f"{', '.join(sorted(values))}; correct it or name the member under 'exceptions'"
            )
    problems.raise_all()
