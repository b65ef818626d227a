"""`python -m tests.servers`: have the real servers and tools in the cache before a test run; tells what is missing.

`python -m tests.servers keycloak` runs a Keycloak that test runs share until Ctrl-C: its start takes longer than most of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.manifest.language_server import program as language_server
from tests.reports import drawing, published
from tests.server.clients import programs
from tests.servers import actionlint, helm, hydra, keycloak, kubernetes, kustomize, lua, nanoidp, oidc_provider, opa
from tests.servers.obtain import Unobtainable, say

SERVERS: Mapping[str, Callable[[], Path]] = {
    "Keycloak": keycloak.obtain,
    "OPA": opa.obtain,
    "Ory Hydra": hydra.obtain,
    "Kubernetes' API server": kubernetes.obtain,
    "nanoidp": nanoidp.obtain,
    "oidc-provider": oidc_provider.obtain,
    "Helm": helm.obtain,
    "Kustomize": kustomize.obtain,
    "Argo CD's Lua": lua.obtain,
    "actionlint": actionlint.obtain,
    "SARIF's schema": published.sarif_schema,
    "JUnit's schema": published.junit_schema,
    "Mermaid": drawing.mermaid,
    "Graphviz": drawing.graphviz,
    "YAML language server": language_server.program,
    "OAuth clients in JavaScript": programs.from_npm,
    "OAuth client in Go": programs.in_go,
}


def stand() -> int:
    """Run a Keycloak until Ctrl-C or SIGTERM; gives the exit code."""
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with tempfile.TemporaryDirectory() as folder:
        server = keycloak.launch(Path(folder), os.getpid(), keycloak.HEAP_OF_MANY_RUNS)
        keycloak.standing_file().write_text(json.dumps(server.to_state()))
        say(f"Keycloak: {server.url}; Ctrl-C ends it.")
        try:
            signal.sigwait(ends)
        finally:
            keycloak.standing_file().unlink()
            server.process.stop()
    return 0


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
    sys.exit(stand() if sys.argv[1:] == ["keycloak"] else main())
