"""One server's part of a comparison: its desired objects, its live objects, and its driver's facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capabilities, DriverFacts
from oauthdeploy.model.objects import Object, Revocation, Side
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, ServerState
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Risk, Stage
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.risk import risk_of
from oauthdeploy.planning.side_effects import in_words, interrupted_by, lost_with
from oauthdeploy.planning.unkept import Unkept

UNPLACED: Final = Stage.NARROW_RESOURCE
"""The stage of a change before `ordering`: the last one, so that nothing is opened too early."""

LiveItem = tuple[Address, LiveObject]


class IncomparableField(Struct, frozen=True):
    """A field that cannot be compared because the server does not return it."""

    address: Address
    path: str


class UnmanagedObject(Struct, frozen=True):
    """A live object that the manifest does not name and that stays."""

    address: Address


DiffItem = Change | Diagnostic | IncomparableField | UnmanagedObject
"""The result of one step of the comparison."""


class ServerView(Struct, frozen=True):
    """`wanted` and `absent` are this server's part of the manifest, `live` are the objects that were read, `by_kind` the
    same by kind.

    `blocked` are the clients that a revocation of the manifest disables here. `peered` is true for a server of both roles
    that another such server trusts. `issuer` is what was read from the authorization server that this resource server trusts;
    None where that is unknown, not read, or this very server. `unkept` are the fields that runs sent and a server did not store.
    """

    name: str
    role: Role
    driver: str
    facts: DriverFacts
    table: Capabilities
    desired: DesiredState
    wanted: Mapping[Address, Object]
    absent: frozenset[Address]
    live: ServerState
    by_kind: Mapping[Kind, tuple[LiveItem, ...]]
    blocked: frozenset[str]
    peered: bool
    issuer: ServerState | None = None
    unkept: Mapping[tuple[str, str], Unkept] = field(default_factory=dict)

    def readable(self, kind: Kind) -> bool:
        """Whether the kind was read here."""
        return kind not in self.live.unreadable

    @property
    def knows_by_name(self) -> bool:
        """Whether this resource server knows the client of a token by name and version: an id of the other server means nothing
        here, or one of this server nothing there.
        """
        if self.issuer is None or self.desired.servers[self.issuer.server].driver != self.driver:
            return False
        return self.live.makes_client_ids or self.issuer.makes_client_ids

    def of_kind(self, kind: Kind) -> tuple[LiveItem, ...]:
        """The live objects of a kind, in the server's order; empty if the kind could not be read."""
        return self.by_kind.get(kind, ()) if self.readable(kind) else ()

    def change(
        self,
        address: Address,
        action: Action,
        reason: Reason,
        *,
        desired: Object | None = None,
        live: LiveObject | None = None,
        fields: tuple[FieldChange, ...] = (),
        note: str = "",
        former: Address | None = None,
    ) -> Change:
        """A change with its risk and its position in the manifest; `ordering` sets the stage later."""
        lost = lost_with(self.facts, address.kind, action, fields)
        gaps = interrupted_by(self.facts, address.kind, action, fields)
        risk = risk_of(address.kind, action, fields)
        return Change(
            address=address,
            action=action,
            reason=reason,
            stage=UNPLACED,
            desired=desired,
            live=live,
            fields=fields,
            risk=max(risk, Risk.MEDIUM) if lost or gaps else risk,
            place=self.desired.places.get(address, ()),
            note=" ".join(words for words in (note, in_words(lost), *gaps) if words),
            former=former,
            lost=lost,
        )


def views(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts], unkept: Iterable[Unkept] = ()
) -> Iterator[ServerView]:
    """One view for each server that was read, by name."""
    known_unkept = {item.key: item for item in unkept}
    wanted: dict[str, dict[Address, Object]] = defaultdict(dict)
    absent: dict[str, set[Address]] = defaultdict(set)
    for address, value in desired.objects.items():
        wanted[address.server][address] = value
    for address in desired.absent:
        absent[address.server].add(address)
    both = [name for name, server in desired.servers.items() if server.role is Role.BOTH]
    peered = {trusted_by(desired, name) for name in both if trusted_by(desired, name) != name} & set(both)
    for name in sorted(live.servers):
        server = desired.servers.get(name)
        if server is None:
            continue
        known = facts[server.driver]
        own = wanted.get(name, {})
        trusted = trusted_by(desired, name)
        yield ServerView(
            name=name,
            role=server.role,
            driver=server.driver,
            facts=known,
            table=table_on(facts, server, live.servers[name]),
            desired=desired,
            wanted=own,
            absent=frozenset(absent.get(name, ())),
            live=live.servers[name],
            by_kind=_by_kind(live.servers[name]),
            blocked=_blocked(own, server.role),
            peered=name in peered,
            issuer=live.servers.get(trusted) if trusted not in (None, name) else None,
            unkept=known_unkept,
        )


def trusted_by(desired: DesiredState, server: str) -> str | None:
    """The authorization server that a resource server trusts: the one that it names, or itself if it is both and names none."""
    entry = desired.servers[server]
    if Side.RESOURCE not in entry.role.sides:
        return None
    if entry.authorization_server is not None:
        return entry.authorization_server
    return server if entry.role is Role.BOTH else None


def unread_servers(desired: DesiredState, live: LiveState) -> Iterator[Diagnostic]:
    """A finding for each server that the manifest has objects for and that was not read."""
    for name in sorted({address.server for address in desired.objects} - live.servers.keys()):
        yield Diagnostic(
            "server-not-read",
            "A server was not read",
            detail=f"The objects on {name} are unknown, so nothing is planned there.",
            fix="Include the server in the run.",
            severity=Severity.WARNING,
        )


def blocks(revocation: Revocation, role: Role) -> bool:
    """Whether a revocation disables its client on a server of that role."""
    return bool(set(revocation.block or ()) & role.sides)


def cuts_tokens(revocation: Revocation, role: Role) -> bool:
    """Whether a revocation deletes tokens on a server of that role."""
    return revocation.tokens is not None and Side.AUTHORIZATION in role.sides


def _by_kind(state: ServerState) -> dict[Kind, tuple[LiveItem, ...]]:
    found: dict[Kind, list[LiveItem]] = defaultdict(list)
    for item in state.objects.items():
        found[item[0].kind].append(item)
    return {kind: tuple(items) for kind, items in found.items()}


def _blocked(wanted: Mapping[Address, Object], role: Role) -> frozenset[str]:
    return frozenset(value.client for value in wanted.values() if isinstance(value, Revocation) and blocks(value, role))
