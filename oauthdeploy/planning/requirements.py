"""What objects require of a server, and what the server itself says that it cannot do. Pure.

A driver's table is compared with the manifest before any request (rule `not-supported`). A server may say more about itself when
it is asked, and that is compared here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.model.capabilities import Answer, Capabilities, Capability, DriverFacts, Support, table_for
from oauthdeploy.model.held_fields import SECTIONS, field_name, fields_of
from oauthdeploy.model.objects import Client, Grant, IssuedBefore, Object, Revocation, Side, Trust, Via
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState, LiveState, ServerState
from oauthdeploy.planning.normalize import flatten

GRANTS: Final[Mapping[Grant, Capability]] = {
    Grant.IMPLICIT: Capability.GRANT_IMPLICIT,
    Grant.PASSWORD: Capability.GRANT_PASSWORD,
    Grant.DEVICE_CODE: Capability.GRANT_DEVICE_CODE,
    Grant.CIBA: Capability.GRANT_CIBA,
    Grant.TOKEN_EXCHANGE: Capability.GRANT_TOKEN_EXCHANGE,
}
"""The grants that not every server has."""
TRUST: Final[Mapping[Via, Capability]] = {
    "remote": Capability.TRUST_REMOTE,
    "external": Capability.TRUST_EXTERNAL,
    "jwt": Capability.TRUST_JWT,
}
"""The ways of checking tokens that not every server has."""
_REVOCATIONS: Final = (
    Capability.TOKENS_REFUSE,
    Capability.TOKENS_DELETE,
    Capability.TOKENS_BY_TIME,
    Capability.TOKENS_BY_OWNER,
    Capability.TOKENS_BY_SCOPE,
    Capability.TOKENS_BY_HANDLE,
    Capability.BLOCK_CLIENT,
)


def table_on(facts: Mapping[str, DriverFacts], entry: Server, state: ServerState | None) -> Capabilities:
    """The answers of a server: its own, if it was read, and those of its driver's table. `facts` are by driver name."""
    table = table_for(facts[entry.driver], entry.role)
    return table if state is None or not state.answers else {**table, **state.answers}


def revocation_needs(value: Revocation, role: Role) -> Iterator[tuple[str, Capability]]:
    """What a revocation requires of a server in a role, each with the field that does."""
    if value.tokens is not None:
        if Side.AUTHORIZATION not in role.sides:
            yield "tokens", Capability.TOKENS_REFUSE
        elif isinstance(value.tokens, IssuedBefore):
            yield "tokens", Capability.TOKENS_BY_TIME
        else:
            yield "tokens", Capability.TOKENS_DELETE
        if value.owner is not None:
            yield "owner", Capability.TOKENS_BY_OWNER
        if value.scope is not None:
            yield "scope", Capability.TOKENS_BY_SCOPE
        if value.handles is not None:
            yield "handles", Capability.TOKENS_BY_HANDLE
    if value.block:
        yield "block", Capability.BLOCK_CLIENT


def unoffered(desired: DesiredState, live: LiveState) -> Iterator[Diagnostic]:
    """An error for everything written that a server itself says it does not offer."""
    for name, state in sorted(live.servers.items()):
        entry = desired.servers.get(name)
        refused = {question: one for question, one in state.answers.items() if one.answer is Answer.NO}
        kinds = {kind for kind in Kind if not _questions(kind).isdisjoint(refused)}
        if entry is None or not kinds:
            continue
        for address, value in sorted(desired.on(name).items()):
            for path, question in _needs(address.kind, value, entry.role) if address.kind in kinds else ():
                if question in refused:
                    yield _finding(desired, address, path, question, refused[question])


def _needs(kind: Kind, value: Object, role: Role) -> Iterator[tuple[Path, str]]:
    """What an object requires: the path in its entry, and the name of the capability or field."""
    if isinstance(value, Revocation):
        for field, capability in revocation_needs(value, role):
            yield (field,), capability
        return
    if isinstance(value, Trust):
        yield (), TRUST.get(value.via, Capability.TRUST)
        return
    yield (), SECTIONS[kind]
    for path in flatten(value):
        yield tuple(path.split(".")), field_name(kind, path)
    for grant in value.grants or () if isinstance(value, Client) else ():
        if grant in GRANTS:
            yield ("grants",), GRANTS[grant]


@cache
def _questions(kind: Kind) -> frozenset[str]:
    """What objects of a kind can require."""
    if kind is Kind.REVOCATION:
        return frozenset(map(str, _REVOCATIONS))
    if kind is Kind.TRUST:
        return frozenset(map(str, (Capability.TRUST, *TRUST.values())))
    fields = {field_name(kind, path) for path in fields_of(kind)}
    return frozenset({SECTIONS[kind], *fields, *(map(str, GRANTS.values()) if kind is Kind.CLIENT else ())})


def _finding(desired: DesiredState, address: Address, path: Path, question: str, support: Support) -> Diagnostic:
    place = ("servers", address.server, "authorization_server") if address.kind is Kind.TRUST else ()
    note = f": {support.note}" if support.note else ""
    return Diagnostic(
        "not-supported",
        "Server does not support this",
        detail=f"{address.server} says that it does not offer {question}{note}.",
        fix="Remove it, or exclude the server with on.",
        severity=Severity.ERROR,
        address=str(address),
        path=place or (*desired.places.get(address, ()), *path),
    )
