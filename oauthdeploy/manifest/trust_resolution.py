"""Which authorization server a resource server trusts, and how: from two server entries to one `Trust`."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.model.capabilities import Capability, DriverFacts, Endpoints, supports, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Trust, Via
from oauthdeploy.model.servers import Introspection, Server

FROM_INTROSPECTION: Final = tuple(
    name for name in Introspection.model_fields if name in Trust.model_fields and name != "endpoint"
)
"""The fields of a trust from `introspection` of the trusted server's entry; the endpoint has a default."""


class Party(Struct, frozen=True):
    """A server entry by its name, the facts of its driver, and its validated options; None: unknown, or invalid."""

    name: str
    entry: Server
    facts: DriverFacts | None
    options: Model | None

    @property
    def endpoints(self) -> Endpoints:
        """The authorization server's metadata: what the entry says, and otherwise what its driver derives from the url."""
        entry, known = self.entry, Endpoints()
        if entry.url and self.facts is not None and self.options is not None:
            known = self.facts.endpoints(entry.url, self.options)
        written = {
            "issuer": entry.issuer,
            "jwks_uri": entry.jwks_uri,
            "introspection": entry.introspection.endpoint if entry.introspection is not None else None,
        }
        return replace(known, **{name: value for name, value in written.items() if value is not None})


def trust_of(resource: Party, target: Party) -> Trust | Diagnostic | None:
    """The trust of a resource server in an authorization server; a finding if an address is missing.

    None if the options of the target, from which the addresses are derived, are invalid: that is a finding already.
    """
    if resource.name == target.name:
        return Trust(authorization_server=target.name, via="local")
    known = target.endpoints
    via = _via(resource, target, known)
    values: dict[str, Any] = {"authorization_server": target.name, "via": via}
    if via == "jwt":
        values.update(issuer=known.issuer, jwks_uri=known.jwks_uri)
        if "audience" in resource.entry.model_fields_set:
            values["audience"] = resource.entry.audience
        return Trust(**values)
    introspection = target.entry.introspection
    if introspection is not None:
        values.update(
            {key: getattr(introspection, key) for key in FROM_INTROSPECTION if key in introspection.model_fields_set}
        )
    endpoint = known.introspection if via == "external" else target.entry.url
    if endpoint:
        return Trust(**values, endpoint=endpoint)
    if target.facts is not None and target.options is None:
        return None
    return _missing(resource, target)


def _via(resource: Party, target: Party, known: Endpoints) -> Via:
    """How a resource server checks tokens.

    An entry that names a client for introspection is introspected. A server that can verify JWTs itself does so if issuer and
    keys of the other are known. One of the same kind is reached at its base address, and any other is introspected.
    """
    introspection = target.entry.introspection
    if introspection is not None and introspection.client_id is not None:
        return "external"
    if known.issuer and known.jwks_uri and _verifies(resource):
        return "jwt"
    alike = target.facts is None or (target.facts.writable and target.entry.driver == resource.entry.driver)
    return "remote" if alike else "external"


def _verifies(resource: Party) -> bool:
    facts = resource.facts
    return facts is not None and bool(supports(table_for(facts, resource.entry.role), Capability.TRUST_JWT))


def _missing(resource: Party, target: Party) -> Diagnostic:
    """What is derived from a base address is not requested by itself."""
    described = target.facts is not None and (not target.facts.writable or target.entry.url is not None)
    way: Path = ("introspection", "endpoint") if described else ("url",)
    fix = f"Write the {'introspection endpoint' if described else 'base address'} of '{target.name}'."
    if described and _verifies(resource):
        fix = f"{fix[:-1]}, or its issuer and jwks_uri, with which '{resource.name}' verifies tokens itself."
    return Diagnostic(
        "missing-key",
        "A required key is missing",
        f"'{resource.name}' introspects tokens at '{target.name}', but {way[-1]} is not set there.",
        fix,
        address=f"trust@{resource.name}",
        path=("servers", target.name, *way),
    )
