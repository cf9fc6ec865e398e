"""Which baseline metrics there are and what they are called; loads no library of theirs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dissect_iqa.files.validation import check_names


@dataclass(frozen=True)
class Baseline:
    """What the study needs to know of a metric without running it.

    Attributes
    ----------
    title : str
        As it is written in papers, for figures and tables.
    sign : {1, -1}
        1 if a larger value means better quality, -1 if it means a larger distance.
    source : str
        The paper.
    cites : str
        Its key in claims/methods.bib; "" if there is none to cite.
    smallest : int
        Shortest side in pixels that the metric is defined for.
    trunk : str or None
        The torchvision architecture whose ImageNet-1k weights the metric reads, if any.
    tuned_on : str
        The data set of people's judgements that its weights were fitted to, if any.
    rival : bool
        Every model is to be held against it, where a run has it.
    family : str
        What it is one of several forms of.
    needs_structure : bool
        Undefined against a reference of one colour.
    cap : float
        The largest value that a table says; pairs beyond it look the same.
    in_torch : bool
        Runs in PyTorch, on a GPU if there is one, without a trunk of the project's.
    sees : bool
        Has people's contrast sensitivity inside, found from thresholds such as those that it is
        held against: no rival there, but how close a measure can come.
    best : float
        Of a similarity, its value for identical pictures.
    only_8_bits : bool
        Reads pictures with 8 bits per channel only.
    """

    title: str
    sign: int
    source: str
    cites: str = ""
    smallest: int = 1
    trunk: str | None = None
    tuned_on: str = ""
    rival: bool = False
    family: str = ""
    needs_structure: bool = False
    cap: float = math.inf
    in_torch: bool = False
    sees: bool = False
    best: float = 1.0
    only_8_bits: bool = False

    @property
    def on_device(self) -> bool:
        """Whether it runs in PyTorch."""
        return self.in_torch or self.trunk is not None

    @property
    def identical(self) -> float:
        """Its value for identical pictures: of distances 0, of similarities `best`, of PSNR inf."""
        if self.cap < math.inf:
            return math.inf
        return self.best if self.sign > 0 else 0.0


_SSIM = "Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004"
_MS_GMSD = "Zhang, Sander, Bermak, ICASSP 2017"
_SR_SIM = "Zhang, Li, ICIP 2012"
_FSIM = "Zhang, Zhang, Mou, Zhang, IEEE TIP 2011"


def _lpips(net: str, smallest: int, trunk: str) -> Baseline:
    return Baseline(
        title=f"LPIPS ({net})",
        sign=-1,
        source="Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018 (weights v0.1)",
        cites="zhang2018unreasonable",
        smallest=smallest,
        trunk=trunk,
        tuned_on="BAPPS",
        rival=True,
        family="LPIPS",
    )


def _dists(title: str, size: str) -> Baseline:
    return Baseline(
        title=title,
        sign=-1,
        source=f"Ding, Ma, Wang, Simoncelli, IEEE TPAMI 2022; {size}",
        cites="ding2022dists",
        smallest=16,
        trunk="vgg16",
        tuned_on="KADID-10k",
        rival=True,
        family="DISTS",
    )


#: All baseline metrics by name, in the order of the manual.
BASELINES: dict[str, Baseline] = {
    "psnr": Baseline("PSNR", 1, "peak signal-to-noise ratio over all RGB values", cap=100),
    "psnr_y": Baseline("PSNR (luma)", 1, "peak signal-to-noise ratio of luma", cap=100),
    "ssim": Baseline(
        "SSIM", 1, f"{_SSIM}; ssim_index.m", "wang2004ssim", 11, rival=True, family="SSIM"
    ),
    "ssim_downsampled": Baseline(
        *("SSIM (downsampled)", 1, f"{_SSIM}; ssim.m", "wang2004ssim", 11),
        rival=True,
        family="SSIM",
    ),
    # Four halvings must leave one 11x11 window, which is what the authors' code demands too.
    "ms_ssim": Baseline(
        *("MS-SSIM", 1, "Wang, Simoncelli, Bovik, Asilomar 2003", "wang2003msssim", 176),
        rival=True,
    ),
    "fsim": Baseline("FSIM", 1, _FSIM, "zhang2011fsim", 8),
    "fsimc": Baseline("FSIMc", 1, _FSIM, "zhang2011fsim", 8),
    "gmsd": Baseline("GMSD", -1, "Xue, Zhang, Mou, Bovik, IEEE TIP 2014", "xue2014gmsd", 8),
    "vsi": Baseline("VSI", 1, "Zhang, Shen, Li, IEEE TIP 2014", "zhang2014vsi", 8),
    "haarpsi": Baseline(
        *("HaarPSI", 1, "Reisenhofer, Bosse, Kutyniok, Wiegand, Signal Processing 2018"),
        *("reisenhofer2018haarpsi", 16),
    ),
    "mdsi": Baseline(
        *("MDSI", -1, "Nafchi, Shahkolaei, Hedjam, Cheriet, IEEE Access 2016", "nafchi2016mdsi", 8)
    ),
    "vifp": Baseline(
        *("VIFp", 1, "Sheikh, Bovik, IEEE TIP 2006, pixel domain", "sheikh2006vif", 41),
        needs_structure=True,
    ),
    "iw_ssim": Baseline(
        *("IW-SSIM", 1, "Wang, Li, IEEE TIP 2011", "wang2011iwssim", 161),
        needs_structure=True,
    ),
    "ms_gmsd": Baseline("MS-GMSD", -1, _MS_GMSD, "zhang2017msgmsd", 32),
    "ms_gmsdc": Baseline("MS-GMSDc", -1, f"{_MS_GMSD}, with chroma", "zhang2017msgmsd", 32),
    "sr_sim": Baseline("SR-SIM", 1, _SR_SIM, "zhang2012srsim", 64),
    "sr_simc": Baseline("SR-SIMc", 1, f"{_SR_SIM}, with chroma", "zhang2012srsim", 64),
    "dss": Baseline(
        *("DSS", 1, "Balanov, Schwartz, Moshe, Peleg, ICIP 2015", "balanov2015dss", 32)
    ),
    "nlpd": Baseline(
        "NLPD", -1, "Laparra, Ballé, Berardino, Simoncelli, HVEI 2016", "laparra2016nlpd", 64
    ),
    "ssimulacra2": Baseline(
        *("SSIMULACRA 2", 1, "Sneyers, Cloudinary 2022", "sneyers2022ssimulacra2", 8),
        tuned_on="TID2013, KADID-10k, CID22",
        best=100.0,
        only_8_bits=True,
    ),
    "lpips_alex": _lpips("AlexNet", 64, "alexnet"),
    "lpips_vgg": _lpips("VGG-16", 16, "vgg16"),
    "lpips_squeeze": _lpips("SqueezeNet", 32, "squeezenet1_1"),
    "dists": _dists("DISTS", "native size"),
    "dists_256": _dists("DISTS (256)", "short side 256"),
    "cvvdp": Baseline(
        "ColorVideoVDP",
        -1,
        "Mantiuk, Hanji, Ashraf, Asano, Chapiro, ACM TOG 2024; 10 - JOD, on a 24-inch full-HD "
        "display of 200 cd/m² at 60 cm in an office, or on the display that the data set states",
        "mantiuk2024colorvideovdp",
        32,
        tuned_on="quality scores of several data sets",
        in_torch=True,
        sees=True,
    ),
}


def check_baseline(name: str) -> Baseline:
    """Return the metric of that name.

    Raises
    ------
    UserError
        Naming the unknown one, the closest known one, and all of them.
    """
    check_names("baselines", [name], tuple(BASELINES))
    return BASELINES[name]


def trunks(names: Sequence[str]) -> list[str]:
    """Return the torchvision architectures whose weights the named metrics read, each once."""
    found = [check_baseline(name).trunk for name in names]
    return sorted({trunk for trunk in found if trunk})
