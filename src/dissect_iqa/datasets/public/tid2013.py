"""TID2013: 25 references, 24 types, 5 levels (Ponomarenko et al. 2015)."""

from dissect_iqa.datasets.base import (
    Citation,
    Counts,
    DatasetKind,
    Index,
    Reading,
    RemoteFile,
    Source,
)
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.public.mirrors import iqa_pytorch
from dissect_iqa.datasets.public.tid import ARTIFICIAL, LICENCE, read_tid

#: The official subsets, by type number; the seventh, "full", is everything.
SUBSETS = {
    "noise": (1, 2, 3, 4, 5, 6, 7, 8, 9, 19, 21),
    "actual": (1, 3, 4, 5, 6, 8, 9, 10, 11, 19, 21),
    "simple": (1, 8, 10),
    "exotic": (12, 13, 14, 15, 16, 17, 20, 23, 24),
    "new": (18, 19, 20, 21, 22, 23, 24),
    "color": (2, 7, 10, 18, 22, 23),
}


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read the tables and mark the official subsets."""
    reading = read_tid(index, entry, types=24, levels=5)
    kinds = reading.frame.pop("type")
    for name, members in SUBSETS.items():
        reading.frame[f"subset_{name}"] = kinds.isin(members)
    reading.counts = Counts(24, 2880) if entry.drop_reference_25 else None
    return reading


TID2013 = DatasetKind(
    name="tid2013",
    title="TID2013",
    read=read,
    direction="higher is better",
    citation=Citation(
        "ponomarenko2015tid2013",
        "N. Ponomarenko, L. Jin, O. Ieremeiev, V. Lukin, K. Egiazarian, J. Astola, B. Vozel, "
        "K. Chehdi, M. Carli, F. Battisti, C.-C. J. Kuo. Image database TID2013: Peculiarities, "
        "results and perspectives. Signal Processing: Image Communication 30 (2015) 57-77. "
        "doi:10.1016/j.image.2014.10.009",
    ),
    licence=LICENCE,
    page="http://www.ponomarenko.info/tid2013.htm",
    download_size="1.2 GB (0.9 GB as rar)",
    sources=(
        iqa_pytorch(
            "tid2013.tgz",
            1227227546,
            "ac92094b1469ec0dff181a553b8c84302606ba99f81e38652532cadac886d735",
        ),
        Source(
            "official archive (no published checksum; rar)",
            (RemoteFile(("http://www.ponomarenko.info/tid2013/tid2013.rar",), "tid2013.rar"),),
        ),
    ),
    counts={"": Counts(25, 3000)},
    options=frozenset({"drop_reference_25"}),
    artificial=ARTIFICIAL,
)
