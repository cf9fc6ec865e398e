"""What a predictor says of two pictures, against whether people tell them apart, and how.

Krasula, Fliegel, Le Callet, Klíma, *On the accuracy of objective image and video quality models:
new methodology for performance evaluation*, QoMEX 2016. Unlike a correlation it doesn't ask of a
predictor to order pictures that people can't order.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

#: Two-sided error of the test whether two opinion scores differ.
ALPHA = 0.05
#: Of more pairs of pictures so many are drawn, with the same seed for all predictors.
MOST = 5_000_000


@dataclass(frozen=True)
class Couples:
    """Pairs of pictures of a data set, and which of the two people find better.

    Attributes
    ----------
    first, second : ndarray of int, shape (couples,)
        Positions of the pictures.
    sign : ndarray of int8, shape (couples,)
        1 if the first is significantly better, -1 if the second is, 0 if people can't tell.
    codes : ndarray of int, shape (pictures,)
        The reference, or group of references, of each picture.
    count : int
        Number of references.
    """

    first: np.ndarray
    second: np.ndarray
    sign: np.ndarray
    codes: np.ndarray
    count: int

    @classmethod
    def of(
        cls, quality: np.ndarray, error: np.ndarray, codes: np.ndarray, count: int, seed: int
    ) -> "Couples":
        """Couple all pictures, or many.

        Parameters
        ----------
        quality, error : ndarray, shape (pictures,)
            Opinion scores, larger is better, and their standard errors.
        codes : ndarray of int, shape (pictures,)
            References, 0 .. count-1.
        count, seed : int
            Number of references, and the seed of what is drawn.
        """
        pictures = len(quality)
        every = pictures * (pictures - 1) // 2
        if every <= MOST:
            first, second = np.triu_indices(pictures, 1)
        else:
            generator = np.random.default_rng([seed, 5])
            number = np.sort(generator.choice(every, MOST, replace=False, shuffle=False))
            first, second = _couple(number, pictures)
        gap = quality[first] - quality[second]
        spread = np.hypot(error[first], error[second])
        told = np.abs(gap) > ndtri(1 - ALPHA / 2) * spread
        return cls(first, second, (np.sign(gap) * told).astype(np.int8), codes, count)

    def judge(self, values: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
        """Judge a predictor.

        Parameters
        ----------
        values : ndarray, shape (pictures,)
            What it says, larger is better; finite.

        Returns
        -------
        dict of str to (float, ndarray of shape (references,))
            Each statistic, and the same without each reference, to first order (the placements of
            the couples that are left are those among all): `auc_different`, how well the size of
            the difference tells couples that people tell apart from those that they don't;
            `auc_better`, how well its sign and size tell the better from the worse of those that
            they tell apart; `correct`, the share of these in which it has the right sign (half of
            those that it holds equal). NaN where there is no couple of one kind.
        """
        gap = values[self.first] - values[self.second]
        told = self.sign != 0
        different = self._areas(np.abs(gap), told)
        right = gap[told] * self.sign[told]
        # every couple counts in both orders: what is better in the one is worse in the other
        order = np.argsort(right)
        ordered = right[order]
        placement = np.empty(len(right))
        placement[order] = 1 - _below(ordered, -ordered)
        area, without = self._means(placement, told)
        correct = self._means((right > 0) + 0.5 * (right == 0), told)
        better = area, 2 * without - area
        return {"auc_different": different, "auc_better": better, "correct": correct}

    def _areas(self, values: np.ndarray, upper: np.ndarray) -> tuple[float, np.ndarray]:
        """Return how often one of `upper` is larger than one of the others."""
        if upper.all() or not upper.any():
            return np.nan, np.full(self.count, np.nan)
        order = np.argsort(values)
        ordered, own = values[order], upper[order]
        placement = np.empty(len(values))
        placement[order] = np.where(
            own, _below(ordered[~own], ordered), 1 - _below(ordered[own], ordered)
        )
        area, without = self._means(placement[upper], upper)
        return area, without + self._means(placement[~upper], ~upper)[1] - area

    def _means(self, values: np.ndarray, kept: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean over some couples, and without the couples of each reference."""
        if not len(values):
            return np.nan, np.full(self.count, np.nan)
        first, second = self._references[0][kept], self._references[1][kept]
        twice = first == second
        sums = np.bincount(first, values, self.count) + np.bincount(second, values, self.count)
        sums -= np.bincount(first[twice], values[twice], self.count)
        sizes = np.bincount(first, minlength=self.count) + np.bincount(second, minlength=self.count)
        sizes -= np.bincount(first[twice], minlength=self.count)
        with np.errstate(invalid="ignore", divide="ignore"):
            without = (values.sum() - sums) / (len(values) - sizes)
        return float(values.mean()), without

    @cached_property
    def _references(self) -> tuple[np.ndarray, np.ndarray]:
        return self.codes[self.first], self.codes[self.second]


def _couple(number: np.ndarray, pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two members of couples numbered row by row of the upper triangle."""
    ends = np.cumsum(np.arange(pictures - 1, 0, -1))
    first = np.searchsorted(ends, number, side="right")
    return first, number - (ends[first] - (pictures - 1 - first)) + first + 1


def _below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the share of ordered numbers below each value, of equal ones half."""
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    return (left + right) / (2 * max(len(ordered), 1))
