"""Secrets that a run asked a server to generate and did not deliver, because the run was killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.fields import parse_time
from oauthdeploy.model.objects import Client, DeliverTo
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import End, Entry
from oauthdeploy.running.apply_findings import NEW_SECRET
from oauthdeploy.running.journal import last_journal, read_story


def with_lost_secrets(plan: Plan, folder: Path, desired: DesiredState, live: LiveState, *, base: Path) -> Plan:
    """The same plan with the warnings of `lost_secrets`."""
    lost = Diagnostics.of(lost_secrets(folder, desired, live, plan, base=base))
    return replace(plan, diagnostics=(plan.diagnostics + lost).sorted()) if lost else plan


def lost_secrets(
    folder: Path, desired: DesiredState, live: LiveState, plan: Plan, *, base: Path
) -> Iterator[Diagnostic]:
    """A warning for each existing client whose secret a server was asked to generate in the last run, without a recorded end.

    `folder` holds the journals; relative paths of delivery start from `base`. A client that `plan` recreates gets another
    secret and is skipped. A journal that can't be read is a warning by itself, and does not stop an apply.
    """
    try:
        path = last_journal(folder, desired.name)
    except JournalFailed:
        return
    try:
        story = read_story(path)
    except JournalFailed as error:
        yield Diagnostic(
            "journal-unread",
            "The journal of the last run could not be read",
            detail=f"{error.detail} Whether that run lost a client's secret is not known.",
            fix="Restore the file as it was. If you can't, check that the clients of that run can sign in, and delete the file.",
            severity=Severity.WARNING,
        )
        return
    recreated = {change.address for change in plan.changes if change.action in (Action.CREATE, Action.REPLACE)}
    for entry in story.of(End.OPEN, End.UNKNOWN):
        address = entry.address
        target = _target(desired.objects.get(address)) if address.kind is Kind.CLIENT and _asked(entry) else None
        if target is None or address not in live.objects or address in recreated or _was_delivered(target, entry, base):
            continue
        yield Diagnostic(
            "secret-lost",
            "The secret of a client was probably lost",
            detail=f"{address} was sent by a run that did not record the result ({story.path}). The client exists; there is no "
            "record that the secret that the server generated was delivered.",
            fix=NEW_SECRET,
            severity=Severity.WARNING,
            address=str(address),
            path=desired.places.get(address, ()),
        )


def _asked(entry: Entry) -> bool:
    """Whether the change made the server make a secret."""
    return entry.action is not Action.UPDATE or any(path.startswith("secret") for path in entry.fields)


def _target(client: object) -> DeliverTo | None:
    if isinstance(client, Client) and client.secret is not None and client.secret.generate:
        return client.secret.deliver_to
    return None


def _was_delivered(target: DeliverTo, entry: Entry, base: Path) -> bool:
    """Whether the file of delivery exists and is newer than the request; for other targets this is unknown."""
    if target.file is None:
        return False
    try:
        return (base / target.file).stat().st_mtime >= parse_time(entry.sent).timestamp()
    except (OSError, ValueError):
        return False
