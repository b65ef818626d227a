"""Revocations: the cut-offs that are still pending on one server.

One address has one change. If a server is to disable the client and delete its tokens, the change is a `revoke` whose fields
name both; the driver disables first, so that no token is issued between the two. A resource server that verifies tokens
itself cannot delete them; it refuses those that were issued before a given time.

For `tokens: all`, that time is the one of the authorization server's cut-off, which is known only after it. So the resource
server makes its cut-off first, by its own clock, and gets the authorization server's time as soon as that server has made
its own (`to_align`). If a run stops in between, the two times differ, and the next plan aligns them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, supports
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState, LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from oauthdeploy.planning.server_view import DiffItem, ServerView, blocks, cuts_tokens, trusted_by

TOKENS = "tokens.active"
REFUSED = "tokens.refused"
BLOCKED = "blocked"
ALL = "all"


def cut_offs(view: ServerView) -> Iterator[DiffItem]:
    """The pending changes of each revocation of the manifest on this server, by address.

    Expired tokens need no deletion. Two revocations that disable one client give one change.
    """
    if not view.readable(Kind.REVOCATION):
        return
    wanted = sorted((a, v) for a, v in view.wanted.items() if isinstance(v, Revocation))
    disabled: set[str] = set()
    for address, revocation in wanted:
        live = view.live.objects.get(address)
        if live is None:
            yield _missing_state(view, address, revocation)
            continue
        yield from _cut_off(view, address, revocation, live, already=revocation.client in disabled)
        if blocks(revocation, view.role) and live.blocked is False:
            disabled.add(revocation.client)


def _cut_off(
    view: ServerView, address: Address, revocation: Revocation, live: LiveObject, *, already: bool
) -> Iterator[DiffItem]:
    fields: list[FieldChange] = []
    if cuts_tokens(revocation, view.role) and live.tokens is not None and live.tokens.active > 0:
        fields.append(FieldChange(TOKENS, live.tokens.active if live.tokens.counted else KNOWN_AFTER_APPLY, 0))
    issued = _at_issuer(view, address, revocation)
    if revocation.tokens is not None and (live.refused is False or (live.refused and _is_apart(live, issued))):
        fields.append(FieldChange(REFUSED, False, True))
    if blocks(revocation, view.role):
        if live.blocked is None:
            yield _no_client(view, address, revocation)
        elif not live.blocked and not already:
            fields.append(FieldChange(BLOCKED, False, True))
    if fields:
        action = Action.DISABLE if fields[0].path == BLOCKED else Action.REVOKE
        change = view.change(
            address,
            action,
            Reason.CUT_OFF,
            desired=revocation,
            live=live,
            fields=tuple(fields),
            note=_former_name(view, revocation),
        )
        known = issued is not None and not _is_pending(issued)
        yield replace(change, cut_at=issued.cut_at) if issued is not None and known else change


def _former_name(view: ServerView, revocation: Revocation) -> str:
    """What a server that verifies tokens itself does not refuse: tokens that name the client as it was called before."""
    issuer = trusted_by(view.desired, view.name)
    if issuer is None or not supports(view.table, Capability.TOKENS_REFUSE):
        return ""
    former = view.desired.moved.get(Address(Kind.CLIENT, revocation.client, issuer))
    if former is None:
        return ""
    return (
        f"Tokens from before the client's rename name it as '{former}'. {view.name} accepts them until they expire: to refuse "
        "them too, cut the client off before you rename it."
    )


def _at_issuer(view: ServerView, address: Address, revocation: Revocation) -> LiveObject | None:
    """The state of a cut-off of all tokens on the authorization server that this resource server trusts."""
    if view.issuer is None or revocation.tokens != ALL:
        return None
    return view.issuer.objects.get(Address(Kind.REVOCATION, address.name, view.issuer.server))


def _is_pending(issued: LiveObject) -> bool:
    return issued.tokens is not None and issued.tokens.active > 0


def _is_apart(live: LiveObject, issued: LiveObject | None) -> bool:
    """Whether the times of resource server and authorization server differ, or will differ."""
    if issued is None:
        return False
    known = issued.cut_at is not None and live.cut_at is not None
    return _is_pending(issued) or (known and issued.cut_at != live.cut_at)


def to_align(changes: Sequence[Change], desired: DesiredState) -> Mapping[Address, tuple[Change, ...]]:
    """The cut-offs of all tokens on resource servers, by the address of the cut-off on the authorization server that they
    trust.
    """
    refusing = [
        change
        for change in changes
        if change.stage is Stage.CUT_OFF_RESOURCE
        and isinstance(change.desired, Revocation)
        and change.desired.tokens == ALL
        and any(field.path == REFUSED for field in change.fields)
    ]
    found: dict[Address, tuple[Change, ...]] = {}
    for change in refusing:
        trusted = trusted_by(desired, change.address.server)
        if trusted is not None:
            key = Address(Kind.REVOCATION, change.address.name, trusted)
            found[key] = (*found.get(key, ()), change)
    return found


def _no_client(view: ServerView, address: Address, revocation: Revocation) -> Diagnostic:
    return Diagnostic(
        "revocation-client-absent",
        "Nothing to block",
        detail=f"{view.name} has no client '{revocation.client}' that could be disabled.",
        severity=Severity.INFO,
        address=str(address),
        path=view.desired.places.get(address, ()),
    )


def _missing_state(view: ServerView, address: Address, revocation: Revocation) -> Diagnostic:
    """A finding if the driver returned nothing for the revocation, unless the client does not exist: a cut-off would be
    missed.
    """
    client = Address(Kind.CLIENT, revocation.client, view.name)
    if view.readable(Kind.CLIENT) and client not in view.live.objects:
        return _no_client(view, address, revocation)
    return Diagnostic(
        "revocation-not-read",
        "A revocation could not be checked",
        detail=f"{view.name} does not report the tokens and the state of client '{revocation.client}'.",
        fix="This is a bug in the server's driver. Cut the client off by hand.",
        address=str(address),
        path=view.desired.places.get(address, ()),
    )
