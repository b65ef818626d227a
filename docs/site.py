"""Build the documentation site into build/docs/site: `python docs/site.py`, or `poe site`.

The pages are those of the repository, in the same folders, so every link works both here and there. The site loads nothing from
elsewhere: `python -m http.server --directory build/docs/site` serves it on a machine without a network, search included.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "docs"
PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
LINKED = ("tests/test_imports.py",)
"""Files outside of the folders to which pages lead."""
FOLDERS = {
    "docs": shutil.ignore_patterns("*.py", "__pycache__", "zensical.toml", "promises.yaml", "contract"),
    "examples": shutil.ignore_patterns("__pycache__", ".oauthdeploy"),
    "schemas": None,
}
"""The folders that the site consists of, each with what is left out of it."""


def assemble(into: Path) -> None:
    """Copy everything that pages consist of, or lead to, into the folder `into`, which must not exist."""
    into.mkdir(parents=True)
    for name in (*PAGES, *LINKED):
        (into / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, into / name)
    for name, left_out in FOLDERS.items():
        shutil.copytree(ROOT / name, into / name, ignore=left_out)


def build(folder: Path = BUILD) -> Path:
    """Build the site in `folder` and return where it is. Raises CalledProcessError with the builder's words on standard error."""
    shutil.rmtree(folder, ignore_errors=True)
    assemble(folder / "src")
    shutil.copy(ROOT / "docs" / "zensical.toml", folder / "zensical.toml")
    builder = Path(sys.executable).with_name("zensical")
    subprocess.run([builder, "build", "--strict"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    site = folder / "site"
    # The builder leaves out names that begin with a dot, such as .gitlab-ci.yml.
    for file in (folder / "src").rglob(".*"):
        target = site / file.relative_to(folder / "src")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return site


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
