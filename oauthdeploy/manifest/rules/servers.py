"""Server entries: addresses, verification, and keys that have no meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.manifest.compose import apply_environment
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.uris import is_plain_http, server_url_problem
from oauthdeploy.manifest.variables import declared_variables
from oauthdeploy.model.objects import Side, Trust, Via
from oauthdeploy.model.servers import Server

_REFERENCE: Final = re.compile(r"\$\{var:([A-Za-z_][A-Za-z0-9_]*)\}")
_FIELDS_OF: Final = {
    Side.RESOURCE: ("authorization_server", "audience"),
    Side.AUTHORIZATION: ("introspection", "issuer", "jwks_uri"),
}


def _asked(context: RuleContext, server: str) -> bool:
    """True if a resource server uses the address of `server`: the loader then reports that it is missing."""
    return any(
        other != server and context.trusted_by(other) == server and not context.holds(other, Kind.TRUST, "")
        for other in context.resource_servers
    )


@rule(
    "server-url-missing",
    Severity.ERROR,
    "Server has no address",
    reason="oauthdeploy needs the address to read or change the server.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Write url: https://host:port.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_missing(context: RuleContext) -> Iterator[Finding]:
    """No url for a driver that connects to the server."""
    for name, entry in context.servers.items():
        facts = context.facts(name)
        if entry.url is None and facts is not None and facts.writable and not _asked(context, name):
            yield Finding(("servers", name), f"The driver {entry.driver} needs the address of {name}.")


@rule(
    "server-url-invalid",
    Severity.ERROR,
    "Server address cannot be used",
    reason="oauthdeploy appends the paths of the admin API to the address, so it must be a plain https or http "
    "address. A user name and password in it would end up in logs.",
    source="RFC 3986 sections 3 and 3.2.1",
    fix="Write https://host:port, and put user name and password under credentials.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: is-auth.example.com:5543
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_invalid(context: RuleContext) -> Iterator[Finding]:
    """A url that is not a base address; the detail does not repeat it, since it may contain a password."""
    for name, entry in context.servers.items():
        problem = server_url_problem(entry.url) if entry.url is not None else ""
        if problem:
            yield Finding(("servers", name, "url"), f"The address of {name} cannot be used: {problem}.")


@rule(
    "server-url-not-https",
    Severity.WARNING,
    "Server is administered over plain HTTP",
    reason="The administrator's password and all client secrets cross the network in clear text.",
    source="RFC 9700 section 2.6; RFC 7617 section 4",
    fix="Use the server's https port.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: http://is-auth.example.com:5555
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_not_https(context: RuleContext) -> Iterator[Finding]:
    """http to another machine."""
    for name, entry in context.servers.items():
        if entry.url is not None and is_plain_http(entry.url) and not server_url_problem(entry.url):
            yield Finding(("servers", name, "url"), f"Credentials for {name} cross the network in clear text.")


@rule(
    "server-url-twice",
    Severity.WARNING,
    "Two entries have the same address",
    reason="Each entry has its own plan. Two entries for one server write the same objects twice, and may undo "
    "each other's changes.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Make one entry with role: both, or correct an address.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is.example.com:5543
  orders:
    role: resource
    driver: webmethods
    url: https://is.example.com:5543/
    authorization_server: login
""",
    good="""
servers:
  is:
    role: both
    driver: webmethods
    url: https://is.example.com:5543
    authorization_server: is
""",
)
def url_twice(context: RuleContext) -> Iterator[Finding]:
    """The same driver, address, and realm or path, in two entries."""
    seen: dict[tuple[str, ...], str] = {}
    for name, entry in context.servers.items():
        place = _place(context, entry.driver, entry.url, entry.options, {})
        if place in seen:
            yield Finding(("servers", name, "url"), f"{seen[place]} and {name} are the same server.")
        if place:
            seen.setdefault(place, name)


@rule(
    "server-paths-nested",
    Severity.ERROR,
    "The place of one entry is inside that of another",
    reason="Each entry owns everything at its place, so the outer one deletes what the inner one writes, and the inner one "
    "changes the outer one's objects.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Write places beside each other, such as oauth/orders and oauth/billing.",
    bad="""
servers:
  login: {role: authorization, driver: webmethods, url: "https://is.example.com:5543"}
  orders:
    role: resource
    driver: opa
    url: https://opa.example.com:8181
    options: {path: oauth}
    authorization_server: login
  billing:
    role: resource
    driver: opa
    url: https://opa.example.com:8181
    options: {path: oauth/billing}
    authorization_server: login
""",
    good="""
servers:
  login: {role: authorization, driver: webmethods, url: "https://is.example.com:5543"}
  orders:
    role: resource
    driver: opa
    url: https://opa.example.com:8181
    options: {path: oauth/orders}
    authorization_server: login
  billing:
    role: resource
    driver: opa
    url: https://opa.example.com:8181
    options: {path: oauth/billing}
    authorization_server: login
""",
)
def paths_nested(context: RuleContext) -> Iterator[Finding]:
    """The same driver and address, and a path that starts with the whole path of another entry."""
    places = {
        name: place
        for name, entry in context.servers.items()
        if (place := _place(context, entry.driver, entry.url, entry.options, {}))
    }
    for inner, place in places.items():
        for outer, above in places.items():
            if place[:2] == above[:2] and any(
                one.startswith(f"{other}/") for one, other in zip(place[2:], above[2:], strict=True)
            ):
                yield Finding(
                    ("servers", inner, "options"),
                    f"{' '.join(place[2:])} of {inner} is inside {' '.join(above[2:])} of {outer}.",
                )


@rule(
    "tls-not-verified",
    Severity.WARNING,
    "Server certificate is not verified",
    reason="Anyone on the network path can impersonate the server, read the administrator's password and return "
    "false data.",
    source="RFC 6749 section 1.6; RFC 9110 section 4.3.4",
    fix="Remove verify: false, and set tls.ca_file to the certificate of its authority.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    tls: {verify: false}
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    tls: {ca_file: certs/ca.pem}
""",
)
def tls_not_verified(context: RuleContext) -> Iterator[Finding]:
    """tls.verify: false."""
    for name, entry in context.servers.items():
        if not entry.tls.verify:
            yield Finding(("servers", name, "tls", "verify"), f"The certificate of {name} is not verified.")


@rule(
    "server-field-without-use",
    Severity.WARNING,
    "Key of a server entry has no effect",
    reason="A key without effect is misleading: authorization_server and audience are for resource servers; "
    "introspection, issuer and jwks_uri are for authorization servers. Which of those are used depends on how resource "
    "servers check tokens: by RFC 7662 if introspection has a client_id; else by signature, with issuer and jwks_uri, or "
    "at a server of the same kind, with username and password.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Remove the key, or correct the role.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    authorization_server: login
""",
    good="""
servers:
  login:
    role: both
    driver: webmethods
    url: https://is-auth.example.com:5543
    authorization_server: login
""",
    void=True,
)
def field_without_use(context: RuleContext) -> Iterator[Finding]:
    """A key of the other side, an audience although tokens are introspected, and keys that no trusting resource server uses."""
    for name, entry in context.servers.items():
        for side, fields in _FIELDS_OF.items():
            for field in fields:
                if getattr(entry, field) is not None and side not in entry.role.sides:
                    yield Finding(("servers", name, field), f"{name} does not have the role {side}.")
        if entry.audience is not None and Side.RESOURCE in entry.role.sides:
            trusts = [value for _, value in context.placed(name, Kind.TRUST) if isinstance(value, Trust)]
            if any(trust.via != "jwt" for trust in trusts):
                yield Finding(
                    ("servers", name, "audience"), f"{name} introspects tokens and does not verify them itself."
                )
        if Side.AUTHORIZATION in entry.role.sides:
            yield from _unused_for_trust(context, name, entry)


def _unused_for_trust(context: RuleContext, server: str, entry: Server) -> Iterator[Finding]:
    """Keys of an authorization server that no resource server of the manifest that trusts it uses.

    Nothing if none of them trusts it: its resource servers are then in another manifest.
    """
    trusting = _trusting(context, server)
    if not trusting:
        return
    how = ", ".join(f"{resource} trusts it via {via}" for resource, via in trusting)
    proved_with = _used_by_proofs(context, entry, trusting)
    for path in _written_for_trust(entry):
        used = any(_uses(context, resource, via, path) for resource, via in trusting)
        if not used and path[-1] not in proved_with:
            yield Finding(("servers", server, *path), f"{how}, and {path[-1]} is not used for that.")


def _trusting(context: RuleContext, server: str) -> list[tuple[str, Via]]:
    """The resource servers that trust a server, each with its way of checking tokens."""
    trusts = ((name, value) for name in context.servers for _, value in context.placed(name, Kind.TRUST))
    return [
        (name, value.via) for name, value in trusts if isinstance(value, Trust) and value.authorization_server == server
    ]


def _written_for_trust(entry: Server) -> Iterator[tuple[str, ...]]:
    """The written keys of an authorization server's entry that define how it is trusted."""
    yield from ((key,) for key in ("issuer", "jwks_uri") if getattr(entry, key) is not None)
    written = entry.introspection
    if written is not None:
        yield from (("introspection", key) for key in type(written).model_fields if getattr(written, key) is not None)


def _used_by_proofs(context: RuleContext, entry: Server, trusting: list[tuple[str, Via]]) -> set[str]:
    """The keys of introspection with which the proof of a cut-off tries a token.

    They count if the manifest has a proof, and if no resource server introspects: then they can have no other purpose, and
    `oauthdeploy revoke --proof-token` uses them.
    """
    sign_in = entry.introspection.sign_in if entry.introspection is not None else None
    proves = any(one.proof is not None for one in context.document.revocations or ())
    introspected = any(via in ("remote", "external") for _, via in trusting)
    return {"endpoint", *sign_in} if sign_in is not None and (proves or not introspected) else set()


def _uses(context: RuleContext, resource: str, via: Via, path: tuple[str, ...]) -> bool:
    """Whether a resource server uses a key of the entry of the server that it trusts; an unknown driver may use each."""
    possible: tuple[Via, ...] = ("remote", "external") if path[0] == "introspection" else ("jwt",)
    if via not in possible or (via == "remote" and path[-1] == "endpoint"):
        return False  # A remote server is reached at its base address.
    facts = context.facts(resource)
    return facts is None or facts.held_field(context.servers[resource].role, Kind.TRUST, path[-1]).is_used_via(via)


@rule(
    "environments-share-server",
    Severity.WARNING,
    "Two environments are the same server",
    reason="Changes to one environment also change the other: a test reaches production, and each apply undoes "
    "the other.",
    source="oauthdeploy manifest, version 1: environments",
    fix="Write the environment's own url, realm or path under its servers.",
    bad="""
servers:
  login: {role: both, driver: webmethods, url: "https://is-test.example.com:5543"}
environments:
  test: {settings: {access_token_lifetime: 15m}}
  prod: {servers: {login: {url: "https://IS-test.example.com:5543/"}}}
""",
    good="""
servers:
  login: {role: both, driver: webmethods, url: "https://is-test.example.com:5543"}
environments:
  test: {settings: {access_token_lifetime: 15m}}
  prod: {servers: {login: {url: "https://is.example.com:5543"}}}
""",
)
def environments_share_server(context: RuleContext) -> Iterator[Finding]:
    """The same place, by address and realm or path, in two environments. Addresses from outside the manifest are not compared."""
    overlays = context.composed.get("environments")
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    for environment in overlays if isinstance(overlays, dict) else ():
        tree = apply_environment(dict(context.composed), environment)[0]
        declared = declared_variables(tree.get("variables"))
        values = {name: one.default for name, one in declared.items() if isinstance(one.default, str)}
        servers = tree.get("servers")
        for name, entry in servers.items() if isinstance(servers, dict) else ():
            known_entry = entry if isinstance(entry, dict) else {}
            place = _place(
                context, known_entry.get("driver"), known_entry.get("url"), known_entry.get("options"), values
            )
            other, known = seen.setdefault(place, (environment, name)) if place else (environment, name)
            if other != environment:
                detail = f"{name} of '{environment}' is {known} of '{other}': {' '.join(place[1:])}."
                yield Finding(("environments", environment), detail)


def _place(context: RuleContext, driver: Any, url: Any, options: Any, values: Mapping[str, str]) -> tuple[str, ...]:
    """Driver, address, and the options that distinguish places on one server; nothing if a part of it is unknown."""
    facts = context.drivers.get(str(driver))
    if not isinstance(url, str) or facts is None or not facts.writable:
        return ()
    given = options if isinstance(options, Mapping) else {}
    parts = [url]
    for name in facts.located_by:
        default = facts.options.model_fields[name].default
        parts.append(str(given.get(name) if given.get(name) is not None else default))
    resolved = [_REFERENCE.sub(lambda found: values.get(found[1], found[0]), part) for part in parts]
    return () if any("${" in part for part in resolved) else (facts.name, normalized_url(resolved[0]), *resolved[1:])


RULES: tuple[Rule, ...] = (
    url_missing,
    url_invalid,
    url_not_https,
    url_twice,
    paths_nested,
    environments_share_server,
    tls_not_verified,
    field_without_use,
)
