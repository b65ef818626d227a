"""A real browser for what is drawn: Debian's Chromium, driven by Playwright.

Where there is no Chromium, the tests that need it skip, or with `CI=true` fail; `bash .ci/servers` installs it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers.obtain import Tool, Unobtainable
from tests.servers.plugin import usable

CHROMIUM: Final = Tool("chromium", "Looking at pages and pictures in a browser", "123 or newer", "chromium")


def _needed_by_playwright() -> None:
    """The one library that Playwright's own program takes from the system, where Debian's smallest installations lack it."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError as error:
        raise Unobtainable(
            "libatomic.so.1 is missing. Playwright, which drives the browser, needs it.\n"
            "  Install it (Debian, Ubuntu: apt-get install libatomic1); `bash .ci/servers` does that."
        ) from error


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = usable(CHROMIUM.find)
    usable(_needed_by_playwright)
    with sync_playwright() as playwright:
        # Root has no sandbox, and these pages are ours.
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()
