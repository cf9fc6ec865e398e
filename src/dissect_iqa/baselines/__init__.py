"""Classic and learned metrics that the layers of a network are compared with.

`names` says which there are without loading anything, `classic` and `learned` compute them, and
`score` runs one over a data set.
"""

from dissect_iqa.baselines.names import BASELINES, Baseline, check_baseline

__all__ = ["BASELINES", "Baseline", "check_baseline"]
