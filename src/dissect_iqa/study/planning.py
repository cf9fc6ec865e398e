"""How planning ends where something is wrong: with one sentence and exit status 1.

Snakemake puts the frames, file and line of a Snakefile around every exception that it sees,
which says nothing to someone whose table has a typing error. It lets SystemExit pass.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from dissect_iqa.errors import UserError
from dissect_iqa.files.commands import pasteable


@contextmanager
def told(say: Callable[[str], object]) -> Iterator[None]:
    """End with the sentence of a `UserError` that a block raises.

    Parameters
    ----------
    say : callable
        Shows a text to the user, such as the ``error`` of Snakemake's logger.

    Raises
    ------
    SystemExit
        With status 1.
    """
    try:
        yield
    except UserError as error:
        _end(error, say)


def _end(error: UserError, say: Callable[[str], object]) -> NoReturn:
    say(pasteable(f"error: {error}"))
    raise SystemExit(1) from None


def check_clone(folder: str) -> None:
    """Check that Snakemake can handle the path of the workflow's own files.

    It takes braces in the paths of scripts and environments for wildcards.

    Raises
    ------
    UserError
        If the path has braces or a line break in it.
    """
    if set(folder) & set("{}\n\r"):
        raise UserError(
            f"{folder!r}: this clone's path has braces or a line break in it, which Snakemake "
            "can't handle; move the clone, or rename the folder"
        )


class Told:
    """Stands for an object towards the rules: whatever of it raises ends with its sentence.

    Rules ask a study while the jobs are planned, long after it was read, e.g. for a model that
    only a target on the command line names.

    Parameters
    ----------
    asked : object
        Whose attributes and methods are handed on.
    say : callable
        See `told`.
    """

    def __init__(self, asked: Any, say: Callable[[str], object]):
        self._asked = asked
        self._say = say

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of what is asked."""
        with told(self._say):
            value = getattr(self._asked, name)
        if not callable(value):
            return value

        @functools.wraps(value)
        def ask(*args: Any, **kwargs: Any) -> Any:
            with told(self._say):
                return value(*args, **kwargs)

        return ask
