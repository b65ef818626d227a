"""`python -m tests.servers`: have the real servers and tools in the cache before a test run; tells what is missing."""

from __future__ import annotations

import os
import sys

from tests.servers import actionlint, keycloak, opa
from tests.servers.obtain import Unobtainable, say


def main() -> int:
    """Gives the exit code: 1 with `CI=true` when a server can't be had, else 0."""
    missing = 0
    for name, obtain in (("Keycloak", keycloak.obtain), ("OPA", opa.obtain), ("actionlint", actionlint.obtain)):
        try:
            say(f"{name}: {obtain()}")
        except Unobtainable as error:
            missing += 1
            say(f"{name} can't be had here: {error}")
    if missing and os.environ.get("CI") != "true":
        say("The tests that need it will skip.")
    return int(missing > 0 and os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(main())
