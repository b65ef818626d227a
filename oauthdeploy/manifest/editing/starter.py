"""The first manifest for a set of servers: each section with a comment on its purpose, in canonical form.

All user input goes through `scalars.written`, so that a name cannot become anything but a name, and `${` in it is not a
reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import ValidationError

from oauthdeploy.core.secrets import Secret, is_secret_type
from oauthdeploy.manifest.editing.format import format_source
from oauthdeploy.manifest.editing.names import free_name, variable_name
from oauthdeploy.manifest.scalars import written
from oauthdeploy.manifest.source import Source
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role

EXTERNAL: Final = "external"
"""The driver for an authorization server that is trusted and never written to."""

SCHEMA_FILE: Final = "manifest.v1.schema.json"
_LOGIN: Final = "login"
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class Answers(Struct, frozen=True):
    """The answers from which a new manifest is generated.

    `authorization` is the address of the authorization server: its base URL, or for the driver `external` its introspection
    endpoint. `resources` are base URLs of resource servers, each optionally with a name: `orders=https://...`.
    """

    name: str
    authorization: str
    authorization_driver: str = "webmethods"
    resources: tuple[str, ...] = ()
    resource_driver: str = "webmethods"
    clients: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class Starter(Struct, frozen=True):
    """A new manifest: its text, and the environment variables that it reads, each with its purpose."""

    text: str
    variables: Mapping[str, str]


def write_starter(answers: Answers, drivers: Mapping[str, DriverFacts]) -> Starter:
    """Generate a manifest. `drivers` are the known drivers by name, including those of the answers.

    Only what the drivers can hold is written. Whether they accept the names is left to the loader.
    """
    draft = _Draft(answers, drivers)
    text = "".join(f"{line}\n" for line in draft.lines())
    formatted = format_source(Source("oauthdeploy.yaml", text))
    if formatted.problems:
        raise AssertionError(f"{formatted.problems[0].detail} This is a bug in oauthdeploy.")
    return Starter(formatted.text, draft.variables)


class _Draft:
    """Collects the lines section by section, and the variables used."""

    def __init__(self, answers: Answers, drivers: Mapping[str, DriverFacts]) -> None:
        self.answers = answers
        self.variables: dict[str, str] = {}
        self._drivers = drivers
        self._external = answers.authorization_driver == EXTERNAL
        self._resources = self._named_resources()
        self._one_server = not self._external and answers.authorization in [url for _, url in self._resources]
        role = Role.BOTH if self._one_server else Role.AUTHORIZATION
        self._table = table_for(drivers[answers.authorization_driver], role)

    def lines(self) -> Iterator[str]:
        """The whole manifest."""
        yield from (f"# yaml-language-server: $schema={SCHEMA_FILE}", *_HEAD)
        yield from ("version: 1", f"name: {written(self.answers.name)}", "", *_SERVERS, "servers:")
        yield from self._authorization_server()
        for name, url in self._resources:
            if not (self._one_server and url == self.answers.authorization):
                yield from self._resource_server(name, url)
        yield from self._settings()
        yield from self._scopes()
        yield from self._clients()
        yield from self._associations()
        yield from _LATER
        yield from _POLICY

    # -- servers ----------------------------------------------------------------------------------------------------

    def _named_resources(self) -> list[tuple[str, str]]:
        """Each resource server with its name: the given one, else the first label of its host name."""
        used = {_LOGIN}
        found = []
        for written_url in self.answers.resources:
            match = _NAMED.match(written_url)
            url = written_url[match.end() :] if match else written_url
            name = match[1] if match else _host_name(url)
            name = free_name(name, used)
            used.add(name)
            found.append((name, url))
        return found

    def _authorization_server(self) -> Iterator[str]:
        answers, both = self.answers, self._one_server
        if self._external:
            yield "  # Trusted, and never written to: resource servers introspect tokens here."
        yield f"  {_LOGIN}:"
        yield f"    role: {'both' if both else 'authorization'}"
        yield f"    driver: {written(answers.authorization_driver)}"
        if self._external:
            secret = self._reference(
                _LOGIN, "client_secret", f"secret of the client that introspects tokens at {_LOGIN}"
            )
            endpoint = _scalar(answers.authorization, flow=True)
            client = self._reference(_LOGIN, "client_id", f"client that introspects tokens at {_LOGIN}")
            yield f"    introspection: {{endpoint: {endpoint}, client_id: {client}, client_secret: {secret}}}"
            return
        yield f"    url: {_scalar(answers.authorization)}"
        yield from self._parts(_LOGIN, answers.authorization_driver)
        if both:
            yield f"    authorization_server: {_LOGIN}  # checks its own tokens"
        elif self._resources:
            yield from self._introspection()

    def _introspection(self) -> Iterator[str]:
        """How resource servers introspect tokens: with an account if both sides are of one kind, else as a client.

        Those that verify tokens themselves need no introspection.
        """
        issuer, introspecting = (
            self._drivers[self.answers.authorization_driver],
            self._drivers[self.answers.resource_driver],
        )
        known = issuer.endpoints(self.answers.authorization, _options(issuer))
        table = table_for(introspecting, Role.RESOURCE)
        if known.issuer and known.jwks_uri and supports(table, Capability.TRUST_JWT):
            return
        same_driver = issuer.name == introspecting.name
        login_kind, name, field = (
            ("account", "username", "password") if same_driver else ("client", "client_id", "client_secret")
        )
        if not supports(table, Capability.TRUST_REMOTE if same_driver else Capability.TRUST_EXTERNAL):
            return
        # A driver may know its endpoints only from the server's metadata.
        endpoint, replaced = "", ""
        if not known.introspection:
            address = _scalar(f"{self.answers.authorization.rstrip('/')}/introspect", flow=True)
            endpoint, replaced = f"endpoint: {address}, ", "  # replace the endpoint"
        yield f"    # The {login_kind} with which resource servers introspect tokens here."
        secret = self._reference(
            f"{_LOGIN}_introspection",
            field,
            f"{field.replace('_', ' ')} of the {login_kind} that introspects tokens at {_LOGIN}",
        )
        account = self._reference(f"{_LOGIN}_introspection", name, f"{login_kind} that introspects tokens at {_LOGIN}")
        yield f"    introspection: {{{endpoint}{name}: {account}, {field}: {secret}}}{replaced}"

    def _resource_server(self, name: str, url: str) -> Iterator[str]:
        driver = self.answers.resource_driver
        yield from (
            f"  {written(name)}:",
            "    role: resource",
            f"    driver: {written(driver)}",
            f"    url: {_scalar(url)}",
        )
        yield from self._parts(name, driver)
        if supports(table_for(self._drivers[driver], Role.RESOURCE), Capability.TRUST):
            yield f"    authorization_server: {_LOGIN}  # the server whose tokens it accepts"

    def _parts(self, server: str, driver: str) -> Iterator[str]:
        """Credentials and options, as far as the driver's models require them."""
        facts = self._drivers[driver]
        for part, model in (("credentials", facts.credentials), ("options", facts.options)):
            values = [f"{name}: {self._value(server, part, name, model)}" for name in _needed(model)]
            if values:
                replace = "  # replace" if part == "options" else ""
                yield f"    {part}: {{{', '.join(values)}}}{replace}"

    def _value(self, server: str, part: str, name: str, model: type[Model]) -> str:
        info = model.model_fields[name]
        if part == "credentials":
            # No account is invented: it would be tried on a live server.
            words = "account" if name == "username" else name.replace("_", " ")
            return self._reference(server, name, f"{words} of {server}")
        examples = [example for example in info.examples or () if isinstance(example, str)]
        return written(examples[0] if examples else name, flow=True)

    def _reference(self, server: str, name: str, purpose: str) -> str:
        variable = variable_name(f"{server}_{name}", self.variables, what="SERVER")
        self.variables[variable] = purpose
        return f'"${{env:{variable}}}"'

    # -- sections ---------------------------------------------------------------------------------------------------

    def _settings(self) -> Iterator[str]:
        known = [line for capability, line in _SETTINGS if supports(self._table, capability)]
        if known:
            # Only as a comment: a value here would change a server that is in use.
            yield from ("", *_SETTINGS_SAY, "# settings:", *(f"#   {line}" for line in known))

    def _scopes(self) -> Iterator[str]:
        yield from ("", *_SCOPES_SAY)
        if not self.answers.scopes:
            yield from _SCOPES_EXAMPLE
            return
        yield "scopes:"
        for scope in self.answers.scopes:
            yield f"  {written(scope)}:"
            yield f"    description: {_scalar(f'What {scope} allows')}"
            if self._resources:
                yield "    # resources: [orders.v1, orders.v1:getOrder]  # the folders and services that it opens"

    def _clients(self) -> Iterator[str]:
        yield from ("", *_CLIENTS_SAY)
        if not self.answers.clients:
            yield from _CLIENTS_EXAMPLE
            return
        yield "clients:"
        for client in self.answers.clients:
            yield f"  {written(client)}:"
            yield from self._client()

    def _client(self) -> Iterator[str]:
        """The fields of an example, as far as the authorization server can hold them."""
        for line in _CLIENT:
            if "access_lifetime" in line and not supports(self._table, "clients.tokens.access_lifetime"):
                continue
            counts = supports(self._table, "clients.tokens.refresh_count")
            yield line if counts else line.replace(", refresh_count: 10", "")

    def _associations(self) -> Iterator[str]:
        kept = [self._table]
        if self._resources:
            kept.append(table_for(self._drivers[self.answers.resource_driver], Role.RESOURCE))
        if not any(supports(table, Capability.ASSOCIATIONS) for table in kept):
            return
        yield from ("", *_ASSOCIATIONS_SAY)
        if not (self.answers.clients and self.answers.scopes):
            yield from _ASSOCIATIONS_EXAMPLE
            return
        yield "associations:"
        scopes = ", ".join(_scalar(scope, flow=True) for scope in self.answers.scopes)
        for client in self.answers.clients:
            yield f"  - {{client: {_scalar(client, flow=True)}, scopes: [{scopes}]}}"


def _scalar(text: str, *, flow: bool = False) -> str:
    """A string as a value, in which `${` is escaped. (References are never looked up in keys.)"""
    return written(text.replace("${", "$${"), flow=flow)


def _needed(model: type[Model]) -> list[str]:
    """The required fields of the model; if they are not enough, also the credentials of a user or a client."""
    needed = [name for name, info in model.model_fields.items() if info.is_required()]
    for more in ((), ("username", "password"), ("client_id", "client_secret"), ("token",)):
        names = [name for name in model.model_fields if name in needed or name in more]
        try:
            model.model_validate({name: _sample(model, name) for name in names})
        except ValidationError:
            continue
        return names
    return needed


def _options(facts: DriverFacts) -> Model:
    """The options of a server as they are written for it."""
    return facts.options.model_validate({name: _sample(facts.options, name) for name in _needed(facts.options)})


def _sample(model: type[Model], name: str) -> Any:
    info = model.model_fields[name]
    if is_secret_type(info.annotation):
        return Secret("x", "sample")
    return (info.examples or ["x"])[0]


def _host_name(url: str) -> str:
    """A server's name from its URL: the first label of the host name; `resource` for an IP address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    name = re.sub(r"[^A-Za-z0-9_-]", "", host.split(".")[0]).lstrip("_-")[:64]
    return name if name and not name.isdigit() and name != "localhost" else "resource"


# -- texts of the sections ----------------------------------------------------------------------------------------------

_HEAD: Final = (
    "# OAuth on the servers of this estate, as it should be: `oauthdeploy plan` shows what would change, `oauthdeploy apply`",
    "# changes it. What is not written here is not managed: it is never compared and never changed.",
)
_SERVERS: Final = (
    "# The servers, with names of your choice. Accounts and secrets come from environment variables; an account may also be",
    "# written here, a secret never.",
)
_SETTINGS_SAY: Final = (
    "# The OAuth settings of the authorization server. Under overrides: {SERVER: {...}} they can differ.",
)
_SETTINGS: Final = (
    ("settings.require_https", "require_https: true"),
    ("settings.require_pkce", "require_pkce: true  # public clients prove that they requested the code (RFC 7636)"),
    ("settings.authorization_code_lifetime", "authorization_code_lifetime: 10m"),
    ("settings.access_token_lifetime", "access_token_lifetime: 1h"),
)
_SCOPES_SAY: Final = (
    "# Scopes, by the same names on every server. On a resource server a scope opens folders, services and URLs.",
)
_SCOPES_EXAMPLE: Final = (
    "# scopes:",
    "#   orders.read:",
    "#     description: Read orders",
    "#     resources: [orders.v1, orders.v1:getOrder]",
    "#     url_templates: [GET_orders.v1/orders]",
)
_CLIENTS_SAY: Final = (
    "# Clients. `type` is public for what runs on users' devices, confidential for what can keep a secret:",
    '# then add secret: {value: "${env:NAME}"}. `state: absent` removes a client, `enabled: false` stops it.',
)
_CLIENT: Final = (
    "    type: public",
    "    redirect_uris: [https://app.example.com/callback]  # replace: where answers to the client may be sent",
    "    grants: [authorization_code, refresh_token]",
    "    tokens: {access_lifetime: 30m, refresh_count: 10}",
)
_CLIENTS_EXAMPLE: Final = ("# clients:", "#   web-shop:", *(f"# {line.split('  #')[0]}" for line in _CLIENT))
_ASSOCIATIONS_SAY: Final = (
    "# Associations: which client may request which scope; the authorization server grants no more. The other end works too:",
    "# {scope: NAME, clients: [...]}.",
)
_ASSOCIATIONS_EXAMPLE: Final = ("# associations:", "#   - {client: web-shop, scopes: [orders.read]}")
_LATER: Final = (
    "",
    "# Revocations cut a client off after tokens were issued; they are written when they are needed.",
    "# revocations:",
    "#   - id: INC-1",
    "#     client: web-shop",
    "#     reason: key found in a public repository",
    "#     tokens: all",
    "#     block: [resource]",
    "",
    "# Accounts that must exist on both sides; they are checked and never created.",
    "# resource_owners: [alice, bob]",
)
_POLICY: Final = (
    "",
    "# What stands between a plan and the servers: nothing is deleted that this file does not name, and never much at once.",
    "policy:",
    "  prune: {clients: none, scopes: none, associations: managed}",
    "  limits: {max_deletes: 30%, max_updates: 60%}",
    "",
    "# What differs from environment to environment; chosen with --env prod.",
    "# environments:",
    "#   prod: {settings: {access_token_lifetime: 15m}}",
)
