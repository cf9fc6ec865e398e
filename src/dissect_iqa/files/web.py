"""One answer of a web server, taken with care: redirects, lengths and pace are looked at."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests

log = logging.getLogger(__name__)

#: Seconds until the headers must be there, however slowly they drip.
ANSWER = 120.0
#: Fewest bytes a second over `SLOW_WINDOW` seconds; below it the connection is begun anew.
LOWEST_RATE, SLOW_WINDOW = 1000.0, 120.0
#: Seconds between two lines of the log that say how far a transfer is.
REPORT_EVERY = 30.0
_MOST_REDIRECTS = 10
_NUMBER = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


class TryAgain(Exception):
    """Something that may pass: a dropped connection, a busy server."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class TooSlow(TryAgain):
    """A connection that gives so little that a new one may be better."""


class GiveUp(Exception):
    """Something that trying again at this address won't mend."""


class Session(requests.Session):
    """A session that leaves redirects to `ask`: requests would read their bodies to the end."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:  # type: ignore[override]
        """Follow nothing."""
        yield from ()


def ask(
    session: Session, url: str, headers: dict[str, str], timeout: tuple[float, float]
) -> requests.Response:
    """Send one request and follow where it leads; nothing of any body is read.

    Parameters
    ----------
    session : Session
        It honours the environment's proxies and certificates.
    url : str
        http or https.
    headers : dict
        Sent to every address on the way.
    timeout : (float, float)
        Seconds to connect, and between two packets.

    Raises
    ------
    GiveUp
        If it leads to something that isn't http or https, from https to http, or in circles.
    TryAgain
        If there is no answer in time.
    RequestException
        If the connection fails.
    """
    for _ in range(_MOST_REDIRECTS):
        response = _answer(session, url, headers, timeout)
        place = session.get_redirect_target(response)
        if place is None:
            return response
        response.close()
        url = _next(url, place)
    raise GiveUp(f"redirects more than {_MOST_REDIRECTS} times")


def _next(url: str, place: str) -> str:
    try:
        target = urljoin(url, place)
        scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    except ValueError:
        scheme, host, target = "", None, place
    if scheme not in ("http", "https") or not host:
        raise GiveUp(f"redirects to {place[:200]!r}, which is no http or https address")
    if urlsplit(url).scheme == "https" and scheme == "http":
        raise GiveUp("redirects from https to http, where the file could be changed on its way")
    return target


def _answer(session: Session, url: str, headers: dict[str, str], timeout: Any) -> Any:
    """Wait for the headers in a thread: the limits of sockets only count from byte to byte."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(
                session.get(
                    url, headers=headers, stream=True, timeout=timeout, allow_redirects=False
                )
            )
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True, name="request")
    thread.start()
    thread.join(ANSWER)
    if not results:
        raise TryAgain(f"no answer within {ANSWER:.0f} s")
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def start_of(response: requests.Response) -> int:
    """Return the first byte that a response carries.

    Raises
    ------
    GiveUp
        If it is a part of a file and doesn't say which.
    """
    if response.status_code != 206:
        return 0
    match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        raise GiveUp("sends a part of the file without saying which")
    return int(match[1])


def total_of(response: requests.Response) -> int | None:
    """Return the size of the whole file as the response states it; None if it doesn't.

    Raises
    ------
    GiveUp
        If what it states is no number of bytes.
    """
    stated = response.headers.get("Content-Range", "").strip().rpartition("/")[2]
    if _NUMBER.fullmatch(stated):
        return int(stated)
    length = response.headers.get("Content-Length", "").strip()
    if response.status_code != 200 or not length or "Transfer-Encoding" in response.headers:
        return None
    if not _NUMBER.fullmatch(length):
        raise GiveUp(f"announces {length[:40]!r} as its length, which is no number of bytes")
    return int(length)


def wait_of(response: requests.Response) -> float:
    """Return the seconds that a busy server asks for, ten minutes at most."""
    after = response.headers.get("Retry-After", "").strip()
    return min(float(after), 600.0) if _NUMBER.fullmatch(after) else 0.0


def chunks(response: requests.Response, name: str, total: int | None, size: int) -> Iterator[bytes]:
    """Yield a body as it arrives, not unpacked; say in the log how far it is.

    Parameters
    ----------
    response : Response
        Of `ask`.
    name : str
        What the log calls it.
    total : int or None
        Bytes that are still to come, if known.
    size : int
        Most bytes of one chunk.

    Raises
    ------
    TooSlow
        If fewer than `LOWEST_RATE` bytes a second come for `SLOW_WINDOW` seconds.
    HTTPError, RequestException
        If the connection fails.
    """
    begun = looked = told = time.monotonic()
    come = since = 0
    # Raw: a server that labels a .tgz as gzip-encoded must not have it unpacked here.
    while chunk := response.raw.read1(size, decode_content=False):
        yield chunk
        come, since = come + len(chunk), since + len(chunk)
        now = time.monotonic()
        if now - looked >= SLOW_WINDOW:
            if since < LOWEST_RATE * (now - looked):
                raise TooSlow(f"gave only {since} bytes in {now - looked:.0f} s")
            looked, since = now, 0
        if now - told >= REPORT_EVERY:
            told = now
            rate = come / (now - begun)
            left = f", about {(total - come) / rate / 60:.0f} min to go" if total else ""
            log.info("%s: %.1f MB came, %.2f MB/s%s", name, come / 1e6, rate / 1e6, left)


def file_name(url: str, default: str) -> str:
    """Return a name for what an address gives: its last part, if that can be a file's name.

    Examples
    --------
    >>> file_name("https://host/a%20b.zip?download=1", "archive"), file_name("https://h/..", "x")
    ('a b.zip', 'x')
    """
    last = PurePosixPath(unquote(urlsplit(url).path).replace("\\", "/")).name
    kept = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    return kept[-100:].lstrip(" .") or default
