"""Immediate cut-offs: a desired state that requests only revocations. Pure.

It is planned like any other desired state. It has the revocations on every server of their sides, and the natural keys of
the clients, by which servers find them, but no other field of a client.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.capabilities import Capabilities, Capability, DriverFacts, supports, table_for
from oauthdeploy.model.fields import NaturalKey, marked
from oauthdeploy.model.identities import Identity, key_of
from oauthdeploy.model.objects import Client, IssuedBefore, Object, Revocation, Side
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Policy, Prune, PrunePolicy
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.cross_side import CLIENT_ID_DIFFERS
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.selection import restrict_to

LEFT_OUT: Final = "server-left-out"
NOT_OFFERED: Final = "cut-off-not-offered"
UNPROVED: Final = "cut-off-unproved"
"""The rule for a server whose own answer proves nothing."""
DOUBTS: Final = frozenset({CLIENT_ID_DIFFERS, UNPROVED})
"""Rules that cast doubt on the effect of a block: the cut-off is made, but not called verified."""
PROVED: Final = "cut-off-proved"
"""The rule for a token that is refused, as it should be."""
PATIENCE: Final = 10
"""The longest time in seconds for one request of a cut-off: a server that hangs must not delay the others."""
REPEATS: Final = 1
"""The largest number of retries of such a request."""

_NATURAL: Final = marked(Client, NaturalKey)
_NO_PRUNING: Final = Policy(prune=PrunePolicy(clients=Prune.NONE, scopes=Prune.NONE, associations=Prune.NONE))


class CutOff(Struct, frozen=True):
    """A desired state that requests only revocations, and findings about what a server does not support of them."""

    desired: DesiredState
    gaps: Diagnostics

    @property
    def addresses(self) -> frozenset[Address]:
        """The revocations."""
        return frozenset(address for address in self.desired.objects if address.kind is Kind.REVOCATION)


def cut_off(desired: DesiredState, revocations: Mapping[str, Revocation], facts: Mapping[str, DriverFacts]) -> CutOff:
    """Request `revocations`, by id, on every server that can be written to; `facts` are by driver name.

    In a manifest, a client is looked for on the servers of its `on`; here it is looked for on every server. A client that is
    named by its label in the manifest is looked for by its key, which the other servers know.
    """
    known = _known(desired)
    revocations = {
        key: one.model_copy(update={"client": key_of(one.client, known)}) for key, one in revocations.items()
    }
    servers = {name: _with_short_timeouts(server) for name, server in desired.servers.items()}
    writable = {name: server for name, server in servers.items() if facts[server.driver].writable}
    tables = {name: table_for(facts[server.driver], server.role) for name, server in writable.items()}
    parts = {
        Address(Kind.REVOCATION, key, name): _part_for_sides(revocation, server.role.sides, tables[name])
        for name, server in writable.items()
        for key, revocation in revocations.items()
    }
    objects, gaps = _offered(parts, tables)
    clients = {revocation.client for revocation in revocations.values()}
    return _asking(desired, objects, clients, servers, Diagnostics.of(gaps).sorted())


def as_offered(request: CutOff, tables: Mapping[str, Capabilities]) -> CutOff:
    """The request without what servers say they do not offer, with a finding for each; `tables` are by server."""
    parts = {
        address: value
        for address, value in request.desired.objects.items()
        if isinstance(value, Revocation) and address.server in tables
    }
    offered, gaps = _offered(parts, tables)
    kept = {address: offered.get(address, value) for address, value in request.desired.objects.items()}
    kept = {address: value for address, value in kept.items() if address not in parts or address in offered}
    known = {(item.address, item.detail) for item in request.gaps}
    more = Diagnostics.of(gap for gap in gaps if (gap.address, gap.detail) not in known)
    return CutOff(replace(request.desired, objects=MappingProxyType(kept)), (request.gaps + more).sorted())


def _offered(
    parts: Mapping[Address, Revocation], tables: Mapping[str, Capabilities]
) -> tuple[dict[Address, Object], list[Diagnostic]]:
    """What the servers offer of the parts of a cut-off, and a finding for everything that they do not."""
    objects: dict[Address, Object] = {}
    gaps: list[Diagnostic] = []
    for address, revocation in parts.items():
        lacking = dict(_missing_capabilities(revocation, tables[address.server]))
        gaps += [_gap_finding(address, capability, note) for capability, note in lacking.items()]
        here = _without_capabilities(revocation, frozenset(lacking))
        if here.tokens is not None or here.block:
            objects[address] = here
    return objects, gaps


def _asking(
    desired: DesiredState,
    objects: Mapping[Address, Object],
    clients: Collection[str],
    servers: Mapping[str, Server],
    gaps: Diagnostics,
) -> CutOff:
    """A desired state that requests `objects` and has the natural keys of their clients."""
    who = {
        address: _identity(value)
        for address, value in desired.objects.items()
        if isinstance(value, Client) and address.name in clients
    }
    request = DesiredState(
        name=desired.name,
        servers=MappingProxyType(servers),
        objects=MappingProxyType({**who, **objects}),
        moved=MappingProxyType({address: name for address, name in desired.moved.items() if address in who}),
        places=desired.places,
        policy=_NO_PRUNING,
        identities=MappingProxyType({a: identity for a, identity in desired.identities.items() if a.name in clients}),
        whole=False,
        by_key=True,
        cut_at=desired.cut_at,
    )
    return CutOff(request, gaps)


def declared_cut_offs(desired: DesiredState) -> CutOff:
    """The revocations of a manifest on the servers where it places them, and nothing else."""
    objects = {address: value for address, value in desired.objects.items() if isinstance(value, Revocation)}
    return _asking(desired, objects, {value.client for value in objects.values()}, desired.servers, Diagnostics())


def asked_in(plan: Plan, desired: DesiredState) -> CutOff:
    """The revocations in a plan of a manifest, as a desired state of their own."""
    kept = {change.address: change.desired for change in plan.changes if isinstance(change.desired, Revocation)}
    return CutOff(replace(desired, objects=MappingProxyType(kept)), Diagnostics())


def _known(desired: DesiredState) -> Mapping[str, Identity]:
    """The manifest's clients by key, with their names and versions."""
    known = {address.name: identity for address, identity in desired.identities.items()}
    wanted = {address.name: value for address, value in desired.objects.items() if isinstance(value, Client)}
    return known | {key: Identity(value.name, value.version) for key, value in wanted.items()}


def on_servers(request: CutOff, servers: Collection[str]) -> CutOff:
    """The request limited to some servers."""
    chosen = {address: value for address, value in request.desired.objects.items() if address.server in servers}
    gaps = [item for item in request.gaps if Address.parse(item.address).server in servers]
    return CutOff(replace(request.desired, objects=MappingProxyType(chosen)), Diagnostics.of(gaps))


def cut_off_changes(request: CutOff) -> tuple[Change, ...]:
    """Everything requested, as changes, whether already in place or not."""
    return tuple(
        Change(address, Action.REVOKE, Reason.CUT_OFF, Stage.CUT_OFF_RESOURCE, request.desired.objects[address])
        for address in sorted(request.addresses)
    )


def cut_off_plan(plan: Plan, request: CutOff, down: Mapping[str, OAuthDeployError]) -> Plan:
    """The plan with only the cut-offs, the findings about them, and the servers that are `down`."""
    addresses = {str(address) for address in request.addresses}
    found = [item for item in plan.diagnostics if item.address in addresses]
    found += _doubts(plan, request)
    found += [_server_left_out(name, error) for name, error in sorted(down.items())]
    stops = [item for item in plan.stops if item.address in addresses]
    return replace(
        restrict_to(plan, request.addresses),
        diagnostics=(Diagnostics.of(found) + request.gaps).sorted(),
        stops=Diagnostics.of(stops).sorted(),
    )


def _doubts(plan: Plan, request: CutOff) -> Iterator[Diagnostic]:
    """Findings that cast doubt on the effect of a block on a server, at the address of the cut-off there."""
    doubted = {item.address: item for item in plan.diagnostics if item.rule in DOUBTS}
    for address in sorted(request.addresses):
        wanted = request.desired.objects[address]
        if isinstance(wanted, Revocation) and wanted.block:
            found = doubted.get(str(Address(Kind.CLIENT, wanted.client, address.server)))
            if found is not None:
                yield replace(found, address=str(address))


def is_there(live: LiveObject) -> bool:
    """Whether the server has the client that a live revocation is about."""
    return live.blocked is not None or bool(live.identity) or bool(live.tokens and live.tokens.total)


def unreadable(live: LiveState, server: str) -> Diagnostic | None:
    """Why the cut-offs on a server that responded are unknown; None if they are known."""
    return live.servers[server].unreadable.get(Kind.REVOCATION) if server in live.servers else None


def unproved(server: str, why: str) -> Diagnostic:
    """The finding for a cut-off that the server's own answer does not prove."""
    return Diagnostic(
        UNPROVED,
        "Reading the server again does not prove the cut-off",
        detail=f"{server}: {why}.",
        fix="Try a token of the client with --proof-token and --proof-url.",
        severity=Severity.WARNING,
    )


def _server_left_out(server: str, error: OAuthDeployError) -> Diagnostic:
    return Diagnostic(
        LEFT_OUT,
        "A server was skipped, so the client is not cut off there",
        detail=f"{server}: {error.summary}.",
        fix="Run the same command again when the server responds, or cut off the client manually there.",
        severity=Severity.WARNING,
    )


def _with_short_timeouts(server: Server) -> Server:
    limits = server.limits.model_copy(
        update={
            "timeout": min(server.limits.timeout, PATIENCE),
            "retries": min(server.limits.retries, REPEATS),
        }
    )
    return server.model_copy(update={"limits": limits})


def _identity(client: Client) -> Client:
    """The client with only its natural key, as far as that is written."""
    return Client(**{name: getattr(client, name) for name in client.model_fields_set & _NATURAL})


def _part_for_sides(revocation: Revocation, sides: frozenset[Side], table: Capabilities) -> Revocation:
    """The part of a revocation that concerns a server on these sides; a resource server may refuse tokens itself."""
    block = tuple(side for side in revocation.block or () if side in sides)
    gone = set() if block else {"block"}
    ends = Side.AUTHORIZATION in sides or supports(table, Capability.TOKENS_REFUSE)
    if revocation.tokens is None or not ends:
        gone |= {"tokens", "owner", "scope", "handles"}
    return _without_fields(revocation, gone, block=block)


def _without_fields(revocation: Revocation, gone: set[str], **changed: object) -> Revocation:
    values = {name: getattr(revocation, name) for name in revocation.model_fields_set | set(changed)} | changed
    return Revocation(**{name: value for name, value in values.items() if name not in gone})


def _missing_capabilities(revocation: Revocation, table: Capabilities) -> Iterator[tuple[Capability, str]]:
    """What a revocation needs and the driver does not support, each with the reason."""
    needed = []
    if revocation.block:
        needed.append(Capability.BLOCK_CLIENT)
    if revocation.tokens is not None:
        if not supports(table, Capability.TOKENS_REFUSE):
            by_time = isinstance(revocation.tokens, IssuedBefore)
            needed.append(Capability.TOKENS_BY_TIME if by_time else Capability.TOKENS_DELETE)
        needed += [Capability.TOKENS_BY_OWNER] if revocation.owner is not None else []
        needed += [Capability.TOKENS_BY_SCOPE] if revocation.scope is not None else []
        needed += [Capability.TOKENS_BY_HANDLE] if revocation.handles is not None else []
    for capability in needed:
        support = supports(table, capability)
        if not support:
            yield capability, support.note


def _without_capabilities(revocation: Revocation, lacking: frozenset[Capability]) -> Revocation:
    gone = {"block"} if Capability.BLOCK_CLIENT in lacking else set()
    if lacking - {Capability.BLOCK_CLIENT}:
        # Applying only part of a selection would end other tokens than requested.
        gone |= {"tokens", "owner", "scope", "handles"}
    return _without_fields(revocation, gone) if gone else revocation


_CANNOT: Final[Mapping[Capability, str]] = {
    Capability.BLOCK_CLIENT: "disable a client",
    Capability.TOKENS_DELETE: "delete tokens",
    Capability.TOKENS_BY_TIME: "delete tokens by issue time",
    Capability.TOKENS_BY_OWNER: "delete tokens of one owner",
    Capability.TOKENS_BY_SCOPE: "delete tokens of one scope",
    Capability.TOKENS_BY_HANDLE: "delete single tokens",
}


def _gap_finding(address: Address, capability: Capability, note: str) -> Diagnostic:
    return Diagnostic(
        NOT_OFFERED,
        "A server does not support this way of cutting off",
        detail=f"{address.server} cannot {_CANNOT[capability]}: {note}.",
        fix="Do it by hand on that server, or select the tokens in another way.",
        severity=Severity.WARNING,
        address=str(address),
    )
