"""An archive of a stranger's brings data, or nothing: no code, no links, no surprise in size."""

import gzip
import hashlib
import io
import json
import resource
import shutil
import subprocess
import sys
import tarfile
from base64 import urlsafe_b64encode
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dissect_iqa.cli import app
from dissect_iqa.errors import UserError
from dissect_iqa.study.bundle import MANIFEST, read_manifest, unbundle
from dissect_iqa.study.bundle_format import is_data
from dissect_iqa.zoo.table import read_models

HEADER = "id\tbuilder\tarchitecture\tweights\tfunction\tfamily\tenvironment\n"
ROW = "{id}\t{builder}\t{architecture}\tseed:0\tnone\tresnet\tnone\n"
CONFIG = b"models: [a]\ndatasets: [own]\n"
SUMMARY = b"dataset,model\nown,a\n"


def row(builder: str, id: str = "a", architecture: str = "resnet18") -> str:
    return ROW.format(id=id, builder=builder, architecture=architecture)


def table(*builders: str) -> bytes:
    rows = [row(builder, f"m{number}") for number, builder in enumerate(builders)]
    return (HEADER + "".join(rows)).encode()


def record(path: str) -> str:
    return f".snakemake/metadata/{urlsafe_b64encode(path.encode()).decode()}"


def study() -> dict[str, bytes]:
    """Return the files of a small, well-meant archive."""
    return {
        "config/config.yaml": CONFIG,
        "config/models.tsv": table("torchvision"),
        "results/summary.csv": SUMMARY,
        record("results/summary.csv"): b'{"version": 6, "code": "x"}',
    }


def entry(path: str, data: bytes, /, **changes: Any) -> dict[str, Any]:
    facts = {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**facts, "modified_ns": 10**18, "fingerprint": None, **changes}


def packed(
    path: Path,
    files: dict[str, bytes],
    entries: list[dict[str, Any]] | None = None,
    extra: Callable[[tarfile.TarFile], None] = lambda _: None,
    mode: str = "w",
    manifest: bytes | None = None,
) -> Path:
    """Write an archive by hand, with a manifest that may lie."""
    if entries is None:
        entries = [entry(name, data) for name, data in files.items()]
    if manifest is None:
        manifest = json.dumps({"format": 2, "files": entries}).encode()
    with tarfile.open(path, mode) as tar:
        for name, data in {MANIFEST: manifest, **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        extra(tar)
    return path


def refused(archive: Path, folder: Path, match: str, **options: Any) -> str:
    """Check that nothing is put in place and that one sentence says why."""
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    with pytest.raises(UserError, match=match) as caught:
        unbundle(archive, folder, **options)
    assert "\n" not in str(caught.value)
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before
    return str(caught.value)


def test_a_well_meant_archive_is_in_place_with_its_times(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.tar.gz", study(), mode="w:gz")
    members = unbundle(archive, tmp_path / "new" / "deep")
    assert members == read_manifest(archive)
    for name, data in study().items():
        path = tmp_path / "new" / "deep" / name
        assert path.read_bytes() == data and path.stat().st_mtime_ns == 10**18
    assert not list((tmp_path / "new" / "deep").glob(".unbundle-*"))


# ------------------------------------------------------------------------------ only data


@pytest.mark.parametrize(
    "path",
    [
        "config/net.py",
        "config/net.so",
        "config/net.pyc",
        "config/__pycache__/net.cpython-311.pyc",
        "config/x.pth",
        "config/Snakefile",
        "config/run.sh",
        "config/.hidden.yaml",
        "net.py",
        "config.yaml",
        "Snakefile",
        "results/net.py",
        "results/report.html",
        "results/shared/features/own/net.py",
        "results/x.h5",
        "results/",
        "results",
        "resources/datasets/own/net.py",
        "resources/datasets/own/deep/pairs.parquet",
        "resources/weights/a.safetensors",
        "workflow/scripts/collect.py",
        "profiles/default/config.yaml",
        ".snakemake/scripts/x.py",
        ".snakemake/metadata/deep/x",
        ".git/hooks/post-checkout",
        "../evil.csv",
        "/etc/evil.csv",
        "results/../../evil.csv",
        "results/./x.csv",
        "results//x.csv",
        "results\\x.csv",
        "C:\\results\\x.csv",
        "results/con.csv",
        "results/NUL",
        "results/aux.tar.csv",
        "results/x\n.csv",
        "results/\x1b[2J.csv",
        "results/x\0.csv",
        "results/\u202egvs.csv",
        "",
        "results/" + "x" * 260 + ".csv",
    ],
)
def test_what_no_study_holds_is_refused(tmp_path: Path, path: str) -> None:
    manifest = json.dumps({"format": 2, "files": [entry(path, b"x")]}).encode()
    archive = packed(tmp_path / "x.tar", {}, manifest=manifest)
    refused(archive, tmp_path / "new", r"x\.tar: ")
    assert not (tmp_path / "new").exists() and not (tmp_path / "evil.csv").exists()


def test_what_studies_hold() -> None:
    for path in (
        "config/config.yaml",
        "config/weights.lock.tsv",
        "config/references.bib",
        "resources/datasets/own/provenance.json",
        "results/claims.md",
        "results/figures/depth_own.svg",
        "results/shared/features/own/a.h5",
        "results/correlations/own/a.parquet",
        record("results/summary.csv"),
    ):
        assert is_data(path), path


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (tarfile.SYMTYPE, "results/summary.csv"),
        (tarfile.LNKTYPE, "results/summary.csv"),
        (tarfile.FIFOTYPE, "results/summary.csv"),
        (tarfile.CHRTYPE, "results/summary.csv"),
        (tarfile.DIRTYPE, "results/summary.csv"),
        (tarfile.REGTYPE, "results/other.csv"),
        (tarfile.REGTYPE, MANIFEST),
        (tarfile.SYMTYPE, "results/other.csv"),
    ],
)
def test_members_that_are_no_files_or_that_nobody_named(
    tmp_path: Path, kind: bytes, name: str
) -> None:
    files = study()
    entries = [entry(path, data) for path, data in files.items()]
    del files["results/summary.csv"]

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)

    archive = packed(tmp_path / "x.tar", files, entries, add)
    refused(archive, tmp_path / "new", "doesn't name as a file")


def test_the_same_member_twice(tmp_path: Path) -> None:
    def add(tar: tarfile.TarFile) -> None:
        tar.addfile(tarfile.TarInfo("results/summary.csv"))

    archive = packed(tmp_path / "x.tar", study(), extra=add)
    refused(archive, tmp_path / "new", r"holds 'results/summary\.csv', which its .* doesn't name")


# -------------------------------------------------------------------------- code by name


@pytest.mark.parametrize(
    "builder",
    [
        "os:system",
        "ownnets:net",
        "config.net:build",
        "dissect_iqa.files.provenance:write_json",
        "dissect_iqa.models.architectures.craft:UserError",
        "dissect_iqa.models.architectures.craft:nn",
        "dissect_iqa.models.architectures.sobel:nothing",
        "dissect_iqa.models.architectures.none:net",
    ],
)
def test_a_builder_that_is_not_ours_needs_a_yes(tmp_path: Path, builder: str) -> None:
    files = {**study(), "config/models.tsv": table("torchvision", builder)}
    archive = packed(tmp_path / "x.tar", files)
    said = refused(archive, tmp_path / "new", "unpack with --trust-builders if you know it")
    assert f"config/models.tsv: model m1 is built by {builder}" in said
    asked = []
    unbundle(archive, tmp_path / "new", trust=lambda text: not asked.append(text))
    assert builder in asked[0] and len(asked) == 1
    # what is there already has been trusted
    unbundle(archive, tmp_path / "new")


def test_builders_of_this_project_need_none(tmp_path: Path) -> None:
    own = (
        "timm",
        "dissect_iqa.models.architectures.craft:craft_trunk",
        "dissect_iqa.models.architectures.hed:hed_trunk",
        "dissect_iqa.models.architectures.dncnn:dncnn",
    )
    files = {**study(), "config/models.tsv": table(*own)}
    unbundle(packed(tmp_path / "x.tar", files), tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["config/other.txt", "results/table.csv", record("results/summary.csv")]
)
def test_any_file_may_be_a_model_table(tmp_path: Path, name: str) -> None:
    """A configuration can name whichever it likes."""
    content = b"# a comment first\n\n" + table("os:system")
    archive = packed(tmp_path / "x.tar", {**study(), name: content})
    refused(archive, tmp_path / "new", "os:system|is no record")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"__use_yte__: true\n?if True:\n  models: [a]\n", "expressions that Snakemake would"),
        (b'"\\x5f_use_yte__": 1\nmodels: [a]\n', "expressions that Snakemake would"),
        (b"x: &x {__use_yte__: true}\n<<: *x\n", "expressions that Snakemake would"),
        (b"models: !!python/object/apply:os.system [true]\n", "can't be read"),
        (b"models: [a\n", "can't be read"),
        (b"\xff\xfe", "can't be read"),
        (b"a: &a [*a]\n", "holds itself"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n".encode()
                for a, b in zip("abcdef", "bcdefg", strict=True)
            ),
            "more values than any configuration",
        ),
        (b"[" * 5000, "can't be read"),
    ],
)
def test_a_configuration_that_would_be_evaluated(tmp_path: Path, text: bytes, said: str) -> None:
    archive = packed(tmp_path / "x.tar", {**study(), "config/config.yaml": text})
    refused(archive, tmp_path / "new", rf"config/config\.yaml.*{said}")


@pytest.mark.parametrize(
    "cell",
    [
        ("timm", "resnet18 checkpoint_path=results/evil.csv"),
        ("timm", "resnet18 pretrained=true"),
        ("timm", "resnet18 pretrained_cfg_overlay={file:x}"),
        ("timm", "hf-hub:somebody/evil"),
        ("timm", "local-dir:config"),
        ("torchvision", "resnet18 weights=DEFAULT"),
        ("torchvision", "fcn_resnet50 weights_backbone=DEFAULT"),
    ],
)
def test_builders_of_libraries_load_no_files_of_their_own(
    tmp_path: Path, cell: tuple[str, str]
) -> None:
    """What timm reads by itself it unpickles, whatever the file's name ends in."""
    (tmp_path / "models.tsv").write_text(HEADER + row(cell[0], architecture=cell[1]))
    with pytest.raises(UserError, match="load something by itself"):
        read_models(tmp_path / "models.tsv")


def test_the_command_asks_and_takes_a_yes(tmp_path: Path) -> None:
    files = {**study(), "config/models.tsv": table("os:system")}
    archive = str(packed(tmp_path / "x.tar", files))
    options = ["unbundle", archive, "--folder", str(tmp_path / "new")]
    run = CliRunner().invoke(app, options)
    assert run.exit_code == 1 and "os:system" in run.output and "--trust-builders" in run.output
    assert not (tmp_path / "new").exists()
    assert CliRunner().invoke(app, [*options, "--trust-builders"]).exit_code == 0


# ----------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("declared", [0, 5, 10**6])
def test_a_member_of_another_size_than_declared(tmp_path: Path, declared: int) -> None:
    files = study()
    entries = [entry(path, data) for path, data in files.items()]
    entries[2]["bytes"] = declared
    refused(packed(tmp_path / "x.tar", files, entries), tmp_path / "new", "its bundle.json says")


def test_more_than_the_disk_holds_and_more_than_an_archive_can(tmp_path: Path, monkeypatch) -> None:
    files = study()
    entries = [entry(path, data) for path, data in files.items()]
    entries[2]["bytes"] = 10**12
    entries[2]["path"] = "results/x.parquet"
    archive = packed(tmp_path / "x.tar", {}, entries[:3])
    refused(archive, tmp_path / "new", "says that 1,000,000,000,136 come out")
    usage = namedtuple("usage", "total used free")(10, 10, 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refused(packed(tmp_path / "x.tar", files), tmp_path / "new", "but 3 are free in")


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("config/config.yaml", 2 << 20),
        (record("results/summary.csv"), 5 << 20),
        ("results/x.svg", 2 << 30),
    ],
)
def test_texts_that_are_too_large_for_what_they_are(tmp_path: Path, path: str, size: int) -> None:
    files = study()
    entries = [entry(name, data) for name, data in files.items() if name != path]
    entries.append(entry(path, b"x", bytes=size))
    refused(packed(tmp_path / "x.tar", {}, entries), tmp_path / "new", "bytes are too many for it")


@pytest.mark.parametrize(
    "change",
    [
        {"bytes": -1},
        {"bytes": 1.5},
        {"bytes": True},
        {"bytes": "12"},
        {"bytes": 10**30},
        {"modified_ns": -1},
        {"modified_ns": 10**40},
        {"sha256": "0"},
        {"sha256": "Z" * 64},
        {"sha256": None},
        {"fingerprint": 5},
        {"path": 5},
        {"path": None},
        {"more": 1},
    ],
)
def test_manifest_entries_of_another_kind(tmp_path: Path, change: dict[str, Any]) -> None:
    archive = packed(tmp_path / "x.tar", {}, [entry("results/x.csv", b"", **change)])
    refused(archive, tmp_path / "new", r"its bundle\.json is damaged")


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b"\xff",
        b'{"format": 2}',
        b'{"format": 2, "files": 3}',
        b'{"format": 2, "files": [1]}',
        b'{"format": 1e999, "files": []}',
    ],
)
def test_manifests_that_are_none(tmp_path: Path, manifest: bytes) -> None:
    archive = packed(tmp_path / "x.tar", {}, manifest=manifest)
    refused(archive, tmp_path / "new", r"x\.tar: ")


def test_a_file_that_is_a_folder_too_and_a_record_of_nothing(tmp_path: Path) -> None:
    both = [entry("results/a.csv", b""), entry("results/a.csv/b.csv", b"")]
    refused(packed(tmp_path / "x.tar", {}, both), tmp_path / "new", "it is a folder, too")
    twice = [entry("results/a.csv", b""), entry("results/a.csv", b"x")]
    refused(packed(tmp_path / "x.tar", {}, twice), tmp_path / "new", "names a file twice")
    alone = [entry(record("results/none.csv"), b"{}")]
    refused(packed(tmp_path / "x.tar", {}, alone), tmp_path / "new", "record of a file that isn't")
    odd = [entry(".snakemake/metadata/%%%", b"{}")]
    refused(packed(tmp_path / "x.tar", {}, odd), tmp_path / "new", "record of a file that isn't")


HOSTILE = """
import sys, resource
from pathlib import Path
from dissect_iqa.study.bundle import unbundle
from dissect_iqa.errors import UserError
from dissect_iqa.zoo.table import read_models
size = 100_000_000
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + size, now + size))
try:
    unbundle(sys.argv[1], "new")
except UserError as error:
    print("refused:", error)
"""


def bomb(kind: bytes, name: str) -> Callable[[Path], None]:
    """Return what writes a gzipped tar whose first header declares two gigabytes of zeros."""

    def write(path: Path) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, 2 * 10**9
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            for _ in range(200):
                file.write(bytes(1 << 20))

    return write


@pytest.mark.parametrize(
    "write",
    [
        bomb(tarfile.XHDTYPE, "pax"),
        bomb(tarfile.XGLTYPE, "global pax"),
        bomb(tarfile.GNUTYPE_LONGNAME, "long name"),
        bomb(tarfile.REGTYPE, MANIFEST),
    ],
)
def test_bombs_take_no_memory(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "x.tar.gz")
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE, "x.tar.gz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.startswith("refused: x.tar.gz: "), run.stdout + run.stderr
    assert not (tmp_path / "new").exists()


# ----------------------------------------------------------------- what is there already


def test_links_in_the_target_are_not_followed(tmp_path: Path) -> None:
    archive = packed(tmp_path / "x.tar", study())
    new, outside = tmp_path / "new", tmp_path / "outside"
    new.mkdir()
    outside.mkdir()
    (new / "results").symlink_to(outside)
    for overwrite in (False, True):
        refused(archive, new, "results: is a link", overwrite=overwrite)
    (new / "results").unlink()
    (new / "results").mkdir()
    (outside / "mine.csv").write_bytes(SUMMARY)
    (new / "results" / "summary.csv").symlink_to(outside / "mine.csv")
    for overwrite in (False, True):
        refused(archive, new, "summary.csv: is a link", overwrite=overwrite)
    (new / "results" / "summary.csv").unlink()
    (new / "results" / "summary.csv").symlink_to(tmp_path / "nowhere")
    refused(archive, new, "summary.csv: is a link", overwrite=True)
    assert not (tmp_path / "nowhere").exists()


def test_folders_and_files_in_the_way(tmp_path: Path) -> None:
    archive, new = packed(tmp_path / "x.tar", study()), tmp_path / "new"
    (new / "results" / "summary.csv").mkdir(parents=True)
    refused(archive, new, "is a link, a folder or a device", overwrite=True)
    shutil.rmtree(new / "results")
    (new / "results").write_text("")
    refused(archive, new, "results: is no folder", overwrite=True)


@pytest.mark.parametrize("path", ["config/config.yaml", record("results/summary.csv")])
def test_nothing_is_overwritten_without_being_asked(tmp_path: Path, path: str) -> None:
    """Snakemake's records least of all: they decide what runs again."""
    archive, new = packed(tmp_path / "x.tar", study()), tmp_path / "new"
    (new / path).parent.mkdir(parents=True)
    (new / path).write_text("{}")
    refused(archive, new, r"differs from the one in .*x\.tar, as do 0 more.*--overwrite")
    unbundle(archive, new, overwrite=True)
    assert (new / path).read_bytes() == study()[path]
    unbundle(archive, new)


def test_a_disk_that_fills_up_while_unpacking(tmp_path: Path) -> None:
    files = {**study(), "results/x.csv": bytes(50_000)}
    archive, new = packed(tmp_path / "x.tar", files), tmp_path / "new"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        refused(archive, new, r"x\.csv: the disk is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not new.exists()
    unbundle(archive, new)


def test_no_archive_and_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.tar", tmp_path / "new", "no such file")
    (tmp_path / "dir.tar").mkdir()
    refused(tmp_path / "dir.tar", tmp_path / "new", "no such file, or it is no regular one")
