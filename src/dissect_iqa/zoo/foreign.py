"""Code of others that the pipeline runs, such as builders: whatever it raises, in one sentence."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dissect_iqa.errors import UserError

#: Frames in here say nothing about the code of others.
_OURS = str(Path(__file__).parents[1])


class ForeignError(UserError):
    """Raised where code of others failed, with what it raised, in which file and line."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever a block of foreign code raises into a sentence, `SystemExit` included.

    Parameters
    ----------
    what : str
        What the code does, as the beginning of a sentence: ``tiny: builder 'own:net'``.

    Raises
    ------
    ForeignError
        Naming the error with the innermost line of the code that raised it. A `UserError` and an
        interruption by the keyboard pass unchanged.
    """
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise ForeignError(f"{what} {_reason(error)}{_place(error)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"ends the program (sys.exit({'' if error.code is None else repr(error.code)}))"
    message = " ".join(str(error).split())
    return f"raises {type(error).__name__}{': ' if message else ''}{message}"


def _place(error: BaseException) -> str:
    """Return where it was raised, as far as that is a file of others; syntax errors tell it."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<")) and "importlib" not in frame.filename
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
