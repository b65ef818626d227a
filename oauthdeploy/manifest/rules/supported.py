"""Compares everything that is written with the drivers' capability tables, before any request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import Pair, RuleContext
from oauthdeploy.model.capabilities import Answer, Capability, Support
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import field_name, fields_of
from oauthdeploy.model.objects import MODEL_OF, Revocation, Settings, Side, Trust, needed_on
from oauthdeploy.planning.requirements import GRANTS, TRUST, revocation_needs

_AUTHORIZATION: Final = frozenset({Side.AUTHORIZATION})


class _Gap(Struct, frozen=True):
    """Something written that a server does not surely hold."""

    path: Path
    address: str
    server: str
    capability: str
    support: Support

    def __str__(self) -> str:
        note = f": {self.support.note}" if self.support.note else ""
        return f"{self.server} does not offer {self.capability}{note}."


def _gaps(context: RuleContext, answer: Answer) -> Iterator[_Gap]:
    """Everything written that a driver answers with `answer`."""
    known = [name for name in context.servers if context.writable(name) and context.facts(name) is not None]
    for server in known:
        for path, address, capability in _asked(context, server):
            support = context.support(server, capability)
            if support.answer is answer:
                yield _Gap(path, address, server, capability, support)
    yield from _field_gaps(context, known, answer)


def _asked(context: RuleContext, server: str) -> Iterator[tuple[Path, str, str]]:
    """What settings, associations, trust, revocations and renames require of a server."""
    for address, value in context.placed(server, Kind.SETTINGS):
        if isinstance(value, Settings):
            yield from _settings_asked(context, server, str(address), value)
    if server in context.associating:
        yield ("associations",), "", Capability.ASSOCIATIONS
    for address, value in context.placed(server, Kind.TRUST):
        path: Path = ("servers", server, "authorization_server")
        if isinstance(value, Trust):
            yield path, str(address), TRUST.get(value.via, Capability.TRUST)
            yield from _trust_asked(context, server, str(address), value)
    for address, value in context.placed(server, Kind.REVOCATION):
        if isinstance(value, Revocation):
            for field, capability in revocation_needs(value, context.servers[server].role):
                yield (*context.place(address), field), str(address), capability
    for address in context.desired.moved:
        if address.server == server:
            yield (*context.place(address), "moved_from"), str(address), Capability.CLIENT_RENAME


def _settings_asked(
    context: RuleContext, server: str, address: str, value: Settings
) -> Iterator[tuple[Path, str, str]]:
    settings = context.document.settings
    override = (settings.overrides or {}).get(server) if settings is not None else None
    own: frozenset[str] = frozenset() if override is None else frozenset(override.model_fields_set)
    if not context.support(server, Capability.SETTINGS):
        place: Path = ("settings", "overrides", server) if own >= value.model_fields_set else ("settings",)
        yield place, address, Capability.SETTINGS
        return
    for field in fields_of(Kind.SETTINGS):
        if field in value.model_fields_set:
            base: Path = ("settings", "overrides", server) if field in own else ("settings",)
            yield (*base, field), address, field_name(Kind.SETTINGS, field)


def _trust_asked(context: RuleContext, server: str, address: str, value: Trust) -> Iterator[tuple[Path, str, str]]:
    """The fields of a trust. If the way of checking tokens is not supported, only that is reported."""
    if not context.support(server, TRUST.get(value.via, Capability.TRUST)):
        return
    for field in fields_of(Kind.TRUST):
        name = field_name(Kind.TRUST, field)
        if getattr(value, field) is not None:
            yield ("servers", server, "authorization_server"), address, name


def _field_gaps(context: RuleContext, known: list[str], answer: Answer) -> Iterator[_Gap]:
    """Fields of scopes and clients. The tables are read once for each server, so that objects without gaps cost nothing."""
    entries: tuple[tuple[Kind, Iterable[tuple[str, Model]]], ...] = (
        (Kind.SCOPE, context.scopes),
        (Kind.CLIENT, context.clients),
    )
    for kind, pairs in entries:
        for field in fields_of(kind):
            name = field_name(kind, field)
            servers = _servers(context, known, kind, name, _sides(kind, field), answer)
            yield from _written(context, servers, kind, pairs, field, name)
    yield from _overridden(context, answer)
    for field in fields_of(Kind.ASSOCIATION):
        name = field_name(Kind.ASSOCIATION, field)
        servers = _servers(context, known, Kind.ASSOCIATION, name, _sides(Kind.ASSOCIATION, field), answer)
        yield from _of_associations(context, servers, field, name)
    for grant, capability in GRANTS.items():
        servers = _servers(context, known, Kind.CLIENT, capability, _AUTHORIZATION, answer)
        yield from _written(context, servers, Kind.CLIENT, context.clients_with[grant], "grants", capability)


@cache
def _sides(kind: Kind, field: str) -> frozenset[Side]:
    """The sides that a field must be held on; what the other side cannot hold, it does not need."""
    return needed_on(MODEL_OF[kind], field)


def _servers(
    context: RuleContext, known: list[str], kind: Kind, question: str, sides: frozenset[Side], answer: Answer
) -> list[tuple[str, Support]]:
    """The servers on the given sides that give the answer. If no server with objects of the kind is on them, all count."""
    having = (
        context.associating if kind is Kind.ASSOCIATION else {name for name, one in context.addresses if one is kind}
    )
    if kind is Kind.SCOPE and not having:
        # What a server that keeps only the names of scopes cannot hold matters where no other server has them.
        having = frozenset(context.desired.words)
    holding = [name for name in known if name in having]
    concerned = [name for name in holding if context.servers[name].role.sides & sides] or holding
    return [(name, support) for name in concerned if (support := context.support(name, question)).answer is answer]


def _written(
    context: RuleContext,
    servers: list[tuple[str, Support]],
    kind: Kind,
    entries: Iterable[tuple[str, Model]],
    field: str,
    question: str,
) -> Iterator[_Gap]:
    for name, entry in entries if servers else ():
        written = _says(entry, field)
        if not written:
            continue
        path: Path = (f"{kind}s", name, *written.split("."))
        for server, support in servers:
            if context.holds(server, kind, name) and (
                written == field or _lacks(context, server, kind, written, field)
            ):
                yield _Gap(path, object_address(kind, name), server, question, support)


def _overridden(context: RuleContext, answer: Answer) -> Iterator[_Gap]:
    """What scopes override on single servers."""
    for name, entry in context.scopes:
        for server, own in (entry.overrides or {}).items():
            for field in own.model_fields_set if context.holds(server, Kind.SCOPE, name) else ():
                question = field_name(Kind.SCOPE, field)
                if (support := context.support(server, question)).answer is answer:
                    path: Path = ("scopes", name, "overrides", server, field)
                    yield _Gap(path, object_address(Kind.SCOPE, name), server, question, support)


def _of_associations(
    context: RuleContext, servers: list[tuple[str, Support]], field: str, question: str
) -> Iterator[_Gap]:
    """A field of associations, once for each entry and server."""
    entries = enumerate(context.document.associations or () if servers else ())
    pairs: dict[int, list[Pair]] = {index: [] for index, entry in entries if field in entry.model_fields_set}
    for pair in context.pairs if pairs else ():
        if pair.entry in pairs:
            pairs[pair.entry].append(pair)
    for index, written in pairs.items():
        for server, support in servers:
            addresses = (Address.association(pair.client, pair.scope, server) for pair in written)
            address = next((one for one in addresses if one in context.desired.objects), None)
            if address is not None:
                yield _Gap(("associations", index, field), str(address), server, question, support)


def _lacks(context: RuleContext, server: str, kind: Kind, group: str, field: str) -> bool:
    """Whether a server holds nothing of a group of fields; reported once, for the first of them."""
    inside = [path for path in fields_of(kind) if path.startswith(f"{group}.")]
    return inside[0] == field and not any(context.support(server, field_name(kind, path)) for path in inside)


def _says(entry: Model, field: str) -> str:
    """The written part of a field's dotted path: not all of it if the group around it is null."""
    name, _, inside = field.partition(".")
    if name not in entry.model_fields_set:
        return ""
    inner = getattr(entry, name)
    if not inside or inner is None:
        return name
    below = _says(inner, inside) if isinstance(inner, Model) else ""
    return f"{name}.{below}" if below else ""


@rule(
    "not-supported",
    Severity.ERROR,
    "Server does not support this",
    reason="The driver's capability table says no. The value would be lost, and every plan would show it again.",
    source="oauthdeploy drivers: capability tables",
    fix="Remove it, exclude the server with on, or write the setting under overrides for the servers that support it.",
    bad="""
servers:
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
clients:
  mobile:
    type: public
    enabled: false
""",
    good="""
servers:
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
clients:
  mobile:
    type: public
""",
)
def not_supported(context: RuleContext) -> Iterator[Finding]:
    """Each place and server with the answer no."""
    for gap in _gaps(context, Answer.NO):
        yield Finding(gap.path, str(gap), gap.address)


@rule(
    "support-untested",
    Severity.INFO,
    "Driver has not been tested for this",
    reason="It should work according to the server's documentation, but has not been tested on a real server.",
    source="oauthdeploy drivers: capability tables",
    fix="Try it on a test server first, and check what the apply verifies.",
    bad="""
servers:
  login:
    role: authorization
    driver: glewlwyd
    url: https://login.example.com/glewlwyd
clients:
  mobile:
    type: public
    description: The shop on telephones
""",
    good="""
servers:
  login:
    role: authorization
    driver: glewlwyd
    url: https://login.example.com/glewlwyd
clients:
  mobile:
    type: public
""",
)
def untested(context: RuleContext) -> Iterator[Finding]:
    """One finding for each server and capability, at the first place."""
    first: dict[tuple[str, str], _Gap] = {}
    places: dict[tuple[str, str], int] = {}
    for gap in _gaps(context, Answer.UNTESTED):
        key = (gap.server, gap.capability)
        first.setdefault(key, gap)
        places[key] = places.get(key, 0) + 1
    for key, gap in first.items():
        more = f" ({places[key] - 1} more places)" if places[key] > 1 else ""
        note = f": {gap.support.note}" if gap.support.note else ""
        yield Finding(gap.path, f"{gap.server}: {gap.capability} is not tested{note}{more}.", gap.address)


@rule(
    "on-server-cannot-hold",
    Severity.ERROR,
    "Server does not support this kind of object",
    reason="The driver's capability table says no for the whole kind, so nothing can be planned there.",
    source="oauthdeploy drivers: capability tables",
    fix="Remove the server from on.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
scopes:
  orders.read: {description: Read orders, on: [login, registry]}
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
scopes:
  orders.read: {description: Read orders, on: [login]}
""",
)
def cannot_hold(context: RuleContext) -> Iterator[Finding]:
    """on names a server whose driver does not support the kind."""
    for kind, capability, entries in (
        (Kind.SCOPE, Capability.SCOPES, context.scopes),
        (Kind.CLIENT, Capability.CLIENTS, context.clients),
    ):
        unable = {
            name: answer.note
            for name in context.servers
            if context.writable(name) and (answer := context.support(name, capability)).answer is Answer.NO
            if not (kind is Kind.SCOPE and context.names_scopes(name))
        }
        for name, entry in entries if unable else ():
            for index, server in enumerate(getattr(entry, "on", None) or ()):
                if server in unable:
                    detail = f"{server} does not support {kind}s: {unable[server]}."
                    yield Finding((f"{kind}s", name, "on", index), detail, object_address(kind, name))


@rule(
    "section-without-server",
    Severity.ERROR,
    "No server supports this section",
    reason="The section would have no effect, although the run would look successful.",
    source="oauthdeploy drivers: capability tables",
    fix="Remove the section, or add a server that supports it.",
    bad="""
servers:
  partner-idp:
    role: authorization
    driver: external
    introspection: {endpoint: "https://idp.example.com/introspect", client_id: orders-rs, client_secret: "${env:RS_SECRET}"}
clients:
  mobile: {type: public}
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
clients:
  mobile: {type: public}
""",
)
def section_without_server(context: RuleContext) -> Iterator[Finding]:
    """Scopes or clients although every driver says no, and settings of servers that are never written to."""
    writable = [name for name in context.servers if context.writable(name)]
    for kind, capability, entries in (
        (Kind.SCOPE, Capability.SCOPES, context.document.scopes),
        (Kind.CLIENT, Capability.CLIENTS, context.document.clients),
    ):
        naming = kind is Kind.SCOPE and any(context.names_scopes(name) for name in writable)
        if entries and not naming and not any(context.support(name, capability) for name in writable):
            yield Finding((f"{kind}s",), f"None of the servers supports {kind}s.")
    settings = context.document.settings
    issuing = any(name in context.authorization_servers for name in writable)
    if settings is not None and settings.model_fields_set - {"overrides"} and not issuing:
        yield Finding(("settings",), "The manifest has no authorization server that oauthdeploy can change.")
    for name in settings.overrides or () if settings is not None else ():
        if name in context.servers and name not in writable:
            yield Finding(("settings", "overrides", name), f"{name} is only trusted; oauthdeploy never changes it.")


RULES: tuple[Rule, ...] = (not_supported, untested, cannot_hold, section_without_server)
