"""`oauthdeploy apply --resume`: report the state of an interrupted run, and finish it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from oauthdeploy import workflow
from oauthdeploy.cli.output import Output

if TYPE_CHECKING:
    from oauthdeploy.core.addresses import Address
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.planning.outcome import ApplyReport
    from oauthdeploy.workflow import Resumption, RunOptions
    from oauthdeploy.workflow.execution import Confirm, Listener

_MOST = 20


def resume_run(
    request: ManifestRequest,
    options: RunOptions,
    journal: Path | None,
    output: Output,
    confirm: Confirm,
    on_event: Listener,
    stop: threading.Event,
) -> ApplyReport | None:
    """Continue the run of `journal` (None: the last one), and report on it. Raises what `run_resume` raises."""

    def tell(found: Resumption) -> None:
        output.talk(resumption_text(found))

    return workflow.run_resume(
        request, options, journal=journal, tell=tell, confirm=confirm, on_event=on_event, stop=stop
    )


def resumption_text(found: Resumption) -> str:
    """The state of a run, in lines."""
    lines = [f"Resuming {found.journal}."]
    for addresses, words in (
        (found.in_place, "already in place, although the journal does not say so"),
        (found.came_about, "of these were sent with an unknown result and have been made"),
        (found.not_made, "sent with an unknown result and not made"),
        (found.undone, "made by that run, but changed again since"),
    ):
        if addresses:
            lines.append(f"  {len(addresses)} {words}: {_listed(addresses)}.")
    count = len(found.left)
    lines.append(f"  {count} still to do." if count else "  Nothing is left to do.")
    return "\n".join(lines)


def _listed(addresses: tuple[Address, ...]) -> str:
    shown = ", ".join(str(address) for address in addresses[:_MOST])
    rest = len(addresses) - _MOST
    return f"{shown} and {rest} more" if rest > 0 else shown
