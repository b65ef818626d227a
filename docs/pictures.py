"""Makes the pictures of the documentation from real runs: `python docs/pictures.py`.

Starts the two servers of the demo, runs the commands, and writes what a terminal would show as SVG beside this file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from oauthdeploy.cli.demo import Estate, estate

HERE = Path(__file__).parent
WIDTH = 100


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
    shown = done.stdout.replace(here.login_url, "https://login:5501").replace(here.orders_url, "https://orders:5502")
    return re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:8400", shown)


def picture(name: str, command: str, output: str) -> None:
    """Write `docs/NAME.svg`: the command as it was typed and its output."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
        console.print(Text.from_ansi(output.rstrip()))
        svg = console.export_svg(title="oauthdeploy", unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from the network
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    """Make every picture."""
    with estate() as here:
        picture("plan", "oauthdeploy plan", run(here, "plan"))


if __name__ == "__main__":
    main()
