"""Commands as they can be pasted into the terminal from which this process was started."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: A program followed by an option or by a command, and not part of a longer word or a path.
_PROGRAM = re.compile(
    r"(?<![\w./-])(snakemake|dissect-iqa)"
    r"(?= (?:--?[a-z]|(?:bundle|check|datasets|doctor|files|info|layers|models|rehearse|unbundle"
    r"|verify)\b))"
)


def pasteable(text: str) -> str:
    """Return a text whose commands run as they stand, whether or not the environment is active.

    Examples
    --------
    >>> pasteable("a text without a command of dissect-iqa")
    'a text without a command of dissect-iqa'
    """
    return _PROGRAM.sub(lambda found: typed(found[1]), text)


def typed(program: str) -> str:
    """Return what to type for one of this environment's programs: its name, or its path."""
    folder = Path(sys.executable).parent
    place = folder / program
    found = shutil.which(program)
    if found and Path(found).resolve() == place.resolve():
        return program
    if not place.exists():
        module = {"snakemake": "snakemake", "dissect-iqa": "dissect_iqa.cli"}[program]
        return f"{shlex.quote(sys.executable)} -m {module}"
    inside = os.path.relpath(place)
    return shlex.quote(str(place) if inside.startswith("..") else inside)


def snakemake_command(
    more: Sequence[str],
    config_files: Sequence[Path | str] = (),
    options: Mapping[str, Any] | None = None,
) -> str:
    """Return the command that runs Snakemake for a study, to be typed.

    Parameters
    ----------
    more : sequence of str
        What else Snakemake is told, e.g. ``("--cores", "all")``.
    config_files : sequence of path
        Those that are named with ``--configfile``, the one that wins last.
    options : mapping, optional
        What is given with ``--config``.

    Examples
    --------
    >>> told = snakemake_command(("--cores", "all"), ["config/paper.yaml"], {"models": [2]})
    >>> told[told.index("--configfile") :]
    "--configfile config/paper.yaml --config 'models=[2]' --cores all"
    """
    words: list[str] = []
    if config_files:
        words += ["--configfile", *(shlex.quote(str(file)) for file in config_files)]
    if options:
        words += ["--config", *(shlex.quote(_option(*item)) for item in options.items())]
    return " ".join([typed("snakemake"), *words, *map(shlex.quote, more)])


def _option(name: str, value: Any) -> str:
    return f"{name}={value if isinstance(value, str) else json.dumps(value)}"
