"""Whom a resource server asks about tokens, and how: from two server entries to one `Trust`."""

from __future__ import annotations

from typing import Any

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.servers import Server
from oauthdeploy.planning.capabilities import DriverFacts

_COPIED = ("client_id", "client_secret", "username", "password", "user", "default_scope")


def trust_of(name: str, target: str, entry: Server, facts: DriverFacts | None) -> Trust | Diagnostic:
    """The trust of the server `name` in `target`, whose entry and driver are given; a finding where an address is missing.

    A server that names itself asks itself. A server that is only described, or that names a client to introspect with, is asked
    by introspection (RFC 7662). Any other is a server of the same kind, asked by its base address.
    """
    if name == target:
        return Trust(authorization_server=target, via="local")
    introspection = entry.introspection
    external = (facts is not None and not facts.writable) or (
        introspection is not None and introspection.client_id is not None
    )
    values: dict[str, Any] = {"authorization_server": target, "via": "external" if external else "remote"}
    if introspection is not None:
        values.update({key: getattr(introspection, key) for key in _COPIED if key in introspection.model_fields_set})
    endpoint = introspection.endpoint if introspection is not None else None
    if external and endpoint is None and entry.url and facts is not None and facts.introspection_path:
        endpoint = entry.url.rstrip("/") + "/" + facts.introspection_path.lstrip("/")
    if not external:
        endpoint = entry.url
    if endpoint is None:
        missing = ("servers", target, "introspection", "endpoint") if external else ("servers", target, "url")
        return Diagnostic(
            "missing-key",
            "A required key is missing",
            f"'{name}' asks '{target}' about tokens, and {missing[-1]} is not written there.",
            f"Write the {'introspection endpoint' if external else 'base address'} of '{target}'.",
            address=f"trust@{name}",
            path=missing,
        )
    return Trust(**values, endpoint=endpoint)
