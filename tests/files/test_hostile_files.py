"""Files that are made to harm: refused by name, in seconds, and in little memory."""

import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from features_data import SPEC, make_dataset, stripes

from dissect_iqa.datasets.public.matlab import variables
from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.layout import facts_digest, put_text
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.file.verify import verify_cache

LIMITED = """
import resource, sys
import torch
from dissect_iqa.errors import DamagedFile
from dissect_iqa.models.weights.reading import read_checkpoint
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 600_000_000,) * 2)
for path in sys.argv[1:]:
    try:
        read_checkpoint(path)
        print("read", path)
    except DamagedFile as error:
        print("refused", error)
"""


def keras_of(path: Path, **options: object) -> None:
    """Write one dense layer whose kernel is made with the given options of h5py's."""
    with h5py.File(path, "w") as file:
        group = file.create_group("dense/dense")
        group.create_dataset("kernel:0", **options)
        group.create_dataset("bias:0", data=np.zeros(3, np.float32))


def terabytes(path: Path) -> None:
    keras_of(path, shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))


def contiguous_terabytes(path: Path) -> None:
    keras_of(path, shape=(10**6, 10**6), dtype="f4")


def zeros_that_unpack_to_gigabytes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for number in range(8):
            file.create_dataset(
                f"dense_{number}/kernel:0",
                data=np.zeros((5000, 1600), np.float32),
                compression="gzip",
                chunks=(5000, 1600),
            )


def numbers_of_another_file(path: Path) -> None:
    keras_of(path, shape=(4, 4), dtype="u1", external=[("/etc/passwd", 0, 16)])


def a_virtual_data_set(path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("/elsewhere.h5", "x", shape=(4, 4))
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("dense/dense/kernel:0", layout)


def texts(path: Path) -> None:
    keras_of(path, data=np.array([["a", "b"]], dtype=object), dtype=h5py.string_dtype())


def a_filter_that_is_not_here(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("dense/dense")
        kinds = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kinds.set_chunk((4, 4))
        kinds.set_filter(32004, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((4, 4))
        made = h5py.h5d.create(group.id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, kinds)
        made.write_direct_chunk((0, 0), b"x" * 64)


def cut_hdf5(path: Path) -> None:
    keras_of(path, data=np.ones((40, 3), np.float32))
    path.write_bytes(path.read_bytes()[:1500])


def a_zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", bytes(400_000_000))


def a_header_of_gigabytes(path: Path) -> None:
    path.write_bytes((2**31).to_bytes(8, "little") + b'{"x":' + bytes(100))


def a_header_of_the_whole_file(path: Path) -> None:
    path.write_bytes((1000).to_bytes(8, "little") + b"{" + b" " * 2000)


def offsets_beyond_the_end(path: Path) -> None:
    header = b'{"x":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(200))


def a_pickle_that_asks_for_memory(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x8e" + (10**15).to_bytes(8, "little") + b"x")


def a_pickle_that_multiplies(path: Path) -> None:
    doubling = b"c_codecs\nencode\n" * 40 + b"C\x10aaaaaaaaaaaaaaaa" + b"X\x03\0\0\0hex\x86R" * 40
    path.write_bytes(b"\x80\x04" + doubling + b".")


def a_cut_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": list(range(1000))})[:500])


HOSTILE = [
    terabytes,
    contiguous_terabytes,
    zeros_that_unpack_to_gigabytes,
    numbers_of_another_file,
    a_virtual_data_set,
    texts,
    a_filter_that_is_not_here,
    cut_hdf5,
    a_zip_bomb,
    a_header_of_gigabytes,
    a_header_of_the_whole_file,
    offsets_beyond_the_end,
    a_pickle_that_asks_for_memory,
    a_pickle_that_multiplies,
    a_cut_pickle,
]


@pytest.mark.slow
def test_hostile_files_are_refused_in_little_memory(tmp_path):
    """All in one process that may take 600 MB more than its libraries."""
    paths = []
    for write in HOSTILE:
        paths.append(tmp_path / f"{write.__name__}.bin")
        write(paths[-1])
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = run.stdout.splitlines()
    assert len(lines) == len(paths), run.stdout + run.stderr
    for path, line in zip(paths, lines, strict=True):
        assert line.startswith(f"refused {path}: "), line


# ------------------------------------------------------------------------------ feature files


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    dataset = make_dataset(tmp_path_factory.mktemp("data"), 2, 2)
    path = tmp_path_factory.mktemp("cache") / "f.h5"
    extract_features(stripes(), dataset, path, SPEC, device="cpu", progress=False)
    return path


def replaced(**options: object) -> Callable[[h5py.File], None]:
    """Return what puts another array in the place of a layer's, with a fitting record."""

    def change(file: h5py.File) -> None:
        digest = file["layers/001/mse"].attrs["sha256"]
        del file["layers/001/mse"]
        made = file.create_dataset("layers/001/mse", **options)
        put_text(made.attrs, "sha256", digest.decode())

    return change


def linked(link: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file["layers/001/mse"]
        file["layers/001/mse"] = link

    return change


def nested(file: h5py.File) -> None:
    file["layers/001/again"] = file["layers"]


def fewer_rows(file: h5py.File) -> None:
    replaced(data=file["layers/001/mse"][:-1], chunks=(1, 12))(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced(shape=(10**7, 10**6), dtype="f4", chunks=(1000, 1000)), "declares 40,000,000,0"),
        (replaced(shape=(4, 12), dtype="f4", external=[("/etc/passwd", 0, 192)]), "other files"),
        (replaced(data=np.zeros((400, 1200), "f4"), compression="gzip"), "declares 1,920,000 byt"),
        (replaced(data=np.array([["x"]], object), dtype=h5py.string_dtype()), "instead of numbers"),
        (linked(h5py.SoftLink("/layers/001/mean")), "is a link to another place"),
        (linked(h5py.ExternalLink("other.h5", "/x")), "is a link to another place"),
        (nested, "nested too deeply|declares .* bytes or more"),
        (fewer_rows, "instead of"),
    ],
)
def test_feature_files_that_are_made_to_harm(finished, tmp_path, change, said) -> None:
    """Even with a record of attributes that fits."""
    path = Path(shutil.copy(finished, tmp_path / "f.h5"))
    with h5py.File(path, "r+") as file:
        change(file)
        if change is not nested:
            put_text(file.attrs, "facts_sha256", facts_digest(file))
    with pytest.raises(UserError, match=rf"f\.h5: damaged .*(?:{said})"):
        open_cache(path, SPEC)
    assert len(verify_cache(path)) == 1


# ------------------------------------------------------------------------------ MATLAB files

MAT = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Not Found",
        MAT,
        MAT + struct.pack("<II", 14, 2**32 - 1),
        MAT + struct.pack("<II", 15, 20) + zlib.compress(bytes(100)),
        MAT + struct.pack("<II", 15, 10) + b"x" * 10,
        MAT + struct.pack("<IIIIIIII", 14, 64, 6, 8, 6, 0, 5, 8) + b"\xff" * 40,
    ],
)
def test_matlab_files_that_are_none(tmp_path, content) -> None:
    (tmp_path / "x.mat").write_bytes(content)
    try:
        found = variables(tmp_path / "x.mat")
    except UserError as error:
        assert "x.mat: not a MATLAB file that can be read" in str(error)
    else:
        assert not [name for name in found if not name.startswith("__")]


def test_a_matlab_file_that_unpacks_to_gigabytes(tmp_path) -> None:
    packed = zlib.compress(bytes(400 << 20), 1)
    (tmp_path / "x.mat").write_bytes(MAT + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(UserError, match=r"x\.mat: .*unpacks to more than 209,715,200 bytes"):
        variables(tmp_path / "x.mat")
