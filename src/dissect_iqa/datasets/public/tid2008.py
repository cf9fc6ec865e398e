"""TID2008: 25 references, 17 types, 4 levels (Ponomarenko et al. 2009)."""

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


def read(index: Index, entry: DatasetEntry) -> Reading:
    """Read the tables."""
    reading = read_tid(index, entry, types=17, levels=4)
    reading.frame = reading.frame.drop(columns="type")
    reading.facts["warning"] = (
        "TID2008 and TID2013 share their references and 17 types: they are not independent evidence"
    )
    reading.counts = Counts(24, 1632) if entry.drop_reference_25 else None
    return reading


TID2008 = DatasetKind(
    name="tid2008",
    title="TID2008",
    read=read,
    direction="higher is better",
    citation=Citation(
        "ponomarenko2009tid2008",
        "N. Ponomarenko, V. Lukin, A. Zelensky, K. Egiazarian, M. Carli, F. Battisti. TID2008: "
        "a database for evaluation of full-reference visual quality assessment metrics. Advances "
        "of Modern Radioelectronics 10 (2009) 30-45.",
    ),
    licence=LICENCE,
    page="http://www.ponomarenko.info/tid2008.htm",
    download_size="0.7 GB (0.55 GB as rar)",
    sources=(
        iqa_pytorch(
            "tid2008.tgz",
            None,
            "622823f61b7fe9d475eab884a3d35007ff07462c96bc0c4d47b019c062cc4792",
        ),
        Source(
            "official archive (no published checksum; rar)",
            (
                RemoteFile(
                    (
                        "http://www.ponomarenko.info/tid/tid2008.rar",
                        "http://www.ponomarenko.info/tid2008/tid/tid2008.rar",
                    ),
                    "tid2008.rar",
                ),
            ),
        ),
    ),
    counts={"": Counts(25, 1700)},
    options=frozenset({"drop_reference_25"}),
    artificial=ARTIFICIAL,
)
