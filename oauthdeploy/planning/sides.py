"""The two sides together: what a resource server and the authorization server that it trusts hold differently.

    scopes, clients     the same names on both, named by the manifest or not; as they will be once the plan is done
    associations        the same, where the resource server keeps them too
    clients             enabled on both or on neither; one client_id
    trust               the server that the manifest says, and one that the manifest knows
    accounts            resource owners, and the account behind each client credentials client, on both

What the manifest itself puts on one side only is left to its rules. What a check needs and nobody could read is a finding
too. Source: webMethods Integration Server, Configuring OAuth: the clients, scopes and resource owners of a resource server are
those of its authorization server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.model.objects import Client, Grant, Object, Revocation, Trust
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.view import trusted_by

UNCHECKED: Final = "cross-side-unchecked"
ENABLED_ON_ONE_SIDE: Final = "client-enabled-on-one-side"
TOLD_AS_DRIFT: Final = frozenset({"scope-on-one-side", "client-on-one-side", ENABLED_ON_ONE_SIDE, "cross-side-more"})
"""The rules of findings that a drift report tells as items instead."""

_SHOWN: Final = 20
_HELD: Final = (
    (Kind.SCOPE, Capability.SCOPES),
    (Kind.CLIENT, Capability.CLIENTS),
    (Kind.ASSOCIATION, Capability.ASSOCIATIONS),
)
_BOTH: Final = frozenset(kind for kind, _ in _HELD)
_CREDENTIALS_ONLY: Final = frozenset({Grant.CLIENT_CREDENTIALS})


@dataclass(frozen=True)
class Disagreement:
    """What is not the same on both sides, against the manifest: where, and in words."""

    address: Address
    detail: str
    place: Path = ()


def disagreements(desired: DesiredState, live: LiveState) -> Iterator[Disagreement]:
    """What the manifest puts on both sides, and what stands there differently now.

    Accounts count where `resource_owners` names them: those of other clients are a finding, for no apply could ever make it
    go away.
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
    for found in _accounts(desired, live, named_only=True):
        yield Disagreement(Address.parse(found.address), found.detail, found.path)


def unnamed_disagreements(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]
) -> Iterator[Disagreement]:
    """What two sides hold differently now, of what the manifest doesn't put on both; `facts` are by driver name.

    What another resource server of the same authorization server holds is shared with that one, and no disagreement.
    """
    for sides in _both_read(desired, live, facts, _After(live, ())):
        for kind in _comparable(sides):
            if not all(sides.live.readable(server, kind) for server in (sides.resource, sides.trusted)):
                continue
            for found in _one_sided(sides, kind):
                address = Address.parse(found.address)
                if found.severity is Severity.WARNING or address.server == sides.trusted:
                    yield Disagreement(address, found.detail, found.path)
            for found in _unlike(sides) if kind is Kind.CLIENT else ():
                address = Address.parse(found.address)
                if found.rule == ENABLED_ON_ONE_SIDE and address not in desired.objects:
                    yield Disagreement(address, found.detail, found.path)


def side_findings(
    desired: DesiredState, live: LiveState, changes: Iterable[Change], facts: Mapping[str, DriverFacts]
) -> Iterator[Diagnostic]:
    """Findings about the two sides as they are after the changes; `facts` are by driver name. None of them stops a plan."""
    after = _After(live, changes)
    for resource in sorted(live.servers.keys() & desired.servers.keys()):
        yield from _trust(desired, live, resource, after)
    for resource, trusted in _pairs(desired):
        if resource == trusted or resource not in live.servers:
            continue
        if not facts[desired.servers[trusted].driver].writable:
            yield _unseen(resource, trusted, f"{trusted} is described only: what it holds can't be read.")
        elif trusted not in live.servers:
            yield _unseen(resource, trusted, f"{trusted} was not read in this run.")
    for sides in _both_read(desired, live, facts, after):
        yield from _held(sides)
    yield from _accounts(desired, live)
    yield from _unread_accounts(desired, live, facts)


def _pairs(desired: DesiredState) -> Iterator[tuple[str, str]]:
    """Each resource server with the server of the manifest that it trusts; a server of both roles may trust itself."""
    for name in sorted(desired.servers):
        trusted = trusted_by(desired, name)
        if trusted is not None and trusted in desired.servers:
            yield name, trusted


class _After:
    """What stands where once the plan is done."""

    def __init__(self, live: LiveState, changes: Iterable[Change]) -> None:
        self._live = live
        self.gone: set[Address] = set()
        self.made: dict[tuple[str, Kind], set[str]] = defaultdict(set)
        self.changed: set[Address] = set()
        self.enabled: dict[Address, bool] = {}
        for change in changes:
            address = change.address
            if change.action is Action.DELETE:
                self.gone.add(change.live_address)
                continue
            self.changed.add(address)
            if change.former is not None:
                self.gone.add(change.former)
            if change.action is Action.CREATE or change.former is not None:
                self.made[address.server, address.kind].add(address.name)
            for field in change.fields:
                if field.path == "enabled" and address.kind is Kind.CLIENT:
                    self.enabled[address] = bool(field.after)

    def names(self, server: str, kind: Kind) -> frozenset[str]:
        there = {a.name for a in self._live.servers[server].objects if a.kind is kind and not self._goes(a)}
        return frozenset(there | self.made[server, kind])

    def _goes(self, address: Address) -> bool:
        """An association goes with its client."""
        if address in self.gone:
            return True
        return address.kind is Kind.ASSOCIATION and Address(Kind.CLIENT, address.client, address.server) in self.gone

    def is_enabled(self, address: Address) -> bool | None:
        if address in self.enabled:
            return self.enabled[address]
        there = self._live.servers[address.server].objects.get(address)
        return None if there is None else _enabled(there.value)


@dataclass(frozen=True)
class _Sides:
    """One resource server and the server that it trusts. `others` trust the same server."""

    desired: DesiredState
    live: LiveState
    facts: Mapping[str, DriverFacts]
    after: _After
    resource: str
    trusted: str
    others: tuple[str, ...]

    def can_hold(self, server: str, capability: Capability) -> bool:
        if capability is Capability.ASSOCIATIONS:
            return self.desired.keeps_associations(server)
        entry = self.desired.servers[server]
        return bool(supports(table_for(self.facts[entry.driver], entry.role), capability))

    def listed(self, server: str, kind: Kind) -> bool:
        """Whether all objects of the kind were asked for; where nobody says, those that the manifest names there were."""
        complete = self.live.servers[server].complete
        if complete is not None:
            return kind in complete
        known = (self.desired.objects, self.live.servers[server].objects)
        return any(a.kind is kind and a.server == server for some in known for a in some)


def _both_read(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts], after: _After
) -> Iterator[_Sides]:
    """Each resource server with the other server that it trusts, where both were read."""
    pairs = list(_pairs(desired))
    peers: dict[str, list[str]] = defaultdict(list)
    for resource, trusted in pairs:
        peers[trusted].append(resource)
    for resource, trusted in pairs:
        if resource != trusted and {resource, trusted} <= live.servers.keys():
            others = [name for name in peers[trusted] if name not in (resource, trusted)]
            yield _Sides(desired, live, facts, after, resource, trusted, tuple(others))


# -- scopes and clients -----------------------------------------------------------------------------------------------


def _held(sides: _Sides) -> Iterator[Diagnostic]:
    both = (sides.resource, sides.trusted)
    for kind in _comparable(sides):
        unread = [server for server in both if not sides.live.readable(server, kind)]
        for server in unread:
            yield _unchecked(
                str(Address(kind, "*", server)),
                f"The {kind}s of {server} couldn't be read, so nobody knows whether {sides.resource} and "
                f"{sides.trusted} hold the same. {sides.live.servers[server].unreadable[kind].summary}.",
                "Let oauthdeploy read them.",
            )
        if unread:
            continue
        yield from _few(_one_sided(sides, kind), f"{kind}s that {sides.resource} and {sides.trusted} don't share")
        if kind is Kind.CLIENT:
            yield from _few(_unlike(sides), f"clients that {sides.resource} and {sides.trusted} hold differently")


def _comparable(sides: _Sides) -> Iterator[Kind]:
    """The kinds that both servers can hold and that were asked for on both."""
    for kind, capability in _HELD:
        both = (sides.resource, sides.trusted)
        if all(sides.can_hold(server, capability) and sides.listed(server, kind) for server in both):
            yield kind


def _one_sided(sides: _Sides, kind: Kind) -> Iterator[Diagnostic]:
    """Objects of one side that the other lacks, and that the manifest doesn't put on one side itself."""
    here, there = (sides.after.names(server, kind) for server in (sides.resource, sides.trusted))
    known = _both_ends(sides) if kind is Kind.ASSOCIATION else here | there
    elsewhere = {
        name
        for server in sides.others
        if server in sides.live.servers and sides.live.readable(server, kind)
        for name in sides.after.names(server, kind)
    }
    for name in sorted((here ^ there) & known):
        having, lacking = (sides.resource, sides.trusted) if name in here else (sides.trusted, sides.resource)
        if Address(kind, name, having) in sides.desired.objects:
            continue
        usual = having == sides.trusted and name not in elsewhere
        yield Diagnostic(
            f"{kind}-on-one-side",
            f"{_ONE[kind]} is on one side only",
            detail=f"{having} has the {kind} '{name}', and {lacking} doesn't. {_WHY[kind, having == sides.trusted]}",
            fix=f"Write it into the manifest for both servers, or delete it on {having}.",
            severity=Severity.WARNING if usual else Severity.INFO,
            address=str(Address(kind, name, lacking)),
        )


def _both_ends(sides: _Sides) -> frozenset[str]:
    """The associations whose client and scope are on both sides: of others the missing end is the finding."""
    both = (sides.resource, sides.trusted)
    shared = {
        kind: frozenset.intersection(*(sides.after.names(server, kind) for server in both))
        for kind in (Kind.CLIENT, Kind.SCOPE)
    }
    names = frozenset.union(*(sides.after.names(server, Kind.ASSOCIATION) for server in both))
    pairs = (Address(Kind.ASSOCIATION, name, sides.trusted) for name in names)
    return frozenset(p.name for p in pairs if p.client in shared[Kind.CLIENT] and p.scope in shared[Kind.SCOPE])


_ONE: Final = {Kind.SCOPE: "A scope", Kind.CLIENT: "A client", Kind.ASSOCIATION: "An association"}
_WHY: Final = {
    (Kind.SCOPE, True): "Tokens with that scope open nothing on the resource server.",
    (Kind.SCOPE, False): "No token can carry that scope, so what it opens can't be reached.",
    (Kind.CLIENT, True): "Its tokens can't be blocked on the resource server, which may refuse them.",
    (Kind.CLIENT, False): "It can get no token there.",
    (Kind.ASSOCIATION, True): "The client gets tokens with that scope, and the resource server refuses them.",
    (Kind.ASSOCIATION, False): "The client gets no token with that scope.",
}


def _unlike(sides: _Sides) -> Iterator[Diagnostic]:
    """Clients of both sides that are enabled on one, or have two ids."""
    blocked = {
        value.client
        for address, value in sides.desired.objects.items()
        if isinstance(value, Revocation) and value.block and address.server in (sides.resource, sides.trusted)
    }
    names = sides.after.names(sides.resource, Kind.CLIENT) & sides.after.names(sides.trusted, Kind.CLIENT)
    for name in sorted(names):
        here, there = (Address(Kind.CLIENT, name, server) for server in (sides.resource, sides.trusted))
        place = sides.desired.places.get(here, ())
        states = sides.after.is_enabled(here), sides.after.is_enabled(there)
        if None not in states and states[0] != states[1] and name not in blocked:
            on, off = (here, there) if states[0] else (there, here)
            yield Diagnostic(
                ENABLED_ON_ONE_SIDE,
                "A client is enabled on one side only",
                detail=f"The client '{name}' is enabled on {on.server} and disabled on {off.server}: what one allows, "
                "the other refuses.",
                fix="Write enabled for the client, or a revocation with block where it is meant to be cut off.",
                severity=Severity.WARNING,
                address=str(off),
                path=place,
            )
        ids = [
            side.client_id
            for address in (here, there)
            if (side := sides.live.servers[address.server].objects.get(address)) is not None
        ]
        if len(ids) == 2 and all(ids) and ids[0] != ids[1]:
            yield Diagnostic(
                "client-id-differs",
                "A client has two ids",
                detail=f"The client_id of '{name}' is '{ids[0]}' on {sides.resource} and '{ids[1]}' on "
                f"{sides.trusted}. A token carries the second, so {sides.resource} doesn't find the client by it, and "
                "blocking it there may have no effect.",
                fix=f"Cut the client off on {sides.trusted}. Where a server takes client ids, delete the client on "
                f"{sides.resource} and apply: it is made with the id of its key.",
                severity=Severity.WARNING,
                address=str(here),
                path=place,
            )


def _few(found: Iterator[Diagnostic], what: str) -> Iterator[Diagnostic]:
    """The first findings; the rest are counted, so that ten thousand of them don't bury the plan."""
    listed = list(found)
    yield from listed[:_SHOWN]
    rest = listed[_SHOWN:]
    if rest:
        worst = min((item.severity for item in rest), key=lambda severity: severity.rank)
        yield Diagnostic(
            "cross-side-more",
            "More findings of the same kind",
            detail=f"{len(rest)} more {what}.",
            fix="Put the first ones right, then look again.",
            severity=worst,
        )


# -- trust ------------------------------------------------------------------------------------------------------------


def _trust(desired: DesiredState, live: LiveState, name: str, after: _After) -> Iterator[Diagnostic]:
    """Whom a resource server asks about tokens now, where that isn't whom the manifest says."""
    address = Address.singleton(Kind.TRUST, name)
    wanted = trusted_by(desired, name)
    if not live.readable(name, Kind.TRUST):
        yield _unchecked(
            str(address),
            f"Whom {name} trusts couldn't be read, so nobody knows whether it asks '{wanted or 'nobody'}' about tokens. "
            f"{live.servers[name].unreadable[Kind.TRUST].summary}.",
            "Let oauthdeploy read the settings of the server.",
        )
        return
    there = live.servers[name].objects.get(address)
    if there is None or not isinstance(there.value, Trust) or there.value.authorization_server == wanted:
        return
    other = there.value.authorization_server
    mended = address in after.changed
    known = other in desired.servers
    says = f"the manifest says '{wanted}'" if wanted is not None else "the manifest doesn't say whom"
    yield Diagnostic(
        "trust-elsewhere" if known else "trust-unknown-server",
        "A resource server trusts another server" if known else "A resource server trusts a server that isn't written",
        detail=f"{name} trusts '{other}'{'' if known else ', which is no server of the manifest'}, and {says}. Tokens of "
        f"'{other}' open what {name} serves" + ("; the plan changes that." if mended else "."),
        fix="Apply the plan."
        if mended
        else f"Write authorization_server for {name}, and the server '{other}' if it is meant.",
        severity=Severity.INFO if mended else Severity.WARNING,
        address=str(address),
        path=desired.places.get(address, ("servers", name)),
    )


def _other_trust(desired: DesiredState, live: LiveState, name: str) -> Iterator[Disagreement]:
    address = Address.singleton(Kind.TRUST, name)
    wanted, there = desired.objects.get(address), live.servers[name].objects.get(address)
    if not isinstance(wanted, Trust) or there is None or not isinstance(there.value, Trust):
        return
    if wanted.authorization_server != there.value.authorization_server:
        detail = f"{name} trusts '{there.value.authorization_server}', and the manifest says '{wanted.authorization_server}'."
        yield Disagreement(address, detail, desired.places.get(address, ()))


# -- what the manifest names, as it is now ----------------------------------------------------------------------------


def _pair(
    live: LiveState, mine: tuple[Address, Object], theirs: tuple[Address, Object], desired: DesiredState
) -> Iterator[Disagreement]:
    """One object on a resource server and on the authorization server that it trusts."""
    (address, wanted), (other, peer) = mine, theirs
    if not (live.readable(address.server, address.kind) and live.readable(other.server, other.kind)):
        return
    here, there = (live.servers[side.server].objects.get(side) for side in (address, other))
    if (here is None) != (there is None):
        lacking, having = (address, other) if here is None else (other, address)
        detail = f"{having.server} has it, and {lacking.server} doesn't."
        yield Disagreement(lacking, detail, desired.places.get(lacking, ()))
    elif here is not None and there is not None:
        states = _enabled(here.value), _enabled(there.value)
        if None not in states and states[0] != states[1] and _enabled(wanted) == _enabled(peer):
            word = "enabled" if states[0] else "disabled"
            detail = f"It is {word} on {address.server} and not on {other.server}."
            yield Disagreement(address, detail, desired.places.get(address, ()))


def _enabled(value: Object) -> bool | None:
    return value.enabled if isinstance(value, Client) else None


# -- accounts ---------------------------------------------------------------------------------------------------------


def accounts_of(desired: DesiredState, server: str) -> frozenset[str]:
    """The users that `server` must have: resource owners, and client credentials clients by their keys.

    None where an external server issues the tokens. People are left out where every client uses client credentials only.
    """
    found: set[str] = set()
    for resource, trusted in _issuing(desired):
        if server in (resource, trusted):
            found.update(_people(desired, trusted))
            found.update(address.name for address in _machines(desired, trusted))
    return frozenset(found)


def _issuing(desired: DesiredState) -> Iterator[tuple[str, str]]:
    """The pairs in which the trusted server issues tokens for accounts of its own and of the resource server.

    Where a server is asked by introspection, or its tokens are verified by their signature, it is of another kind.
    """
    for resource, trusted in _pairs(desired):
        trust = desired.objects.get(Address.singleton(Kind.TRUST, resource))
        if not (isinstance(trust, Trust) and trust.via in ("external", "jwt")):
            yield resource, trusted


def _clients(desired: DesiredState, server: str) -> Iterator[tuple[Address, Client]]:
    found = [(a, v) for a, v in desired.objects.items() if isinstance(v, Client) and a.server == server]
    return iter(sorted(found, key=lambda item: item[0].sort_key))


def _machines(desired: DesiredState, server: str) -> Sequence[Address]:
    return [a for a, client in _clients(desired, server) if Grant.CLIENT_CREDENTIALS in (client.grants or ())]


def _people(desired: DesiredState, trusted: str) -> Collection[str]:
    clients = list(_clients(desired, trusted))
    if clients and all(frozenset(client.grants or ()) == _CREDENTIALS_ONLY for _, client in clients):
        return ()
    machines = {address.name for address in _machines(desired, trusted)}
    return [name for name in desired.resource_owners if name not in machines]


def _accounts(desired: DesiredState, live: LiveState, *, named_only: bool = False) -> Iterator[Diagnostic]:
    """Accounts that a server lacks; a person's that is disabled is as good as missing."""
    said: set[tuple[str, str]] = set()
    for resource, trusted in _issuing(desired):
        for server in dict.fromkeys((resource, trusted)):
            state = live.servers.get(server)
            if state is None or state.accounts is None:
                continue
            for name in _people(desired, trusted):
                if not state.accounts.get(name) and (server, name) not in said:
                    said.add((server, name))
                    state_there = "is disabled on" if name in state.accounts else "is no user or group of"
                    yield _person_missing(desired, name, state_there, server, (resource, trusted))
            for address in _machines(desired, trusted):
                if named_only and address.name not in desired.resource_owners:
                    continue
                there = live.servers[trusted].objects.get(address) if trusted in live.servers else None
                names = {address.name, there.client_id if there is not None else ""} - {""}
                if not names & state.accounts.keys() and (server, address.name) not in said:
                    said.add((server, address.name))
                    yield _machine_missing(desired, address, server, (resource, trusted))


def _person_missing(desired: DesiredState, name: str, state: str, server: str, both: tuple[str, str]) -> Diagnostic:
    resource, trusted = both
    place = ("resource_owners", desired.resource_owners.index(name))
    return Diagnostic(
        "resource-owner-missing",
        "A resource owner is missing on a server",
        detail=f"'{name}' {state} {server}. {trusted} issues tokens for resource owners that {resource} runs as, so both "
        "must have the account.",
        fix=f"Create or enable '{name}' on {server}, or take it out of resource_owners.",
        severity=Severity.WARNING,
        address=str(Address.singleton(Kind.TRUST, resource)),
        path=place,
    )


def _machine_missing(desired: DesiredState, address: Address, server: str, both: tuple[str, str]) -> Diagnostic:
    resource, trusted = both
    there = Address(Kind.CLIENT, address.name, server)
    return Diagnostic(
        "client-account-missing",
        "The account behind a client is missing on a server",
        detail=f"{server} has no account for the client '{address.name}'. With client credentials the client acts as its "
        f"own account, which {trusted} and {resource} must both have.",
        fix=f"Create the account on {server}, or take client_credentials from the client's grants.",
        severity=Severity.WARNING,
        address=str(there if there in desired.objects else address),
        path=desired.places.get(address, ()),
    )


def _unread_accounts(desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]) -> Iterator[Diagnostic]:
    for name in sorted(live.servers.keys() & desired.servers.keys()):
        state = live.servers[name]
        wanted = accounts_of(desired, name)
        if not wanted or state.accounts is not None:
            continue
        entry = desired.servers[name]
        support = supports(table_for(facts[entry.driver], entry.role), Capability.USERS_LIST)
        if state.accounts_unread is not None:
            why = state.accounts_unread.summary
        else:
            why = support.note or "Its driver didn't read them" if not support else "Its driver didn't read them"
        pair = next(pair for pair in _issuing(desired) if name in pair)
        yield _unchecked(
            str(Address.singleton(Kind.TRUST, pair[0])),
            f"The users of {name} couldn't be read, so nobody knows whether {pair[0]} and {pair[1]} both have "
            f"{_names(wanted)}. {why}.",
            f"Let oauthdeploy read the users of {name}, or look there by hand.",
        )


def _names(names: Collection[str]) -> str:
    listed = [f"'{name}'" for name in sorted(names)]
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more


def _unseen(resource: str, trusted: str, why: str) -> Diagnostic:
    """A side that isn't read in this run, or never; that is as it was asked for."""
    return Diagnostic(
        UNCHECKED,
        "A check of both sides could not be made",
        detail=f"{why} Whether {resource} holds the same scopes and clients is not checked.",
        fix=f"Compare {resource} and {trusted} by hand, or include both in the run.",
        severity=Severity.INFO,
        address=str(Address.singleton(Kind.TRUST, resource)),
    )


def _unchecked(address: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(
        UNCHECKED,
        "A check of both sides could not be made",
        detail=detail,
        fix=fix,
        severity=Severity.WARNING,
        address=address,
    )
