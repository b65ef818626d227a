"""Converts client scopes between the model and Keycloak's JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.drivers.field_table import read_fields, write_fields
from oauthdeploy.drivers.json_values import a_name
from oauthdeploy.drivers.keycloak.field_map import SCOPE as OPTIONS
from oauthdeploy.drivers.keycloak.field_map import (
    TEXT,
    Place,
    audience_mappers,
    read_audiences,
    read_mappers,
    told_options,
    write_mappers,
)
from oauthdeploy.drivers.keycloak.fields import SCOPE, attributes_of
from oauthdeploy.drivers.keycloak.mapping import OPENID, OWNER, digest, is_openid, marks_of
from oauthdeploy.drivers.keycloak.options import DRIVER_NAME, KeycloakScopeOptions, Mapper
from oauthdeploy.drivers.keycloak.secret_fields import sealed
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Scope

_NO_OPTIONS: Final = KeycloakScopeOptions.model_construct()
"""Made without a validator, which would be built for it at each start."""

DEFAULT: Final = "default"
OPTIONAL: Final = "optional"
NONE: Final = "none"


class LiveScope(Struct, frozen=True):
    """A client scope as the server returned it. `owner` is the manifest in its mark, "" if it has none; `unparsed` is what the
    model cannot represent, by dotted path.
    """

    uuid: str
    name: str
    value: Scope
    fingerprint: str
    owner: str
    openid: bool
    raw: Mapping[str, Any]
    unparsed: Mapping[str, Unparsed]


def is_nameless(raw: Mapping[str, Any]) -> bool:
    """Whether a client scope has an empty name. Only the import of a whole realm makes one; nothing can refer to it."""
    return raw.get("name") == "" and bool(raw.get("id"))


def read_scope(raw: Mapping[str, Any]) -> LiveScope:
    """Raises Garbled."""
    raw = sealed(raw)
    fields = read_fields(SCOPE, raw)
    return LiveScope(
        uuid=a_name(raw, "id"),
        name=a_name(raw, "name"),
        value=fields.build(Scope),
        fingerprint=digest(raw),
        owner=str(marks_of(raw).get(OWNER, "")),
        openid=is_openid(raw),
        raw=raw,
        unparsed=fields.unparsed,
    )


def options_of(scope: Scope | None) -> tuple[Mapping[str, Any], KeycloakScopeOptions]:
    """The options that the manifest writes for a scope of Keycloak: as written, and as a model."""
    written = (scope.options or {}).get(DRIVER_NAME, {}) if scope is not None else {}
    return written, KeycloakScopeOptions.model_validate(dict(written)) if written else _NO_OPTIONS


def asks_for_new_clients(desired: Scope | None) -> bool:
    """Whether the manifest says how new clients get a scope."""
    return "new_clients" in options_of(desired)[0]


def way_to_new_clients(scope: str, realm_scopes: tuple[frozenset[str], frozenset[str]]) -> str:
    """How new clients get a scope, by the realm's default and optional ones."""
    defaults, optionals = realm_scopes
    if scope in defaults:
        return DEFAULT
    return OPTIONAL if scope in optionals else NONE


def with_options(live: LiveScope, desired: Scope | None, new_clients: str) -> tuple[Scope, Mapping[str, Unparsed]]:
    """A live client scope in the manifest's form, and what of it cannot be parsed.

    `new_clients` says how new clients get it.
    """
    written, wanted = options_of(desired)
    if not written:
        return live.value, live.unparsed

    def have(name: str) -> Any:
        match name:
            case "new_clients":
                return new_clients
            case "audiences":
                return read_audiences(live.raw)
            case "protocol_mappers":
                return read_mappers(live.raw)
            case "attributes":
                return attributes_of(live.raw)
            case _:
                return OPTIONS[name].read(live.raw)

    places = {**OPTIONS, "new_clients": Place("", TEXT, default=NONE)}
    values, odd = told_options(written, wanted, have, places)
    return live.value.model_copy(update={"options": {DRIVER_NAME: values}}), {**live.unparsed, **odd}


def new_scope(name: str, owner: str) -> dict[str, Any]:
    """The base of a new client scope, before the manifest's fields: tokens and consent pages name it, and it is marked."""
    shown = {"include.in.token.scope": "true", "display.on.consent.screen": "true"}
    return {"name": name, "protocol": OPENID, "attributes": {**shown, OWNER: owner}}


def put_scope(body: dict[str, Any], values: Mapping[str, Any], desired: Scope, names: frozenset[str]) -> None:
    """Put fields of the model's Scope, and the options of those names, into what is sent. Mappers are sent separately."""
    write_fields(SCOPE, values, body)
    _written, wanted = options_of(desired)
    for name in sorted(names):
        value = getattr(wanted, name)
        if name == "attributes":
            body.setdefault("attributes", {}).update({key: text or "" for key, text in (value or {}).items()})
        elif name in OPTIONS:
            OPTIONS[name].write(body, value)


def mappers_to_change(raw: Mapping[str, Any], desired: Scope, names: frozenset[str]) -> Mapping[str, Mapper | None]:
    """The protocol mappers that the options of those names add or change, by name; None removes one."""
    _written, wanted = options_of(desired)
    found: dict[str, Mapper | None] = {}
    if "audiences" in names:
        found.update(audience_mappers(raw, wanted.audiences or ()))
    if "protocol_mappers" in names:
        found.update(wanted.protocol_mappers or {})
    return found


def merged(raw: Mapping[str, Any], changes: Mapping[str, Mapper | None]) -> list[Any]:
    """The desired mappers of a client scope, only those of `changes`, each with its id if it exists already."""
    return [one for one in write_mappers(raw.get("protocolMappers"), changes) if one["name"] in changes]
