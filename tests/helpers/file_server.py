"""A local HTTP server that misbehaves as told."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Resource:
    """One address.

    Attributes
    ----------
    data : bytes
        What it serves.
    ranges : bool
        Whether it honours Range.
    etag : str
        Sent with every answer; If-Range is compared to it.
    cut : list of int or None
        For each request in turn, after how many bytes of the body the connection breaks; None
        for a whole answer. Requests beyond the list are answered whole.
    statuses : list of int
        Statuses of the first requests, before any is answered with the data.
    length : bool
        Whether Content-Length is sent.
    slow : float
        Seconds between two chunks.
    chunk : int
        Bytes of a chunk, if it is slow.
    endless : bool
        Whether the data is sent again and again.
    redirect : str
        Where it sends everybody instead.
    silent : float
        Seconds before the first byte of the answer.
    headers : dict
        Further headers.
    shift : int
        Bytes by which a range starts too late.
    """

    data: bytes
    ranges: bool = True
    etag: str = '"one"'
    cut: list[int | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    length: bool = True
    slow: float = 0.0
    chunk: int = 1024
    endless: bool = False
    redirect: str = ""
    silent: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    shift: int = 0


class FileServer:
    """Serves `resources` (path -> Resource) and notes each request in `requests`."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"

    def add(self, path: str, data: bytes, **options: object) -> str:
        """Serve `data` at `path`; return its address."""
        self.resources[path] = Resource(data, **options)
        return self.base + path

    def ranges_of(self, path: str) -> list[str | None]:
        """Return the Range header of each request for `path`."""
        return [wanted for name, wanted in self.requests if name == path]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, wanted = request.path, request.headers.get("Range")
        with self.lock:
            self.requests.append((path, wanted))
            resource = self.resources.get(path)
            status = resource.statuses.pop(0) if resource and resource.statuses else None
            cut = resource.cut.pop(0) if resource and resource.cut and not status else None
        if resource is None or status:
            request.send_response(status or 404)
            request.send_header("Retry-After", "0")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        time.sleep(resource.silent)
        if resource.redirect:
            request.send_response(302)
            request.send_header("Location", resource.redirect)
            request.end_headers()
            try:
                while resource.endless:
                    request.wfile.write(resource.data)
            except OSError:
                pass
            return
        start, total = 0, len(resource.data)
        unchanged = request.headers.get("If-Range", resource.etag) == resource.etag
        if wanted and resource.ranges and unchanged:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) + resource.shift
            if start >= total:
                request.send_response(416)
                request.send_header("Content-Range", f"bytes */{total}")
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            request.send_response(200)
        for name, value in {"ETag": resource.etag, **resource.headers}.items():
            request.send_header(name, value)
        if resource.length:
            request.send_header("Content-Length", str(total - start))
        request.end_headers()
        body = resource.data[start:]
        body = body if cut is None else body[:cut]
        step = resource.chunk if resource.slow else max(len(body), 1)
        try:
            while True:
                for place in range(0, len(body), step):
                    request.wfile.write(body[place : place + step])
                    request.wfile.flush()
                    time.sleep(resource.slow)
                if not resource.endless:
                    break
        except OSError:  # whoever asked has had enough
            pass
        request.close_connection = True


@contextmanager
def serving() -> Iterator[FileServer]:
    """Run a server in a thread for the length of the block."""
    server = FileServer()
    thread = threading.Thread(
        target=server.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
