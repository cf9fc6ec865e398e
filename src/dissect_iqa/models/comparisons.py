"""Which configurations belong together, which factor varies among them, and what is held fixed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dissect_iqa.errors import UserError
from dissect_iqa.models.row import ModelRow
from dissect_iqa.validation import explain, find_in_yaml, suggest

Factor = Literal["function", "architecture", "environment"]
Held = Literal["function", "architecture", "family", "environment"]


class Comparison(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str = Field(min_length=1)
    factor: Factor
    held: tuple[Held, ...] = Field(min_length=1)
    members: tuple[str, ...] = Field(min_length=2)
    exceptions: dict[str, str] = {}
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
    comparisons = _parse(Path(path))
    seen: set[str] = set()
    for comparison in comparisons:
        if comparison.id in seen:
            raise UserError(f"{path}: comparison {comparison.id!r} appears twice")
        seen.add(comparison.id)
        _check(path, comparison, models)
    return comparisons


def _parse(path: Path) -> tuple[Comparison, ...]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file of comparisons") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({error})") from error
    if not isinstance(content, dict) or set(content) != {"comparisons"}:
        raise UserError(f"{path}: must hold one key, 'comparisons', and under it a list")
    parsed = []
    for number, item in enumerate(content["comparisons"] or []):
        try:
            parsed.append(Comparison.model_validate(item))
        except ValidationError as error:
            place = ("comparisons", number)
            raise UserError(
                explain(error, Comparison, lambda loc, at=place: find_in_yaml([path], (*at, *loc)))
            ) from error
    return tuple(parsed)


def factor_value(row: ModelRow, column: str) -> str:
    """Return what a row has in a column of a comparison; of the architecture only the name."""
    return row.name if column == "architecture" else str(getattr(row, column))


def _check(path: Path | str, comparison: Comparison, models: Mapping[str, ModelRow]) -> None:
    where = f"{path}: comparison {comparison.id!r}"
    for name in (*comparison.members, *comparison.exceptions):
        if name not in models:
            raise UserError(f"{where}: no model {name!r}{suggest(name, tuple(models))}")
    strange = [name for name in comparison.exceptions if name not in comparison.members]
    if strange:
        raise UserError(f"{where}: exception {strange[0]!r} is no member")
    rows = [models[name] for name in comparison.members]
    if comparison.factor in comparison.held:
        raise UserError(f"{where}: {comparison.factor!r} can't both vary and be held")
    if len({factor_value(row, comparison.factor) for row in rows}) < 2:
        raise UserError(f"{where}: {comparison.factor!r} is the same for all members")
    for column in comparison.held:
        rest = [row for row in rows if row.id not in comparison.exceptions]
        values = {factor_value(row, column) for row in rest}
        if len(values) > 1:
            raise UserError(
                f"{where}: {column!r} is said to be held, but its members have: "
                f"{', '.join(sorted(values))}; correct it or name the member under 'exceptions'"
            )
