"""Conversion between the JSON of Hydra's clients and the model; pure.

A client holds everything: its associations are the words of its `scope`, and marks are in its `metadata`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.client_metadata import GRANT_TYPES, RESPONSE_TYPES, response_types
from oauthdeploy.drivers.common_steps import ownership_of
from oauthdeploy.drivers.field_table import read_fields
from oauthdeploy.drivers.hydra.facts import HydraClientOptions
from oauthdeploy.drivers.hydra.fields import CLIENT, GRANTS, OPTIONS, live_grants
from oauthdeploy.drivers.json_values import a_name, an_object, fingerprint
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Association, Client, Revocation
from oauthdeploy.model.state import LiveObject, TokenCount, Unheld

MARK: Final = "oauthdeploy."
OWNER: Final = f"{MARK}owner"
REVISION: Final = f"{MARK}secret.revision"
REVOKED: Final = f"{MARK}revoked."

NO_SCOPE: Final = " "
"""The scope of a client that may request none: an empty text stands for the server's default scopes."""

SECRETS: Final = ("client_secret", "registration_access_token")
"""What a response holds only once, and nothing may show."""

_VOLATILE: Final = frozenset(
    {*SECRETS, "client_secret_expires_at", "created_at", "updated_at", "registration_client_uri", "scope"}
)
"""What is secret, changes by itself, or has its own address, and so is not part of a client's fingerprint."""

_HELD: Final = frozenset(
    {
        *("client_id", "metadata", *_VOLATILE),
        *(key for table in (CLIENT, OPTIONS) for field in table.values() for key in getattr(field, "keys", ())),
    }
)
"""The keys of a client that the model, the options or marks cover."""

_USUAL: Final[Mapping[str, Any]] = {"userinfo_signed_response_alg": "none", "jwks": {}}
"""What Hydra gives a new client, besides empty values."""


def sealed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A client with Secrets in place of its secrets."""
    hidden = {key: Secret(raw[key], "server") for key in SECRETS if isinstance(raw.get(key), str) and raw[key]}
    return {**raw, **hidden}


def words(scope: Iterable[str]) -> str:
    """The text of a list of scopes (RFC 6749 section 3.3)."""
    return " ".join(scope) or NO_SCOPE


def marks_in(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of a client, for reading our own marks: none if they cannot be parsed."""
    found = raw.get("metadata")
    return found if isinstance(found, Mapping) else {}


def client_id_of(raw: Mapping[str, Any]) -> str:
    """The id of a client. Raises Garbled."""
    return a_name(an_object(raw, "a client"), "client_id")


class LiveClient(Struct, frozen=True):
    """A client as the server returned it, and the manifest's name for marks (`ours`)."""

    raw: Mapping[str, Any]
    ours: str = ""

    def told(self, desired: Client | None, *, whole: bool = False) -> LiveObject:
        """The client in the manifest's form, with the options that `desired` writes, or all that differ (`whole`)."""
        fields = read_fields(CLIENT, self.raw)
        options = read_fields(OPTIONS, self.raw)
        odd: dict[str, Unparsed] = {f"options.hydra.{name}": value for name, value in options.unparsed.items()}
        written, wanted = options_of(desired)
        value = fields.build(Client)
        if written:
            shown = {name: _as_written(written[name], wanted[name], options.values.get(name)) for name in written}
            value = value.model_copy(update={"options": {"hydra": shown}})
        owner, revision = marks_in(self.raw).get(OWNER), marks_in(self.raw).get(REVISION)
        owner = owner if isinstance(owner, str) else ""
        live = {name: have for name, have in options.values.items() if have != OPTIONS[name].default}
        if value.type == "public":
            live.pop("token_endpoint_auth_method", None)
        return LiveObject(
            value,
            client_id_of(self.raw),
            fingerprint({**self.raw, "metadata": self._metadata}, _VOLATILE),
            ownership=ownership_of(owner, self.ours),
            owner=owner,
            incomparable=frozenset({"secret.value"}),
            client_id=client_id_of(self.raw),
            revision=revision if isinstance(revision, int) and not isinstance(revision, bool) else None,
            unparsed={**fields.unparsed, **odd},
            options={name: list(have) if isinstance(have, tuple) else have for name, have in live.items()}
            if whole
            else {},
            unheld=dict(self._unheld()) if whole else {},
        )

    @property
    def _metadata(self) -> Mapping[str, Any]:
        """The metadata without our marks."""
        return {key: value for key, value in marks_in(self.raw).items() if not key.startswith(MARK)}

    def _unheld(self) -> Iterable[tuple[str, Unheld]]:
        """What no manifest can represent of the client."""
        for key, value in sorted(self.raw.items()):
            if key not in _HELD and value and value != _USUAL.get(key):
                yield key, Unheld("a manifest has no field for it", value)
        if (metadata := self.raw.get("metadata")) and not isinstance(metadata, Mapping):
            yield "metadata", Unheld("it is no object, so that it cannot hold marks", metadata)
        for key, value in sorted(self._metadata.items()):
            yield f"metadata.{key}", Unheld("a manifest has no field for it", value)
        responses = self.raw.get(RESPONSE_TYPES)
        if responses and set(responses) != set(response_types(live_grants(self.raw))):
            yield RESPONSE_TYPES, Unheld("a manifest has the grants, and the usual response types with them", responses)
        told = self.raw.get(GRANT_TYPES)
        known = set(GRANTS.values())
        for grant in told if isinstance(told, list) else ():
            if grant not in known:
                yield (
                    f"{GRANT_TYPES}.{grant}",
                    Unheld("Hydra stores the grant type, and the model has no name for it", grant),
                )

    def association(self, scope: str) -> LiveObject:
        """The association of the client with one of its scopes."""
        client = client_id_of(self.raw)
        return LiveObject(Association(), client, fingerprint({"client": client, "scope": scope}))

    @property
    def was_cut_off(self) -> bool:
        """Whether a revocation of all tokens was carried out, by any mark."""
        return any(key.startswith(REVOKED) for key in marks_in(self.raw))

    def revoked_at(self, name: str) -> int | None:
        """When a revocation was carried out, in seconds since 1970, by its mark; None without one."""
        found = marks_in(self.raw).get(mark_name(name))
        return found if isinstance(found, int) and not isinstance(found, bool) else None


def revocation_object(name: str, value: Revocation, live: LiveClient | None) -> LiveObject:
    """What a revocation still has to do: tokens are not listed, so the mark of what was done decides."""
    if live is None:
        tokens = TokenCount(active=0, total=0) if value.tokens is not None else None
        return LiveObject(value, fingerprint=fingerprint({"client": None}), tokens=tokens)
    client, done = client_id_of(live.raw), live.revoked_at(name)
    pending = TokenCount(active=0 if done is not None else 1, total=0)
    return LiveObject(
        value,
        client,
        fingerprint({"client": client, "revoked": done}),
        tokens=pending if value.tokens is not None else None,
        blocked=False,
        cut_at=done,
    )


def mark_name(name: str) -> str:
    """The key of the metadata that records when a revocation was carried out."""
    return REVOKED + re.sub(r"[^A-Za-z0-9._-]", "_", name)


def options_of(client: Client | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The options that the manifest writes for a client of Hydra: as written, and as values; null asks for the default."""
    written = (client.options or {}).get("hydra", {}) if client is not None else {}
    if not written:
        return {}, {}
    model = HydraClientOptions.model_validate(dict(written))
    values = {name: getattr(model, name) for name in written}
    return written, {name: OPTIONS[name].default if one is None else one for name, one in values.items()}


def _as_written(written: Any, wanted: Any, have: Any) -> Any:
    """The live value of an option, in the manifest's own spelling if they are equal."""
    if isinstance(have, tuple):
        return written if set(have) == set(wanted) else list(have)
    return written if have == wanted else have
