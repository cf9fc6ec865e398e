"""Measured human contrast thresholds, as they ship with the package."""

from importlib.resources import files

import pandas as pd

#: Names of colour directions, in the order of figures and tables.
DIRECTIONS = ("luminance", "red-green", "yellow-violet", "mixed")
#: Of each study: who, when and where; its DOI where it has one.
STUDIES = {
    "colorfest": "Wuerger, Watson, Ahumada, HVEI 2002, doi:10.1117/12.469512",
    "five_centres": "Xu, Luo, Sekulovski, LIM 2020, doi:10.2352/issn.2694-118X.2020.LIM-31",
    "hdr_csf": "Wuerger, Ashraf, Kim, Martinovic, Pérez-Ortiz, Mantiuk, Journal of Vision 2020, "
    "doi:10.1167/jov.20.4.23",
    "hdr_csf_disc": "Ashraf, Mantiuk, Chapiro, Color and Imaging Conference 2022",
    "hdrvdp_csf": "Mantiuk, Kim, Rempel, Heidrich, ACM TOG 2011, doi:10.1145/2010324.1964935",
    "kim2013": "Kim, Mantiuk, Lee, HVEI 2013, doi:10.1117/12.2002178",
    "lucassen2018": "Lucassen, Lambooij, Sekulovski, Vogels, Journal of Vision 2018, "
    "doi:10.1167/18.5.13",
    "modelfest": "Watson, Optics Express 2000, doi:10.1364/OE.6.000012",
    "rovamo1993": "Rovamo, Luntinen, Näsänen, Vision Research 1993, "
    "doi:10.1016/0042-6989(93)90235-O",
    "vanderHorst1969_b": "van der Horst, Bouman, JOSA 1969, doi:10.1364/JOSA.59.001482",
    "virsu1979": "Virsu, Rovamo, Experimental Brain Research 1979, doi:10.1007/BF00236818",
    "wright1983": "Wright, Johnston, Vision Research 1983, doi:10.1016/0042-6989(83)90008-1",
}


def read_thresholds() -> pd.DataFrame:
    """Return the stimuli and the contrast at which people just see them.

    Returns
    -------
    DataFrame
        One row a stimulus, 1202 of 12 studies; indexed by `stimulus`. `study`, `aperture`
        (``gauss``, ``disc`` or ``square``), `frequency` (cycles per degree; 0 for a uniform
        patch), `orientation` (degrees; 0 for vertical bars), `sigma` (degrees, of a Gaussian
        window), `area` (square degrees, of the others), `luminance` (cd/m²),
        `background_l`, `_m`, `_s` (cone coordinates of the background, CIE 2006, L + M near the
        luminance), `direction_l`, `_m`, `_s` (relative cone contrasts of the modulation, a unit
        vector), `direction` (one of `DIRECTIONS`), `log_contrast` (log10 of the root mean square
        of the three cone contrasts at threshold), `log_sd` (of observers; NaN where unknown),
        `observers` (their number).
    """
    return _read("thresholds.csv").set_index("stimulus")


def read_observers() -> pd.DataFrame:
    """Return single observers' thresholds: `stimulus`, `observer`, `log_contrast`."""
    return _read("observers.csv")


def _read(name: str) -> pd.DataFrame:
    with (files("dissect_iqa.datasets.thresholds") / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")
