"""What `revoke` and `tokens delete` share: who requests it and why, the question, the report, and the manifest's entry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.cli.apply import Question, leave_unchanged, say_error
from oauthdeploy.cli.flags import Decorator, leave, option
from oauthdeploy.cli.options import Reach, Servers, Source, allow_option, audit_option, bundle, state_option
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import OAuthDeployError, PartialApply
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.planning.plan import Plan
    from oauthdeploy.workflow.revocation import Revoked
    from oauthdeploy.workflow.revocation_request import RevocationRequest


class Record(TypedDict):
    """Who requests a cut-off, why, and under which ticket."""

    who: str
    reason: str
    ticket: str


class Incident(Struct, frozen=True):
    """Who requests a cut-off and why, and how to carry it out."""

    reason: str | None = None
    ticket: str | None = None
    who: str | None = None
    audit: Path | None = None
    allow: tuple[str, ...] = ()
    dry_run: bool = False
    yes: bool = False
    no_input: bool = False
    state_dir: Path | None = None

    @property
    def record(self) -> Record:
        """What the audit record says about it."""
        return {"who": self.who or "", "reason": self.reason or "", "ticket": self.ticket or ""}


incident_options: Final[Decorator] = bundle(
    Incident,
    "incident",
    (
        option("--reason", env="REASON", metavar="TEXT", help="Reason, for the record."),
        option("--ticket", env="TICKET", metavar="ID", help="Incident or ticket; also the name of the manifest entry."),
        option("--who", env="WHO", metavar="NAME", help="Person who requests it.  [default: the account]"),
        audit_option,
        allow_option,
        option("--dry-run", env="DRY_RUN", is_flag=True, help="Show what would be cut off; write nothing."),
        option("--yes", "--auto-approve", "yes", env="YES", is_flag=True, help="Do not ask."),
        option("--no-input", env="NO_INPUT", is_flag=True, help="Never ask, even on a terminal."),
        state_option,
    ),
)
"""--reason, --ticket, --who, --audit, --allow, --dry-run, --yes, --no-input; the command gets them as `incident`."""


def carry_out(
    source: Source,
    servers: Servers,
    order: RevocationRequest,
    incident: Incident,
    output: Output,
    *,
    write: bool | None = False,
) -> None:
    """Cut off, report, record in the manifest if requested, and exit with the code."""
    from oauthdeploy.cli.interrupts import interruptible
    from oauthdeploy.workflow import revocation

    request = source.request()
    options = replace(servers.options(), allow=incident.allow, state_dir=incident.state_dir, audit=incident.audit)
    if incident.dry_run:
        preview = revocation.plan_revocation(request, order, options)
        _show(preview.plan, Reach(allow=incident.allow), output)
        _leave_for(preview.down, output)
        return
    may_ask = source.can_ask(no_input=incident.no_input)
    question = Question(output, Reach(allow=incident.allow), yes=incident.yes, may_ask=may_ask, command=order.command)
    options = replace(options, asks=question.asks)
    with interruptible(output) as (listener, stop):
        done = revocation.revoke(request, order, options, confirm=question.confirm, on_event=listener, stop=stop)
    if done is None:
        leave_unchanged(output)
        return
    _end(source, order, done, output, write=write, shown=question.shown is not None)


def _show(plan: Plan, reach: Reach, output: Output) -> None:
    from oauthdeploy.reports.builders.plan import plan_report

    output.emit_report(plan_report(plan, allowed=reach.allow))


def _leave_for(down: Mapping[str, OAuthDeployError], output: Output) -> None:
    for name in sorted(down):
        say_error(down[name], output)
    leave(ExitCode.PARTIAL if down else ExitCode.DONE)


def _end(
    source: Source, order: RevocationRequest, done: Revoked, output: Output, *, write: bool | None, shown: bool
) -> None:
    from oauthdeploy.reports.revoke import render_revoke
    from oauthdeploy.running.audit import audit_document

    record = done.record
    notes = [f"Recorded in {done.audit} under {record.id[:8]}."]
    problem: OAuthDeployError | None = None
    lasting = ""
    if write is not False:
        try:
            notes += _write(source, order, done)
        except OAuthDeployError as error:
            lasting = f"{error.summary}: {error.detail}".replace("\n", " ")
            problem = error if write else None
    elif order.command == "revoke":
        lasting = "Nothing was written into the manifest"
    if done.holder is not None:
        notes.append(
            f"{done.holder} is applying this manifest. Its plan is older than this cut-off and may undo a part of it: "
            "run the same command again when that run has finished."
        )
    if lasting and any(revocation.block for revocation in order.revocations.values()):
        notes.append(
            f"warning: {lasting.rstrip('.')}. Where the manifest enables the client, the next apply undoes the cut-off: "
            "write the revocation, or enabled: false, by hand."
        )
    if lasting and done.in_memory:
        one = len(done.in_memory) == 1
        notes.append(
            f"warning: {', '.join(done.in_memory)} {'keeps its' if one else 'keep their'} objects in memory, so a restart ends "
            f"the cut-off there. An apply with {done.audit} makes it again; to be safe, write the revocation into the manifest."
        )
    output.emit(
        {"text": lambda look: render_revoke(record, look, notes), "json": as_json(lambda: audit_document(record))},
        on_screen=lambda look: "\n" * shown + render_revoke(record, look, notes),
    )
    if not output.text_on_stdout:
        for note in notes:
            output.talk(note)
    errors = [each for each in (_unfinished(done), problem) if each is not None]
    for each in errors:
        say_error(each, output)
    leave(errors[0].exit_code if errors else ExitCode.DONE)


def _unfinished(done: Revoked) -> OAuthDeployError | None:
    record = done.record
    unsure = [
        item.server for item in record.servers if item.state in ("cut-off", "nothing-to-do") and not item.verified
    ]
    again = "Run the same command again: it does only what is missing."
    if record.result != "done":
        open_ = sorted({f"{i.server} ({i.state})" for i in record.servers if i.problems or i.state in ("failed",)})
        return PartialApply("The cut-off is not complete", detail=f"Remaining: {', '.join(open_)}.", fix=again)
    if unsure:
        return PartialApply("The cut-off could not be verified", detail=f"On {', '.join(unsure)}.", fix=again)
    return None


def _write(source: Source, order: RevocationRequest, done: Revoked) -> list[str]:
    """Write the cut-offs into the manifest; return the notes for the report."""
    from oauthdeploy.workflow.revocation_entry import record_revocation

    return [
        f"The manifest already has this revocation: {found.already} in {found.file}."
        if found.already
        else f"Written to {found.file} as {found.key}. Commit it: a run from another copy would undo the cut-off."
        for found in record_revocation(source.request(), order, done)
    ]
