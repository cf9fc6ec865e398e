"""The data sets: where they come from, how they are read, and what is made of them."""

from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.finish import finish
from dissect_iqa.datasets.prepare import prepare_dataset
from dissect_iqa.datasets.registry import KINDS, read_datasets
from dissect_iqa.datasets.status import datasets_status, kinds_table, verify_dataset
from dissect_iqa.datasets.tables import Dataset, read_dataset

__all__ = [
    "KINDS",
    "Dataset",
    "DatasetEntry",
    "datasets_status",
    "finish",
    "index_folder",
    "kinds_table",
    "prepare_dataset",
    "read_dataset",
    "read_datasets",
    "verify_dataset",
]
