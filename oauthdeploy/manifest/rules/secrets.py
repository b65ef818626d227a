"""Secrets: where they come from, where they are delivered, and which clients must not have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.core.secrets import Secret, SourcedText, is_secret_type
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.capabilities import Answer, Capability
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import ClientType, Side
from oauthdeploy.model.servers import Proxy


def _written_in(value: Any) -> bool:
    """True for a string that is written in the manifest itself."""
    if isinstance(value, Secret):
        return value.origin == "manifest"
    return isinstance(value, str) and not isinstance(value, SourcedText)


def _driver_secrets(values: Mapping[str, Any], model: type[Model] | None, path: Path) -> Iterator[tuple[Path, Any]]:
    """The secrets in a part of a server entry that is described by its driver's model."""
    for name, info in model.model_fields.items() if model is not None else ():
        if is_secret_type(info.annotation):
            key = name if name in values else info.alias or name
            yield (*path, key), values.get(key)


def _secrets(context: RuleContext) -> Iterator[tuple[Path, Any]]:
    """Every secret: its path and its value."""
    for name, entry in context.servers.items():
        facts = context.facts(name)
        base: Path = ("servers", name)
        if facts is not None:
            yield from _driver_secrets(entry.credentials, facts.credentials, (*base, "credentials"))
            yield from _driver_secrets(entry.options, facts.options, (*base, "options"))
        if isinstance(entry.proxy, Proxy):
            yield (*base, "proxy", "password"), entry.proxy.password
        yield (*base, "tls", "client_key_password"), entry.tls.client_key_password
        if entry.introspection is not None:
            yield (*base, "introspection", "client_secret"), entry.introspection.client_secret
            yield (*base, "introspection", "password"), entry.introspection.password
    for key, client in context.clients_that_write("secret"):
        if client.secret is not None and client.secret.value is not None:
            yield ("clients", key, "secret", "value"), client.secret.value
    for position, revocation in enumerate(context.document.revocations or ()):
        if revocation.proof is not None:
            yield ("revocations", position, "proof", "token"), revocation.proof.token


def _in_options(context: RuleContext) -> Iterator[tuple[Path, Any]]:
    """The same for every secret among a driver's own options of settings, scopes and clients."""
    document = context.document
    entries: list[tuple[Path, Any]] = [
        ((section, key), one)
        for section, objects in (("scopes", document.scopes), ("clients", document.clients))
        for key, one in (objects or {}).items()
        if one.options
    ]
    if document.settings is not None:
        entries.append((("settings",), document.settings))
        overrides = document.settings.overrides or {}
        entries += [(("settings", "overrides", name), one) for name, one in overrides.items()]
    for path, entry in entries:
        if entry.options:
            yield from _secrets_below(entry.options, (*path, "options"))


def _address(context: RuleContext, path: Path) -> str:
    """The address of the object that has the secret at a path; "" for servers and settings, which have none."""
    match path:
        case ("clients", str(key), *_):
            return object_address(Kind.CLIENT, key)
        case ("scopes", str(key), *_):
            return object_address(Kind.SCOPE, key)
        case ("revocations", int(position), *_):
            return object_address(Kind.REVOCATION, (context.document.revocations or ())[position].id)
    return ""


def _secrets_below(value: Any, path: Path) -> Iterator[tuple[Path, Secret]]:
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, Mapping | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _secrets_below(inner, (*path, key))


@rule(
    "secret-in-manifest",
    Severity.WARNING,
    "Secret is written in the manifest",
    reason="A manifest is reviewed, copied and kept in version control forever, so everyone who can read it knows "
    "the secret.",
    source="RFC 6749 section 2.3.1; RFC 6819 section 5.1.4.1",
    fix="Write a reference such as ${env:NAME} or ${file:PATH}, and change the secret, because it has been exposed.",
    bad="""
clients:
  batch:
    type: confidential
    secret: {value: correct-horse}
    options: {keycloak: {attributes: {crm.password: battery-staple}}}
""",
    good="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
    options: {keycloak: {attributes: {crm.password: "${env:API_KEY}", access.token.lifespan.hint: 10m}}}
""",
)
def in_manifest(context: RuleContext) -> Iterator[Finding]:
    """A secret that is not a reference; in a driver's own options, one that is secret by its type or its name."""
    for path, value in chain(_secrets(context), _in_options(context)):
        if value is not None and _written_in(value):
            yield Finding(path, "The secret is written here instead of a reference to it.", _address(context, path))


@rule(
    "secret-empty",
    Severity.ERROR,
    "Secret is empty",
    reason="With an empty secret, anyone who knows the name can sign in. It usually means that a variable of the "
    "pipeline is not set.",
    source="RFC 6749 sections 2.3.1 and 10.1",
    fix="Set the variable, or fill the file, that the reference names.",
    bad="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:EMPTY:-}"}
""",
    good="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
)
def empty(context: RuleContext) -> Iterator[Finding]:
    """A secret of no characters."""
    for path, value in _secrets(context):
        if value is not None and not value:
            origin = getattr(value, "origin", "manifest")
            source = "the manifest" if origin == "manifest" else str(origin)
            yield Finding(path, f"{source} is empty.", _address(context, path))


@rule(
    "secret-on-public-client",
    Severity.ERROR,
    "Public client has a secret",
    reason="Anyone can read the secret of a public client, so it protects nothing. Servers refuse or ignore it.",
    source="RFC 6749 sections 2.1 and 2.3.1; RFC 8252 section 8.5",
    fix="Remove secret, or make the client confidential.",
    bad="""
clients:
  mobile:
    type: public
    secret: {value: "${env:MOBILE_SECRET}"}
""",
    good="""
clients:
  mobile:
    type: public
""",
    void=True,
)
def on_public(context: RuleContext) -> Iterator[Finding]:
    """A secret beside type: public."""
    for key, entry in context.clients_that_write("secret"):
        if entry.secret is not None and entry.type is ClientType.PUBLIC:
            yield client_finding(key, "secret", f"{key} is public and cannot keep a secret.")


@rule(
    "secret-not-received",
    Severity.WARNING,
    "Nobody receives the client's secret",
    reason="The server generates a secret for a new confidential client and shows it only once. Unless the "
    "manifest says where to deliver it, the secret is lost and the client cannot sign in.",
    source="RFC 6749 section 2.3.1; RFC 7591 section 3.2.1",
    fix="Write secret: {generate: true, deliver_to: {file: ...}}, or give the secret with secret: {value: ...}.",
    bad="""
clients:
  batch:
    type: confidential
""",
    good="""
clients:
  batch:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/batch.env}}
""",
)
def not_received(context: RuleContext) -> Iterator[Finding]:
    """A confidential client without a secret, on an authorization server that generates one."""
    making = {
        name: context.names(name, Kind.CLIENT)
        for name in context.authorization_servers
        if context.writable(name) and context.support(name, Capability.CLIENT_SECRET_GENERATE, Side.AUTHORIZATION)
    }
    for key, entry in context.clients if making else ():
        if entry.type is not ClientType.CONFIDENTIAL or "secret" in entry.model_fields_set:
            continue
        server = next((name for name, keys in making.items() if key in keys), None)
        if server is not None:
            yield client_finding(key, "", f"{server} generates a secret when it creates {key}, but nobody receives it.")


@rule(
    "secret-revision-without-effect",
    Severity.WARNING,
    "Raising the revision has no effect",
    reason="To renew a secret, the server must store a mark on the client and accept a new secret for an existing "
    "client. A server that cannot do both silently keeps the old secret.",
    source="oauthdeploy drivers: capability tables",
    fix="Remove revision. To renew the secret there, do it manually or replace the client.",
    bad="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}", revision: 3}
""",
    good="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://keycloak.example.com
    credentials: {username: admin, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: payments}
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}", revision: 3}
""",
    void=True,
)
def revision_without_effect(context: RuleContext) -> Iterator[Finding]:
    """A revision on an authorization server that stores no marks, or accepts no secret for an existing client."""
    bare = [
        name
        for name in context.authorization_servers
        if context.writable(name)
        and context.facts(name) is not None
        and Answer.NO
        in {context.support(name, one).answer for one in (Capability.MARKS, Capability.CLIENT_SECRET_ROTATE)}
    ]
    for key, entry in context.clients_that_write("secret") if bare else ():
        sent = entry.secret is not None and (entry.secret.value is not None or entry.secret.generate)
        if sent and entry.secret is not None and entry.secret.revision is not None:
            names = ", ".join(name for name in bare if context.holds(name, Kind.CLIENT, key))
            if names:
                yield client_finding(
                    key, "secret", f"Raising the revision of {key} does not change its secret on {names}."
                )


@rule(
    "secret-without-source",
    Severity.WARNING,
    "Secret has neither a value nor generate",
    reason="The secret has no source, so it is never sent and revision has no effect.",
    source="oauthdeploy manifest, version 1: clients",
    fix="Add value or generate, or remove secret.",
    bad="""
clients:
  batch:
    type: confidential
    secret: {revision: 3}
""",
    good="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
    void=True,
)
def without_source(context: RuleContext) -> Iterator[Finding]:
    """A secret entry that sets neither."""
    for key, entry in context.clients_that_write("secret"):
        if entry.secret is not None and entry.secret.value is None and not entry.secret.generate:
            yield client_finding(key, "secret", f"The secret of {key} has no source.")


@rule(
    "secret-file-shared",
    Severity.ERROR,
    "Two secrets are delivered to the same place",
    reason="Each delivery replaces the whole file, so the second secret overwrites the first, which is then lost.",
    source="oauthdeploy manifest, version 1: clients",
    fix="Give each client a file of its own.",
    bad="""
clients:
  batch:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/secrets.env}}
  nightly:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/secrets.env}}
""",
    good="""
clients:
  batch:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/batch.env}}
  nightly:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/nightly.env}}
""",
)
def file_shared(context: RuleContext) -> Iterator[Finding]:
    """The same file or keyring entry for two clients."""
    owners: dict[str, str] = {}
    for key, entry in context.clients_that_write("secret"):
        if entry.secret is None or entry.secret.deliver_to is None:
            continue
        place = entry.secret.deliver_to.own_place
        if not place:
            continue
        if place in owners:
            field = "file" if entry.secret.deliver_to.file else "keyring"
            yield client_finding(
                key, f"secret.deliver_to.{field}", f"'{place}' also receives the secret of {owners[place]}."
            )
        owners.setdefault(place, key)


def _refused(context: RuleContext, capability: Capability, wanted: str) -> Iterator[tuple[str, str, str]]:
    """Clients whose kind of secret a server does not support: the client, the server, the driver's note."""
    notes = {
        name: answer.note
        for name in context.authorization_servers
        if context.writable(name)
        and (answer := context.support(name, capability, Side.AUTHORIZATION)).answer is Answer.NO
    }
    for key, entry in context.clients_that_write("secret") if notes else ():
        if entry.secret is None or not getattr(entry.secret, wanted):
            continue
        for name, note in notes.items():
            if context.holds(name, Kind.CLIENT, key):
                yield key, name, note


@rule(
    "secret-value-not-supported",
    Severity.ERROR,
    "Server generates its own secrets",
    reason="Such a server does not accept a secret from the manifest: it would ignore the value, and the client "
    "could not sign in.",
    source="oauthdeploy drivers: capability tables",
    fix="Write secret: {generate: true, deliver_to: {file: ...}}.",
    bad="""
servers:
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
    good="""
servers:
  registry:
    role: authorization
    driver: rfc7591
    url: https://registry.example.com
clients:
  batch:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/batch.env}}
""",
)
def value_not_supported(context: RuleContext) -> Iterator[Finding]:
    """secret.value on a server that accepts none."""
    for key, server, note in _refused(context, Capability.CLIENT_SECRET_CHOICE, "value"):
        yield client_finding(key, "secret.value", f"{server} does not accept a secret: {note}.")


@rule(
    "secret-generate-not-supported",
    Severity.ERROR,
    "Server does not generate secrets",
    reason="Such a server needs a secret from the manifest, so generate would leave the client without one.",
    source="oauthdeploy drivers: capability tables",
    fix='Write secret: {value: "${env:NAME}"}.',
    bad="""
servers:
  login:
    role: authorization
    driver: glewlwyd
    url: https://login.example.com/glewlwyd
clients:
  batch:
    type: confidential
    secret: {generate: true, deliver_to: {file: out/batch.env}}
""",
    good="""
servers:
  login:
    role: authorization
    driver: glewlwyd
    url: https://login.example.com/glewlwyd
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
)
def generate_not_supported(context: RuleContext) -> Iterator[Finding]:
    """secret.generate on a server that generates none."""
    for key, server, note in _refused(context, Capability.CLIENT_SECRET_GENERATE, "generate"):
        yield client_finding(key, "secret.generate", f"{server} does not generate secrets: {note}.")


RULES: tuple[Rule, ...] = (
    in_manifest,
    empty,
    on_public,
    not_received,
    revision_without_effect,
    without_source,
    file_shared,
    value_not_supported,
    generate_not_supported,
)
