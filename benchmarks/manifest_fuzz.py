"""A coverage-guided run over the whole manifest edge: any input is a manifest or findings, never a traceback or a hang.

    python benchmarks/manifest_fuzz.py [SECONDS] [SEED]      (default: 60 seconds, seed 1)

Inputs that reach lines which no input reached before are kept and changed further. An input that raises, or that takes longer
than ten seconds, is printed and the run ends with status 1. Needs nothing but Python: lines are seen through `sys.settrace`.
"""

from __future__ import annotations

import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest import load as edge
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.rules import CATALOGUE

ROOT = Path(__file__).parent.parent
WATCHED = str(Path(edge.__file__).parent)
HEAD = """version: 1
name: fuzz
servers:
  login: {role: authorization, driver: webmethods, url: "https://a.example", credentials: {username: u, password: "${env:P}"}}
  orders: {role: resource, driver: webmethods, url: "https://b.example", credentials: {username: u, password: "${env:P}"},
    authorization_server: login}
"""
WORDS = re.compile(r"\w+|\$\{[^}]*\}|[^\w\s]|\s+")
EXTRA = [
    "${env:P}", "${env:X}", "${var:v}", "$${", "${", "}", "null", "~", "''", "[]", "{}", "&a ", "*a", "!x ", "<<: ", "|\n",
    "---\n", "# oauthdeploy: ignore[unknown-key] x\n", "\t", "\r\n", "\0", "\u2028", "1h", "-1", "never", "absent", "both",
    "&a [[[[*a]]]]", "{a: *a}", "9" * 5000, "\\ud800", "${file:x}", "${command:x}", "environments: {prod: ", "\ufeff", "\x85",
]  # fmt: skip


class TooSlow(Exception):
    """An input took longer than it may."""


def seeds() -> Iterator[str]:
    """The examples, and the bad and the good example of every rule."""
    for path in sorted((ROOT / "examples").glob("*/*.yaml")):
        yield path.read_text(encoding="utf-8")
    for rule in CATALOGUE.values():
        for text in (rule.bad, rule.good):
            yield text if "servers:" in text else HEAD + text + "\n"


def change(text: str, corpus: list[str], dice: random.Random) -> str:
    """Another text: words dropped, doubled, swapped or replaced, parts of another text put in."""
    words = WORDS.findall(text)
    for _ in range(dice.randint(1, 4)):
        if not words:
            return dice.choice(corpus)
        spot = dice.randrange(len(words))
        match dice.randrange(6):
            case 0:
                del words[spot : spot + dice.randint(1, 5)]
            case 1:
                words.insert(spot, dice.choice(EXTRA))
            case 2:
                words[spot] = dice.choice(words)
            case 3:
                words[spot:spot] = words[spot : spot + dice.randint(1, 30)]
            case 4:
                other = WORDS.findall(dice.choice(corpus)) or [""]
                start = dice.randrange(len(other))
                words[spot:spot] = other[start : start + dice.randint(1, 40)]
            case _:
                words[spot] = dice.choice(EXTRA)
    return "".join(words)[:20_000]


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raise TooSlow in the body when it takes longer."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def lines_reached(text: str, path: Path) -> set[tuple[str, int]]:
    """Load the text and give the lines of the manifest edge that ran. Raises whatever the edge raises."""
    reached: set[tuple[str, int]] = set()

    def local(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(WATCHED) else None

    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    request = ManifestRequest(
        files=(str(path),), environ={"P": "secret"}, environment="prod" if "prod" in text else None
    )
    sys.settrace(trace)
    try:
        manifest, diagnostics = edge.load_manifest(request, driver_facts())
    finally:
        sys.settrace(None)
    if (manifest is None) != bool(diagnostics.errors):
        raise AssertionError("a manifest is given exactly when there is no error")
    if any(not (item.rule in CATALOGUE and item.summary and item.detail and item.fix) for item in diagnostics):
        raise AssertionError(f"a finding lacks something: {diagnostics}")
    return reached


def main(seconds: float, seed: int) -> int:
    """Run; gives the exit status."""
    dice = random.Random(seed)
    corpus: list[str] = []
    seen: set[tuple[str, int]] = set()
    runs = 0
    waiting = list(seeds())
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        while waiting or time.monotonic() < until:
            text = waiting.pop() if waiting else change(dice.choice(corpus), corpus, dice)
            try:
                with limit(10):
                    reached = lines_reached(text, path)
            except Exception:  # noqa: BLE001 - any exception is what this run looks for
                traceback.print_exc()
                print(f"--- after {runs} inputs, this one:\n{text!r}")
                return 1
            runs += 1
            if reached - seen or not corpus:
                corpus.append(text)
                seen |= reached
    print(f"{runs} inputs, {len(corpus)} kept, {len(seen)} lines reached, no traceback")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if sys.argv[1:] else 60, int(sys.argv[2]) if sys.argv[2:] else 1))
