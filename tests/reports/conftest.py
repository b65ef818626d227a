"""A real browser for what is drawn: Debian's Chromium, driven by Playwright.

Where there is no Chromium, the tests that need it skip, or with `CI=true` fail; `bash .ci/servers` installs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.servers.obtain import Tool
from tests.servers.plugin import usable

CHROMIUM: Final = Tool("chromium", "Looking at pages and pictures in a browser", "123 or newer", "chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = usable(CHROMIUM.find)
    with sync_playwright() as playwright:
        # Root has no sandbox, and these pages are ours.
        made = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()
