"""What is raised for anything that the user can mend, and what was perhaps meant."""

import difflib
from collections.abc import Iterator, Sequence
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
        self._more = 0

    def __bool__(self) -> bool:
        """Tell whether anything was found."""
        return bool(self._found)

    def add(self, problem: str) -> None:
        """Note one problem, a sentence; one that is known already counts once."""
        if problem in self._found:
            return
        if len(self._found) < LISTED:
            self._found.append(problem)
        else:
            self._more += 1

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
        rest = f"\n... and {self._more} more problem{'s' * (self._more > 1)} like these"
        raise UserError("\n".join(self._found) + rest * (self._more > 0))


class DamagedFile(UserError):
    """A file whose content isn't what its kind must be; whoever fetched it may fetch it again."""


def suggest(word: str, allowed: Sequence[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest allowed word, or an empty string."""
    # Later ones win: of words that differ by case only, the one that is written alike
    known = {str(item).lower(): str(item) for item in allowed}
    known |= {str(item): str(item) for item in allowed}
    for text in (str(word), str(word).lower()):
        close = difflib.get_close_matches(text, known, n=1)
        if close:
            return f" (did you mean {known[close[0]]!r}?)"
    return ""


def in_short(error: BaseException) -> str:
    """Return an error's type and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
