"""The YAML language server from npm: pinned with all that it brings, cached outside the checkout."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tests.servers.obtain import Tool, once, run

NODE: Final = Tool("node", "The YAML language server", "18 or newer", "nodejs")
NPM: Final = Tool("npm", "Getting the YAML language server", "9 or newer", "npm")
VERSION: Final = "1.25.0"
_FILES: Final = ("package.json", "package-lock.json")
_HERE: Final = Path(__file__).parent


def program() -> Path:
    """The script that node runs. Raises Unobtainable.

    `package-lock.json` names no registry, so each contributor's own serves; npm refuses what hasn't the digests that stand in it.
    """
    pinned = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()
    folder = once(f"yaml-language-server-{VERSION}-{pinned[:8]}", _make)
    return folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


def _make(target: Path) -> None:
    NODE.find()
    target.mkdir()
    for name in _FILES:
        shutil.copy(_HERE / name, target / name)
    run([NPM.find(), "ci", "--prefix", target, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
