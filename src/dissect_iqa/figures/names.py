"""How distances and metrics are written in print; free of plotting libraries."""

from dissect_iqa.baselines.names import BASELINES

NAMES = {
    "rmse": "RMSE",
    "normalized_rmse": "channel-normalised RMSE",
    "cosine": "cosine",
    "correlation": "correlation distance",
    "lpips_uniform": "LPIPS, uniform weights",
    "dists": "DISTS form",
    "mean_std": "mean and SD descriptor",
}


def display(name: str, baseline: bool = False) -> str:
    """Return how a distance or a metric is written in print; an unknown name stays as it is."""
    if baseline:
        return BASELINES[name].title if name in BASELINES else name
    return NAMES.get(name, name.replace("_", " "))
