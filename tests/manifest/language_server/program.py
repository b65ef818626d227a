"""The YAML language server from npm."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.servers.npm import node, packages

_NAME: Final = "YAML language server"
NODE: Final = node(f"The {_NAME}")


def program() -> Path:
    """The script that node runs. Raises Unobtainable."""
    folder = packages(_NAME, Path(__file__).parent)
    return folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
