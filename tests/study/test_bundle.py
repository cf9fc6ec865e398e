"""A bundled study is a finished study elsewhere; a damaged archive changes nothing."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from plans import COLLECTING, HTML, planned
from small_study import ONE_MORE, RESULTS, shared, snakemake

from dissect_iqa.errors import UserError
from dissect_iqa.features.file.verify import verify_cache
from dissect_iqa.files.provenance import read_table
from dissect_iqa.study.bundle import MANIFEST, bundle, read_manifest, unbundle
from dissect_iqa.study.bundle_format import FORMAT
from dissect_iqa.study.study import Study

CONFIG = Path("config/config.yaml")


def pack(folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, **options: bool) -> Study:
    """Bundle the study in `folder`; the configuration is read from there."""
    monkeypatch.chdir(folder)
    study = Study.from_values(yaml.safe_load(CONFIG.read_text()), [CONFIG])
    bundle(study, archive, [CONFIG], **options)
    return study


@pytest.fixture
def archive(finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an archive of the finished study with its features."""
    path = tmp_path / "study.tar"
    pack(finished_study, path, monkeypatch, features=True)
    return path


@pytest.mark.parametrize("features", [True, False])
def test_snakemake_considers_everything_done(
    finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: bool
) -> None:
    archive, other = tmp_path / "study.tar.gz", tmp_path / "colleague"
    study = pack(finished_study, archive, monkeypatch, features=features)
    unbundle(archive, other)
    assert planned(other) == HTML, "pages could run something: made anew"
    assert not any(path.suffix == ".png" for path in (other / "results/shared").glob("**/*"))
    assert not (other / "pictures").exists(), "pictures aren't ours to hand on"
    for dataset, name, spec in study.correlations():
        read_table(other / study.shared("correlations", dataset, name), spec)
    for model in study.models:
        cache = other / study.shared("features", "own", model)
        assert cache.exists() == features
        if features:
            assert verify_cache(cache, study.spec("extract_features", "own", model)) == []


def test_a_colleague_goes_on_with_it(
    finished_study: Path, tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the features in, another distance needs no picture and no network."""
    other = tmp_path / "colleague"
    unbundle(archive, other)
    config = other / CONFIG
    config.write_text(config.read_text().replace("[rmse, cosine]", "[rmse, cosine, dists]"))
    plan = planned(other)
    assert plan - COLLECTING == {"measure_distances": 2, "correlate": 2}
    with (other / "config/models.tsv").open("a") as table:
        table.write(ONE_MORE)
    assert planned(other)["extract_features"] == 1
    target = shared(other, "distances", "tiny_mobile")
    run = snakemake(other, target)
    assert run.returncode == 0, run.stdout + run.stderr
    table = read_table(other / target)
    assert {"rmse", "cosine", "dists"} == set(table["distance"])


def test_content_is_the_same_and_so_are_the_times(
    finished_study: Path, tmp_path: Path, archive: Path
) -> None:
    other = tmp_path / "colleague"
    members = unbundle(archive, other)
    assert members == read_manifest(archive)
    for member in members:
        before, after = finished_study / member.path, other / member.path
        assert after.read_bytes() == before.read_bytes()
        assert after.stat().st_mtime_ns == before.stat().st_mtime_ns == member.modified_ns
    marked = [member for member in members if member.fingerprint]
    # pairs and what TABLES has for such a study, two tables a name, caches
    own = ("sizes", "correlations", "contests", "judgements", "predictions", "misjudged",
           "thumbnails", "factors", "universes")  # fmt: skip
    assert len(marked) == 1 + len(own) + 4 + 4 + 2


def test_unpacking_twice_is_harmless_but_nothing_else_is_overwritten(
    tmp_path: Path, archive: Path
) -> None:
    other = tmp_path / "colleague"
    unbundle(archive, other)
    unbundle(archive, other)
    (other / CONFIG).write_text("models: [mine]\n")
    summary = other / RESULTS / "summary.csv"
    summary.unlink()
    with pytest.raises(UserError, match=r"config/config\.yaml: differs .* 0 more"):
        unbundle(archive, other)
    assert (other / CONFIG).read_text() == "models: [mine]\n"
    assert not summary.exists(), "nothing may be put in place after an error"
    unbundle(archive, other, overwrite=True)
    assert "tiny" not in (other / CONFIG).read_text() and summary.exists()


def test_a_missing_or_stale_table_is_named(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "x.tar"
    models = study / "config/models.tsv"
    before = models.read_text()
    models.write_text(before.replace("mobilenet\tnone", "mobilenet\tother"))
    with pytest.raises(UserError, match=r"results/small/.*parquet: made with other settings"):
        pack(study, archive, monkeypatch)
    models.write_text(before)
    (study / shared(study, "distances", "tiny_mobile")).unlink()
    with pytest.raises(
        UserError, match=r"own/tiny_mobile\.\w+\.parquet: not there, nor are 0 other"
    ):
        pack(study, archive, monkeypatch)
    assert not archive.exists()


def test_a_damaged_cache_is_not_handed_on(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = study / shared(study, "features", "tiny_mobile")
    content = bytearray(cache.read_bytes())
    content[len(content) // 2] ^= 1
    cache.write_bytes(content)
    with pytest.raises(UserError, match=r"tiny_mobile\.\w+\.h5"):
        pack(study, tmp_path / "x.tar", monkeypatch, features=True)


def test_a_configuration_elsewhere_is_refused(
    finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_study)
    study = Study.from_values(yaml.safe_load(CONFIG.read_text()), [CONFIG])
    elsewhere = shutil.copy(CONFIG, tmp_path / "mine.yaml")
    with pytest.raises(UserError, match=r"mine\.yaml: not in the study's config/"):
        bundle(study, tmp_path / "x.tar", [elsewhere])


def test_the_name_says_the_format(
    finished_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"must end in \.tar or \.tar\.gz"):
        pack(finished_study, tmp_path / "study.zip", monkeypatch)


def flip(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    position = content.find(b"PAR1", 20_000) + 100
    content[position] ^= 1
    archive.write_bytes(content)


def cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])


def not_ours(archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO())


def no_tar(archive: Path) -> None:
    archive.write_text("hello")


@pytest.mark.parametrize("harm", [flip, cut, not_ours, no_tar])
def test_a_damaged_archive_is_named_and_puts_nothing_in_place(
    tmp_path: Path, archive: Path, harm: object
) -> None:
    harm(archive)  # type: ignore[operator]
    other = tmp_path / "colleague"
    with pytest.raises(UserError, match=r"study\.tar: "):
        unbundle(archive, other)
    assert not other.exists() or not list(other.iterdir())


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "results/../../evil", "workflow/x"])
def test_an_archive_writes_to_a_study_only(tmp_path: Path, path: str) -> None:
    archive = tmp_path / "study.tar"
    entry = {"path": path, "bytes": 0, "sha256": "0" * 64, "modified_ns": 0, "fingerprint": None}
    manifest = json.dumps({"format": FORMAT, "files": [entry]}).encode()
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(manifest)
        tar.addfile(info, io.BytesIO(manifest))
        tar.addfile(tarfile.TarInfo(path), io.BytesIO())
    with pytest.raises(UserError, match="refuses to write"):
        unbundle(archive, tmp_path / "other")
    assert not (tmp_path / "evil").exists()


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "study.tar"
    manifest = json.dumps({"format": 1, "files": []}).encode()
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(manifest)
        tar.addfile(info, io.BytesIO(manifest))
    with pytest.raises(UserError, match="format 1, this version reads 2"):
        read_manifest(archive)
