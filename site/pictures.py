"""Makes the pictures of the documentation from real runs: `python docs/pictures.py`.

Starts the two servers of the demo, runs the commands, and writes beside this file what a terminal would show, as SVG, and what
a browser shows of the reports, as PNG. The browser is Debian's Chromium, as for the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from oauthdeploy.cli.demo import Estate, estate

HERE = Path(__file__).parent
WIDTH = 100
EXCERPTS = {"json": "json", "ndjson": "text", "junit": "xml", "sarif": "json"}
"""Forms for machines, of which the first lines are shown, and the language to colour them by."""
MOST_LINES = 16
COMMENT = """<!doctype html><meta charset="utf-8"><style>
body{font:14px/1.5 system-ui,sans-serif;color:#1f2328;margin:0;padding:16px 22px;width:760px}
h3{font-size:1.25em;margin:.2em 0}h4{margin:1em 0 .4em}code{font:12px ui-monospace,"DejaVu Sans Mono",monospace;
background:#eff1f3;border-radius:5px;padding:.15em .4em}pre code{display:block;padding:10px}
table{border-collapse:collapse}td,th{border:1px solid #d1d9e0;padding:4px 10px}tr:nth-child(2n){background:#f6f8fa}
sub{color:#59636e}</style>"""


def run(here: Estate, *arguments: str) -> str:
    """Run `oauthdeploy` as on a colour terminal and give what it printed, with the addresses of every run made equal."""
    done = subprocess.run(
        [sys.executable, "-m", "oauthdeploy", *arguments],
        cwd=here.folder,
        env={**os.environ, **here.environment, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)},
        capture_output=True,
        text=True,
        check=False,
    )
    return same(here, done.stdout)


def same(here: Estate, shown: str) -> str:
    """The text with the addresses of every run made equal."""
    shown = shown.replace(here.login_url, "https://login:5501").replace(here.orders_url, "https://orders:5502")
    return re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:8400", shown)


def terminal(name: str, command: str, output: RenderableType) -> None:
    """Write `docs/NAME.svg`: the command as it was typed and its output."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
        console.print(output)
        svg = console.export_svg(title="oauthdeploy", unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from the network
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")


def excerpt(name: str, form: str, text: str) -> None:
    """Write the first lines of a form for machines."""
    lines = text.splitlines()
    shown = "\n".join(line if len(line) < WIDTH else f"{line[: WIDTH - 3]}..." for line in lines[:MOST_LINES])
    code = Syntax(shown, EXCERPTS[form], theme="ansi_dark", background_color="default")
    terminal(name, f"oauthdeploy plan -o {form} | head -{MOST_LINES}", code)


def photograph(browser: Browser, name: str, page: str, *, size: tuple[int, int], scheme: str, opened: str = "") -> None:
    """Write `docs/NAME.png`: the top of the page in a window of that size, with one object opened."""
    file = HERE / f".{name}.html"
    file.write_text(page, encoding="utf-8")
    try:
        window = {"width": size[0], "height": size[1]}
        with browser.new_context(viewport=window, color_scheme=scheme) as context:  # type: ignore[arg-type]
            shown = context.new_page()
            shown.goto(file.as_uri())
            if opened:
                shown.locator("#objects summary").get_by_text(opened, exact=True).click()
                shown.evaluate("scrollTo(0, 0)")
            shown.screenshot(path=HERE / f"{name}.png")
    finally:
        file.unlink()


def reports(here: Estate) -> None:
    """One picture of each form of a report."""
    forms = (*EXCERPTS, "markdown", "html")
    run(here, "plan", *(f"--output={form}={form}.out" for form in forms))
    made = {form: same(here, (here.folder / f"{form}.out").read_text(encoding="utf-8")) for form in forms}
    for form in EXCERPTS:
        excerpt(f"report-{form}", form, made[form])
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        comment = COMMENT + MarkdownIt("commonmark", {"html": True}).enable("table").render(made["markdown"])
        photograph(browser, "report-markdown", comment, size=(804, 620), scheme="light")
        photograph(browser, "report-html", made["html"], size=(1100, 1180), scheme="light", opened="settings")
        photograph(browser, "report-html-phone", made["html"], size=(390, 1250), scheme="dark", opened="settings")
        browser.close()


def main() -> None:
    """Make every picture."""
    with estate() as here:
        terminal("plan", "oauthdeploy plan", Text.from_ansi(run(here, "plan").rstrip()))
        terminal("report-drift", "oauthdeploy drift", Text.from_ansi(run(here, "drift").rstrip()))
        reports(here)


if __name__ == "__main__":
    main()
