"""The demo, as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
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
    assert re.search(r"All of it came out as it should, in \d+\.\d s", done.stdout)
    for said in ("200 from", "403 from", "401, the old token is refused", "No changes"):
        assert said in done.stdout
    assert list(tmp_path.glob("oauthdeploy-demo-*")) == []
