"""Secrets that a server made and that are not where they were to be delivered: the run was cut off, or the file is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from oauthdeploy.core.addresses import Address, AddressError, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.diagnostics import Path as Place
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.fields import parse_time
from oauthdeploy.model.objects import Client, DeliverTo, Side
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import End, Entry, RunHistory
from oauthdeploy.running.apply_findings import NEW_SECRET
from oauthdeploy.running.batch_executor import may_make_secret
from oauthdeploy.running.journal import SECRET_LOST, last_journal, read_run_history

_NOT_DELIVERED: Final = "secret-not-delivered"
"""Why a change failed whose secret the server made, and that nothing took."""


def lost_secrets(
    folder: Path, desired: DesiredState, live: LiveState, plan: Plan, *, base: Path
) -> Iterator[Diagnostic]:
    """A warning for each existing client that has a secret of the server's which was not delivered, or is not there any more.

    `folder` holds the journals; relative paths of delivery start from `base`. A client that gets another secret by `plan` is
    skipped. A journal that can't be read is a warning by itself, and does not stop an apply.
    """
    awaited = {
        address: target
        for address, value in desired.objects.items()
        if address.kind is Kind.CLIENT
        and address in live.objects
        and Side.AUTHORIZATION in desired.servers[address.server].role.sides
        and (target := _target(value)) is not None
    }
    renewed = {change.address for change in plan.changes if may_make_secret(change)}
    awaited = {address: target for address, target in awaited.items() if address not in renewed}
    try:
        owed = _owed(folder, desired.name, awaited, base) if awaited else {}
    except JournalFailed as error:
        owed = {}
        yield Diagnostic(
            "journal-unread",
            "The journal of the last run could not be read",
            detail=f"{error.detail} Whether that run lost a client's secret is not known.",
            fix="Restore the file as it was. If you can't, check that the clients of that run can sign in, and delete the file.",
            severity=Severity.WARNING,
        )
    for address, target in sorted(awaited.items()):
        place = desired.places.get(address, ())
        if address in owed:
            yield _warning(SECRET_LOST, "The secret of a client was probably lost", owed[address], address, place)
        elif target.file is not None and not (base / target.file).exists():
            detail = f"{address} exists, and {target.file} does not. The server does not return the secret again."
            yield _warning("secret-not-there", "The delivered secret of a client is not there", detail, address, place)


def _warning(rule: str, summary: str, detail: str, address: Address, place: Place) -> Diagnostic:
    return Diagnostic(rule, summary, detail, NEW_SECRET, Severity.WARNING, str(address), place)


def _owed(folder: Path, name: str, awaited: Mapping[Address, DeliverTo], base: Path) -> Mapping[Address, str]:
    """What the last run didn't deliver, and what it had taken over from the runs before it; each with the reason in words.

    Raises JournalFailed where the journal can't be read.
    """
    try:
        path = last_journal(folder, name)
    except JournalFailed:
        return {}
    story = read_run_history(path)
    found = dict(_taken_over(story))
    for entry in story.entries:
        if entry.address.kind is not Kind.CLIENT or not _asked(entry):
            continue
        if entry.end is End.DONE:
            found.pop(entry.address, None)
        elif entry.end in (End.OPEN, End.UNKNOWN) or (entry.because or {}).get("rule") == _NOT_DELIVERED:
            found[entry.address] = (
                f"{entry.address} was sent by a run that did not record its delivery ({story.path}). The client is there; "
                "nothing says that the secret that the server made then was delivered."
            )
    since = {entry.address: entry.sent for entry in story.entries}
    return {
        address: words
        for address, words in found.items()
        if address in awaited and not _is_younger(awaited[address], since.get(address) or story.started, base)
    }


def _taken_over(story: RunHistory) -> Iterator[tuple[Address, str]]:
    for written in story.undelivered:
        try:
            address = Address.parse(written)
        except AddressError:
            continue
        yield address, f"A run before the last one made {address}, and its secret was never delivered ({story.path})."


def _asked(entry: Entry) -> bool:
    """Whether the change made the server make a secret."""
    return entry.action is not Action.UPDATE or any(path.startswith("secret") for path in entry.fields)


def _target(client: object) -> DeliverTo | None:
    if isinstance(client, Client) and client.secret is not None and client.secret.generate:
        return client.secret.deliver_to
    return None


def _is_younger(target: DeliverTo, since: str, base: Path) -> bool:
    """Whether the file of delivery exists and is newer than a moment; for other targets this is unknown."""
    if target.file is None:
        return False
    try:
        return (base / target.file).stat().st_mtime >= parse_time(since).timestamp()
    except (OSError, ValueError):
        return False
