"""From the server's JSON to the model and back; pure, and trusting in nothing that a server says.

Null equals absent (the Administrator API may give either), booleans and numbers may come as texts, `Confidential` may be
written small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.json_values import (
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
from oauthdeploy.model.fields import INT32_MAX, ClientLifetime
from oauthdeploy.model.objects import Client, ClientTokens, ClientType, Grant, Scope, Settings, TokenEndpointAuth

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


def read_settings(body: Any) -> Settings:
    """Settings of a GlobalSetting; what the server doesn't tell stays unset. Raises Garbled."""
    raw = an_object(body, "the settings")
    values: dict[str, Any] = {}
    for field, key in SETTINGS_FIELDS.items():
        if key not in raw:
            continue
        match field:
            case "require_https" | "require_pkce":
                values[field] = a_flag(raw, key, False)
            case "authorization_code_lifetime":
                values[field] = a_number(raw, key, 0, 0)
            case "access_token_lifetime":
                seconds = a_number(raw, key, 0, NEVER)
                values[field] = "never" if seconds == NEVER else seconds
            case _:
                values[field] = _endpoint_auth(raw, key)
    return Settings(**values)


def _endpoint_auth(raw: Mapping[str, Any], key: str) -> TokenEndpointAuth:
    try:
        return TokenEndpointAuth(a_text(raw, key).lower())
    except ValueError:
        raise Garbled(f"{key} is neither session nor credentials") from None


def settings_fingerprint(body: Any) -> str:
    """The trust has a fingerprint of its own, so its alias doesn't count here."""
    return fingerprint(body, {"authServerAlias"})


def write_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A partial GlobalSetting from fields of Settings; None must have been replaced by the default before."""
    body: dict[str, Any] = {}
    for field, value in values.items():
        if field == "access_token_lifetime" and value == "never":
            value = NEVER
        body[SETTINGS_FIELDS[field]] = str(value) if isinstance(value, TokenEndpointAuth) else value
    return body


# -- scopes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveScope:
    """A scope as a server told it."""

    name: str
    value: Scope
    fingerprint: str


def read_scope(body: Any) -> LiveScope:
    """Raises Garbled."""
    raw = an_object(body, "a scope")
    return LiveScope(
        name=a_name(raw, "name"),
        value=Scope(
            description=a_text(raw, "description"),
            resources=some_texts(raw, "FoldersAndServices"),
            url_templates=some_texts(raw, "urlTemplates"),
        ),
        # Warnings come with the answer to a write and are no part of the scope.
        fingerprint=fingerprint(raw, {"warnings"}),
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
    """A client as a server told it. `secret` is there only when the server has just made it."""

    client_id: str
    name: str
    version: str
    value: Client
    scopes: tuple[str, ...]
    fingerprint: str
    secret: Secret | None = None

    @property
    def label(self) -> str:
        """What the server's own pages call it; the address of a client that the manifest doesn't know."""
        return f"{self.name} ({self.version})"

    @property
    def enabled(self) -> bool:
        """Whether the client is active."""
        return bool(self.value.enabled)


def read_client(body: Any) -> LiveClient:
    """Raises Garbled."""
    raw = an_object(body, "a client")
    name, version = a_name(raw, "name"), _version(raw)
    count = a_number(raw, "tokenRefreshCount", 0, UNLIMITED)
    grants = [grant for grant, flag in FLAGS.items() if a_flag(raw, flag, False)]
    secret = a_text(raw, "client_secret")
    return LiveClient(
        client_id=an_id(raw, "client_id"),
        name=name,
        version=version,
        value=Client(
            name=name,
            version=version,
            description=a_text(raw, "description"),
            type=_client_type(raw),
            redirect_uris=some_texts(raw, "redirect_uris"),
            grants=(*grants, *([Grant.REFRESH_TOKEN] if count else [])),
            tokens=ClientTokens(
                access_lifetime=_lifetime(a_number(raw, "tokenLifetime", USE_GLOBAL, USE_GLOBAL)),
                refresh_count="unlimited" if count == UNLIMITED else count,
            ),
            enabled=a_flag(raw, "enabled", True),
        ),
        scopes=some_texts(raw, "scopes"),
        # Associations have addresses of their own, and so have no part in the client's fingerprint.
        fingerprint=fingerprint(raw, {"client_secret", "registrationAccessToken", "scopes"}),
        secret=Secret(secret, "server") if secret else None,
    )


def _version(raw: Mapping[str, Any]) -> str:
    value = raw.get("version", "")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return a_text(raw, "version")


def _client_type(raw: Mapping[str, Any]) -> ClientType:
    try:
        return ClientType(a_text(raw, "type").lower())
    except ValueError:
        raise Garbled("type is neither Confidential nor Public") from None


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
                raise ValueError(f"no field of a client: {field}; this is a bug in oauthdeploy")
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
