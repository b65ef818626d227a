"""What a driver can do, as data with three answers; validation, skips of the contract suite and the docs all read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role


class Answer(StrEnum):
    """Yes and no are proved against a real server; untested is not."""

    YES = "yes"
    NO = "no"
    UNTESTED = "untested"


@dataclass(frozen=True)
class Support:
    """An answer and a note: the reason for a no, the condition of a yes.

    `deliberate` marks a no that is a choice: the server might take it, and the driver leaves it out for the reason of the note.
    """

    answer: Answer
    note: str = ""
    deliberate: bool = False

    def __bool__(self) -> bool:
        return self.answer is not Answer.NO


def yes(note: str = "") -> Support:
    """Proved to work."""
    return Support(Answer.YES, note)


def no(note: str) -> Support:
    """Can't be done there; the note says why."""
    return Support(Answer.NO, note)


def left_out(note: str) -> Support:
    """The server might take it there, and the driver never asks it to; the note says why."""
    return Support(Answer.NO, note, deliberate=True)


def untested(note: str = "") -> Support:
    """Should work; nothing has shown it."""
    return Support(Answer.UNTESTED, note)


class Capability(StrEnum):
    """The questions that every driver answers, for the side on which it is used."""

    SETTINGS = "settings"
    REQUIRE_HTTPS = "settings.require_https"
    REQUIRE_PKCE = "settings.require_pkce"
    AUTHORIZATION_CODE_LIFETIME = "settings.authorization_code_lifetime"
    ACCESS_TOKEN_LIFETIME = "settings.access_token_lifetime"
    TOKEN_ENDPOINT_AUTH = "settings.token_endpoint_auth"
    SCOPES = "scopes"
    SCOPE_DESCRIPTION = "scopes.description"
    SCOPE_RESOURCES = "scopes.resources"
    SCOPE_URL_TEMPLATES = "scopes.url_templates"
    CLIENTS = "clients"
    CLIENT_NAME = "clients.name"
    CLIENT_VERSION = "clients.version"
    CLIENT_DESCRIPTION = "clients.description"
    CLIENT_TYPE_CHANGE = "clients.type_change"
    CLIENT_TOKENS = "clients.tokens"
    CLIENT_REFRESH_COUNT = "clients.tokens.refresh_count"
    CLIENT_ENABLED = "clients.enabled"
    CLIENT_ID_CHOICE = "clients.id_choice"
    CLIENT_SECRET_CHOICE = "clients.secret_choice"
    CLIENT_SECRET_GENERATE = "clients.secret_generate"
    CLIENT_SECRET_READ = "clients.secret_read"
    CLIENT_SECRET_ROTATE = "clients.secret_rotate"
    CLIENT_RENAME = "clients.rename"
    GRANT_IMPLICIT = "clients.grants.implicit"
    GRANT_PASSWORD = "clients.grants.password"
    ASSOCIATIONS = "associations"
    TRUST = "trust"
    TRUST_REMOTE = "trust.remote"
    TRUST_EXTERNAL = "trust.external"
    TRUST_JWT = "trust.jwt"
    TOKENS_LIST = "tokens.list"
    TOKENS_DELETE = "tokens.delete"
    TOKENS_REFUSE = "tokens.refuse"
    TOKENS_BY_TIME = "tokens.by_time"
    TOKENS_BY_OWNER = "tokens.by_owner"
    TOKENS_BY_SCOPE = "tokens.by_scope"
    TOKENS_BY_HANDLE = "tokens.by_handle"
    BLOCK_CLIENT = "block_client"
    USERS_LIST = "users.list"
    MARKS = "marks"
    LEASE = "lease"


@dataclass(frozen=True)
class NameRule:
    """What a server accepts as a name: a pattern for all of it, its greatest length in characters, the rule in words."""

    pattern: str
    max_length: int | None
    words: str


Capabilities = Mapping[Capability, Support]


def supports(table: Capabilities, capability: Capability) -> Support:
    """Look a capability up; what a driver doesn't mention, it can't do."""
    return table.get(capability, no("the driver doesn't offer it"))


class Granularity(StrEnum):
    """What a server changes at a time: single objects, or a whole document."""

    OBJECT = "object"
    DOCUMENT = "document"


def _none() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Endpoints:
    """What an authorization server calls itself, where its keys are and where it is asked: metadata of RFC 8414 section 2.

    Whole addresses; empty where nothing is known. `introspection`, `token` and `revocation` are RFC 8414's
    `introspection_endpoint`, `token_endpoint` and `revocation_endpoint`.
    """

    issuer: str = ""
    jwks_uri: str = ""
    introspection: str = ""
    token: str = ""
    revocation: str = ""


def no_endpoints(_url: str, _options: Model) -> Endpoints:
    """The endpoints of servers of which nothing is known but their address."""
    return Endpoints()


@dataclass(frozen=True)
class DriverFacts:
    """Everything that is known of a driver without a server, as data.

    `credentials` and `options` are the models of those two parts of a server entry; `settings_options`, `scope_options` and
    `client_options` of `options.<driver>` of settings, a scope and a client (None: it takes none). `capabilities` answers per
    role. `defaults` are the server's defaults by kind and dotted path: what null asks for. `names` are the rules for names, by
    kind. `writable` is false for a driver that only describes a server that is trusted. `endpoints` tells from the url and the
    validated options of a server entry where that server is asked as an authorization server, without asking it; it must take
    any text as url.
    `proved_against` names the real server of its tests. `absence` answers whether an empty or partial answer proves that what it
    lacks isn't there: no where a server leaves out what the account may not see, and the note says how the driver finds out.
    """

    name: str
    title: str
    roles: frozenset[Role]
    credentials: type[Model]
    options: type[Model]
    capabilities: Mapping[Role, Capabilities]
    client_options: type[Model] | None = None
    scope_options: type[Model] | None = None
    settings_options: type[Model] | None = None
    defaults: Mapping[Kind, Mapping[str, Any]] = field(default_factory=_none)
    names: Mapping[Kind, NameRule] = field(default_factory=_none)
    granularity: Granularity = Granularity.OBJECT
    writable: bool = True
    endpoints: Callable[[str, Model], Endpoints] = no_endpoints
    proved_against: str = ""
    absence: Support = field(default_factory=lambda: Support(Answer.UNTESTED))

    def own_options(self, kind: Kind) -> type[Model] | None:
        """The model of the driver's own options of a kind of object; None where it takes none."""
        known = {Kind.SETTINGS: self.settings_options, Kind.SCOPE: self.scope_options, Kind.CLIENT: self.client_options}
        return known.get(kind)


def table_for(facts: DriverFacts, role: Role) -> Capabilities:
    """The capabilities of a driver in a role. A driver that gives no table for `both` can what it can on either side."""
    if role in facts.capabilities or role is not Role.BOTH:
        return facts.capabilities.get(role, {})
    sides = (facts.capabilities.get(side, {}) for side in (Role.RESOURCE, Role.AUTHORIZATION))
    return {capability: answer for table in sides for capability, answer in table.items() if answer} or {}
