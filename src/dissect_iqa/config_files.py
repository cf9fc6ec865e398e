"""Read a study's YAML files the way Snakemake does, for commands that run without it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from dissect_iqa.errors import UserError

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
    chosen = [Path(file) for file in files]
    if DEFAULT not in chosen and (DEFAULT.is_file() or not chosen):
        chosen.insert(0, DEFAULT)
    values: dict[str, Any] = {}
    for file in chosen:
        update_config(values, _read(file))
    return values, chosen[::-1]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{file}: can't be read ({error.strerror}); run this in the study's folder, or name "
            "another file with --configfile"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not valid YAML ({error}); correct it") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: must be a mapping from options to values")
    return content
