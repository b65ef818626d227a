"""From the server's JSON to the model and back; pure, and trusting in nothing that a server says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.field_table import keys_of, read_fields, write_fields
from oauthdeploy.drivers.json_values import (
    FieldReader,
    Garbled,
    a_name,
    a_text,
    an_id,
    an_object,
    fingerprint,
    some_texts,
)
from oauthdeploy.drivers.webmethods.fields import CLIENT, SCOPE, SETTINGS, UNLIMITED, ClientDraft, version_of
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.identities import label_of
from oauthdeploy.model.objects import Client, Grant, Scope, Settings

# -- settings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveSettings:
    """Settings as a server told them; `unparsed` is what the model has no place for, by field."""

    value: Settings
    fingerprint: str
    unparsed: Mapping[str, Unparsed]


def read_settings(body: Any) -> LiveSettings:
    """Settings of a GlobalSetting; what the server does not return stays unset.

    Raises Garbled for what is not an object, and for one without any setting: it would pass for a server with all defaults.
    """
    raw = an_object(body, "the settings")
    if raw.keys().isdisjoint(key for path in SETTINGS for key in keys_of(SETTINGS, path)):
        raise Garbled("the settings have no known field")
    fields = read_fields(SETTINGS, raw)
    return LiveSettings(fields.build(Settings), settings_fingerprint(body), fields.unparsed)


def settings_fingerprint(body: Any) -> str:
    """The trust has a fingerprint of its own, so its alias doesn't count here."""
    return fingerprint(body, {"authServerAlias"})


def write_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A partial GlobalSetting from fields of Settings; None must have been replaced by the default before."""
    body: dict[str, Any] = {}
    write_fields(SETTINGS, values, body)
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
    fields = read_fields(SCOPE, raw)
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
    body: dict[str, Any] = {}
    write_fields(SCOPE, values, body)
    return body


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
    name, version = a_name(raw, "name"), version_of(raw)
    if raw.keys() <= _IDENTITY:
        raise Garbled("a client has no field but its name")
    fields = read_fields(CLIENT, raw)
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


def write_client(values: Mapping[str, Any], *, refreshes: int | None, text_versions: bool) -> dict[str, Any]:
    """A partial ClientIn from dotted fields of the model's Client; None must have been replaced by the default before.

    Refreshing has no flag of its own: it is allowed where the refresh count is not 0. Where the manifest leaves the count
    alone, `refreshes` is the one that stands, and `grants` change it only where it contradicts them: to 0, or to unlimited.
    Where the manifest manages the count, `refreshes` is None and the count alone decides.
    """
    draft = ClientDraft({}, refreshes, text_versions)
    write_fields(CLIENT, values, draft)
    return draft.body


def counts_refreshes(desired: Client | None) -> bool:
    """Whether the manifest manages the refresh count of a client."""
    if desired is None or "tokens" not in desired.model_fields_set:
        return False
    return desired.tokens is None or "refresh_count" in desired.tokens.model_fields_set


def refresh_count(value: Client) -> int:
    """The refresh count of a live client as the server counts it."""
    count = value.tokens.refresh_count if value.tokens is not None else None
    return UNLIMITED if count == "unlimited" else (count or 0)


def in_spelling_of(desired: Client | None, live: Client) -> Client:
    """A live client as the manifest has to see it.

    The server has no flag for refreshing. Where the manifest writes both the grants and the refresh count, the count says it
    all; then `refresh_token` among the grants holds no news, and is told back as the manifest has it.
    """
    if desired is None or "grants" not in desired.model_fields_set or not counts_refreshes(desired):
        return live
    others = tuple(grant for grant in live.grants or () if grant is not Grant.REFRESH_TOKEN)
    wanted = Grant.REFRESH_TOKEN in (desired.grants or ())
    return live.model_copy(update={"grants": (*others, Grant.REFRESH_TOKEN) if wanted else others})
