"""The model's fields in Keycloak's JSON, each once: what a realm holds of it, its limit, its default, and the conversion in
both directions.

Source: the admin REST API of Keycloak 26.7; each line was tried on a real 26.7.3. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.field_table import Table, WireField, at, once_each
from oauthdeploy.drivers.json_values import (
    NOT_RETURNED,
    Garbled,
    a_flag,
    a_number,
    a_text,
    some_texts,
)
from oauthdeploy.drivers.keycloak.policies import Rule
from oauthdeploy.model.capabilities import HeldField, HeldFields, Limit, left_out, no, yes
from oauthdeploy.model.fields import ClientLifetime
from oauthdeploy.model.held_fields import Unit
from oauthdeploy.model.objects import AS, AssignedAs, ClientType, Grant

COLUMN: Final = 255
"""The length of most columns of Keycloak's database, in UTF-16 code units; a longer string is answered 500."""

_COLUMN: Final = Limit(max_length=COLUMN, unit=Unit.UTF16)
"""A column of Keycloak's database; a longer string is answered 500. H2, on which this was tried, counts like Java."""

_REDIRECT: Final = Limit(r"[^/?]*(//[^/?]*)?[^\[\]?]*(\?.*)?", COLUMN, "without [ or ] in its path", Unit.UTF16)
"""Keycloak parses redirect URIs like Java (RFC 2396). Rules of their own cover what no server should accept."""

REFRESH: Final = "use.refresh.tokens"
CC_REFRESH: Final = "client_credentials.use_refresh_token"
DEVICE: Final = "oauth2.device.authorization.grant.enabled"
CIBA: Final = "oidc.ciba.grant.enabled"
EXCHANGE: Final = "standard.token.exchange.enabled"
SESSION_LONG: Final = "-1"
"""The lifespan of an access token that lasts as long as its session."""

BEARER_ONLY: Final = "bearerOnly"

FLAGS: Final[Mapping[Grant, str]] = {
    Grant.AUTHORIZATION_CODE: "standardFlowEnabled",
    Grant.IMPLICIT: "implicitFlowEnabled",
    Grant.CLIENT_CREDENTIALS: "serviceAccountsEnabled",
    Grant.PASSWORD: "directAccessGrantsEnabled",
}
"""The grants with their own flag. Refreshing has none: it comes with the grants of users."""

SWITCHES: Final[Mapping[Grant, str]] = {
    Grant.DEVICE_CODE: DEVICE,
    Grant.CIBA: CIBA,
    Grant.TOKEN_EXCHANGE: EXCHANGE,
}
"""The grants that an attribute enables."""


# -- attributes of clients and client scopes ----------------------------------------------------------------------------


def texts_of(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes or a mapper's config as strings, without null ones; a Secret stays a Secret."""
    return {
        str(key): value if isinstance(value, Secret) else str(value)
        for key, value in values.items()
        if value is not None
    }


def attributes_of(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of an object: strings, and Secrets where they are secret. Raises Garbled."""
    return texts_of(raw_attributes(raw))


def raw_attributes(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of an object as the server returned them. Raises Garbled."""
    found = raw.get("attributes") or {}
    if not isinstance(found, Mapping):
        raise Garbled("attributes is not an object", found)
    return found


def attribute(
    name: str,
    read: Callable[[Mapping[str, Any], str], Any] = a_text,
    encode: Callable[[Any], str] = str,
    **declared: Any,
) -> WireField:
    """A field that is an attribute; an empty string removes it. `declared` is what else a HeldField has."""

    def write(body: dict[str, Any], value: Any) -> None:
        body.setdefault("attributes", {})[name] = encode(value)

    return WireField(
        keys=(f"{_ATTRIBUTE}{name}",), read=lambda raw: read(attributes_of(raw), name), write=write, **declared
    )


_ATTRIBUTE: Final = "attributes."


# -- clients ------------------------------------------------------------------------------------------------------------


def _client_type(raw: Mapping[str, Any]) -> ClientType:
    return ClientType.PUBLIC if a_flag(raw, "publicClient", False) else ClientType.CONFIDENTIAL


def _put_type(body: dict[str, Any], value: ClientType) -> None:
    body["publicClient"] = value is ClientType.PUBLIC
    if value is ClientType.PUBLIC:
        body[BEARER_ONLY] = False


def live_grants(raw: Mapping[str, Any]) -> tuple[Grant, ...]:
    """The grants of a client, from its flags and attributes. Raises Garbled."""
    if a_flag(raw, BEARER_ONLY, False):
        # Keycloak refuses every grant to a bearer-only client, whatever its other flags are.
        return ()
    attributes = attributes_of(raw)
    grants = [grant for grant, flag in FLAGS.items() if a_flag(raw, flag, False)]
    grants += [grant for grant, key in SWITCHES.items() if is_on(attributes, key)]
    return (*grants, *([Grant.REFRESH_TOKEN] if _refreshes(raw, attributes) else []))


def _refreshes(raw: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether a client gets refresh tokens: by a grant of users, or for client credentials if that is enabled."""
    for_users = serves_users(raw, attributes) and is_on(attributes, REFRESH, True)
    return for_users or (a_flag(raw, FLAGS[Grant.CLIENT_CREDENTIALS], False) and is_on(attributes, CC_REFRESH))


def is_on(attributes: Mapping[str, Any], key: str, default: bool = False) -> bool:
    """An attribute as Keycloak reads it: any text but "true", in upper or lower case, is false."""
    text = attributes.get(key)
    return default if text in (None, "") else str(text).lower() == "true"


def serves_users(raw: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether a client has a grant that comes with refresh tokens unless they are switched off."""
    flags = (FLAGS[Grant.AUTHORIZATION_CODE], FLAGS[Grant.PASSWORD])
    return any(a_flag(raw, flag, False) for flag in flags) or any(is_on(attributes, key) for key in (DEVICE, CIBA))


def _put_grants(body: dict[str, Any], value: tuple[Grant, ...]) -> None:
    """The flags, then refresh tokens, which depend on them; attributes that are right already are not touched."""
    body.update({flag: grant in value for grant, flag in FLAGS.items()})
    body[BEARER_ONLY] = False
    attributes: dict[str, Any] = body["attributes"]
    attributes.update(
        {
            key: "true" if grant in value else "false"
            for grant, key in SWITCHES.items()
            if grant in value or key in attributes
        }
    )
    wanted, live = Grant.REFRESH_TOKEN in value, attributes_of(body)
    if _refreshes(body, live) == wanted:
        return
    if not wanted:
        # What means nothing with these grants is left as it is.
        issuing = {
            REFRESH: serves_users(body, live),
            CC_REFRESH: Grant.CLIENT_CREDENTIALS in value and CC_REFRESH in attributes,
        }
        attributes.update({key: "false" for key, issues in issuing.items() if issues})
    elif serves_users(body, live):
        attributes[REFRESH] = "true"
    else:
        attributes[CC_REFRESH] = "true"


def _lifetime(attributes: Mapping[str, Any], key: str) -> ClientLifetime:
    written = attributes.get(key, "")
    if not written:
        return "inherit"
    return "never" if written == SESSION_LONG else a_number(attributes, key, 0, 0)


def _lifespan(value: Any) -> str:
    return {"inherit": "", "never": SESSION_LONG}.get(value, str(value))


CLIENT: Final[Table] = {
    "name": at("name", a_text, limit=_COLUMN, default=""),
    "version": HeldField(no("a client has no version")),
    "description": at("description", a_text, limit=_COLUMN, default=""),
    "type": WireField(keys=("publicClient",), read=_client_type, write=_put_type, default=ClientType.CONFIDENTIAL),
    "redirect_uris": at("redirectUris", some_texts, once_each, limit=_REDIRECT, default=()),
    "contacts": HeldField(no("a client has no contacts")),
    "groups": HeldField(left_out("the groups and roles of service accounts are not managed")),
    "grants": WireField(
        keys=(
            BEARER_ONLY,
            *FLAGS.values(),
            *(f"{_ATTRIBUTE}{key}" for key in (*SWITCHES.values(), REFRESH, CC_REFRESH)),
        ),
        read=live_grants,
        write=_put_grants,
        default=(Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN),
    ),
    "tokens.access_lifetime": attribute("access.token.lifespan", _lifetime, _lifespan, default="inherit"),
    "tokens.refresh_count": HeldField(no("refreshes are counted per realm; see the options of the settings")),
    "enabled": at("enabled", lambda raw, key: a_flag(raw, key, True), default=True),
    "secret.value": HeldField(limit=_COLUMN),
}

# -- client scopes ------------------------------------------------------------------------------------------------------

_OPENS: Final = HeldField(no("a client scope does not record what it protects on a resource server"))

SCOPE: Final[Table] = {
    "description": at("description", a_text, limit=_COLUMN, default=""),
    "resources": _OPENS,
    "url_templates": _OPENS,
}


# -- settings -----------------------------------------------------------------------------------------------------------

SSL: Final = "sslRequired"
ALL: Final = "all"
OUTSIDE: Final = "external"
"""HTTPS is required for all but private addresses: Keycloak's default."""

PKCE: Final = Rule("oauthdeploy-require-pkce", "pkce-enforcer", "public", {"auto-configure": True})

Enforced = Callable[[Rule], Mapping[str, Any] | None]
"""The configuration with which a rule applies to the clients that it is for; None if it does not apply."""


class LiveRealm(NamedTuple):
    """A realm as the server returned it; `managed` are the fields that the manifest writes (None: all)."""

    raw: Mapping[str, Any]
    enforced: Enforced
    managed: frozenset[str] | None


class RealmDraft(NamedTuple):
    """What is sent to change a realm: fields of its JSON, and client policies, each with whether it is wanted."""

    body: dict[str, Any]
    rules: list[tuple[Rule, bool]]


def _requires_https(realm: LiveRealm) -> bool:
    ssl = a_text(realm.raw, SSL).lower()
    if ssl not in (ALL, OUTSIDE, "none"):
        raise Garbled(f"{SSL} is neither all nor external nor none", ssl)
    return ssl == ALL


def _seconds(key: str, **declared: Any) -> WireField:
    def read(realm: LiveRealm) -> Any:
        return a_number(realm.raw, key, 0, 0) if key in realm.raw else NOT_RETURNED

    def write(draft: RealmDraft, value: Any) -> None:
        draft.body[key] = value

    return WireField(keys=(key,), read=read, write=write, **declared)


def _put_https(draft: RealmDraft, value: bool) -> None:
    draft.body[SSL] = ALL if value else OUTSIDE


def _policy(path: str, rule: Rule, **declared: Any) -> WireField:
    """A setting that is a client policy: only returned if the manifest writes it, since finding it may take another request."""

    def read(realm: LiveRealm) -> Any:
        return realm.enforced(rule) is not None if realm.managed is None or path in realm.managed else NOT_RETURNED

    def write(draft: RealmDraft, value: Any) -> None:
        draft.rules.append((rule, bool(value)))

    return WireField(read=read, write=write, **declared)


SETTINGS: Final[Table] = {
    "require_https": WireField(
        support=yes("true is sslRequired: all"), keys=(SSL,), read=_requires_https, write=_put_https, default=False
    ),
    "require_pkce": _policy("require_pkce", PKCE, support=yes("by a client policy for public clients"), default=False),
    "authorization_code_lifetime": _seconds("accessCodeLifespan", default=60),
    "access_token_lifetime": _seconds(
        "accessTokenLifespan",
        support=yes("no unlimited lifetime: a token ends with its session at the latest"),
        default=300,
    ),
    "token_endpoint_auth": HeldField(no("the token endpoint always asks for the client's credentials")),
}
"""Read from a LiveRealm, written into a RealmDraft."""


# -- client scopes of clients --------------------------------------------------------------------------------------------

LISTS: Final[Mapping[AssignedAs, str]] = {
    AssignedAs.DEFAULT: "defaultClientScopes",
    AssignedAs.OPTIONAL: "optionalClientScopes",
}
"""The two lists of client scopes in the JSON of a client."""


class LiveAssociation(NamedTuple):
    """A client as the server returned it, and the name of one of its client scopes."""

    raw: Mapping[str, Any]
    scope: str


def _assigned_as(live: LiveAssociation) -> AssignedAs:
    default = live.scope in some_texts(live.raw, LISTS[AssignedAs.DEFAULT])
    return AssignedAs.DEFAULT if default else AssignedAs.OPTIONAL


def _put_assigned_as(draft: dict[str, Any], value: AssignedAs) -> None:
    draft["list"] = LISTS[value]


ASSOCIATION: Final[Table] = {
    AS: WireField(
        support=yes("as default or optional client scopes"),
        keys=tuple(LISTS.values()),
        read=_assigned_as,
        write=_put_assigned_as,
        default=AssignedAs.OPTIONAL,
    )
}
"""Read from a LiveAssociation, written into a draft that names the list."""


FIELDS: Final[HeldFields] = {
    Kind.SETTINGS: SETTINGS,
    Kind.SCOPE: SCOPE,
    Kind.CLIENT: CLIENT,
    Kind.ASSOCIATION: ASSOCIATION,
}
"""What a realm holds of the model."""

ATTRIBUTES: Final = frozenset(
    key.removeprefix(_ATTRIBUTE)
    for table in FIELDS.values()
    for entry in table.values()
    if isinstance(entry, WireField)
    for key in entry.keys
    if key.startswith(_ATTRIBUTE)
)
"""The attributes that represent fields of the model."""
