"""The page that leads to a driver of one's own, followed to its end: the template passes the suite as a package of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.estate import EXAMPLES

ROOT = EXAMPLES.parent
TEMPLATE = EXAMPLES / "driver-template"
PAGE = ROOT / "docs" / "a-driver-in-an-afternoon.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)


def test_the_driver_of_the_template_is_short() -> None:
    """Whoever reads it sees the whole interface at once."""
    assert len((TEMPLATE / "acme_oauth" / "driver.py").read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.live
@pytest.mark.timeout(900)
def test_every_command_of_the_page_works_in_its_order(tmp_path: Path) -> None:
    """In an empty folder, in an environment of its own; the last command is the contract suite."""
    uv = Path(sys.executable).with_name("uv")
    locked = tmp_path / "locked.txt"
    export = [
        "export",
        "--frozen",
        "--quiet",
        "--all-extras",
        "--no-hashes",
        "--no-emit-project",
        "--project",
        str(ROOT),
    ]
    subprocess.run([uv, *export, "--output-file", locked], check=True, stdout=subprocess.DEVNULL)
    commands = "\n".join(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={
            **kept,
            "PATH": f"{uv.parent}{os.pathsep}{os.environ['PATH']}",
            "OAUTHDEPLOY": str(ROOT),
            "UV_CONSTRAINT": str(locked),
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "Acme Gateway" in ran.stdout
    told = re.search(r"(\d+) passed, (\d+) skipped", ran.stdout)
    assert told is not None, ran.stdout[-2000:]
    assert f"{int(told[1]) + int(told[2])} tests run" in PAGE.read_text(encoding="utf-8")
