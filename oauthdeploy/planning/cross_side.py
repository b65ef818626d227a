"""Differences between a resource server and the authorization server that it trusts.

    scopes, clients     the same names on both, in the manifest or not, as they will be after the plan
    associations        the same, if the resource server also stores them
    clients             enabled on both or on neither, with one client_id
    trust               the server that the manifest names, which must be in the manifest
    accounts            resource owners and the accounts of client credentials clients, on both

Objects that the manifest itself places on one side only are checked by its rules. If a check needs something that could not
be read, that is a finding too. Source: webMethods Integration Server, Configuring OAuth: the clients, scopes and resource
owners of a resource server are those of its authorization server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts
from oauthdeploy.model.objects import Object, Revocation, Trust
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.accounts import account_findings, unread_accounts
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.server_pairs import (
    UNCHECKED,
    ServerPair,
    StateAfterPlan,
    both_read,
    enabled_of,
    trusting_pairs,
    unchecked_finding,
)
from oauthdeploy.planning.server_view import trusted_by

CLIENT_ID_DIFFERS: Final = "client-id-differs"
ENABLED_ON_ONE_SIDE: Final = "client-enabled-on-one-side"
REPORTED_AS_DRIFT: Final = frozenset(
    {"scope-on-one-side", "client-on-one-side", ENABLED_ON_ONE_SIDE, "cross-side-more"}
)
"""Rules whose findings a drift report shows as items instead."""

_SHOWN: Final = 20
_HELD: Final = (
    (Kind.SCOPE, Capability.SCOPES),
    (Kind.CLIENT, Capability.CLIENTS),
    (Kind.ASSOCIATION, Capability.ASSOCIATIONS),
)
_BOTH: Final = frozenset(kind for kind, _ in _HELD)


class Disagreement(Struct, frozen=True):
    """An object that differs between the sides although the manifest wants it on both: its address, and the difference in
    words.
    """

    address: Address
    detail: str
    place: Path = ()


def disagreements(desired: DesiredState, live: LiveState) -> Iterator[Disagreement]:
    """Objects that the manifest places on both sides and that differ there now.

    Only accounts in `resource_owners` count. Missing accounts of other clients are findings instead, because no apply could
    repair them.
    """
    trusted = {name: trusted_by(desired, name) for name in sorted(live.servers.keys() & desired.servers.keys())}
    for name, server in trusted.items():
        if server is not None:
            yield from _other_trust(desired, live, name)
    across = {name: server for name, server in trusted.items() if server in live.servers and server != name}
    for address, wanted in desired.objects.items():
        if address.kind not in _BOTH or (server := across.get(address.server)) is None:
            continue
        other = Address(address.kind, address.name, server)
        peer = desired.objects.get(other)
        if peer is not None:
            yield from _pair(live, (address, wanted), (other, peer), desired)
    for found in account_findings(desired, live, named_only=True):
        yield Disagreement(Address.parse(found.address), found.detail, found.path)


def unnamed_disagreements(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]
) -> Iterator[Disagreement]:
    """Differences between the sides now, in objects that the manifest does not place on both; `facts` are by driver name.

    An object that the authorization server shares with another of its resource servers is not a disagreement.
    """
    for sides in both_read(desired, live, facts, StateAfterPlan(live, ())):
        for kind in _comparable(sides):
            if not all(sides.live.readable(server, kind) for server in (sides.resource, sides.trusted)):
                continue
            for found in _one_sided(sides, kind):
                address = Address.parse(found.address)
                if found.severity is Severity.WARNING or address.server == sides.trusted:
                    yield Disagreement(address, found.detail, found.path)
            for found in _client_differences(sides) if kind is Kind.CLIENT else ():
                address = Address.parse(found.address)
                if found.rule == ENABLED_ON_ONE_SIDE and address not in desired.objects:
                    yield Disagreement(address, found.detail, found.path)


def side_findings(
    desired: DesiredState, live: LiveState, changes: Iterable[Change], facts: Mapping[str, DriverFacts]
) -> Iterator[Diagnostic]:
    """Findings about the two sides as they will be after the changes; `facts` are by driver name. None of them stops a plan."""
    after = StateAfterPlan(live, changes)
    for resource in sorted(live.servers.keys() & desired.servers.keys()):
        yield from _trust(desired, live, resource, after)
    for resource, trusted in trusting_pairs(desired):
        if resource == trusted or resource not in live.servers:
            continue
        if not facts[desired.servers[trusted].driver].writable:
            yield _unread_side(resource, trusted, f"{trusted} is external: its objects cannot be read.")
        elif trusted not in live.servers:
            yield _unread_side(resource, trusted, f"{trusted} was not read in this run.")
    for sides in both_read(desired, live, facts, after):
        yield from _object_findings(sides)
    yield from account_findings(desired, live)
    yield from unread_accounts(desired, live, facts)


# -- scopes and clients -----------------------------------------------------------------------------------------------


def _object_findings(sides: ServerPair) -> Iterator[Diagnostic]:
    both = (sides.resource, sides.trusted)
    for kind in _comparable(sides):
        unread = [server for server in both if not sides.live.readable(server, kind)]
        for server in unread:
            yield unchecked_finding(
                str(Address(kind, "*", server)),
                f"The {kind}s of {server} could not be read, so nobody knows whether {sides.resource} and "
                f"{sides.trusted} have the same ones. {sides.live.servers[server].unreadable[kind].summary}.",
                "Let oauthdeploy read them.",
            )
        if unread:
            continue
        # What was read by key, such as the client of a cut-off, can be compared; nothing can be missed on the other side.
        if not sides.desired.by_key:
            yield from _first_few(
                _one_sided(sides, kind), f"{kind}s that only one of {sides.resource} and {sides.trusted} has"
            )
        if kind is Kind.CLIENT:
            yield from _first_few(
                _client_differences(sides), f"clients that differ between {sides.resource} and {sides.trusted}"
            )


def _comparable(sides: ServerPair) -> Iterator[Kind]:
    """The kinds that both servers support and that were read from both, completely or as far as the state names them."""
    for kind, capability in _HELD:
        both = (sides.resource, sides.trusted)
        able = all(sides.can_hold(server, capability) for server in both)
        if able and (sides.desired.by_key or all(sides.listed(server, kind) for server in both)):
            yield kind


def _one_sided(sides: ServerPair, kind: Kind) -> Iterator[Diagnostic]:
    """Objects that only one side has, unless the manifest itself places them on that side only."""
    on_resource, on_trusted = (sides.after.names(server, kind) for server in (sides.resource, sides.trusted))
    known = _both_ends(sides) if kind is Kind.ASSOCIATION else on_resource | on_trusted
    elsewhere = {
        name
        for server in sides.others
        if server in sides.live.servers and sides.live.readable(server, kind)
        for name in sides.after.names(server, kind)
    }
    for name in sorted((on_resource ^ on_trusted) & known):
        having, lacking = (sides.resource, sides.trusted) if name in on_resource else (sides.trusted, sides.resource)
        if Address(kind, name, having) in sides.desired.objects:
            continue
        usual = having == sides.trusted and name not in elsewhere
        yield Diagnostic(
            f"{kind}-on-one-side",
            f"{_ONE[kind]} is on one side only",
            detail=f"{having} has the {kind} '{name}', and {lacking} does not. {_WHY[kind, having == sides.trusted]}",
            fix=f"Add it to the manifest for both servers, or delete it on {having}.",
            severity=Severity.WARNING if usual else Severity.INFO,
            address=str(Address(kind, name, lacking)),
        )


def _both_ends(sides: ServerPair) -> frozenset[str]:
    """The associations whose client and scope exist on both sides. For others, the missing client or scope is the finding.

    A server that keeps only the names of scopes lacks none.
    """
    both = (sides.resource, sides.trusted)
    clients = [sides.after.names(server, Kind.CLIENT) for server in both]
    scopes = [sides.after.names(server, Kind.SCOPE) for server in both if server not in sides.desired.words]
    names = frozenset.union(*(sides.after.names(server, Kind.ASSOCIATION) for server in both))
    pairs = (Address(Kind.ASSOCIATION, name, sides.trusted) for name in names)
    return frozenset(
        pair.name
        for pair in pairs
        if all(pair.client in some for some in clients) and all(pair.scope in some for some in scopes)
    )


_ONE: Final = {Kind.SCOPE: "A scope", Kind.CLIENT: "A client", Kind.ASSOCIATION: "An association"}
_WHY: Final = {
    (Kind.SCOPE, True): "Tokens with that scope give no access on the resource server.",
    (Kind.SCOPE, False): "No token can carry that scope, so nobody can reach what it protects.",
    (Kind.CLIENT, True): "It cannot be blocked on the resource server, which may also refuse its tokens.",
    (Kind.CLIENT, False): "It cannot get a token there.",
    (Kind.ASSOCIATION, True): "The client gets tokens with that scope, and the resource server refuses them.",
    (Kind.ASSOCIATION, False): "The client cannot get a token with that scope.",
}


def _client_differences(sides: ServerPair) -> Iterator[Diagnostic]:
    """Clients on both sides that are enabled on only one, or have two ids."""
    blocked = {
        value.client
        for address, value in sides.desired.objects.items()
        if isinstance(value, Revocation) and value.block and address.server in (sides.resource, sides.trusted)
    }
    names = sides.after.names(sides.resource, Kind.CLIENT) & sides.after.names(sides.trusted, Kind.CLIENT)
    for name in (name for name in sorted(names) if _may_differ(sides, name)):
        on_resource, on_trusted = (Address(Kind.CLIENT, name, server) for server in (sides.resource, sides.trusted))
        place = sides.desired.places.get(on_resource, ())
        states = sides.after.is_enabled(on_resource), sides.after.is_enabled(on_trusted)
        if None not in states and states[0] != states[1] and name not in blocked:
            on, off = (on_resource, on_trusted) if states[0] else (on_trusted, on_resource)
            yield Diagnostic(
                ENABLED_ON_ONE_SIDE,
                "A client is enabled on one side only",
                detail=f"The client '{name}' is enabled on {on.server} and disabled on {off.server}: what one allows, "
                "the other refuses.",
                fix="Set enabled for the client, or write a revocation with block to cut it off.",
                severity=Severity.WARNING,
                address=str(off),
                path=place,
            )
        ids = [
            side.client_id
            for address in (on_resource, on_trusted)
            if (side := sides.live.servers[address.server].objects.get(address)) is not None
        ]
        if len(ids) == 2 and all(ids) and ids[0] != ids[1]:
            yield Diagnostic(
                CLIENT_ID_DIFFERS,
                "A client has two different ids",
                detail=f"The client_id of '{name}' is '{ids[0]}' on {sides.resource} and '{ids[1]}' on "
                f"{sides.trusted}. A token carries the second, so {sides.resource} does not find the client by it, and "
                "blocking it there may have no effect.",
                fix=f"Cut the client off on {sides.trusted}. Where a server takes client ids, delete the client on "
                f"{sides.resource} and apply: it is created with its key as its id.",
                severity=Severity.WARNING,
                address=str(on_resource),
                path=place,
            )


def _may_differ(sides: ServerPair, name: str) -> bool:
    """False if a quick look tells that a client is enabled on both sides or on neither, with one id."""
    on_resource, on_trusted = (
        sides.live.servers[server].objects.get(Address(Kind.CLIENT, name, server))
        for server in (sides.resource, sides.trusted)
    )
    if on_resource is None or on_trusted is None or sides.after.enabled:
        return True
    ids_differ = on_resource.client_id != on_trusted.client_id
    return ids_differ or enabled_of(on_resource.value) != enabled_of(on_trusted.value)


def _first_few(found: Iterator[Diagnostic], what: str) -> Iterator[Diagnostic]:
    """The first findings, and a count of the rest, so that thousands of them do not bury the plan."""
    listed = list(found)
    yield from listed[:_SHOWN]
    rest = listed[_SHOWN:]
    if rest:
        worst = min((item.severity for item in rest), key=lambda severity: severity.rank)
        yield Diagnostic(
            "cross-side-more",
            "More findings of the same kind",
            detail=f"{len(rest)} more {what}.",
            fix="Fix these first, then run the command again.",
            severity=worst,
        )


def _unread_side(resource: str, trusted: str, why: str) -> Diagnostic:
    """A finding for a side that this run does not read."""
    return Diagnostic(
        UNCHECKED,
        "The two sides could not be compared",
        detail=f"{why} Whether {resource} has the same scopes and clients was not checked.",
        fix=f"Compare {resource} and {trusted} by hand, or include both in the run.",
        severity=Severity.INFO,
        address=str(Address.singleton(Kind.TRUST, resource)),
    )


# -- trust ------------------------------------------------------------------------------------------------------------


def _trust(desired: DesiredState, live: LiveState, name: str, after: StateAfterPlan) -> Iterator[Diagnostic]:
    """A finding if a resource server trusts another server than the manifest says."""
    address = Address.singleton(Kind.TRUST, name)
    wanted = trusted_by(desired, name)
    if not live.readable(name, Kind.TRUST):
        yield unchecked_finding(
            str(address),
            f"Whom {name} trusts could not be read, so nobody knows whether it asks '{wanted or 'nobody'}' about tokens. "
            f"{live.servers[name].unreadable[Kind.TRUST].summary}.",
            "Let oauthdeploy read the settings of the server.",
        )
        return
    trust = live.servers[name].objects.get(address)
    if trust is None or not isinstance(trust.value, Trust) or trust.value.authorization_server == wanted:
        return
    other = trust.value.authorization_server
    mended = address in after.changed
    known = other in desired.servers
    says = f"the manifest says '{wanted}'" if wanted is not None else "the manifest names no server"
    yield Diagnostic(
        "trust-elsewhere" if known else "trust-unknown-server",
        "A resource server trusts another server"
        if known
        else "A resource server trusts a server that is not in the manifest",
        detail=f"{name} trusts '{other}'{'' if known else ', which is not in the manifest'}, and {says}. Tokens of "
        f"'{other}' open what {name} serves" + ("; the plan changes that." if mended else "."),
        fix="Apply the plan."
        if mended
        else f"Write authorization_server for {name}, and add the server '{other}' if it is the right one.",
        severity=Severity.INFO if mended else Severity.WARNING,
        address=str(address),
        path=desired.places.get(address, ("servers", name)),
    )


def _other_trust(desired: DesiredState, live: LiveState, name: str) -> Iterator[Disagreement]:
    address = Address.singleton(Kind.TRUST, name)
    wanted, trust = desired.objects.get(address), live.servers[name].objects.get(address)
    if not isinstance(wanted, Trust) or trust is None or not isinstance(trust.value, Trust):
        return
    if wanted.authorization_server != trust.value.authorization_server:
        detail = f"{name} trusts '{trust.value.authorization_server}', and the manifest says '{wanted.authorization_server}'."
        yield Disagreement(address, detail, desired.places.get(address, ()))


# -- what the manifest names, as it is now ----------------------------------------------------------------------------


def _pair(
    live: LiveState, own: tuple[Address, Object], other_pair: tuple[Address, Object], desired: DesiredState
) -> Iterator[Disagreement]:
    """How one object differs between a resource server and the authorization server that it trusts."""
    (address, wanted), (other, peer) = own, other_pair
    if not (live.readable(address.server, address.kind) and live.readable(other.server, other.kind)):
        return
    first, second = (live.servers[side.server].objects.get(side) for side in (address, other))
    if (first is None) != (second is None):
        lacking, having = (address, other) if first is None else (other, address)
        detail = f"{having.server} has it, and {lacking.server} does not."
        yield Disagreement(lacking, detail, desired.places.get(lacking, ()))
    elif first is not None and second is not None:
        states = enabled_of(first.value), enabled_of(second.value)
        if None not in states and states[0] != states[1] and enabled_of(wanted) == enabled_of(peer):
            word = "enabled" if states[0] else "disabled"
            detail = f"It is {word} on {address.server} and not on {other.server}."
            yield Disagreement(address, detail, desired.places.get(address, ()))
