"""From the server's JSON to the model and back; pure, and trusting in nothing that a server says.

Null equals absent (the Administrator API may give either), booleans and numbers may come as texts, `Confidential` may be
written small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.json_values import (
    FieldReader,
    Garbled,
    a_flag,
    a_name,
    a_number,
    a_text,
    an_id,
    an_object,
    fingerprint,
    some_texts,
)
from oauthdeploy.model.fields import INT32_MAX, ClientLifetime, Unparsed
from oauthdeploy.model.identities import label_of
from oauthdeploy.model.objects import Client, ClientType, Grant, Scope, Settings, TokenEndpointAuth

# As the administration pages write them; the REST document doesn't name them.
USE_GLOBAL: Final = -2
NEVER: Final = -1
UNLIMITED: Final = -1

FLAGS: Final[Mapping[Grant, str]] = {
    Grant.AUTHORIZATION_CODE: "authorizationCodeGrant",
    Grant.IMPLICIT: "implicitGrant",
    Grant.CLIENT_CREDENTIALS: "clientCredentialsGrant",
    Grant.PASSWORD: "resourceOwnerCredentialsGrant",
}
"""The grants that have a flag of their own. Refreshing has none: it is allowed where tokenRefreshCount is not 0."""

SETTINGS_FIELDS: Final[Mapping[str, str]] = {
    "require_https": "requireHTTPS",
    "require_pkce": "requirePKCE",
    "authorization_code_lifetime": "authCodeLifetimeSeconds",
    "access_token_lifetime": "accessTokenLifetimeSeconds",
    "token_endpoint_auth": "tokenEndpointAuth",
}
SCOPE_FIELDS: Final[Mapping[str, str]] = {
    "description": "description",
    "resources": "FoldersAndServices",
    "url_templates": "urlTemplates",
}


# -- settings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveSettings:
    """Settings as a server told them; `unparsed` is what the model has no place for, by field."""

    value: Settings
    fingerprint: str
    unparsed: Mapping[str, Unparsed]


def read_settings(body: Any) -> LiveSettings:
    """Settings of a GlobalSetting; what the server does not return stays unset. Raises Garbled for what is not an object."""
    raw = an_object(body, "the settings")
    fields = FieldReader()
    for field, key in SETTINGS_FIELDS.items():
        if key in raw:
            fields.take(field, lambda field=field, key=key: _setting(raw, field, key))  # type: ignore[misc]
    return LiveSettings(fields.build(Settings), settings_fingerprint(body), fields.unparsed)


def _setting(raw: Mapping[str, Any], field: str, key: str) -> Any:
    match field:
        case "require_https" | "require_pkce":
            return a_flag(raw, key, False)
        case "token_endpoint_auth":
            return _endpoint_auth(raw, key)
        case _:
            # -1 is documented for the access token, and servers take it for codes too: the code never expires.
            seconds = a_number(raw, key, 0, NEVER)
            return "never" if seconds == NEVER else seconds


def _endpoint_auth(raw: Mapping[str, Any], key: str) -> TokenEndpointAuth:
    text = a_text(raw, key)
    try:
        return TokenEndpointAuth(text.lower())
    except ValueError:
        raise Garbled(f"{key} is neither session nor credentials", text) from None


def settings_fingerprint(body: Any) -> str:
    """The trust has a fingerprint of its own, so its alias doesn't count here."""
    return fingerprint(body, {"authServerAlias"})


def write_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A partial GlobalSetting from fields of Settings; None must have been replaced by the default before."""
    body: dict[str, Any] = {}
    for field, value in values.items():
        if value == "never":
            value = NEVER
        body[SETTINGS_FIELDS[field]] = str(value) if isinstance(value, TokenEndpointAuth) else value
    return body


# -- scopes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveScope:
    """A scope as a server told it; `unparsed` is what the model has no place for, by field."""

    name: str
    value: Scope
    fingerprint: str
    unparsed: Mapping[str, Unparsed]


def read_scope(body: Any) -> LiveScope:
    """Raises Garbled."""
    raw = an_object(body, "a scope")
    fields = FieldReader()
    fields.take("description", lambda: a_text(raw, "description"))
    fields.take("resources", lambda: some_texts(raw, "FoldersAndServices"))
    fields.take("url_templates", lambda: some_texts(raw, "urlTemplates"))
    return LiveScope(
        name=a_name(raw, "name"),
        value=fields.build(Scope),
        # Warnings come with the answer to a write and are no part of the scope.
        fingerprint=fingerprint(raw, {"warnings"}),
        unparsed=fields.unparsed,
    )


def find_scope(body: Any, name: str, wrapper: str) -> LiveScope | None:
    """The scope in the answer to a create: bare, wrapped, or in a list; None where it is not in there."""
    candidates: list[Any] = []
    if isinstance(body, Mapping):
        candidates = [body, body.get(wrapper)]
        if isinstance(body.get("scopes"), list):
            candidates += body["scopes"]
    for candidate in candidates:
        if isinstance(candidate, Mapping) and candidate.get("name") == name:
            return read_scope(candidate)
    return None


def write_scope(values: Mapping[str, Any]) -> dict[str, Any]:
    """A partial Scope from fields of the model's Scope."""
    return {SCOPE_FIELDS[field]: _plain(value) for field, value in values.items()}


def _plain(value: Any) -> Any:
    return list(dict.fromkeys(value)) if isinstance(value, tuple) else value


# -- clients ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveClient:
    """A client as a server told it.

    `secret` is None where the server shows none, or a mask. `scopes` is None where they can't be parsed.
    `unparsed` is what the model has no place for, by dotted path.
    """

    client_id: str
    name: str
    version: str
    value: Client
    scopes: tuple[str, ...] | None
    fingerprint: str
    unparsed: Mapping[str, Unparsed]
    secret: Secret | None = None

    @property
    def label(self) -> str:
        """What the server's own pages call it; the address of a client that the manifest doesn't know."""
        return label_of(self.name, self.version)

    @property
    def enabled(self) -> bool:
        """Whether the client is active; one whose flag can't be parsed is taken to be."""
        return self.value.enabled is not False


def read_client(body: Any) -> LiveClient:
    """Raises Garbled where the client can't be told from others."""
    raw = an_object(body, "a client")
    name, version = a_name(raw, "name"), _version(raw)
    if raw.keys() <= _IDENTITY:
        raise Garbled("a client has no field but its name")
    fields = FieldReader()
    fields.values.update(name=name, version=version)
    fields.take("description", lambda: a_text(raw, "description"))
    fields.take("type", lambda: _client_type(raw))
    fields.take("redirect_uris", lambda: some_texts(raw, "redirect_uris"))
    fields.take("tokens.access_lifetime", lambda: _lifetime(a_number(raw, "tokenLifetime", USE_GLOBAL, USE_GLOBAL)))
    fields.take("tokens.refresh_count", lambda: _refresh_count(a_number(raw, "tokenRefreshCount", 0, UNLIMITED)))
    fields.take("grants", lambda: _grants(raw))
    fields.take("enabled", lambda: a_flag(raw, "enabled", True))
    others = FieldReader()
    secret = others.take("secret", lambda: a_text(raw, "client_secret"))
    return LiveClient(
        client_id=an_id(raw, "client_id"),
        name=name,
        version=version,
        value=fields.build(Client),
        scopes=others.take("scopes", lambda: some_texts(raw, "scopes")),
        # Associations have addresses of their own, and so have no part in the client's fingerprint.
        fingerprint=fingerprint(raw, {"client_secret", "registrationAccessToken", "scopes"}),
        unparsed=fields.unparsed,
        secret=Secret(secret, "server") if secret and not is_masked(secret) else None,
    )


_IDENTITY: Final = frozenset({"name", "version", "client_id", "id", "url", "href"})


def _grants(raw: Mapping[str, Any]) -> tuple[Grant, ...]:
    grants = [grant for grant, flag in FLAGS.items() if a_flag(raw, flag, False)]
    return (*grants, *([Grant.REFRESH_TOKEN] if a_number(raw, "tokenRefreshCount", 0, UNLIMITED) else []))


def _refresh_count(count: int) -> int | str:
    return "unlimited" if count == UNLIMITED else count


def _version(raw: Mapping[str, Any]) -> str:
    # A text such as 1.0 in the administrator's guide and an int32 in the REST document: a server may send either.
    value = raw.get("version", "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return a_text(raw, "version")


def _client_type(raw: Mapping[str, Any]) -> ClientType:
    text = a_text(raw, "type")
    try:
        return ClientType(text.lower())
    except ValueError:
        raise Garbled("type is neither Confidential nor Public", raw.get("type")) from None


def _lifetime(seconds: int) -> ClientLifetime:
    if seconds == USE_GLOBAL:
        return "inherit"
    return "never" if seconds == NEVER else seconds


def write_client(values: Mapping[str, Any], *, refreshes: int | None, text_versions: bool) -> dict[str, Any]:
    """A partial ClientIn from dotted fields of the model's Client; None must have been replaced by the default before.

    Refreshing has no flag of its own: it is allowed where the refresh count is not 0. Where the manifest leaves the count
    alone, `refreshes` is the one that stands, and `grants` change it only where it contradicts them: to 0, or to unlimited.
    Where the manifest manages the count, `refreshes` is None and the count alone decides.
    """
    body: dict[str, Any] = {}
    for field, value in values.items():
        match field:
            case "name" | "description" | "enabled":
                body[field] = value
            case "version":
                body["version"] = version_number(value) if not text_versions else value
            case "type":
                body["type"] = str(value).capitalize()
            case "redirect_uris":
                body["redirect_uris"] = list(dict.fromkeys(value))
            case "tokens.access_lifetime":
                body["tokenLifetime"] = {"inherit": USE_GLOBAL, "never": NEVER}.get(value, value)
            case "tokens.refresh_count":
                body["tokenRefreshCount"] = UNLIMITED if value == "unlimited" else value
            case "grants":
                body.update({flag: grant in value for grant, flag in FLAGS.items()})
                wanted = Grant.REFRESH_TOKEN in value
                if refreshes is not None and wanted != bool(refreshes):
                    body["tokenRefreshCount"] = UNLIMITED if wanted else 0
            case _:
                raise ValueError(f"not a field of a client: {field}; this is a bug in oauthdeploy")
    return body


def counts_refreshes(desired: Client | None) -> bool:
    """Whether the manifest manages the refresh count of a client."""
    if desired is None or "tokens" not in desired.model_fields_set:
        return False
    return desired.tokens is None or "refresh_count" in desired.tokens.model_fields_set


def refresh_count(value: Client) -> int:
    """The refresh count of a live client as the server counts it."""
    count = value.tokens.refresh_count if value.tokens is not None else None
    return UNLIMITED if count == "unlimited" else (count or 0)


def as_told_to(desired: Client | None, live: Client) -> Client:
    """A live client as the manifest has to see it.

    The server has no flag for refreshing. Where the manifest writes both the grants and the refresh count, the count says it
    all; then `refresh_token` among the grants holds no news, and is told back as the manifest has it.
    """
    if desired is None or "grants" not in desired.model_fields_set or not counts_refreshes(desired):
        return live
    others = tuple(grant for grant in live.grants or () if grant is not Grant.REFRESH_TOKEN)
    wanted = Grant.REFRESH_TOKEN in (desired.grants or ())
    return live.model_copy(update={"grants": (*others, Grant.REFRESH_TOKEN) if wanted else others})


def version_number(version: str) -> int | str:
    """A version as the number that it writes; the text itself where it writes none, for the server to judge."""
    return int(version) if is_version_number(version) else version


def is_version_number(version: str) -> bool:
    """Whether a version is a whole number in its only spelling, and fits into 32 bits."""
    digits = version.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return False
    number = int(version)
    return str(number) == version and -INT32_MAX - 1 <= number <= INT32_MAX
