"""What is raised for anything that the user can mend, alone or several at once."""

from collections.abc import Iterator
from contextlib import contextmanager

#: So many problems are listed; of the others only the number.
LISTED = 20


class UserError(Exception):
    """Something the user can mend: a bad config line, a missing file, a picture that won't decode.

    The message names the file, row, model or layer, says what was found, and what to do.
    Scripts and the command line print it without a traceback and exit with status 1.
    """


class Problems:
    """Collects what is wrong while something is read, to raise all of it at once.

    Examples
    --------
    >>> problems = Problems()
    >>> with problems.caught():
    ...     raise UserError("line 2: no score")
    >>> problems.add("line 5: no score")
    >>> problems.raise_all()
    Traceback (most recent call last):
    dissect_iqa.errors.UserError: line 2: no score
    line 5: no score
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def __bool__(self) -> bool:
        """Tell whether anything was found."""
        return bool(self._found)

    def add(self, problem: str) -> None:
        """Note one problem, a sentence; one that is known already counts once."""
        if problem not in self._found[-LISTED:]:
            self._found.append(problem)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note a `UserError` instead of raising it."""
        try:
            yield
        except UserError as error:
            self.add(str(error))

    def raise_all(self) -> None:
        """Raise what was found, a line a problem; nothing if there is none.

        Raises
        ------
        UserError
            With the first 20, and how many more there are.
        """
        if not self._found:
            return
        more = len(self._found) - LISTED
        rest = [f"... and {more} more problem{'s' * (more > 1)} like these"] if more > 0 else []
        raise UserError("\n".join(self._found[:LISTED] + rest))
