"""The trust of a resource server, between the model and an alias of the Integration Server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from oauthdeploy.drivers.json_values import (
    FieldReader,
    Garbled,
    a_flag,
    a_name,
    a_number,
    a_text,
    an_object,
    fingerprint,
)
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Trust

LOCAL: Final = "local"

EXTERNAL_FIELDS: Final[Mapping[str, str]] = {
    "endpoint": "introspectionEndpoint",
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "user": "user",
    "default_scope": "defaultScope",
    "truststore_alias": "truststoreAlias",
    "keystore_alias": "keystoreAlias",
    "key_alias": "keyAlias",
}
EXTERNAL_NEEDED: Final = ("endpoint", "client_id", "client_secret", "user")
"""What the server refuses a new external authorization server without."""

REMOTE_NEEDED: Final = ("username", "password")
"""What a new remote server alias needs besides the address."""

SECRETS: Final = frozenset({"clientSecret", "password"})

_EXTERNAL_BLIND: Final = frozenset({"client_secret", "username", "password"})
_REMOTE_BLIND: Final = (frozenset(EXTERNAL_FIELDS) - {"endpoint"}) | {"password"}


@dataclass(frozen=True)
class Place:
    """Host, port and scheme of a base address."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        """The base address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True)
class LiveTrust:
    """What a resource server trusts, its digest, and the fields of it that the server doesn't tell or that can't be parsed."""

    value: Trust
    fingerprint: str
    blind: frozenset[str]
    unparsed: Mapping[str, Unparsed] = field(default_factory=dict)


def place_of(url: str) -> Place | None:
    """Read a base address; None where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    tls = parts.scheme == "https"
    return Place(parts.hostname.lower(), port if port is not None else (443 if tls else 80), tls)


def alias_of(trust: Trust) -> str:
    """The server's word for what is trusted."""
    return LOCAL if trust.via == "local" else trust.authorization_server


def read_alias(settings: Any) -> str:
    """The alias in a GlobalSetting; none is local. Raises Garbled."""
    return a_text(an_object(settings, "the settings"), "authServerAlias") or LOCAL


def local_trust(server: str) -> LiveTrust:
    """The server asks itself; that is one choice, so nothing else of it is told or compared."""
    value = Trust(authorization_server=server, via="local")
    return LiveTrust(value, fingerprint({"alias": LOCAL}), frozenset())


def dangling_trust(alias: str, via: str) -> LiveTrust:
    """The server names an alias that it doesn't have."""
    value = Trust(authorization_server=alias, via="external" if via == "external" else "remote")
    return LiveTrust(value, fingerprint({"alias": alias}), frozenset())


def external_trust(alias: str, body: Any) -> LiveTrust:
    """Trust by an ExternalServer. Raises Garbled."""
    raw = an_object(body, "an external server")
    fields = FieldReader()
    fields.values.update(authorization_server=alias, via="external")
    for name, key in EXTERNAL_FIELDS.items():
        if key not in SECRETS:
            fields.take(name, lambda key=key: a_text(raw, key))  # type: ignore[misc]
    mark = fingerprint({"alias": alias, "external": raw}, SECRETS)
    return LiveTrust(fields.build(Trust), mark, _EXTERNAL_BLIND, fields.unparsed)


def remote_trust(alias: str, body: Any, desired: Trust | None) -> LiveTrust:
    """Trust by a remote server alias; an address that `desired` spells otherwise is told in its spelling. Raises Garbled."""
    raw = an_object(body, "a remote server")
    fields = FieldReader()
    fields.values.update(authorization_server=alias, via="remote")
    fields.take("endpoint", lambda: _endpoint(raw, desired))
    fields.take("username", lambda: a_text(raw, "user"))
    mark = fingerprint({"alias": alias, "remote": raw}, SECRETS)
    return LiveTrust(fields.build(Trust), mark, _REMOTE_BLIND, fields.unparsed)


def _endpoint(raw: Mapping[str, Any], desired: Trust | None) -> str:
    try:
        place = Place(a_name(raw, "host").lower(), a_number(raw, "port", 0, 1), _uses_tls(raw))
    except Garbled as problem:
        raise Garbled(str(problem), {key: raw.get(key) for key in ("host", "port", "ssl")}) from None
    same = desired is not None and desired.endpoint is not None and place_of(desired.endpoint) == place
    return desired.endpoint if same and desired is not None and desired.endpoint is not None else place.url


def _uses_tls(raw: Mapping[str, Any]) -> bool:
    value = raw.get("ssl", "no")
    if isinstance(value, str) and value.lower() in ("yes", "no"):
        return value.lower() == "yes"
    return a_flag(raw, "ssl", False)


def write_external(trust: Trust) -> dict[str, Any]:
    """The managed fields of a trust as a partial ExternalServer, secrets as Secrets; null is the empty default."""
    return {
        key: "" if getattr(trust, field) is None else getattr(trust, field)
        for field, key in EXTERNAL_FIELDS.items()
        if field in trust.model_fields_set
    }


def write_remote(trust: Trust) -> dict[str, Any]:
    """The managed fields of a trust as a partial remote server alias. Raises Garbled for an address that is none."""
    body: dict[str, Any] = {}
    if trust.endpoint is not None:
        place = place_of(trust.endpoint)
        if place is None:
            raise Garbled("the remote server's address is not an http or https address")
        body.update(host=place.host, port=place.port, ssl="yes" if place.tls else "no")
    if trust.username is not None:
        body["user"] = trust.username
    if trust.password is not None:
        body["password"] = trust.password
    return body
