"""Which tokens of a sequence are positions of the picture, derived from a dry run.

A transformer joins its class, register, distillation and storage tokens to the sequence of
patches. The trace knows every concatenation: which parts follow the picture's size, or, where a
network takes one size only, which depend on the picture at all. What is left must be a grid in
the picture's proportion, at both sizes.
"""

import re
from typing import NamedTuple

from dissect_iqa.models.flow import Join
from dissect_iqa.models.layout import is_grid
from dissect_iqa.models.trace import Trace

#: Words in the name of a parameter, wherever in the network it lies.
_CLASS = re.compile(r"cls|class", re.IGNORECASE)
_OTHER = re.compile(r"reg|storage|mem|dist|mask|prompt", re.IGNORECASE)

#: Tokens in a part of a concatenation that is taken for one without positions.
_FEW = 8


class Extra(NamedTuple):
    """How many tokens of a sequence are no positions.

    Attributes
    ----------
    before, after : int
        In front of the positions and behind them.
    """

    before: int
    after: int


def extra_tokens(seen: Trace, lengths: tuple[int, int | None], joins: int) -> Extra | None:
    """Tell which tokens of a sequence are no positions.

    Parameters
    ----------
    seen : Trace
        The dry run.
    lengths : (int, int or None)
        Of the sequence in the first and the second run.
    joins : int
        How many concatenations had happened when the sequence was given out.

    Returns
    -------
    Extra or None
        None if it can't be told: what is no position stands between positions, was put there
        by something other than a concatenation, or what is left is no grid.
    """
    found = _in_joins(seen, lengths, joins)
    if found is not None:
        return found
    return Extra(0, 0) if _are_grids(seen, lengths) else None


def starts_with_class_token(seen: Trace, length: int, before: int) -> bool:
    """Tell whether the first token of a sequence is a class token.

    Either the network takes the first token alone somewhere, or the first part of the
    concatenation comes from a parameter that is called so, or it is the only token in front
    and called nothing else.

    Parameters
    ----------
    seen : Trace
        The dry run.
    length : int
        Of the sequence.
    before : int
        Tokens in front that are no positions.
    """
    if before == 0:
        return False
    if seen.flow is not None and length in seen.flow.first_taken:
        return True
    names = " ".join(name for join in seen.joins for name in _front(join))
    if _CLASS.search(names):
        return True
    return before == 1 and bool(names) and not _OTHER.search(names)


def _front(join: Join) -> frozenset[str]:
    return frozenset() if join.given[0] else join.origins[0]


def _in_joins(seen: Trace, lengths: tuple[int, int | None], joins: int) -> Extra | None:
    """Find the latest concatenation that made a sequence of that length from positions."""
    tried = set()
    for number in reversed(range(min(joins, len(seen.joins)))):
        join, second = seen.joins[number], seen.second_joins[number]
        if sum(join.lengths) != lengths[0] or (join, second) in tried:
            continue
        tried.add((join, second))
        if second is not None and lengths[1] is not None and sum(second.lengths) != lengths[1]:
            continue
        fixed = _fixed(join, second)
        if all(fixed):
            continue
        first = fixed.index(False)
        last = len(fixed) - fixed[::-1].index(False)
        if any(fixed[first:last]):
            continue  # something else stands between positions
        others = sum(join.lengths[:first]) + sum(join.lengths[last:])
        inner = lengths[0] - others, None if lengths[1] is None else lengths[1] - others
        # A part that is a joined sequence itself, or one of which a part was taken.
        deeper = Extra(0, 0) if _are_grids(seen, inner) else None
        if deeper is None and others:
            deeper = _in_joins(seen, inner, number)
        if deeper is not None:
            return Extra(
                sum(join.lengths[:first]) + deeper.before, deeper.after + sum(join.lengths[last:])
            )
    return None


def _fixed(join: Join, second: Join | None) -> list[bool]:
    """Tell which parts of a concatenation are no positions."""
    if second is not None and join.lengths != second.lengths:
        return [a == b for a, b in zip(join.lengths, second.lengths, strict=True)]
    # At one size alone: tokens that attention has mixed already are few beside the positions.
    longest = max(join.lengths)
    return [
        not given or (length < longest and length <= _FEW)
        for length, given in zip(join.lengths, join.given, strict=True)
    ]


def _are_grids(seen: Trace, lengths: tuple[int, int | None]) -> bool:
    if lengths[0] in seen.map_sizes and not seen.follows_size:
        return True
    if lengths[1] is None or not seen.follows_size:  # one size proves little: no rounding then
        height, width = seen.size
        return any(h * h * width == lengths[0] * height for h in range(1, lengths[0] + 1))
    again = seen.again.size if seen.again else seen.size
    return is_grid(lengths[0], seen.size) and is_grid(lengths[1], again)
