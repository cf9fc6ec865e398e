"""Fetch one file over HTTP: resumed where it stopped, verified, and never fetched twice."""

import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from filelock import FileLock, Timeout
from tqdm import tqdm

from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import sha256_file
from dissect_iqa.files.web import (
    GiveUp,
    Session,
    TooSlow,
    TryAgain,
    ask,
    chunks,
    start_of,
    total_of,
    wait_of,
)
from dissect_iqa.files.writing import saying_where

log = logging.getLogger(__name__)

HUGGING_FACE = "https://huggingface.co"
#: Seconds before the first retry; each further wait is twice as long.
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
#: Attempts in a row that gain not one byte before an address is given up.
ATTEMPTS = 6
#: Connections in a row that are too slow before an address is given up.
SLOW_ATTEMPTS = 3
#: Seconds to connect, and between two packets.
TIMEOUT = (15, 60)
#: Most bytes of a file whose server doesn't say how long it is, and of any file at all.
MOST_UNANNOUNCED, MOST_BYTES = 20 * 10**9, 10**12
_CHUNK = 1 << 16
#: Bytes that may come after the announced end, only to tell how many they are.
_SLACK = 1 << 20
#: What requests raises for addresses and headers that trying again won't mend.
_FOR_GOOD = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.MissingSchema,
    UnicodeError,
)
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


def download(
    urls: str | Sequence[str],
    target: Path | str,
    sha256: str | None = None,
    size: int | None = None,
    offline: bool = False,
) -> str:
    """Make sure that a file is there and is the right one.

    What is there and has the right sum is never fetched again. Otherwise the addresses are
    tried in turn; an interrupted transfer leaves ``<target>.part`` and goes on from there. The
    final name appears only when everything has arrived and been verified. Two processes that
    want the same file wait for each other.

    No body is taken beyond what is announced, or beyond `MOST_UNANNOUNCED` bytes; redirects lead
    to http or https, never from https to http; a connection of less than a kilobyte a second for
    two minutes is begun anew and then given up. What has arrived stays for the next time.

    The environment is honoured: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY`` and
    ``REQUESTS_CA_BUNDLE``; ``HF_ENDPOINT`` replaces https://huggingface.co; and
    ``DISSECT_IQA_MIRROR`` is a base address tried first, as ``<base>/<host>/<path>``.

    Parameters
    ----------
    urls : str or sequence of str
        Addresses of the same bytes.
    target : path
        Where the file goes.
    sha256 : str, optional
        What its sum must be (64 hex digits). Without it the file is taken as it comes, and a
        transfer is resumed only if the server proves that its file hasn't changed.
    size : int, optional
        What its size in bytes must be.
    offline : bool
        Don't touch the network: if the file isn't there, say which one to put where.

    Returns
    -------
    str
        The file's sha256, 64 hex digits.

    Raises
    ------
    UserError
        If no address works or the file that is there is another one; names each address with
        what went wrong, and how to place the file by hand.
    """
    addresses = _addresses([urls] if isinstance(urls, str) else urls)
    target = Path(target)
    _check_place(target)
    if target.is_file():
        return _verify_present(target, sha256, size)
    if offline:
        raise UserError(
            f"{target}: not there, and offline mode is on. Fetch {addresses[-1]}"
            f"{_describe(sha256, size)} where there is a network, and put it there."
        )
    with saying_where(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if target.is_file():
            return _verify_present(target, sha256, size)
        problems = []
        for url in addresses:
            try:
                return _Transfer(url, target, sha256, size).run()
            except GiveUp as error:
                log.warning("%s: %s", url, error)
                problems.append(f"  {url}: {error}")
    raise UserError(
        f"{target.name} can't be fetched:\n" + "\n".join(problems) + "\nTry again later (what has "
        f"arrived is kept), or fetch it yourself{_describe(sha256, size)} and put it at {target}."
    )


def _addresses(urls: Sequence[str]) -> list[str]:
    """Apply the environment's mirrors to a list of addresses.

    Raises
    ------
    UserError
        If an address isn't http or https.
    """
    result = []
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UserError(f"{url!r} is no http or https address")
        if url.startswith(f"{HUGGING_FACE}/") and (endpoint := os.environ.get("HF_ENDPOINT")):
            url = endpoint.rstrip("/") + url.removeprefix(HUGGING_FACE)
        if base := os.environ.get("DISSECT_IQA_MIRROR"):
            result.append(f"{base.rstrip('/')}/{url.partition('://')[2]}")
        result.append(url)
    if not result:
        raise UserError("no address to download from")
    return list(dict.fromkeys(result))


def _describe(sha256: str | None, size: int | None) -> str:
    facts = [f"{size} bytes"] if size else []
    facts += [f"sha256 {sha256}"] if sha256 else []
    return f" ({', '.join(facts)})" if facts else ""


def _check_place(target: Path) -> None:
    """Check that nothing but an earlier transfer of this file is where it would be written.

    Raises
    ------
    UserError
        Naming what is in the way.
    """
    if target.name in ("", ".."):
        raise UserError(f"{str(target)!r} is no name for a file that is fetched")
    helpers = (f"{target.name}.part", f"{target.name}.part.json", f".{target.name}.lock")
    for place in (target, *map(target.with_name, helpers)):
        linked = place.is_symlink() and place != target
        if linked or (place.exists() and not place.is_file()):
            raise UserError(f"{place}: is a folder, a link or a device; move it away")


def _verify_present(target: Path, sha256: str | None, size: int | None) -> str:
    """Return the sum of a file that is there; refuse one that isn't what is wanted."""
    try:
        found_size = target.stat().st_size
        found = sha256_file(target)
    except OSError as error:
        raise UserError(f"{target}: is there, but can't be read ({error.strerror})") from error
    if (sha256 and found != sha256) or (size and found_size != size):
        raise UserError(
            f"{target}: is another file than expected (found{_describe(found, found_size)}, "
            f"expected{_describe(sha256, size)}). Move it away to have it fetched again."
        )
    return found


@contextmanager
def _locked(target: Path):
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    with saying_where(target):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("%s: another process is fetching it; waiting", target.name)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass
class _Transfer:
    """One file from one address."""

    url: str
    target: Path
    sha256: str | None
    size: int | None

    @property
    def part(self) -> Path:
        """The bytes that have arrived so far."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        """From where those bytes came."""
        return self.target.with_name(f"{self.target.name}.part.json")

    def run(self) -> str:
        """Fetch, verify and rename the file; return its sha256.

        Raises
        ------
        GiveUp
            If this address can't give the right file.
        """
        resumed = self._fetch()
        found = sha256_file(self.part)
        if self.sha256 and found != self.sha256 and resumed:
            log.warning("%s: the resumed file is damaged; fetching it afresh", self.target.name)
            self._discard()
            self._fetch()
            found = sha256_file(self.part)
        if self.sha256 and found != self.sha256:
            self._discard()
            raise GiveUp(f"gives another file: sha256 {found}, expected {self.sha256}")
        with saying_where(self.target, self.part):
            with self.part.open("rb+") as file:
                os.fsync(file.fileno())
            self.part.replace(self.target)
            self.note.unlink(missing_ok=True)
        return found

    def _fetch(self) -> bool:
        """Transfer all bytes, trying again as long as it helps; tell whether any were kept."""
        validator = self._usable_part()
        kept = best = self._have()
        failures, slow, wait = 0, 0, FIRST_WAIT
        with Session() as session:
            while True:
                try:
                    self._attempt(session, validator)
                    return kept > 0 or failures + slow > 0
                except _FOR_GOOD as error:
                    raise GiveUp(f"an address or an answer that can't be used ({error})") from error
                except (
                    requests.RequestException,
                    urllib3.exceptions.HTTPError,
                    TryAgain,
                ) as error:
                    slow += isinstance(error, TooSlow)
                    if slow >= SLOW_ATTEMPTS:
                        raise GiveUp(
                            f"is too slow: {error}, in each of {slow} connections; what has "
                            "arrived is kept, and the next run goes on from there"
                        ) from error
                    if self._have() > best:
                        best, failures, wait = self._have(), 0, FIRST_WAIT
                    failures += 1
                    if failures >= ATTEMPTS:
                        raise GiveUp(f"{_reason(error)} ({ATTEMPTS} attempts)") from error
                    pause = max(wait, getattr(error, "wait", 0.0))
                    log.warning("%s: %s; trying again in %.0f s", self.url, _reason(error), pause)
                    time.sleep(pause)
                    wait = min(2 * wait, LONGEST_WAIT)
                    validator = self._usable_part()

    def _attempt(self, session: Session, validator: str | None) -> None:
        """Send one request and append what comes."""
        have = self._have()
        headers = {"Accept-Encoding": "identity", "User-Agent": "dissect-iqa"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator:
                headers["If-Range"] = validator
        with ask(session, self.url, headers, TIMEOUT) as response:
            if response.status_code == 416:
                if total_of(response) == have:
                    return
                self._discard()
                raise TryAgain("the part that was there is longer than the file")
            self._check_status(response)
            start, total = start_of(response), total_of(response)
            if start not in (0, have):
                self._discard()
                raise TryAgain(f"asked for byte {have}, got byte {start}")
            self._check_size(total, start)
            self._write_note(response)
            self._append(response, start, total)
        expected = total if total is not None else self.size
        if expected is not None and self._have() > expected:
            found = self._have()
            self._discard()
            raise GiveUp(f"gives another file: {found} bytes, expected {expected}")
        if expected is not None and self._have() != expected:
            raise TryAgain(f"the connection ended at byte {self._have()} of {expected}")

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status in _RETRY_STATUS:
            raise TryAgain(f"status {status}", wait_of(response))
        if status not in (200, 206):
            raise GiveUp(f"status {status} {response.reason}")
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html") and self.target.suffix not in (".html", ".htm"):
            raise GiveUp("answers with a web page; it may want a form, a login or a confirmation")

    def _check_size(self, total: int | None, start: int) -> None:
        if total is None:
            return
        if self.size and total != self.size:
            self._discard()
            raise GiveUp(f"gives another file: {total} bytes, expected {self.size}")
        if total > MOST_BYTES:
            raise GiveUp(f"announces {total:,} bytes, more than any file here has")
        free = shutil.disk_usage(self.target.parent).free
        if total - start > free:
            raise GiveUp(
                f"needs {(total - start) / 1e9:.2f} GB more, but only {free / 1e9:.2f} GB are free "
                f"in {self.target.parent}"
            )

    def _append(self, response: requests.Response, start: int, total: int | None) -> None:
        bar = tqdm(
            desc=self.target.name,
            total=total or self.size,
            initial=start,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,
        )
        bound = total or self.size or MOST_UNANNOUNCED
        come = start
        rest = None if total is None else total - start
        with saying_where(self.part):
            file = self.part.open("ab" if start else "wb", buffering=0)
        with bar, file:
            for chunk in chunks(response, self.target.name, rest, _CHUNK):
                with saying_where(self.part):
                    _write_all(file, chunk)
                come += len(chunk)
                bar.update(len(chunk))
                if come > bound + _SLACK:
                    self._discard()
                    raise GiveUp(f"sends more than the {bound:,} bytes that the file may have")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _write_note(self, response: requests.Response) -> None:
        """Record what proves, later, that the server's file is still the same."""
        etag = response.headers.get("ETag", "")
        validator = (
            etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
        )
        with saying_where(self.note):
            self.note.write_text(json.dumps({"url": self.url, "validator": validator}))

    def _usable_part(self) -> str | None:
        """Return the validator to resume with; drop a part that nothing could vouch for."""
        if self.sha256:
            return None  # the sum decides, whichever address the first bytes came from
        try:
            note = json.loads(self.note.read_text())
        except (OSError, ValueError):
            note = {}
        note = note if isinstance(note, dict) else {}
        if note.get("url") == self.url and note.get("validator"):
            return note["validator"]
        self._discard()
        return None


def _write_all(file: RawIOBase, chunk: bytes) -> None:
    """Write every byte, unbuffered: what a killed process leaves is what has arrived."""
    view = memoryview(chunk)
    while len(view):
        view = view[file.write(view) :]


def _reason(error: Exception) -> str:
    """Return one short line for an error whose text may be long."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate can't be verified"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses the connection"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no more data in time"
    if isinstance(error, urllib3.exceptions.HTTPError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error) or type(error).__name__
