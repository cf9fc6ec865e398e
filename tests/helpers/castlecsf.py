"""How the shipped tables of thresholds are made from the published ones (castleCSF, MIT licence).

Run with the folder of the originals: ``python tests/helpers/castlecsf.py FOLDER``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

TARGET = Path(__file__).parents[2] / "src/dissect_iqa/datasets/thresholds"
#: What tells the stimuli of a study apart.
KEYS = ["dataset", "stimulus", "luminance", "s_frequency", "col_dir_id", "bkg_id", "ge_sigma"]
KEYS += ["area", "stim_id", "orientation", "vis_field"]
#: What datasets.json calls apertures, as they are drawn.
APERTURES = {
    "gauss": "gauss", "smooth-disc": "gauss", "custom_envelope": "gauss", "circular": "disc",
    "rectangular": "square", "tapered_rectangular": "square",
}  # fmt: skip
HEAD = """\
# Measured human contrast thresholds: static stimuli in the fovea, averaged over observers.
# From castleCSF (data_aggregated_merged.csv at f4b0b722): M. Ashraf, R. K. Mantiuk, A. Chapiro,
# S. Wuerger, "castleCSF: A contrast sensitivity function of color, area, spatiotemporal frequency,
# luminance and eccentricity", Journal of Vision 24(4):5, 2024, doi:10.1167/jov.24.4.5.
# Copyright (c) 2023 Graphics and Displays group, University of Cambridge; MIT licence.
# Rows kept: t_frequency = 0 and eccentricity = 0, 1202 of 2305.
# background_*: cone coordinates (CIE 2006, L + M near the luminance); direction_*: relative cone
# contrasts, of length 1; log_contrast: log10 of their root mean square at threshold; log_sd: its
# standard deviation over observers; frequency: cycles per degree; sigma: degrees; area: degrees^2.
"""
OBSERVERS = """\
# The same thresholds of single observers (data_individual_merged.csv); see thresholds.csv.
"""


def static(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    kept = (table["t_frequency"] == 0) & (table["eccentricity"] == 0)
    return table[kept].reset_index(drop=True)


def directions(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return unit vectors of cone contrasts, and what each is called.

    a is the contrast of luminance, r the difference of the contrasts of L and M, y what S has
    beyond luminance.
    """
    cones = ["L", "M", "S"]
    contrast = np.stack([table[f"{c}_delta"] / table[c] for c in cones], axis=1)
    unit = contrast / np.linalg.norm(contrast, axis=1, keepdims=True)
    share = table["L"] / (table["L"] + table["M"])
    a = np.abs(share * unit[:, 0] + (1 - share) * unit[:, 1])
    r = np.abs(unit[:, 0] - unit[:, 1])
    y = np.abs(unit[:, 2] - (share * unit[:, 0] + (1 - share) * unit[:, 1]))
    names = np.select(
        [
            (a > 2 * r) & (a > 0.5 * y),
            (a < 0.25 * r) & (y < 4 * r),
            (y >= 4 * r) & (a < 0.15 * y),
        ],
        ["luminance", "red-green", "yellow-violet"],
        "mixed",
    )
    return unit, names.tolist()


def make(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the shipped tables, made from those in a folder."""
    import json

    described = json.loads((folder / "datasets.json").read_text("latin-1"))["datasets"]
    merged = static(folder / "data_aggregated_merged.csv")
    unit, names = directions(merged)
    variance = merged["var_log_cone_contrast"].where(lambda v: np.isfinite(v) & (v > 0))
    table = pd.DataFrame(
        {
            "stimulus": range(len(merged)),
            "study": merged["dataset"],
            "aperture": [APERTURES[described[name]["aperture"]] for name in merged["dataset"]],
            "frequency": merged["s_frequency"],
            "orientation": merged["orientation"],
            "sigma": merged["ge_sigma"],
            "area": merged["area"],
            "luminance": merged["luminance"],
            **{f"background_{c}": merged[c.upper()] for c in "lms"},
            **{f"direction_{c}": unit[:, i] for i, c in enumerate("lms")},
            "direction": names,
            "log_contrast": merged["log_cone_contrast"],
            "log_sd": np.sqrt(variance),
            "observers": merged["N"],
        }
    )
    single = static(folder / "data_individual_merged.csv")
    known = merged[KEYS].assign(number=table["stimulus"]).drop_duplicates(KEYS)
    found = single.merge(known, on=KEYS, validate="many_to_one", suffixes=("_", ""))
    observers = pd.DataFrame(
        {
            "stimulus": found["number"],
            "observer": found["observer"],
            "log_contrast": found["log_cone_contrast"],
        }
    )
    return table, observers.sort_values(["stimulus", "observer"], ignore_index=True)


def text(table: pd.DataFrame, head: str) -> str:
    return head + table.to_csv(index=False, float_format="%.7g", lineterminator="\n")


if __name__ == "__main__":
    table, observers = make(Path(sys.argv[1]))
    (TARGET / "thresholds.csv").write_text(text(table, HEAD))
    (TARGET / "observers.csv").write_text(text(observers, OBSERVERS))
