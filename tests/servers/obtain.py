"""Where real servers come from: a cache outside the checkout, filled once by the registries' own tools."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

LONGEST_STEP = 1200
"""Seconds that one step (a download, a build) may take."""


class Unobtainable(Exception):
    """A server cannot be had here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Tool:
    """A program that obtaining or running a server needs."""

    name: str
    needed_for: str
    version: str
    debian: str
    """The package of Debian and Ubuntu that holds it."""
    home: str = ""
    """The environment variable that names where it is installed, if its users have one."""

    def find(self) -> Path:
        """Gives the program's path; raises `Unobtainable` where it is missing."""
        at_home = Path(os.environ.get(self.home, "")) / "bin" / self.name if os.environ.get(self.home) else None
        if at_home and at_home.is_file():
            return at_home
        found = shutil.which(self.name)
        if found is None:
            raise Unobtainable(self.advice("is missing"))
        return Path(found)

    def advice(self, problem: str) -> str:
        """What is wrong with this tool here, and how to mend it."""
        also = f", or set {self.home}" if self.home else ""
        return (
            f"{self.name} {problem}. {self.needed_for} needs {self.name} {self.version}.\n"
            f"  Install it (Debian, Ubuntu: apt-get install {self.debian}){also}; `bash .ci/servers` does that."
        )

    def release(self, *arguments: str) -> tuple[int, ...]:
        """The version that the program tells of itself, as numbers."""
        words = run([self.find(), *arguments])
        found = re.search(r"(\d+(?:\.\d+)+|\d+)", words)
        if found is None:
            raise Unobtainable(self.advice("does not tell its version"))
        return tuple(int(part) for part in found[1].split("."))


def cache() -> Path:
    """The folder that outlives a checkout: `$XDG_CACHE_HOME/oauthdeploy-tests`, or that under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "oauthdeploy-tests"


def once(name: str, make: Callable[[Path], None]) -> Path:
    """Gives the file or folder `name` of the cache; where it is absent, `make` makes it at the path that it is given.

    That path is in a scratch folder, and what is there in the end moves into place in one step, so an entry of the
    cache is always whole. Of several processes that ask at once, one makes and the others wait.
    """
    wanted = cache() / name
    if wanted.exists():
        return wanted
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / f"{name}.lock"):
        if not wanted.exists():
            with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache(), ignore_cleanup_errors=True) as scratch:
                made = Path(scratch) / name
                make(made)
                made.rename(wanted)
    return wanted


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a step and give what it printed; raises `Unobtainable` with its last words when it fails."""
    words = [str(part) for part in command]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=LONGEST_STEP,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unobtainable(f"{' '.join(words)}\n  did not end within {LONGEST_STEP} s.") from error
    if done.returncode:
        last = "\n  ".join(done.stdout.strip().splitlines()[-15:])
        raise Unobtainable(f"{' '.join(words)}\n  ended with {done.returncode}:\n  {last}")
    return done.stdout


def check_sha256(path: Path, wanted: str) -> None:
    """Refuse a file that isn't the pinned one."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise Unobtainable(f"{path.name} is not the file that the tests pin: sha256 {found}, expected {wanted}.")


def say(words: str) -> None:
    """Tell what takes a while."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
