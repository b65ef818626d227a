"""The command line: one module per command; parses, calls `workflow`, writes reports, and exits with the right code.

Nothing slow is imported before a command needs it, so that `oauthdeploy version` and completion respond at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `oauthdeploy` with the arguments (default: those of the process) and exit with its code."""
    # The default of 700 is for programs of which nobody knows better. This one makes values that live until it ends, and hardly
    # any cycles: searching for them so often costs a tenth of a short run.
    gc.set_threshold(50_000, 20, 20)
    from oauthdeploy.cli.entrypoint import run

    sys.exit(run(arguments))
