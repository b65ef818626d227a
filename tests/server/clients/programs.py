"""How the clients are obtained: pinned, and cached outside the checkout."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tests.servers import golang
from tests.servers.npm import node, packages
from tests.servers.obtain import once

HERE: Final = Path(__file__).parent
NODE: Final = node("OAuth clients in JavaScript")


def from_npm() -> Path:
    """The folder in whose `node_modules` the clients in JavaScript are. Raises Unobtainable."""
    return packages("OAuth clients", HERE)


def script(name: str, folder: Path) -> Path:
    """A copy of the script `name` in `folder`, from where node finds the packages. Raises Unobtainable."""
    for file in (name, "conversation.mjs"):
        shutil.copy(HERE / file, folder / file)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(from_npm() / "node_modules")
    return folder / name


def in_go() -> Path:
    """The program that uses golang.org/x/oauth2. Raises Unobtainable."""
    sources = [HERE / name for name in ("main.go", "go.mod", "go.sum")]
    pinned = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return once(f"oauth-client-go-{pinned[:12]}", lambda target: golang.build(HERE, target))
