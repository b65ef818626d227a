"""Conversion between the client metadata of RFC 7591 and the model; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.client_metadata import (
    GRANT_TYPES,
    RESPONSE_TYPES,
    grant_types_in,
    response_types,
    scopes_in,
)
from oauthdeploy.drivers.common_steps import ownership_of
from oauthdeploy.drivers.field_table import read_fields
from oauthdeploy.drivers.json_values import a_name, an_object, fingerprint
from oauthdeploy.drivers.rfc7591.client_registry import Entry
from oauthdeploy.drivers.rfc7591.facts import RegistrationClientOptions
from oauthdeploy.drivers.rfc7591.fields import CLIENT, GRANTS, OPTIONS, live_grants
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import Association, Client
from oauthdeploy.model.state import LiveObject, Unheld

SECRETS: Final = ("client_secret", "registration_access_token")
REGISTRATION: Final = "registration"
"""The option that is about oauthdeploy and not about the client."""

DEFAULT_SCOPES: Final = "(default)"
"""Stands for the scopes that a client without any may request: the server's default ones (RFC 7591 section 2)."""

NOT_SENT: Final = frozenset(
    {"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
)
"""What an update must not contain (RFC 7592 section 2.2)."""

VOLATILE: Final = frozenset({*SECRETS, *NOT_SENT, "scope", "created_at", "updated_at"})
"""What is secret, changes by itself, or has its own address, and so is not part of a client's fingerprint."""

_HELD: Final = frozenset(
    {
        *("client_id", *VOLATILE),
        *(key for table in (CLIENT, OPTIONS) for field in table.values() for key in getattr(field, "keys", ())),
    }
)

_FIXED: Final = (
    "The server does not change clients (RFC 7592 section 2.2): it is deleted and registered anew, with another client id and "
    "secret, and its tokens stop working."
)
REFUSED: Final = "its registration access token is refused"
NOT_MANAGED: Final = "the server gave no address to manage it (RFC 7592 is optional)"


def sealed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A client with Secrets in place of its secrets."""
    hidden = {key: Secret(raw[key], "server") for key in SECRETS if isinstance(raw.get(key), str) and raw[key]}
    return {**raw, **hidden}


def client_id_of(raw: Mapping[str, Any]) -> str:
    """The id of a client. Raises Garbled."""
    return a_name(an_object(raw, "a client"), "client_id")


class LiveClient(Struct, frozen=True):
    """A client as the server returned it, its entry, and the manifest's name for marks (`ours`).

    `empty_scope` is the scope that grants nothing, and `fixed` says that the server does not change clients. `listed` says that
    the manifest lists the client's scopes.
    """

    raw: Mapping[str, Any]
    entry: Entry
    ours: str = ""
    empty_scope: str = ""
    fixed: bool = False
    listed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the server may give the client default scopes that its manifest does not list: it has not even the scope that
        grants nothing. Raises Garbled.
        """
        return self.listed and bool(self.empty_scope) and not scopes_in(self.raw)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the client may request. Raises Garbled."""
        if self.is_open:
            return (DEFAULT_SCOPES,)
        return tuple(scope for scope in scopes_in(self.raw) if scope != self.empty_scope)

    def told(self, desired: Client | None, *, whole: bool = False) -> LiveObject:
        """The client in the manifest's form, with the options that `desired` writes, or all that differ (`whole`)."""
        fields, options = read_fields(CLIENT, self.raw), read_fields(OPTIONS, self.raw)
        odd: dict[str, Unparsed] = {f"options.rfc7591.{name}": value for name, value in options.unparsed.items()}
        value = fields.build(Client)
        written, wanted = options_of(desired)
        if written:
            shown = {name: _as_written(name, written[name], wanted, options.values) for name in written}
            value = value.model_copy(update={"options": {"rfc7591": shown}})
        live = {name: have for name, have in options.values.items() if have != OPTIONS[name].default}
        if value.type == "public":
            live.pop("token_endpoint_auth_method", None)
        return LiveObject(
            value,
            client_id_of(self.raw),
            fingerprint(self.raw, VOLATILE),
            ownership=ownership_of(self.entry.owner, self.ours),
            owner=self.entry.owner,
            incomparable=frozenset({"secret.value"}),
            client_id=client_id_of(self.raw),
            revision=self.entry.revision,
            unparsed={**fields.unparsed, **odd},
            options={name: list(have) if isinstance(have, tuple) else have for name, have in live.items()}
            if whole
            else {},
            unheld=dict(self._unheld()) if whole else {},
            fixed=_FIXED if self.fixed else "",
        )

    def _unheld(self) -> Iterable[tuple[str, Unheld]]:
        """What no manifest can represent of the client."""
        for key, value in sorted(self.raw.items()):
            if key not in _HELD and value:
                yield key, Unheld("a manifest has no field for it", value)
        responses = self.raw.get(RESPONSE_TYPES)
        if isinstance(responses, list) and set(responses) != set(response_types(live_grants(self.raw))):
            yield RESPONSE_TYPES, Unheld("a manifest has the grants, and the usual response types with them", responses)
        for grant in grant_types_in(self.raw):
            if grant not in GRANTS.values():
                yield f"{GRANT_TYPES}.{grant}", Unheld("the model has no name for this grant type", grant)

    def association(self, scope: str) -> LiveObject:
        """The association of the client with one of its scopes."""
        client = client_id_of(self.raw)
        return LiveObject(Association(), client, fingerprint({"client": client, "scope": scope}))


def unreachable_client(entry: Entry, ours: str, desired: Client | None, why: str) -> LiveObject:
    """A client of which the server tells nothing, for a reason: none of its fields can be compared."""
    value = Client()
    if written := options_of(desired)[0]:
        value = value.model_copy(update={"options": {"rfc7591": dict(written)}})
    return LiveObject(
        value,
        entry.client_id,
        fingerprint({"unreachable": entry.client_id}),
        ownership=ownership_of(entry.owner, ours),
        owner=entry.owner,
        incomparable=frozenset({*fields_of(Kind.CLIENT), "secret"}),
        client_id=entry.client_id,
        revision=entry.revision,
        unread=why,
        unheld={"everything": Unheld(why)},
    )


def unreachable_association(entry: Entry, scope: str) -> LiveObject:
    """An association of such a client."""
    mark = fingerprint({"unreachable": entry.client_id, "scope": scope})
    return LiveObject(Association(), entry.client_id, mark, incomparable=frozenset(fields_of(Kind.ASSOCIATION)))


def options_of(client: Client | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The options that the manifest writes for a client: as written, and as values to send; null asks for the default."""
    written = (client.options or {}).get("rfc7591", {}) if client is not None else {}
    if not written:
        return {}, {}
    model = RegistrationClientOptions.model_validate(dict(written))
    values = {name: getattr(model, name) for name in written if name != REGISTRATION}
    return written, {name: OPTIONS[name].default if one is None else one for name, one in values.items()}


def registration_of(client: Client | None) -> Entry | None:
    """How to reach a client by the option `registration` of the manifest; None without it. Its id is not known yet."""
    written = (client.options or {}).get("rfc7591", {}) if client is not None else {}
    if not written or written.get(REGISTRATION) is None:
        return None
    given = RegistrationClientOptions.model_validate(dict(written)).registration
    return Entry("", given.client_uri, given.access_token) if given is not None else None


def _as_written(name: str, written: Any, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Any:
    """The live value of an option, in the manifest's own spelling if they are equal."""
    if name == REGISTRATION:
        return written
    have = live.get(name)
    if isinstance(have, tuple):
        return written if set(have) == set(wanted[name]) else list(have)
    return written if have == wanted[name] else have
