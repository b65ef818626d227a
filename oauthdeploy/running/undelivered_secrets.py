"""Server-made secrets that are not where they were to be delivered: the run was cut short, or the file is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from oauthdeploy.core.addresses import Address, AddressError, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.diagnostics import Path as Place
from oauthdeploy.core.errors import DeliveryFailed, JournalFailed, RenewedElsewhere
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import parse_time
from oauthdeploy.model.objects import Client, DeliverTo, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import End, Entry, RunHistory
from oauthdeploy.running.apply_findings import NEW_SECRET, NOT_LIVE
from oauthdeploy.running.journal import SECRET_LOST, last_journal, read_run_history
from oauthdeploy.running.secret_handover import may_make_secret
from oauthdeploy.running.secret_sinks import LocalSinks, NotReadable
from oauthdeploy.running.verify import returned_secret

_NOT_DELIVERED: Final = "secret-not-delivered"
"""Why a change failed whose secret the server generated but that could not be delivered."""


def lost_secrets(
    folder: Path, desired: DesiredState, live: LiveState, plan: Plan, *, sinks: LocalSinks
) -> Iterator[Diagnostic]:
    """A warning for each existing client whose secret the server generated and that is not where the manifest wants it
    delivered.

    `folder` has the journals; `sinks` read the places. A client that gets another secret by `plan` is skipped, except for a
    warning if that cannot be delivered. A journal that cannot be read is a warning itself, and does not stop an apply.
    """
    awaited = {
        address: target
        for address, value in desired.objects.items()
        if address.kind is Kind.CLIENT
        and Side.AUTHORIZATION in desired.servers[address.server].role.sides
        and (target := _target(value)) is not None
    }
    renewed = {change.address for change in plan.changes if may_make_secret(change)}
    for address in sorted(awaited.keys() & renewed):
        if words := sinks.refusal(awaited[address], address):
            yield Diagnostic(
                "delivery-not-possible",
                "A secret that the plan generates cannot be delivered",
                words,
                "Move away what is there, name another place in deliver_to, or apply with --overwrite to replace it.",
                Severity.WARNING,
                str(address),
                desired.places.get(address, ()),
            )
    awaited = {a: target for a, target in awaited.items() if a in live.objects and a not in renewed}
    try:
        owed = _owed(folder, desired.name, awaited, sinks.bounds.base) if awaited else {}
    except JournalFailed as error:
        owed = {}
        yield Diagnostic(
            "journal-unread",
            "The journal of the last run could not be read",
            detail=f"{error.detail} It is not known whether that run lost a client's secret.",
            fix="Restore the file as it was. If you cannot, check that the clients of that run can sign in, and delete the file.",
            severity=Severity.WARNING,
        )
    for address, target in sorted(awaited.items()):
        found = _trouble(address, target, live.objects[address], owed.get(address, ""), sinks)
        if found is not None:
            yield _warning(*found, address, desired.places.get(address, ()))


_Trouble = tuple[str, str, str]
"""The rule id of a finding, its summary, and its detail."""
_LOST: Final = "The secret of a client was probably lost"
_NOT_THERE: Final = "The delivered secret of a client is not there"
_OTHER: Final = "The delivered secret of a client is not the live one"
_NOT_CHECKED: Final = "The delivered secret of a client could not be checked"


def _problem(rule: str, summary: str, detail: str) -> _Trouble:
    return rule, summary, detail


def _trouble(address: Address, target: DeliverTo, live: LiveObject, owed: str, sinks: LocalSinks) -> _Trouble | None:
    """What is wrong with the delivery of a client; None if its secret is there and, as far as that is known, is the live one."""
    returned = returned_secret(live.value)
    try:
        client_id, found = sinks.in_file(target) if target.file is not None else ("", sinks.delivered(target))
    except NotReadable as error:
        return (
            _problem(SECRET_LOST, _LOST, owed) if owed else _problem("secret-not-checked", _NOT_CHECKED, error.detail)
        )
    except DeliveryFailed as error:
        if owed:
            return _problem(SECRET_LOST, _LOST, owed)
        return _problem("secret-not-there", _NOT_THERE, f"{error.detail} {_again(address, returned)}")
    if found is not None and returned is not None:
        return (
            None
            if found == returned
            else _other_live(live, f"{_place(target)} contains another secret than {address} has.")
        )
    if owed:
        return _problem(SECRET_LOST, _LOST, owed)
    if found is not None:
        names = {live.client_id, live.identity, address.name}
        if client_id and client_id not in names:
            return _problem(
                "secret-not-there", _NOT_THERE, f"{_place(target)} contains the secret of the client {client_id}."
            )
        return None
    recorded = sinks.deliveries.of(address)
    if recorded is None or recorded.place != sinks.recorded(target):
        return _problem(
            "secret-not-there", _NOT_THERE, f"No delivery to {_place(target)} is recorded. {_again(address, returned)}"
        )
    if returned is not None and not recorded.is_of(returned):
        return _other_live(live, f"{address} has another secret than the one delivered at {recorded.at}.")
    return None


def _other_live(live: LiveObject, words: str) -> _Trouble:
    """Another secret is live: that of another run, according to the server's mark, or one that somebody created at the server."""
    if live.renewed_by:
        return _problem(RenewedElsewhere.rule, _OTHER, f"{words} It was renewed by {live.renewed_by}.")
    return _problem(NOT_LIVE, _OTHER, words)


def _again(address: Address, returned: Secret | None) -> str:
    return (
        f"{address} exists, and its server does not return the secret again."
        if returned is None
        else f"{address} exists."
    )


def _place(target: DeliverTo) -> str:
    return target.own_place or f"command {(target.command or ('',))[0]}"


def _warning(rule: str, summary: str, detail: str, address: Address, place: Place) -> Diagnostic:
    return Diagnostic(rule, summary, detail, NEW_SECRET, Severity.WARNING, str(address), place)


def _owed(folder: Path, name: str, awaited: Mapping[Address, DeliverTo], base: Path) -> Mapping[Address, str]:
    """What the last run did not deliver, and what it had inherited from the runs before it, each with the reason in words.

    Raises JournalFailed if the journal cannot be read.
    """
    try:
        path = last_journal(folder, name)
    except JournalFailed:
        return {}
    story = read_run_history(path)
    found = dict(_taken_over(story))
    for entry in story.entries:
        if entry.address.kind is not Kind.CLIENT or not _generates_secret(entry):
            continue
        if entry.end is End.DONE:
            found.pop(entry.address, None)
        elif entry.end in (End.OPEN, End.UNKNOWN) or (entry.because or {}).get("rule") == _NOT_DELIVERED:
            found[entry.address] = (
                f"{entry.address} was sent by a run that did not record its delivery ({story.path}). The client exists, but "
                "nothing shows that the secret that the server generated then was delivered."
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
        yield (
            address,
            f"A run before the last one created {address}, and its secret was never delivered ({story.path}).",
        )


def _generates_secret(entry: Entry) -> bool:
    """Whether the change made the server generate a secret."""
    return entry.action is not Action.UPDATE or any(
        path.startswith("secret") or path == "type" for path in entry.fields
    )


def _target(client: object) -> DeliverTo | None:
    if isinstance(client, Client) and client.secret is not None and client.secret.generate:
        return client.secret.deliver_to
    return None


def _is_younger(target: DeliverTo, since: str, base: Path) -> bool:
    """Whether the delivered file exists and is newer than a given time; unknown for other targets."""
    if target.file is None:
        return False
    try:
        return (base / target.file).stat().st_mtime >= parse_time(since).timestamp()
    except (OSError, ValueError):
        return False
