"""What drivers can do, as data with three answers, for validation, skips of the contract suite and the docs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.explanation import Notice
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import (
    NOT_HELD,
    SECTIONS,
    Answer,
    HeldField,
    HeldFields,
    Limit,
    Support,
    declared,
    every_field,
    field_name,
    fields_of,
    left_out,
    no,
    untested,
    yes,
)
from oauthdeploy.model.objects import Via
from oauthdeploy.model.servers import Role

__all__ = [
    "QUESTIONS",
    "Answer",
    "Capabilities",
    "Capability",
    "DriverFacts",
    "Endpoints",
    "Granularity",
    "HeldField",
    "HeldFields",
    "Limit",
    "Support",
    "every_field",
    "field_name",
    "left_out",
    "no",
    "no_endpoints",
    "supports",
    "table_for",
    "untested",
    "yes",
]


class Capability(StrEnum):
    """What a driver may be able to do, apart from holding fields (`held_fields`), per side on which it is used."""

    SETTINGS = "settings"
    SCOPES = "scopes"
    CLIENTS = "clients"
    CLIENTS_LIST = "clients.list"
    CLIENT_UPDATE = "clients.update"
    CLIENT_TYPE_CHANGE = "clients.type_change"
    CLIENT_ID_CHOICE = "clients.id_choice"
    CLIENT_SECRET_CHOICE = "clients.secret_choice"
    CLIENT_SECRET_GENERATE = "clients.secret_generate"
    CLIENT_SECRET_READ = "clients.secret_read"
    CLIENT_SECRET_ROTATE = "clients.secret_rotate"
    CLIENT_RENAME = "clients.rename"
    GRANT_IMPLICIT = "clients.grants.implicit"
    GRANT_PASSWORD = "clients.grants.password"
    GRANT_DEVICE_CODE = "clients.grants.device_code"
    GRANT_CIBA = "clients.grants.ciba"
    GRANT_TOKEN_EXCHANGE = "clients.grants.token_exchange"
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


def _questions() -> Iterator[str]:
    for capability in Capability:
        yield capability.value
        for kind in (Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION):
            if capability == SECTIONS[kind]:
                yield from (field_name(kind, path) for path in fields_of(kind))


QUESTIONS: Final = tuple(_questions())
"""All answers of a driver, by name: its capabilities, and the fields of settings, scopes, clients and associations."""

Capabilities = Mapping[str, Support]
"""Answers by the name of a capability or field."""


class SideEffect(Struct, frozen=True):
    """What a change of an object permanently removes without naming it.

    `field` is the dotted path whose change has the effect if the entry `gone` is removed from it; "": the deletion of the
    object. `what` says what is lost: `its sessions`.
    """

    kind: Kind
    what: str
    field: str = ""
    gone: Any = None


class Interruption(Struct, frozen=True):
    """What does not work for a moment while a field changes, because no order of requests avoids it on that server.

    `field` is the dotted path of the field, in updates of objects of the `kind`; `what` is a sentence for the plan.
    """

    kind: Kind
    field: str
    what: str


def supports(table: Capabilities, question: str) -> Support:
    """Look up an answer; what a driver does not mention, it does not support."""
    return table.get(question, no("the driver does not support it"))


class Granularity(StrEnum):
    """What a server changes at a time: single objects, or a whole document."""

    OBJECT = "object"
    DOCUMENT = "document"


def _none() -> Mapping[Any, Any]:
    return MappingProxyType({})


class Endpoints(Struct, frozen=True):
    """What an authorization server calls itself, and the URLs of its keys and endpoints: metadata of RFC 8414 section 2.

    Absolute URLs; empty if unknown. `introspection`, `token` and `revocation` are RFC 8414's `introspection_endpoint`,
    `token_endpoint` and `revocation_endpoint`.
    """

    issuer: str = ""
    jwks_uri: str = ""
    introspection: str = ""
    token: str = ""
    revocation: str = ""


def no_endpoints(_url: str, _options: Model) -> Endpoints:
    """The endpoints of servers of which only the URL is known."""
    return Endpoints()


class DriverFacts(Struct, frozen=True, dict=True):
    """Everything that is known of a driver without a server, as data.

    `credentials` and `options` are the models of those two parts of a server entry; `settings_options`, `scope_options` and
    `client_options` of `options.<driver>` of settings, a scope and a client (None: it has none). `capabilities` answers per
    role, and so do `fields`, the fields of the model that the driver holds: one that is not named is not held. `names` are the
    limits of names in addresses, by kind. `writable` is false for a driver that only describes a trusted server. `endpoints`
    derives the URLs of an authorization server from the url and the validated options of its entry, without a request; it must
    accept any string as url. `unique` are the fields, by kind, whose combined values only one object of a server can have,
    besides its key. `side_effects` are what a change permanently removes, `interruptions` what does not work during it.
    `notices` explain the driver's own findings. `proved_against` names the real server of its tests. `absence` answers whether
    an empty or partial response proves that what it lacks does not exist: no if a server leaves out what the account may not
    see, and the note says how the driver finds out. `located_by` are the options that distinguish two places on one server,
    such as a realm. `lockouts` answers whether a manifest can change what the driver's own sign-in depends on, and the note
    says what, or why not; `Driver.lockouts` finds such changes. `block_proof` answers per role whether reading the server again
    proves that a cut-off works; what is not named proves nothing. `default_scopes_option` is the option of a client that lists
    some of its associations, `protecting` are the options without which an object is weaker, and `beyond` says what such a
    server also has that no export and no comparison covers. `stores_trust`: the server itself introspects nothing, and only
    stores for its policies where and with which account to introspect, so that a stored trust proves nothing. `trusts_two`
    are the values of `Trust.via` with which a resource server can trust two authorization servers at once; the driver then
    reads and writes `Trust.also_trusted`. `registry_option` is the option that names a file in which the driver keeps what the
    server does not list, and which has to outlast every run. `implied_scopes` are those that every client of users may request
    without an association.
    """

    name: str
    title: str
    roles: frozenset[Role]
    credentials: type[Model]
    options: type[Model]
    capabilities: Mapping[Role, Mapping[Capability, Support]]
    fields: Mapping[Role, HeldFields] = field(default_factory=_none)
    client_options: type[Model] | None = None
    scope_options: type[Model] | None = None
    settings_options: type[Model] | None = None
    names: Mapping[Kind, Limit] = field(default_factory=_none)
    unique: Mapping[Kind, tuple[str, ...]] = field(default_factory=_none)
    side_effects: tuple[SideEffect, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    granularity: Granularity = Granularity.OBJECT
    writable: bool = True
    endpoints: Callable[[str, Model], Endpoints] = no_endpoints
    proved_against: str = ""
    absence: Support = field(default_factory=lambda: Support(Answer.UNTESTED))
    lockouts: Support = field(default_factory=lambda: Support(Answer.UNTESTED))
    block_proof: Mapping[Role, Support] = field(default_factory=_none)
    notices: tuple[Notice, ...] = ()
    located_by: tuple[str, ...] = ()
    default_scopes_option: str = ""
    beyond: str = ""
    protecting: frozenset[str] = frozenset()
    stores_trust: bool = False
    trusts_two: frozenset[Via] = frozenset()
    registry_option: str = ""
    implied_scopes: frozenset[str] = frozenset()

    @cached_property
    def defaults(self) -> Mapping[Kind, Mapping[str, Any]]:
        """The server's defaults by kind and dotted path, as far as they are known; null requests them."""
        found: dict[Kind, dict[str, Any]] = {}
        for kinds in self.fields.values():
            for kind, declarations in kinds.items():
                found.setdefault(kind, {}).update(
                    {path: one.default for path, one in declarations.items() if one.default is not None}
                )
        return found

    @cached_property
    def tables(self) -> Mapping[Role, Capabilities]:
        """The answers to all questions by role. A driver without answers for `both` can do there what it can on either side."""
        return {role: self._table(role) for role in Role}

    def _table(self, role: Role) -> Capabilities:
        if role not in self.capabilities and role not in self.fields:
            sides = [self._table(side) for side in (Role.RESOURCE, Role.AUTHORIZATION)] if role is Role.BOTH else []
            return {name: answer for table in sides for name, answer in table.items() if answer}
        fields = self.fields.get(role, {})
        able = {str(one): answer for one, answer in self.capabilities.get(role, {}).items()}
        rows = {
            field_name(kind, path): declared(fields, kind, path).support
            for kind in SECTIONS
            for path in fields_of(kind)
        }
        return {**able, **rows}

    def scopes_are_words(self, role: Role) -> bool:
        """Whether an authorization server keeps no scopes, only their names in the clients that may request them, as in the
        `scope` of RFC 7591 section 2: an association there needs no scope.
        """
        table = self.tables[role]
        return (
            role is Role.AUTHORIZATION
            and not supports(table, Capability.SCOPES)
            and bool(supports(table, Capability.ASSOCIATIONS))
        )

    def held_field(self, role: Role, kind: Kind, path: str) -> HeldField:
        """What is declared of a field in a role; if nothing is declared for `both`, what one side holds."""
        if role in self.fields or role is not Role.BOTH:
            return declared(self.fields.get(role, {}), kind, path)
        sides = [declared(self.fields.get(side, {}), kind, path) for side in (Role.AUTHORIZATION, Role.RESOURCE)]
        return next((one for one in sides if one.support), NOT_HELD)

    def answering(self, role: Role, answers: Capabilities) -> DriverFacts:
        """The same facts with other answers to some questions in a role."""
        table = {**self.tables[role], **answers}
        fields = {
            kind: {
                path: replace(self.held_field(role, kind, path), support=table[field_name(kind, path)])
                for path in fields_of(kind)
            }
            for kind in SECTIONS
        }
        able = {one: table[one] for one in Capability if one in table}
        return replace(self, capabilities={**self.capabilities, role: able}, fields={**self.fields, role: fields})

    def own_options(self, kind: Kind) -> type[Model] | None:
        """The model of the driver's own options of a kind of object; None if it has none."""
        known = {Kind.SETTINGS: self.settings_options, Kind.SCOPE: self.scope_options, Kind.CLIENT: self.client_options}
        return known.get(kind)


def table_for(facts: DriverFacts, role: Role) -> Capabilities:
    """The answers of a driver in a role."""
    return facts.tables[role]
