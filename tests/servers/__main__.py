"""`python -m tests.servers`: have the real servers and tools in the cache before a test run; tells what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.manifest.language_server import program as language_server
from tests.reports import drawing, published
from tests.servers import actionlint, keycloak, opa
from tests.servers.obtain import Unobtainable, say

SERVERS: Mapping[str, Callable[[], Path]] = {
    "Keycloak": keycloak.obtain,
    "OPA": opa.obtain,
    "actionlint": actionlint.obtain,
    "SARIF's schema": published.sarif_schema,
    "JUnit's schema": published.junit_schema,
    "Mermaid": drawing.mermaid,
    "Graphviz": drawing.graphviz,
    "YAML language server": language_server.program,
}


def main() -> int:
    """Gives the exit code: 1 with `CI=true` when a server can't be had, else 0."""
    in_ci = os.environ.get("CI") == "true"
    with ThreadPoolExecutor(len(SERVERS)) as pool:  # one waits for the network while the other builds
        there = list(pool.map(_has, SERVERS))
    if not all(there) and not in_ci:
        say("The tests that need what is missing will skip.")
    return int(in_ci and not all(there))


def _has(name: str) -> bool:
    try:
        say(f"{name}: {SERVERS[name]()}")
    except Unobtainable as error:
        say(f"{name} can't be had here: {error}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
