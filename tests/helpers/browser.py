"""A real browser without a window: Chromium, from this machine or installed for the tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

#: Where Chromium may be installed for the tests: on a Debian machine of CI's, as root.
INSTALLING = "DISSECT_IQA_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str:
    """Return the path of a browser; empty if there is none and none may be installed."""
    found = next(filter(None, map(shutil.which, _NAMES)), "")
    if found or not os.environ.get(INSTALLING) or not shutil.which("apt-get"):
        return found
    for command in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
        subprocess.run(["apt-get", "-qq", *command], check=False, capture_output=True)
    return shutil.which("chromium") or ""


@dataclass
class Heard:
    """What a page said to its console, and what it asked of the network."""

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def running(path: str) -> Iterator[Any]:
    """Start the browser; yield it for `opened`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as runner:
        program = runner.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield program
        program.close()


@contextmanager
def opened(program: Any, address: str, *, width: int = 1280, dark: bool = False) -> Iterator[Any]:
    """Open a page from disk, without a network; yield it and what is heard of it."""
    context = program.new_context(
        viewport={"width": width, "height": 900}, offline=True, accept_downloads=True,
        color_scheme="dark" if dark else "light",
    )  # fmt: skip
    page, heard = context.new_page(), Heard()
    page.on("console", lambda message: heard.said.append(message.text))
    page.on("pageerror", lambda error: heard.said.append(str(error)))
    page.on("request", lambda request: heard.asked.append(request.url))
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    yield page, heard
    context.close()
