"""Converts the trust of a resource server between the model and an alias of the Integration Server. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.drivers.field_table import not_returned, read_fields, write_fields
from oauthdeploy.drivers.json_values import (
    a_text,
    an_object,
    fingerprint,
)
from oauthdeploy.drivers.webmethods.fields import EXTERNAL, REMOTE, LiveAlias
from oauthdeploy.model.fields import Unparsed, managed
from oauthdeploy.model.objects import Trust

LOCAL: Final = "local"

EXTERNAL_NEEDED: Final = ("endpoint", "client_id", "client_secret", "user")
"""The fields that a new external authorization server needs: the administration page requires them (guide, Configuring OAuth:
External authorization servers).
"""

REMOTE_NEEDED: Final = ("username", "password")
"""The fields that a new remote server alias needs besides the address; the OpenAPI document lists them as required."""

FORBIDDEN_IN_ALIASES: Final = frozenset('#-&@^!%*:$./\\`;,~+=)(|}{][><"')
"""What the alias of a remote server must not contain (guide, "Adding an Alias for a Remote Integration Server")."""

SECRETS: Final = frozenset({"clientSecret", "password"})


class LiveTrust(Struct, frozen=True):
    """What a resource server trusts, its digest, and the fields that the server does not return or that cannot be parsed."""

    value: Trust
    fingerprint: str
    incomparable: frozenset[str]
    unparsed: Mapping[str, Unparsed] = field(default_factory=dict)


def alias_of(trust: Trust) -> str:
    """The server's word for the trusted server."""
    return LOCAL if trust.via == "local" else trust.authorization_server


def read_alias(settings: Any) -> str:
    """The alias in a GlobalSetting; local if there is none. Raises Garbled."""
    return a_text(an_object(settings, "the settings"), "authServerAlias") or LOCAL


def local_trust(server: str) -> LiveTrust:
    """The server trusts itself; there is nothing else to read or compare."""
    value = Trust(authorization_server=server, via="local")
    return LiveTrust(value, fingerprint({"alias": LOCAL}), frozenset())


def dangling_trust(alias: str, via: str) -> LiveTrust:
    """The settings name an alias that does not exist."""
    value = Trust(authorization_server=alias, via="external" if via == "external" else "remote")
    return LiveTrust(value, fingerprint({"alias": alias}), frozenset())


def external_trust(alias: str, body: Any) -> LiveTrust:
    """Trust by an ExternalServer. Raises Garbled."""
    raw = an_object(body, "an external server")
    fields = read_fields(EXTERNAL, LiveAlias(alias, "external", raw))
    mark = fingerprint({"alias": alias, "external": raw}, SECRETS)
    return LiveTrust(fields.build(Trust), mark, not_returned(EXTERNAL, REMOTE), fields.unparsed)


def remote_trust(alias: str, body: Any, desired: Trust | None) -> LiveTrust:
    """Trust by a remote server alias; an address keeps its spelling in `desired`. Raises Garbled."""
    raw = an_object(body, "a remote server")
    spelled = desired.endpoint if desired is not None else None
    fields = read_fields(REMOTE, LiveAlias(alias, "remote", raw, spelled))
    mark = fingerprint({"alias": alias, "remote": raw}, SECRETS)
    return LiveTrust(fields.build(Trust), mark, not_returned(REMOTE, EXTERNAL), fields.unparsed)


def write_alias(trust: Trust) -> dict[str, Any]:
    """The managed fields of a trust as a part of its alias, secrets as Secrets. Raises Garbled for an invalid address.

    For null, an external server gets its empty defaults; at a remote one, null changes nothing.
    """
    external = trust.via == "external"
    table, body = EXTERNAL if external else REMOTE, dict[str, Any]()
    values = {path: value for path, value in managed(trust) if path in table and (external or value is not None)}
    write_fields(table, values, body)
    return body
