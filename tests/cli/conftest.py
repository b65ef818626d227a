"""The command line in this process and as a process of its own, with the same environment everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oauthdeploy.cli.entrypoint import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart" / "oauthdeploy.yaml"


@dataclass
class Result:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str


Runner = Callable[..., Result]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine decides how a test comes out."""
    for name in list(os.environ):
        if name.startswith("OAUTHDEPLOY_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def oauthdeploy(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run a command in this process, through the same entry as the program."""

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        streams = capsys.readouterr()
        return Result(code, streams.out, streams.err)

    return call


def process(*arguments: str, code: str = "", **more: object) -> Result:
    """Run `python -m oauthdeploy`, or `code` in its place, as a process of its own."""
    start = ["-c", code] if code else ["-m", "oauthdeploy"]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    return Result(done.returncode, done.stdout, done.stderr)
