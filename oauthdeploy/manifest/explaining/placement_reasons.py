"""Explains why an object of the manifest does not belong on a server, according to placement."""

from __future__ import annotations

from collections.abc import Mapping

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.manifest.document import Document, RevocationEntry
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.model.objects import Side


def why_away(document: Document, drivers: Mapping[str, DriverFacts], address: Address, server: str) -> str:
    """The reason why the object at `address` is not on `server`, a server of the manifest that does not have it."""
    entry = document.servers[server]
    facts = drivers.get(entry.driver)
    if facts is not None and not facts.writable:
        return f"the driver {entry.driver} only describes a trusted server; nothing is written to it"
    if address.kind is Kind.SETTINGS:
        if document.settings is None:
            return "no settings are written"
        return "settings apply to authorization servers; a resource server gets those of its own entry under overrides"
    if address.kind is Kind.TRUST:
        if Side.RESOURCE not in entry.role.sides:
            return "an authorization server does not introspect tokens elsewhere"
        return "no authorization_server is written for it"
    if address.kind is Kind.ASSOCIATION:
        return _association(document, drivers, address, server)
    if address.kind is Kind.REVOCATION:
        return _revocation(document, drivers, address.name, server)
    return _holder(document, drivers, address.kind, address.name, server)


def _holder(document: Document, drivers: Mapping[str, DriverFacts], kind: Kind, name: str, server: str) -> str:
    """Why a scope or client is not on a server; "" if it is."""
    entries = document.scopes if kind is Kind.SCOPE else document.clients
    entry = (entries or {}).get(name)
    on = getattr(entry, "on", None)
    if on is not None:
        return "" if server in on else f"its `on` names {', '.join(on) or 'no server'} only"
    facts = drivers.get(document.servers[server].driver)
    if facts is None:
        return ""
    capability = Capability.SCOPES if kind is Kind.SCOPE else Capability.CLIENTS
    answer = supports(table_for(facts, document.servers[server].role), capability)
    return "" if answer else f"the driver {facts.name} holds no {kind}s there: {answer.note}"


def _association(document: Document, drivers: Mapping[str, DriverFacts], address: Address, server: str) -> str:
    facts = drivers.get(document.servers[server].driver)
    if Side.AUTHORIZATION not in document.servers[server].role.sides and facts is not None:
        answer = supports(table_for(facts, document.servers[server].role), Capability.ASSOCIATIONS)
        if not answer:
            return f"the driver {facts.name} keeps no associations on a resource server: {answer.note}"
    ends = [(Kind.CLIENT, address.client), (Kind.SCOPE, address.scope)]
    scope = (document.scopes or {}).get(address.scope)
    if (
        facts is not None
        and facts.scopes_are_words(document.servers[server].role)
        and (scope is None or scope.on is None)
    ):
        ends = ends[:1]
    for kind, name in ends:
        if why := _holder(document, drivers, kind, name, server):
            return f"{kind}/{name} is not there: {why}"
    return "its client or scope is to be absent"


def _revocation(document: Document, drivers: Mapping[str, DriverFacts], name: str, server: str) -> str:
    entry: RevocationEntry | None = next((item for item in document.revocations or () if item.id == name), None)
    if entry is None:
        return "there is no such entry"
    if entry.client in (document.clients or {}) and (
        why := _holder(document, drivers, Kind.CLIENT, entry.client, server)
    ):
        return f"client/{entry.client} is not there: {why}"
    sides = document.servers[server].role.sides
    blocked = [side for side in entry.block or () if side in sides]
    if entry.tokens is not None and Side.AUTHORIZATION not in sides and not blocked:
        return (
            "tokens are deleted on the authorization side; this server cannot refuse them, and no block applies to it"
        )
    return "the client is not blocked on this side" if not blocked else "the client is to be absent there"
