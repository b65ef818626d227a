"""The demo, as a user runs it."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.live


def test_the_demo_passes_and_cleans_up(tmp_path: Path) -> None:
    """`oauthdeploy demo` does the five stages on two servers, exits 0 and leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-m", "oauthdeploy", "demo"],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Everything worked as expected, in \d+\.\d s", done.stdout)
    for said in ("200 from", "403 from", "401, the old token is refused", "No changes"):
        assert said in done.stdout
    assert list(tmp_path.glob("oauthdeploy-demo-*")) == []


def test_the_servers_alone_can_be_had_and_worked_with(tmp_path: Path) -> None:
    """`demo --servers` leaves two empty servers and a file, for its owner alone, that makes a shell ready; Ctrl-C ends both."""
    running = subprocess.Popen(
        [sys.executable, "-m", "oauthdeploy", "demo", "--servers"],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not (found := list(tmp_path.glob("oauthdeploy-demo-*/environment.sh"))) or not found[0].read_text():
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        assert stat.S_IMODE(found[0].stat().st_mode) == 0o600
        script = f". {found[0]}; oauthdeploy apply --yes && oauthdeploy plan --detailed-exitcode"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "13 created" in done.stdout
    finally:
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=30)
    assert running.returncode == 0, out
    assert list(tmp_path.glob("oauthdeploy-demo-*")) == []
