"""The model's fields in the Administrator API, each once: what a server holds of it, its limit, its default, and the conversion
in both directions.

Null equals absent (the API may return either), booleans and numbers may come as strings, `Confidential` may be in lower case.
Pure.

Source: the OpenAPI document and the guides of Integration Server 10.11 (Administrator API; Configuring OAuth).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.field_table import Table, WireField, at, if_present, once_each
from oauthdeploy.drivers.json_values import NOT_RETURNED, Garbled, a_flag, a_name, a_number, a_text, some_texts
from oauthdeploy.model.capabilities import HeldField, HeldFields, Limit, left_out, no, yes
from oauthdeploy.model.fields import INT32_MAX, ClientLifetime
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import AS, ClientType, Grant, TokenEndpointAuth, Via
from oauthdeploy.model.servers import Role

W = TypeVar("W", bound=StrEnum)

# As the administration pages write them; the REST document does not name them.
USE_GLOBAL: Final = -2
NEVER: Final = -1
UNLIMITED: Final = -1


def _word(words: type[W], what: str) -> Any:
    """A parser for a keyword, in any case."""

    def read(raw: Mapping[str, Any], key: str) -> W:
        text = a_text(raw, key)
        try:
            return words(text.lower())
        except ValueError:
            raise Garbled(f"{key} is neither {what}", raw.get(key)) from None

    return read


# -- settings ---------------------------------------------------------------------------------------------------------


def _seconds(raw: Mapping[str, Any], key: str) -> int | str:
    # -1 is documented for the access token, and servers accept it for codes too: the code never expires.
    seconds = a_number(raw, key, 0, NEVER)
    return "never" if seconds == NEVER else seconds


def _or_never(value: Any) -> Any:
    return NEVER if value == "never" else value


_FLAG: Final = if_present(lambda raw, key: a_flag(raw, key, False))
_SECONDS: Final = if_present(_seconds)

SETTINGS: Final[Table] = {
    "require_https": at("requireHTTPS", _FLAG, default=True),
    "require_pkce": at("requirePKCE", _FLAG, support=yes("10.11 or later"), default=False),
    "authorization_code_lifetime": at("authCodeLifetimeSeconds", _SECONDS, _or_never, default=600),
    "access_token_lifetime": at("accessTokenLifetimeSeconds", _SECONDS, _or_never, default=3600),
    "token_endpoint_auth": at(
        "tokenEndpointAuth",
        if_present(_word(TokenEndpointAuth, "session nor credentials")),
        str,
        support=yes("session: the cookie of an open session replaces the credentials"),
        default=TokenEndpointAuth.SESSION,
    ),
}


# -- scopes -----------------------------------------------------------------------------------------------------------

SCOPE: Final[Table] = {
    "description": at("description", a_text, default=""),
    "resources": at("FoldersAndServices", some_texts, once_each, support=yes("folders and services"), default=()),
    "url_templates": at("urlTemplates", some_texts, once_each, support=yes("as METHOD_namespace/template"), default=()),
}


# -- clients ----------------------------------------------------------------------------------------------------------

FLAGS: Final[Mapping[Grant, str]] = {
    Grant.AUTHORIZATION_CODE: "authorizationCodeGrant",
    Grant.IMPLICIT: "implicitGrant",
    Grant.CLIENT_CREDENTIALS: "clientCredentialsGrant",
    Grant.PASSWORD: "resourceOwnerCredentialsGrant",
}
"""The grants with their own flag. Refreshing has none: it is allowed if tokenRefreshCount is not 0."""

_REFRESHES: Final = "tokenRefreshCount"


class ClientDraft(NamedTuple):
    """What is sent to create or change a client; `write_client` describes the other two parameters."""

    body: dict[str, Any]
    refreshes: int | None
    text_versions: bool


def _sent(entry: WireField) -> WireField:
    """The same field, written into the body of a ClientDraft."""
    write = entry.write
    assert write is not None
    return replace(entry, write=lambda draft, value: write(draft.body, value))


def _grants(raw: Mapping[str, Any]) -> tuple[Grant, ...]:
    grants = [grant for grant, flag in FLAGS.items() if a_flag(raw, flag, False)]
    return (*grants, *([Grant.REFRESH_TOKEN] if a_number(raw, _REFRESHES, 0, UNLIMITED) else []))


def _put_grants(draft: ClientDraft, value: tuple[Grant, ...]) -> None:
    draft.body.update({flag: grant in value for grant, flag in FLAGS.items()})
    wanted = Grant.REFRESH_TOKEN in value
    if draft.refreshes is not None and wanted != bool(draft.refreshes):
        draft.body[_REFRESHES] = UNLIMITED if wanted else 0


def _refresh_count(raw: Mapping[str, Any], key: str) -> int | str:
    count = a_number(raw, key, 0, UNLIMITED)
    return "unlimited" if count == UNLIMITED else count


def _lifetime(raw: Mapping[str, Any], key: str) -> ClientLifetime:
    seconds = a_number(raw, key, USE_GLOBAL, USE_GLOBAL)
    if seconds == USE_GLOBAL:
        return "inherit"
    return "never" if seconds == NEVER else seconds


def version_of(raw: Mapping[str, Any]) -> str:
    """The version of a client. Raises Garbled."""
    # A string such as 1.0 in the administrator's guide and an int32 in the REST document: a server may send either.
    value = raw.get("version", "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return a_text(raw, "version")


def _put_version(draft: ClientDraft, value: str) -> None:
    """As the number that it represents, unless the server accepts strings; anything else is left for the server to judge."""
    number = not draft.text_versions and is_version_number(value)
    draft.body["version"] = int(value) if number else value


def is_version_number(version: str) -> bool:
    """Whether a version is a whole number in canonical form that fits into 32 bits."""
    digits = version.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return False
    number = int(version)
    return str(number) == version and -INT32_MAX - 1 <= number <= INT32_MAX


_NAME: Final = Limit(
    # "Registering Clients": the same for name and version. A dot segment cannot stand in a URL.
    r"""^(?!\.{1,2}$)[^&()\\;,/":'<>\x00-\x1f\x7f]+$""",
    255,
    "anything but & ( ) \\ ; , / \" : ' < > and control characters",
)

DEFAULT_VERSION: Final = "1"
"""The version of a client whose manifest has none: the server identifies clients by name and version, and needs both."""

CLIENT: Final[Table] = {
    "name": _sent(at("name", a_name, limit=_NAME, key_stands_in=True)),
    "version": WireField(
        support=yes("10.11 accepts only whole numbers"),
        limit=replace(_NAME, max_length=None),
        default=DEFAULT_VERSION,
        keys=("version",),
        read=version_of,
        write=_put_version,
    ),
    "description": _sent(at("description", a_text, default="")),
    "type": _sent(
        at(
            "type",
            _word(ClientType, "Confidential nor Public"),
            lambda value: str(value).capitalize(),
            default=ClientType.CONFIDENTIAL,
        )
    ),
    "redirect_uris": _sent(at("redirect_uris", some_texts, once_each, default=())),
    "grants": WireField(keys=(*FLAGS.values(), _REFRESHES), read=_grants, write=_put_grants, default=()),
    # In the groups of the server, not in the client: read and written by them.
    "groups": WireField(support=yes("groups of the user that is called as the client_id"), default=()),
    "tokens.access_lifetime": _sent(
        at(
            "tokenLifetime",
            _lifetime,
            lambda value: {"inherit": USE_GLOBAL, "never": NEVER}.get(value, value),
            default="inherit",
        )
    ),
    "tokens.refresh_count": _sent(
        at(_REFRESHES, _refresh_count, lambda value: UNLIMITED if value == "unlimited" else value, default=0)
    ),
    "enabled": _sent(at("enabled", lambda raw, key: a_flag(raw, key, True), default=True)),
}
"""Written into a ClientDraft."""


# -- trust ------------------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Host, port and scheme of a base address."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        """The base address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def place_of(url: str) -> Place | None:
    """Parse a base address; None if it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    tls = parts.scheme == "https"
    return Place(parts.hostname.lower(), port if port is not None else (443 if tls else 80), tls)


class LiveAlias(NamedTuple):
    """An alias as a server returned it; `endpoint` is the address as the manifest spells it."""

    name: str
    via: str
    raw: Mapping[str, Any]
    endpoint: str | None = None


def _of_alias(key: str, **declared: Any) -> WireField:
    """A string of an alias; null is the empty default."""

    def write(body: dict[str, Any], value: str | None) -> None:
        body[key] = "" if value is None else value

    return WireField(keys=(key,), read=lambda alias: a_text(alias.raw, key), write=write, **declared)


def _kept_secret(key: str) -> WireField:
    """A secret of an alias: the server accepts it and never returns it."""
    return replace(_of_alias(key), read=None)


def _count(key: str, **declared: Any) -> WireField:
    """A number of an alias, which servers may show as text; empty is unset."""
    # That keepAlive counts connections, and timeout minutes, follows from the names alone.

    def read(alias: LiveAlias) -> Any:
        return NOT_RETURNED if alias.raw.get(key, "") == "" else a_number(alias.raw, key, 0, 0)

    def write(body: dict[str, Any], value: int | None) -> None:
        body[key] = value

    return WireField(keys=(key,), read=read, write=write, **declared)


def _place(alias: LiveAlias) -> str:
    raw = alias.raw
    try:
        place = Place(a_name(raw, "host").lower(), a_number(raw, "port", 0, 1), _uses_tls(raw))
    except Garbled as problem:
        raise Garbled(str(problem), {key: raw.get(key) for key in ("host", "port", "ssl")}) from None
    return alias.endpoint if alias.endpoint is not None and place_of(alias.endpoint) == place else place.url


def _uses_tls(raw: Mapping[str, Any]) -> bool:
    value = raw.get("ssl", "no")
    if isinstance(value, str) and value.lower() in ("yes", "no"):
        return value.lower() == "yes"
    return a_flag(raw, "ssl", False)


def _put_place(body: dict[str, Any], url: str) -> None:
    place = place_of(url)
    if place is None:
        raise Garbled("the remote server's address is not an http or https address")
    body.update(host=place.host, port=place.port, ssl="yes" if place.tls else "no")


# The setting authServerAlias has only a name: whether the trust is external or remote follows from the list with the alias.
_ALIAS: Final[Table] = {
    "authorization_server": WireField(read=lambda alias: alias.name),
    "via": WireField(read=lambda alias: alias.via),
}
"""Known from the name of the alias and the list that contains it."""

EXTERNAL: Final[Table] = {
    **_ALIAS,
    "endpoint": _of_alias("introspectionEndpoint"),
    "client_id": _of_alias("clientId"),
    "client_secret": _kept_secret("clientSecret"),
    "user": _of_alias("user"),
    "default_scope": _of_alias("defaultScope", default=""),
    "truststore_alias": _of_alias("truststoreAlias", default=""),
    "keystore_alias": _of_alias("keystoreAlias", default=""),
    "key_alias": _of_alias("keyAlias", default=""),
}
"""The trust in an ExternalServer, read from a LiveAlias."""

REMOTE: Final[Table] = {
    **_ALIAS,
    "endpoint": WireField(keys=("host", "port", "ssl"), read=_place, write=_put_place),
    "username": _of_alias("user"),
    "password": _kept_secret("password"),
    "keystore_alias": _of_alias("keystoreAlias", default=""),
    "key_alias": _of_alias("keyAlias", default=""),
    "execute_acl": _of_alias("acl", default="Internal"),
    "keep_alive_connections": _count("keepAlive", default=5),
    "keep_alive_minutes": _count("timeout"),
    "retry_server": _of_alias("retryServer", default=""),
}
"""The trust in a remote server alias, read from a LiveAlias."""

_BY_VIA: Final[Mapping[Via, Table]] = {"local": _ALIAS, "remote": REMOTE, "external": EXTERNAL}

TRUST: Final[Table] = {
    path: replace(entry, via=frozenset(via for via, table in _BY_VIA.items() if path in table))
    for path, entry in {**REMOTE, **EXTERNAL}.items()
}
"""Every field of a trust, with the kinds of alias that hold it; for reading and writing, see REMOTE and EXTERNAL."""

ASKS_NOBODY: Final = no("an authorization server does not introspect tokens elsewhere")
NO_JWTS: Final = no("an Integration Server introspects every token; it does not verify JWTs with keys")


_ELSEWHERE: Final = HeldField(
    left_out(
        "calls run as the user that is called as the client_id on the authorization server; plan checks its groups"
    )
)


# -- by role ----------------------------------------------------------------------------------------------------------

_RESOURCE: Final[HeldFields] = {
    Kind.SETTINGS: SETTINGS,
    Kind.SCOPE: SCOPE,
    Kind.CLIENT: CLIENT,
    Kind.ASSOCIATION: {AS: HeldField(no("a client has a scope or lacks it; the server has no default scopes"))},
    Kind.TRUST: {**TRUST, **dict.fromkeys(("issuer", "jwks_uri", "audience"), HeldField(NO_JWTS))},
}

FIELDS: Final[Mapping[Role, HeldFields]] = {
    Role.AUTHORIZATION: {
        **_RESOURCE,
        Kind.TRUST: dict.fromkeys(fields_of(Kind.TRUST), HeldField(ASKS_NOBODY)),
    },
    Role.RESOURCE: {**_RESOURCE, Kind.CLIENT: {**CLIENT, "groups": _ELSEWHERE}},
    Role.BOTH: _RESOURCE,
}
"""What a server holds of the model, by its role."""
