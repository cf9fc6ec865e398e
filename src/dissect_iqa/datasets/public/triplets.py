"""What BAPPS and NIGHTS share: two rows a triplet, scored by the share of people who chose it."""

import math

import pandas as pd


class TripletTable:
    """Collects triplets of a reference and two distorted pictures."""

    def __init__(self) -> None:
        self._rows: list[dict] = []

    def add(
        self,
        reference: str,
        files: tuple[str, str, str],
        second: float,
        raters: float | None,
        **more: object,
    ) -> None:
        """Add one triplet.

        Parameters
        ----------
        reference : str
            Cluster key.
        files : (str, str, str)
            Reference, first and second picture.
        second : float
            Share of the raters who found the second picture closer to the reference, 0..1.
        raters : float, optional
            How many they were; gives the binomial standard error of the share.
        **more
            Further columns.
        """
        triplet = len(self._rows) // 2
        error = math.sqrt(second * (1 - second) / raters) if raters else None
        for file, share in ((files[1], 1 - second), (files[2], second)):
            self._rows.append(
                {
                    "reference": reference,
                    "reference_file": files[0],
                    "distorted_file": file,
                    "score": share,
                    "preferred": share,
                    "score_se": error,
                    "raters": raters,
                    "triplet": triplet,
                    **more,
                }
            )

    def frame(self) -> pd.DataFrame:
        """Return the table of pairs, two rows a triplet."""
        return pd.DataFrame.from_records(self._rows)
