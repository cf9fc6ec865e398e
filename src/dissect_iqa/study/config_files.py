"""Read a study's YAML files the way Snakemake does, for commands that run without it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dissect_iqa.errors import Problems, UserError
from dissect_iqa.files.strict_yaml import read_yaml

DEFAULT = Path("config/config.yaml")


def config_values(files: Sequence[Path | str] = ()) -> tuple[dict[str, Any], list[Path]]:
    """Lay configuration files on top of `DEFAULT`, as ``snakemake --configfile`` does.

    Parameters
    ----------
    files : sequence of path
        The later ones win. `DEFAULT` may be absent if there are any.

    Returns
    -------
    values : dict
        For `Study.from_values`.
    files : list of Path
        All that were read, first the one that wins.

    Raises
    ------
    UserError
        If a file is missing or isn't a YAML mapping.
    """
    chosen = chosen_files(files)
    check_files(chosen)
    values: dict[str, Any] = {}
    for file in chosen:
        values = _laid_over(values, _read(file))
    return values, chosen[::-1]


def chosen_files(files: Sequence[Path | str] = ()) -> list[Path]:
    """Return all configuration files of a study, the one that wins last.

    Parameters
    ----------
    files : sequence of path
        Those named with ``--configfile``. `DEFAULT` comes first; it may be absent if there are any.
    """
    chosen = [Path(file) for file in files]
    if DEFAULT not in chosen and (DEFAULT.is_file() or not chosen):
        chosen.insert(0, DEFAULT)
    return chosen


def study_name(
    values: Mapping[str, Any],
    files: Sequence[Path | str] = (),
    command_line: Mapping[str, Any] | None = None,
) -> Any:
    """Return the name of a study: what it is called, or else what its file is.

    Parameters
    ----------
    values : mapping
        All options, files and command line together.
    files : sequence of path
        The configuration files, first the one that wins. A name that stands in one below it is
        that file's own, not this study's.
    command_line : mapping, optional
        What was given with ``--config``.

    Examples
    --------
    >>> study_name({"study": "mine", "models": ["paper"]})
    'mine'
    """
    given = command_line or {}
    if "study" in given or not files:
        return given.get("study", values.get("study", "study"))
    return _read(Path(files[0])).get("study", Path(files[0]).stem)


def check_files(files: Sequence[Path | str]) -> None:
    """Check that configuration files are YAML, every key once and every number meant as one.

    Raises
    ------
    UserError
        Naming all files and lines where they are not.
    """
    problems = Problems()
    for file in files:
        with problems.caught():
            _read(Path(file))
    problems.raise_all()


def _laid_over(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return options with others on top of them, level by level, as Snakemake merges files."""
    merged = dict(values)
    for key, value in more.items():
        if isinstance(value, dict):
            below = merged.get(key)
            merged[key] = _laid_over(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise UserError(
            f"{file}: there is no such configuration; run this in the study's folder, or name "
            "another file with --configfile"
        )
    content = read_yaml(file, "configuration")
    if not isinstance(content, dict):
        raise UserError(f"{file}: must be a mapping from options to values")
    return content
