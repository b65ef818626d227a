"""The documentation site: every page is in its navigation, every link leads somewhere, and nothing comes from elsewhere."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.reports.conftest import browser

__all__ = ["browser"]

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "docs" / "zensical.toml"
BROWSERS_DO_IT = "scrollable-region-focusable"
"""A wide table that scrolls can be reached by the keyboard in the browsers of today, without an attribute for it."""
LOOKED_AT = ("index.html", "docs/tutorial.html", "docs/drivers.html", "docs/troubleshooting.html")


class Links(HTMLParser):
    """The links of a page, and the places that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append((tag, value))
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from this checkout in a folder of its own."""
    spec = spec_from_file_location("site_builder", ROOT / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    builder = module_from_spec(spec)
    spec.loader.exec_module(builder)
    built: Path = builder.build(tmp_path_factory.mktemp("site") / "docs")
    return built


def named(entries: list[Any]) -> Iterator[str]:
    """The pages of a navigation."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for value in entry.values():
                yield from named(value if isinstance(value, list) else [value])


def test_every_page_is_in_the_navigation() -> None:
    """Nobody finds a page that no menu has; decisions and examples have indexes of their own."""
    menu = set(named(tomllib.loads(CONFIG.read_text())["project"]["nav"]))
    pages = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "docs").rglob("*.md")
        if path.parent.name != "decisions" or path.name == "README.md"
    }
    assert pages - {"docs/README.md"} <= menu
    assert all((ROOT / page).is_file() for page in menu)


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Path) -> None:
    """Files and titles are there, and no script, style, font or picture comes from another host."""
    pages = {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    broken = []
    for page, found in pages.items():
        for tag, link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if tag != "a" and parts.scheme != "data":
                    broken.append((page.name, link))
                continue
            base = site if parts.path.startswith("/") else page.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].places):
                broken.append((page.name, link))
    assert len(pages) > 60
    assert broken == []


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The site on loopback, as on a machine without a network."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def opened(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """A page; at the end nothing was said in the console, and nothing was loaded from elsewhere."""
    wrong: list[str] = []
    with browser.new_context(**context) as made:
        page = made.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda request: wrong.extend([] if request.url.startswith(url) else [request.url]))
        yield page
    assert wrong == []


@pytest.mark.live
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_can_be_read_by_everybody(site: Path, browser: Browser, scheme: Any, width: int) -> None:
    """axe finds nothing serious, on a phone and on a desktop, in light and dark, and no page is wider than its screen."""
    with (
        served(site) as url,
        opened(
            browser, url, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        ) as page,
    ):
        for name in LOOKED_AT:
            page.goto(f"{url}/{name}")
            found = Axe().run(page).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical") and one["id"] != BROWSERS_DO_IT]
            assert serious == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.live
def test_search_works_without_a_network(site: Path, browser: Browser) -> None:
    """A word of a page leads to it, with nothing but the site's own files."""
    with served(site) as url, opened(browser, url, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{url}/index.html")
        page.get_by_role("button", name="Search").first.click()
        page.wait_for_timeout(300)
        page.keyboard.type("rotate secret", delay=30)
        found = page.locator("a[href*='rotate-a-secret']", has_text="Rotate a client's secret")
        found.last.wait_for(timeout=20_000)
