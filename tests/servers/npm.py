"""Packages from npm: pinned with all that they bring by a `package-lock.json`, cached outside the checkout."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tests.servers.obtain import Tool, once, run

_FILES: Final = ("package.json", "package-lock.json")


def node(needed_for: str) -> Tool:
    """The program that runs the packages."""
    return Tool("node", needed_for, "20 or newer", "nodejs")


def packages(name: str, source: Path) -> Path:
    """The folder whose `node_modules` has what the lock file in `source` pins. Raises Unobtainable.

    `package-lock.json` names no registry, so each contributor's own serves; npm refuses what hasn't the digests that stand in it.
    """

    def make(target: Path) -> None:
        node(name).find()
        target.mkdir()
        for file in _FILES:
            shutil.copy(source / file, target / file)
        npm = Tool("npm", name, "9 or newer", "npm").find()
        run([npm, "ci", "--prefix", target, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])

    pinned = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
    return once(f"{name.lower().replace(' ', '-')}-{pinned[:12]}", make)
