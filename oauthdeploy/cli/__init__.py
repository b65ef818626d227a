"""The command line: one module per command; parses, calls `workflow`, writes reports, and exits with the right code.

Nothing slow is imported before a command needs it, so that `oauthdeploy version` and completion respond at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from oauthdeploy.core.environment import without_plugins
from oauthdeploy.core.garbage_collector import set_for_a_command


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `oauthdeploy` with the arguments (default: those of the process) and exit with its code."""
    set_for_a_command()
    without_plugins()
    from oauthdeploy.cli.entrypoint import run

    sys.exit(run(arguments))
