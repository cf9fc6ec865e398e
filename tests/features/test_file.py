"""Cache files prove themselves: damage is named, never read as numbers."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from features_data import SPEC, make_dataset, stripes

from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.journal import Journal
from dissect_iqa.features.file.layout import cache_bytes
from dissect_iqa.features.file.raw import open_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.features.file.verify import verify_cache

torch.set_num_threads(1)
HERE = Path(__file__).parents[1] / "helpers"


def extract(dataset, path, network=None, **options):
    options = {"device": "cpu", "progress": False, "batch_size": 4, **options}
    extract_features(network or stripes(), dataset, path, SPEC, **options)
    return path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data"), 3, 5)


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    return extract(dataset, tmp_path_factory.mktemp("cache") / "f.h5")


def test_the_file_says_what_it_is(finished, dataset):
    assert verify_cache(finished, SPEC) == []
    with open_cache(finished, SPEC) as cache:
        facts = cache.facts
        assert facts["spec"] == SPEC and facts["complete"] and len(facts["fingerprint"]) == 64
        assert {"weights_sha256", "images_sha256", "versions", "device"} <= set(facts)
        assert [layer.name for layer in cache.layers] == ["1", "3"]
        assert [layer.channels for layer in cache.layers] == [8, 12]
        assert cache.layers[0].positions == 23 * 31
        assert cache.images["name"].tolist() == dataset.images["file"].tolist()
        assert cache.images["sha256"].tolist() == dataset.images["sha256"].tolist()
        names = cache.images["name"].to_numpy()
        assert names[cache.pairs["reference"]].tolist() == dataset.pairs["reference_file"].tolist()
        assert cache.layer(1)["mse"].shape == (18, 12)


def test_size_is_as_estimated(tmp_path):
    dataset = make_dataset(tmp_path / "data", 4, 20)
    path = extract(dataset, tmp_path / "f.h5")
    wanted = cache_bytes([8, 12], len(dataset.images), len(dataset.pairs))
    assert 0.5 < path.stat().st_size / wanted < 1.5


def test_writing_twice_gives_the_same_bytes(finished, dataset, tmp_path):
    assert extract(dataset, tmp_path / "f.h5").read_bytes() == finished.read_bytes()


def test_another_spec_is_refused(finished):
    with pytest.raises(UserError, match=r"made with other settings .fingerprint .* wanted"):
        open_cache(finished, '{"other":1}')


def test_one_flipped_byte_names_layer_and_rows(finished, tmp_path):
    with h5py.File(finished, "r") as file:
        where = file["layers/001/mse"].id.get_chunk_info(0).byte_offset
    path = flipped(finished, tmp_path, where + 100)
    assert len(verify_cache(path)) == 1
    assert "layer '3', mse: rows 0 to 17 (checksum)" in verify_cache(path)[0]
    with open_cache(path) as cache:
        cache.layer(0)
        with pytest.raises(UserError, match=r"damaged at layer '3', mse: rows 0 to 17"):
            cache.layer(1)


def test_no_flipped_byte_changes_a_number(finished, tmp_path):
    """Anywhere in the file: either nothing that is read changes, or it is refused."""
    with open_cache(finished) as cache:
        wanted = [cache.layer(i) for i in range(2)]
    size = finished.stat().st_size
    rng = np.random.default_rng(0)
    noticed = 0
    for where in [*range(0, 64), *rng.integers(0, size, 250)]:
        path = flipped(finished, tmp_path, int(where))
        try:
            with open_cache(path) as cache:
                found = [cache.layer(i) for i in range(2)]
        except UserError:
            noticed += 1
            assert verify_cache(path)
            continue
        for a, b in zip(found, wanted, strict=True):
            assert all(np.array_equal(a[name], b[name]) for name in b)
    assert noticed > 100


def flipped(path, folder, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 0x10
    (folder / "flipped.h5").write_bytes(data)
    return folder / "flipped.h5"


def test_truncated_missing_and_foreign_files_are_refused(finished, tmp_path):
    short = tmp_path / "short.h5"
    short.write_bytes(finished.read_bytes()[:5000])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    for name, what in (("short", "whole HDF5"), ("foreign", "not a feature"), ("no", "no such")):
        with pytest.raises(UserError, match=what):
            open_cache(tmp_path / f"{name}.h5")
        assert verify_cache(tmp_path / f"{name}.h5")


def test_an_incomplete_file_is_refused(finished, tmp_path):
    path = Path(shutil.copy(finished, tmp_path / "f.h5"))
    with h5py.File(path, "r+") as file:
        file.attrs["complete"] = False
    with pytest.raises(UserError, match="not complete"):
        open_cache(path)


# --- interruption -------------------------------------------------------------------------

SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from features_data import SPEC, make_dataset, stripes
from dissect_iqa.features.forward import runner
from dissect_iqa.features.extract_features import extract_features
original = runner.Runner.distorted
def slow(self, *arguments):
    print("batch", flush=True)
    time.sleep(0.15)
    return original(self, *arguments)
runner.Runner.distorted = slow
dataset = make_dataset(Path({data!r}), 3, 5)
extract_features(stripes(), dataset, Path({path!r}), SPEC, "cpu", batch_size=2, progress=False)
"""


def start(dataset, path):
    code = SLOW.format(here=str(HERE), data=str(dataset.root), path=str(path))
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_continues_to_the_same_bytes(dataset, tmp_path, monkeypatch, how):
    path, part = tmp_path / "f.h5", tmp_path / "f.h5.part"
    process = start(dataset, path)
    for _ in range(5):  # in the middle of the second reference
        assert process.stdout.readline() == "batch\n"
    time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == (143 if how == signal.SIGTERM else -signal.SIGKILL)
    assert part.exists() and not path.exists()
    done, passes = count_rows(part), []
    assert 5 <= done < 15
    count_passes(monkeypatch, passes)
    extract(dataset, path, batch_size=2)
    assert sum(passes) == 15 - done  # what was there is not computed again
    assert not part.exists()
    assert path.read_bytes() == extract(dataset, tmp_path / "whole.h5", batch_size=2).read_bytes()


def count_rows(part):
    """Pairs in a part file that passed the network; identical ones did not."""
    copy = Path(shutil.copy(part, part.with_suffix(".copy")))
    records = peek(copy)
    return sum(
        np.count_nonzero(r.read(d, "mse/0").any(axis=1)) for r, d in records if r.has("pairs")
    )


def peek(path):
    """Read the records of a part file without changing it."""
    journal = object.__new__(Journal)
    journal._file, journal._layouts = os.open(path, os.O_RDONLY), {}
    records, _ = journal._scan()
    return [(record, journal._file) for record in records]


def count_passes(monkeypatch, passes):
    from dissect_iqa.features.forward.runner import Runner

    original = Runner.distorted
    monkeypatch.setattr(
        Runner, "distorted", lambda self, p, *a: passes.append(len(p)) or original(self, p, *a)
    )


def interrupted(dataset, path, monkeypatch, after=3):
    """Leave a part file as a run does that dies after some batches."""
    from dissect_iqa.features.forward.runner import Runner

    passes = []
    with monkeypatch.context() as patch:
        original = Runner.distorted

        def dying(self, pictures, *arguments):
            passes.append(len(pictures))
            if len(passes) > after:
                raise KeyboardInterrupt
            return original(self, pictures, *arguments)

        patch.setattr(Runner, "distorted", dying)
        with pytest.raises(KeyboardInterrupt):
            extract(dataset, path, batch_size=2)
    return path.with_name(path.name + ".part")


@pytest.mark.parametrize("cut", [1, 20, 300, 2000])
def test_a_torn_end_is_dropped(dataset, finished, tmp_path, monkeypatch, cut):
    part = interrupted(dataset, tmp_path / "f.h5", monkeypatch)
    with part.open("rb+") as file:
        file.truncate(part.stat().st_size - cut)
    extract(dataset, tmp_path / "f.h5", batch_size=2)
    assert verify_cache(tmp_path / "f.h5") == []
    whole = extract(dataset, tmp_path / "g.h5", batch_size=2)
    assert (tmp_path / "f.h5").read_bytes() == whole.read_bytes()


def test_zeros_in_a_part_file_are_not_taken_for_rows(dataset, tmp_path, monkeypatch):
    part = interrupted(dataset, tmp_path / "f.h5", monkeypatch)
    size = part.stat().st_size
    with part.open("rb+") as file:
        file.seek(size - 500)
        file.write(bytes(500))
    extract(dataset, tmp_path / "f.h5", batch_size=2)
    whole = extract(dataset, tmp_path / "g.h5", batch_size=2)
    assert (tmp_path / "f.h5").read_bytes() == whole.read_bytes()


def test_a_part_file_of_another_spec_is_not_continued(dataset, tmp_path, monkeypatch, caplog):
    interrupted(dataset, tmp_path / "f.h5", monkeypatch)
    passes = []
    count_passes(monkeypatch, passes)
    options = {"device": "cpu", "progress": False, "batch_size": 2}
    extract_features(stripes(), dataset, tmp_path / "f.h5", '{"other":1}', **options)
    assert sum(passes) == 15
    assert "begun with other settings (fingerprint); starting anew" in caplog.text


def test_two_writers_do_not_share_a_part_file(dataset, tmp_path):
    with (
        Journal(tmp_path / "f.h5.part", {}),
        pytest.raises(UserError, match="another process is extracting into this file"),
    ):
        extract(dataset, tmp_path / "f.h5")


# --- trouble ------------------------------------------------------------------------------


def test_out_of_memory_halves_the_batch_and_changes_no_number(
    dataset, finished, tmp_path, monkeypatch
):
    from dissect_iqa.features.forward.runner import Runner

    passes = []
    original = Runner.distorted

    def small(self, pictures, *arguments):
        passes.append(len(pictures))
        if len(pictures) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, pictures, *arguments)

    monkeypatch.setattr(Runner, "distorted", small)
    path = extract(dataset, tmp_path / "f.h5", batch_size=5)
    assert passes[:2] == [5, 2] and max(passes[1:]) == 2  # tried once, then remembered
    with open_cache(path) as a, open_cache(finished) as b:
        assert a.facts["batch_size"] == "2"
        for number in range(2):
            for name, value in b.layer(number).items():
                np.testing.assert_allclose(a.layer(number)[name], value, rtol=1e-5, atol=1e-9)


def test_one_picture_too_large_for_memory_is_named(dataset, tmp_path, monkeypatch):
    from dissect_iqa.features.forward.runner import Runner

    def never(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to")

    monkeypatch.setattr(Runner, "distorted", never)
    with pytest.raises(UserError, match=r"stripes: not enough memory on cpu for d0_0.png; lower"):
        extract(dataset, tmp_path / "f.h5")


@pytest.mark.parametrize("step", ["require_function", "start"])
def test_too_little_memory_before_the_first_batch_is_one_sentence(
    dataset, tmp_path, monkeypatch, step
):
    from dissect_iqa.features.forward.runner import Runner

    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Runner, step, never)
    with pytest.raises(UserError, match=r"stripes: not enough memory on cpu for a few pictures; "):
        extract(dataset, tmp_path / "f.h5")


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from features_data import SPEC, make_dataset, stripes
from dissect_iqa.errors import UserError
from dissect_iqa.features.extract_features import extract_features
dataset = make_dataset(Path({data!r}), 3, 5)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    extract_features(stripes(), dataset, Path({path!r}), SPEC, "cpu", 4, progress=False)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("room", ["part", "final"])
def test_a_full_disk_ends_with_one_sentence(dataset, finished, tmp_path, room):
    """While the part file grows, or while the final file is made of it."""
    path = tmp_path / "f.h5"
    limit = 4000 if room == "part" else finished.stat().st_size - 2000
    code = LIMITED.format(here=str(HERE), data=str(dataset.root), path=str(path), limit=limit)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and not result.stderr  # HDF5 doesn't crash at the end
    assert "disk is full or a quota is reached; make room and run again" in result.stdout, result
    assert len(result.stdout.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["f.h5.part"]
    assert extract(dataset, path).read_bytes() == finished.read_bytes()


def test_too_little_room_is_seen_before_the_start(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(UserError, match=r"needs .* GB for a while .* but only 0.00 GB are free"):
        extract(dataset, tmp_path / "f.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to(dataset, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/f.h5.part: can't be written .*/file"):
        extract(dataset, tmp_path / "file" / "f.h5")
    original = os.open

    def read_only(path, flags, *mode):
        if flags & os.O_CREAT and str(path).endswith(".part"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return original(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(UserError, match=r"Read-only file system.*; choose a folder you may write"):
        extract(dataset, tmp_path / "f.h5")


def test_all_bad_pictures_are_listed_before_the_start(tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path / "data", 2, 3)
    (dataset.root / "d0_1.png").unlink()
    damaged = dataset.root / "d1_0.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    shutil.copy(dataset.root / "d0_0.png", dataset.root / "d1_2.png")
    passes = []
    count_passes(monkeypatch, passes)
    with pytest.raises(UserError) as caught:
        extract(dataset, tmp_path / "f.h5")
    text = str(caught.value)
    assert "3 picture(s) can't be used" in text and not passes
    assert "d0_1.png: can't be read (No such file" in text
    assert "d1_0.png: damaged, doesn't decode" in text
    assert "d1_2.png: isn't the picture that the data set was prepared with" in text


# --- raw features -------------------------------------------------------------------------


def test_raw_features_are_kept_on_request(dataset, tmp_path):
    path = extract(dataset, tmp_path / "f.h5", keep_raw=("3",))
    assert verify_cache(path) == []
    with open_features(path) as features, open_cache(path) as cache:
        assert features.layers == ("3",)
        layer = cache.layer(1)
        for row in (0, 4, 17):
            pair = features.pairs.loc[row]
            x = features.array("3", int(pair["reference"]))
            y = features.array("3", features.pictures[pair["distorted"]])
            assert x.shape == (11, 15, 12)
            wanted = ((x - y) ** 2).mean(axis=(0, 1))
            np.testing.assert_allclose(layer["mse"][row], wanted, rtol=2e-2, atol=1e-6)
        named = features.dataarray("3", "r0.png")
        assert named.dims == ("y", "x", "channel") and named.name == "r0.png"
        with pytest.raises(UserError, match=r"no raw features of layer '1'.* kept: 3"):
            features.array("1", 0)
        with pytest.raises(UserError, match=r"no picture 'r9.png' .did you mean 'r"):
            features.array("3", "r9.png")


def test_raw_features_of_pictures_of_different_size(tmp_path):
    dataset = make_dataset(tmp_path / "data", 2, 1, [(48, 64), (40, 40)])
    path = extract(dataset, tmp_path / "f.h5", keep_raw=("*",))
    with open_features(path) as features:
        assert features.array("1", "r0.png").shape == (23, 31, 8)
        assert features.array("1", "d1_0.png").shape == (19, 19, 8)
        assert features.array("1", "d1_0.png").any()


def test_raw_features_must_be_asked_for(finished, dataset, tmp_path):
    with pytest.raises(UserError, match="holds no raw features; name layers"):
        open_features(finished)
    with pytest.raises(UserError, match=r"keep_raw 'conv\*' matches no layer; there are: 1, 3"):
        extract(dataset, tmp_path / "f.h5", keep_raw=("conv*",))
