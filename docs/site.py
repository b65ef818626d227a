"""Build the documentation site into build/docs/site: `python docs/site.py`, or `poe site`.

The pages are those of the repository, in the same folders, so every link works both here and there. The site works without a
network and from a file system, search included.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "docs"
PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
FOLDERS = ("docs", "examples", "schemas")
LEFT_OUT = shutil.ignore_patterns("*.py", "__pycache__", "zensical.toml", "promises.yaml", "contract", ".*")


def assemble(into: Path) -> None:
    """Copy everything that pages consist of, or lead to, into the folder `into`, which must not exist."""
    into.mkdir(parents=True)
    for name in PAGES:
        shutil.copy(ROOT / name, into / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, into / name, ignore=LEFT_OUT)


def build() -> Path:
    """Build the site and return its folder. Raises CalledProcessError with the builder's words on standard error."""
    shutil.rmtree(BUILD, ignore_errors=True)
    assemble(BUILD / "src")
    shutil.copy(ROOT / "docs" / "zensical.toml", BUILD / "zensical.toml")
    builder = Path(sys.executable).with_name("zensical")
    subprocess.run([builder, "build", "--strict"], cwd=BUILD, check=True, stdout=subprocess.DEVNULL)
    return BUILD / "site"


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
