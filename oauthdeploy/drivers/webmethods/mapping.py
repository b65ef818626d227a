"""Conversion between the server's JSON and the model; pure, and trusts nothing that a server returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

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
from oauthdeploy.drivers.webmethods.options import DRIVER_NAME, options_in, read_pkce, told_pkce
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.identities import label_of
from oauthdeploy.model.objects import Client, Grant, Scope, Settings

# -- settings ---------------------------------------------------------------------------------------------------------


class LiveSettings(Struct, frozen=True):
    """Settings as a server returned them; `unparsed` is what the model cannot represent, by field."""

    value: Settings
    fingerprint: str
    unparsed: Mapping[str, Unparsed]


def read_settings(body: Any) -> LiveSettings:
    """Settings of a GlobalSetting; what the server does not return stays unset.

    Raises Garbled for anything but an object, and for one without any setting, which would look like a server with all
    defaults.
    """
    raw = an_object(body, "the settings")
    if raw.keys().isdisjoint(key for path in SETTINGS for key in keys_of(SETTINGS, path)):
        raise Garbled("the settings have no known field")
    fields = read_fields(SETTINGS, raw)
    return LiveSettings(fields.build(Settings), settings_fingerprint(body), fields.unparsed)


def settings_fingerprint(body: Any) -> str:
    """The trust has its own fingerprint, so its alias is not part of this one."""
    return fingerprint(body, {"authServerAlias"})


def write_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A partial GlobalSetting from fields of Settings; None must have been replaced by the default before."""
    body: dict[str, Any] = {}
    write_fields(SETTINGS, values, body)
    return body


# -- scopes -----------------------------------------------------------------------------------------------------------


class LiveScope(Struct, frozen=True):
    """A scope as a server returned it; `unparsed` is what the model cannot represent, by field."""

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
        # Warnings come with the response to a write and are not part of the scope.
        fingerprint=fingerprint(raw, {"warnings"}),
        unparsed=fields.unparsed,
    )


def find_scope(body: Any, name: str, wrapper: str) -> LiveScope | None:
    """The scope in the response to a create: bare, wrapped, or in a list; None if it is not in there."""
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


class LiveClient(Struct, frozen=True):
    """A client as a server returned it.

    `secret` is None if the server returns none, or a mask. `pkce` is the client's own requirement of PKCE; None if the server
    shows none. `scopes` is None if they cannot be parsed. `unparsed` is what the
    model cannot represent, by dotted path.
    """

    client_id: str
    name: str
    version: str
    value: Client
    scopes: tuple[str, ...] | None
    fingerprint: str
    unparsed: Mapping[str, Unparsed]
    secret: Secret | None = None
    pkce: bool | str | Unparsed | None = None

    @property
    def label(self) -> str:
        """The client's name on the server's own pages; the address of a client that the manifest does not know."""
        return label_of(self.name, self.version)

    @property
    def enabled(self) -> bool:
        """Whether the client is active; True if its flag cannot be parsed."""
        return self.value.enabled is not False


def read_client(body: Any) -> LiveClient:
    """Raises Garbled if the client cannot be identified."""
    raw = an_object(body, "a client")
    name, version = a_name(raw, "name"), version_of(raw)
    if raw.keys() <= _IDENTITY:
        raise Garbled("a client has no field but its name")
    fields = read_fields(CLIENT, raw)
    others = FieldReader()
    pkce = others.take("pkce", lambda: read_pkce(raw))
    secret = others.take("secret", lambda: a_text(raw, "client_secret"))
    return LiveClient(
        client_id=an_id(raw, "client_id"),
        name=name,
        version=version,
        value=fields.build(Client),
        scopes=others.take("scopes", lambda: some_texts(raw, "scopes")),
        # Associations have their own addresses, and so are not part of the client's fingerprint.
        fingerprint=fingerprint(raw, {"client_secret", "registrationAccessToken", "scopes"}),
        unparsed=fields.unparsed,
        secret=Secret(secret, "server") if secret and not is_masked(secret) else None,
        pkce=others.unparsed.get("pkce", pkce),
    )


_IDENTITY: Final = frozenset({"name", "version", "client_id", "id", "url", "href"})


def write_client(values: Mapping[str, Any], *, refreshes: int | None, text_versions: bool) -> dict[str, Any]:
    """A partial ClientIn from dotted fields of the model's Client; None must have been replaced by the default before.

    Refreshing has no flag of its own: it is allowed if the refresh count is not 0. If the manifest does not manage the count,
    `refreshes` is the live one, and `grants` change it only if it contradicts them: to 0, or to unlimited. If the manifest
    manages the count, `refreshes` is None and only the count decides.
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
    """A live client in the manifest's form.

    The server has no flag for refreshing. If the manifest writes both the grants and the refresh count, the count decides; then
    `refresh_token` among the grants carries no information, and is returned as the manifest has it.
    """
    if desired is None or "grants" not in desired.model_fields_set or not counts_refreshes(desired):
        return live
    others = tuple(grant for grant in live.grants or () if grant is not Grant.REFRESH_TOKEN)
    wanted = Grant.REFRESH_TOKEN in (desired.grants or ())
    return live.model_copy(update={"grants": (*others, Grant.REFRESH_TOKEN) if wanted else others})


def told_client(desired: Client | None, live: LiveClient) -> tuple[Client, Mapping[str, Unparsed]]:
    """A live client in the manifest's form, with the options that the manifest writes, and what cannot be parsed."""
    value = in_spelling_of(desired, live.value)
    options, odd = told_pkce(desired, live.pkce)
    if options_in(desired):
        value = value.model_copy(update={"options": {DRIVER_NAME: options}})
    return value, {**live.unparsed, **odd}


def writes_groups(desired: Client) -> bool:
    """Whether the manifest manages the groups of a client's account."""
    return "groups" in desired.model_fields_set


def with_groups(mark: str, groups: Iterable[str]) -> str:
    """The fingerprint of a client whose groups are managed; `mark` is that of the client alone."""
    return fingerprint({"client": mark, "groups": sorted(groups)})
