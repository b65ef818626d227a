"""The libraries that draw Mermaid and DOT, from their npm packages: pinned, cached outside the checkout."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Final

from tests.servers.obtain import Tool, check_sha256, once, run

NPM: Final = Tool("npm", "Drawing Mermaid and DOT by their own libraries", "9 or newer", "npm")

MERMAID: Final = "mermaid@12.3.0"
MERMAID_SHA256: Final = "be0684e8d20bfc874df12c0f04927a5c482f57f2200eec54cca52a4583fd4040"

GRAPHVIZ: Final = "@viz-js/viz@3.31.0"
GRAPHVIZ_SHA256: Final = "7dc0189874849cca2fed7cbe88bf334cd0e6e012db16657794a812ad6f2b8c70"
"""Graphviz itself, compiled for browsers."""


def mermaid() -> Path:
    """The script of Mermaid for browsers. Raises Unobtainable."""
    return once("mermaid-12.3.0.js", lambda target: _make(target, MERMAID, MERMAID_SHA256, "dist/mermaid.min.js"))


def graphviz() -> Path:
    """The script of Graphviz for browsers. Raises Unobtainable."""
    return once("viz-3.31.0.js", lambda target: _make(target, GRAPHVIZ, GRAPHVIZ_SHA256, "dist/viz-global.js"))


def _make(target: Path, package: str, sha256: str, member: str) -> None:
    run([NPM.find(), "pack", "--silent", "--pack-destination", target.parent, package])
    archive = next(target.parent.glob("*.tgz"))
    check_sha256(archive, sha256)
    with tarfile.open(archive) as files:
        found = files.extractfile(f"package/{member}")
        assert found is not None
        target.write_bytes(found.read())
