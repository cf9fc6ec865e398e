"""Made-up answers of networks, of which it is known how they go together."""

import numpy as np
import pandas as pd

from dissect_iqa.claims.answers import Answers


def made_up(coupling=1.0, further=1, steadier=1, models=30, families=15, noise=0.3, seed=0):
    """Return answers of networks whose opinions and errors couple, and which change with depth."""
    rng = np.random.default_rng(seed)
    rows = []
    for model in range(models):
        quality = rng.normal()
        for depth in np.arange(1, 11) / 10:
            rows.append(
                {
                    "model": f"m{model}", "layer": f"{depth}", "distance": "rmse", "depth": depth,
                    "opinion": 0.8 - 0.5 * depth + 0.05 * quality,
                    "thresholds": 8 + 6 * further * depth - coupling * quality
                    + noise * rng.normal(),
                    "kept": 0.5 + 0.3 * steadier * depth + 0.02 * rng.normal(),
                }
            )  # fmt: skip
    family = pd.Series({f"m{i}": f"f{i % families}" for i in range(models)})
    return Answers("a and b", pd.DataFrame(rows), family)
