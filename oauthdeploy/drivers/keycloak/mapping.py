"""Conversion between Keycloak's JSON and the model; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.field_table import read_fields, write_fields
from oauthdeploy.drivers.json_values import (
    FieldReader,
    Garbled,
    a_name,
    a_number,
    a_text,
    an_object,
    fingerprint,
    some_texts,
)
from oauthdeploy.drivers.keycloak.field_map import CLIENT as OPTIONS
from oauthdeploy.drivers.keycloak.field_map import kept_attributes, read_mappers, told_options, write_mappers
from oauthdeploy.drivers.keycloak.fields import CLIENT, attributes_of, live_grants, texts_of
from oauthdeploy.drivers.keycloak.options import AS_GRANTS, DRIVER_NAME, MARK, Flows, KeycloakClientOptions
from oauthdeploy.drivers.keycloak.secret_fields import sealed
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Client, ClientSecret, ClientType

OPENID: Final = "openid-connect"
OWNER: Final = f"{MARK}owner"
REVISION: Final = f"{MARK}secret.revision"
HOLDER: Final = f"{MARK}secret.holder"
REVOKED: Final = f"{MARK}revoked."
BLOCKED: Final = f"{MARK}blocked"

VOLATILE: Final = frozenset(
    {
        "secret",
        "registrationAccessToken",
        "access",
        "notBefore",
        "registeredNodes",
        "nodeReRegistrationTimeout",
        "defaultClientScopes",
        "optionalClientScopes",
        HOLDER,
        "client.secret.creation.time",
        "client.secret.expiration.time",
        "client.secret.rotated",
        "client.secret.rotated.creation.time",
        "client.secret.rotated.expiration.time",
    }
)
"""What is secret, changes by itself, or has its own address, and so is not part of a client's fingerprint."""


def is_openid(raw: Mapping[str, Any]) -> bool:
    """Whether a client or a client scope is one of OAuth; SAML's are not managed."""
    return raw.get("protocol") in (None, "", OPENID)


def marks_of(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of an object for reading our own marks: none if they cannot be parsed."""
    found = raw.get("attributes")
    return texts_of(found) if isinstance(found, Mapping) else {}


def digest(raw: Mapping[str, Any]) -> str:
    """The fingerprint of a client or client scope, regardless of the order of its mappers."""
    mappers = raw.get("protocolMappers")
    if not isinstance(mappers, list):
        return fingerprint(raw, VOLATILE)
    ordered = sorted((one for one in mappers if isinstance(one, Mapping)), key=lambda one: str(one.get("name")))
    return fingerprint({**raw, "protocolMappers": ordered}, VOLATILE)


# -- clients ------------------------------------------------------------------------------------------------------------


class LiveClient(Struct, frozen=True):
    """A client as the server returned it.

    `default` and `optional` are the names of its client scopes; `owner` is the manifest in its mark, `revision` the secret's
    revision in the mark. `not_before` is in seconds since 1970, 0 for none. `unparsed` is what the model cannot represent, by
    dotted path. `scopes_unparsed` says that this includes a list of client scopes: then `default` and `optional` are
    incomplete.
    """

    uuid: str
    client_id: str
    value: Client
    default: tuple[str, ...]
    optional: tuple[str, ...]
    fingerprint: str
    owner: str
    revision: int | None
    not_before: int
    openid: bool
    raw: Mapping[str, Any]
    unparsed: Mapping[str, Unparsed]
    scopes_unparsed: bool

    @property
    def scopes(self) -> tuple[str, ...]:
        """All client scopes."""
        return (*self.default, *self.optional)

    @property
    def cut_off(self) -> str:
        """The revocation that disabled the client, according to our mark; "" if it is enabled, or disabled otherwise."""
        return str(marks_of(self.raw).get(BLOCKED, "")) if self.value.enabled is False else ""

    @property
    def secret(self) -> Secret | None:
        """The secret, if the server returns it."""
        return self.value.secret.value if self.value.secret is not None else None


def read_client(raw: Mapping[str, Any], before: LiveClient | None = None) -> LiveClient:
    """The client; the same as `before`, an earlier reading of it, if nothing has changed. Raises Garbled if the client cannot
    be identified.
    """
    raw = sealed(an_object(raw, "a client"))
    if before is not None and before.raw == raw:
        return before
    if raw.keys() <= _IDENTITY:
        raise Garbled("a client has no field but its name")
    fields, others = read_fields(CLIENT, raw), FieldReader()
    secret = others.take("secret", secret_in, raw)
    if secret is not None and fields.values.get("type") is ClientType.CONFIDENTIAL:
        fields.values["secret"] = ClientSecret(value=secret)
    default = others.take("default", some_texts, raw, "defaultClientScopes")
    optional = others.take("optional", some_texts, raw, "optionalClientScopes")
    marks = marks_of(raw)
    return LiveClient(
        uuid=a_name(raw, "id"),
        client_id=a_name(raw, "clientId"),
        value=fields.build(Client),
        default=default or (),
        optional=optional or (),
        fingerprint=digest(raw),
        owner=str(marks.get(OWNER, "")),
        revision=revision_in(raw),
        not_before=others.take("not_before", a_number, raw, "notBefore", 0, 0) or 0,
        openid=is_openid(raw),
        raw=raw,
        unparsed=fields.unparsed,
        scopes_unparsed=default is None or optional is None,
    )


_IDENTITY: Final = frozenset({"id", "clientId", "name", "url"})


def new_client(client_id: str, owner: str) -> dict[str, Any]:
    """The base of a new client, before the manifest's fields: Keycloak's defaults made explicit, and our mark.

    A client that comes with a root URL and without these becomes public, with the password grant and every address below that
    URL as a redirect URI.
    """
    return {
        "clientId": client_id,
        "publicClient": False,
        "redirectUris": [],
        "standardFlowEnabled": True,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "attributes": {OWNER: owner},
    }


def put_client(raw: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Put fields of the model's Client, by dotted path, into the JSON of a client."""
    raw["attributes"] = dict(kept_attributes(raw))
    write_fields(CLIENT, values, raw)
    if values.get("enabled") is True and BLOCKED in raw["attributes"]:
        raw["attributes"][BLOCKED] = ""


# -- the driver's own options of a client -------------------------------------------------------------------------------

_NO_OPTIONS: Final = KeycloakClientOptions.model_construct()
"""Made without a validator, which would be built for it at each start."""


def options_of(client: Client | None) -> tuple[Mapping[str, Any], KeycloakClientOptions]:
    """The options that the manifest writes for a client of Keycloak: as written, and as a model."""
    written = (client.options or {}).get(DRIVER_NAME, {}) if client is not None else {}
    return written, KeycloakClientOptions.model_validate(dict(written)) if written else _NO_OPTIONS


def with_options(
    live: LiveClient, desired: Client | None, flows: Mapping[str, str]
) -> tuple[Client, Mapping[str, Unparsed]]:
    """A live client in the manifest's form: with the options that it writes, and everything that cannot be parsed.

    `flows` are the aliases of authentication flows by id.
    """
    written, wanted = options_of(desired)
    if not written:
        return live.value, live.unparsed

    def have(name: str) -> Any:
        match name:
            case "protocol_mappers":
                return read_mappers(live.raw)
            case "attributes":
                return attributes_of(live.raw)
            case "authentication_flows":
                return read_flows(live.raw, flows)
            case "device_authorization" | "ciba":
                return AS_GRANTS[name] in (live.value.grants or ())
            case _:
                return OPTIONS[name].read(live.raw)

    values, odd = told_options(written, wanted, have, OPTIONS)
    shown: dict[str, Any] = {"options": {DRIVER_NAME: values}}
    if live.value.grants is not None:
        # What an option says about a grant is compared there.
        spoken = {AS_GRANTS[name] for name in AS_GRANTS.keys() & written.keys()}
        spoken -= set((desired.grants if desired is not None else None) or ())
        shown["grants"] = tuple(grant for grant in live.value.grants if grant not in spoken)
    return live.value.model_copy(update=shown), {**live.unparsed, **odd}


def grants_to_put(raw: Mapping[str, Any], desired: Client, values: Mapping[str, Any], names: Collection[str]) -> Any:
    """The grants to write: those that change in `values`, with those that options set; None if neither changes."""
    written, wanted = options_of(desired)
    spoken = {grant: bool(getattr(wanted, name)) for name, grant in AS_GRANTS.items() if name in written}
    if "grants" not in values and not AS_GRANTS.keys() & names:
        return None
    base = set(values["grants"] if "grants" in values else live_grants(raw))
    base |= {grant for grant, on in spoken.items() if on}
    base -= {grant for grant, on in spoken.items() if not on and grant not in (desired.grants or ())}
    return tuple(sorted(base))


def read_flows(raw: Mapping[str, Any], flows: Mapping[str, str]) -> Flows:
    """The flows that a client binds; `flows` are aliases by id. Raises Garbled."""
    bound = an_object(raw.get("authenticationFlowBindingOverrides") or {}, "flow bindings")
    aliases = {
        key: flows.get(str(bound[key]), str(bound[key])) if bound.get(key) else None
        for key in ("browser", "direct_grant")
    }
    return Flows(**aliases)


def put_options(raw: dict[str, Any], desired: Client, names: Collection[str], flow_id: Callable[[str], str]) -> None:
    """Put the options with those names into the JSON of a client; `flow_id` returns the id of a flow by its alias."""
    written, wanted = options_of(desired)
    for name in written:
        if name not in names:
            continue
        value = getattr(wanted, name)
        match name:
            case "device_authorization" | "ciba":
                continue
            case "protocol_mappers":
                raw["protocolMappers"] = write_mappers(raw.get("protocolMappers"), value or {})
            case "attributes":
                new = {key: text or "" for key, text in (value or {}).items()}
                raw["attributes"] = {**kept_attributes(raw), **new}
            case "authentication_flows":
                _put_flows(raw, value, written[name], flow_id)
            case _:
                OPTIONS[name].write(raw, value)


def _put_flows(raw: dict[str, Any], value: Any, written: Any, flow_id: Callable[[str], str]) -> None:
    had = raw.get("authenticationFlowBindingOverrides")
    bound = dict(had) if isinstance(had, Mapping) else {}
    for key in ("browser", "direct_grant") if value is None else tuple(written):
        alias = getattr(value, key) if value is not None else None
        bound[key] = flow_id(alias) if alias else ""
    raw["authenticationFlowBindingOverrides"] = bound


def revision_in(raw: Mapping[str, Any]) -> int | None:
    """The revision of the secret in our mark on a client; None if there is none."""
    revision = str(marks_of(raw).get(REVISION, ""))
    return int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 10 else None


def secret_in(raw: Mapping[str, Any]) -> Secret | None:
    """The secret in the JSON of a client; None if it has none, or if the server does not return it."""
    told = raw.get("secret")
    secret = told.reveal() if isinstance(told, Secret) else a_text(raw, "secret")
    return Secret(secret, "server") if secret and not is_masked(secret) else None


def whole(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A client as it was read, prepared for changes and sending: a copy without read-only fields."""
    copy = {key: value for key, value in raw.items() if key != "access"}
    copy["attributes"] = dict(kept_attributes(raw))
    return copy


def sessions_since(sessions: Sequence[Mapping[str, Any]], moment: int) -> Sequence[Mapping[str, Any]]:
    """The sessions of a client whose last token for it is not more recent than `moment`, in seconds since 1970."""
    return [one for one in sessions if a_number(one, "lastAccess", 0, 0) // 1000 >= moment]


def started_before(sessions: Sequence[Mapping[str, Any]], moment: int) -> Sequence[Mapping[str, Any]]:
    """The sessions that began before `moment`, in seconds since 1970."""
    return [one for one in sessions if a_number(one, "start", 0, 0) // 1000 < moment]
