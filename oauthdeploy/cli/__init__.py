"""The command line: one module per command; parses, calls `workflow`, writes reports, and leaves with the right exit code.

Nothing heavy is imported before a command needs it, so that `oauthdeploy version` and completion answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `oauthdeploy` with the arguments (default: those of the process) and leave with its exit code."""
    from oauthdeploy.cli.entrypoint import run

    sys.exit(run(arguments))
