"""`oauthdeploy force-unlock`: remove a lock whose run has died."""

from __future__ import annotations

import sys
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Source, manifest_options, output_options, state_option
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import LockBusy, UsageError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.running.lock import Holder


@command(
    "force-unlock",
    examples=(
        ("oauthdeploy force-unlock", "show who holds the lock, and ask"),
        ("oauthdeploy force-unlock --yes", "remove it without asking"),
    ),
    main=("file", "yes", "state_dir"),
)
@manifest_options
@option("--yes", "yes", env="YES", is_flag=True, help="Do not ask.")
@option("--no-input", env="NO_INPUT", is_flag=True, help="Never ask, even on a terminal.")
@state_option
@output_options("text", "json")
def force_unlock(source: Source, yes: bool, no_input: bool, state_dir: Path | None, output: Output) -> None:
    """Remove a lock whose run has died, after showing who holds it.

    Two runs that write at the same time can undo each other's changes. Exit codes: 0 if the lock is gone
    or there was none, 1 if you answered no, 7 if another run has taken the lock in the meantime.
    """
    from oauthdeploy import workflow

    request, options = source.request(), workflow.RunOptions(state_dir=state_dir)
    holder = workflow.lock_holder(request, options)
    if holder is None:
        _emit(output, None, "Nobody holds the lock.")
        return
    detail = (
        f"The lock is held by {holder.owner} on {holder.host} (process {holder.pid}),\n"
        f"since {_time(holder.since)}, until {_time(holder.expires)} unless it is renewed."
    )
    if not yes:
        if not source.can_ask(no_input=no_input):
            raise UsageError(
                "force-unlock needs your confirmation but cannot ask for it",
                detail=detail,
                fix="If you are sure that this run has died, run force-unlock with --yes.",
            )
        streams.write_talk(f"{detail}\nRemove it? Only 'yes' is accepted: ")
        if sys.stdin.readline().strip() != "yes":
            output.talk("The lock was not removed.")
            leave(ExitCode.ERROR)
            return
    if not workflow.break_lock(request, holder, options):
        raise LockBusy(
            "The lock has changed since it was shown",
            detail="Its run has ended, or another one has begun.",
            fix="Run force-unlock again to see who holds it now.",
        )
    _emit(output, holder, f"{detail}\nIt was removed.")


def _emit(output: Output, holder: Holder | None, text: str) -> None:
    from oauthdeploy.reports.formatting import visible

    lines = "".join(f"{visible(line)}\n" for line in text.split("\n"))
    output.emit({"text": lambda _look: lines, "json": as_json(lambda: _document(holder))})


def _document(holder: Holder | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "format": "oauthdeploy/force-unlock",
        "format_version": "1.0",
        "removed": holder is not None,
    }
    if holder is not None:
        found["holder"] = {
            "owner": holder.owner,
            "host": holder.host,
            "pid": holder.pid,
            "since": _time(holder.since),
            "expires": _time(holder.expires),
        }
    return found


def _time(moment: Any) -> str:
    return str(moment.astimezone(UTC).isoformat(timespec="seconds")).replace("+00:00", "Z")
