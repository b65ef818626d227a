"""Proves trust: an introspection that succeeds is better evidence than the resource server's stored settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Prover
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.state import DesiredState
from oauthdeploy.running import apply_findings

REFUSED: Final = "introspection-refused"


def prove_trusts(
    desired: DesiredState, facts: Mapping[str, DriverFacts], prover: Prover, servers: Collection[str] = ()
) -> Diagnostics:
    """Introspect once for each trust that a resource server only stores for others to use (`DriverFacts.stores_trust`).

    `facts` are by driver name; `servers` are those of the run, empty: all. Returns an error if the account is refused, and a
    warning if that cannot be found out.
    """
    return Diagnostics.of(
        found
        for address, value in sorted(desired.objects.items(), key=lambda item: item[0])
        if isinstance(value, Trust)
        and value.via == "external"
        and facts[desired.servers[address.server].driver].stores_trust
        and (not servers or address.server in servers)
        for found in _try(address, value, desired, prover)
    )


def _try(address: Address, trust: Trust, desired: DesiredState, prover: Prover) -> Iterator[Diagnostic]:
    who = trust.client_id or trust.username or "nobody"
    server = trust.authorization_server
    fix = f"Correct introspection of '{server}': endpoint, client_id and client_secret, or username and password."
    try:
        answer = prover.introspects(trust)
    except OAuthDeployError as error:
        yield _finding(address, desired, f"{server}: {error.summary}.", error.fix)
        return
    if answer is None:
        yield _finding(address, desired, f"The manifest has no credentials for introspection at '{server}'.", fix)
    elif not answer:
        yield Diagnostic(
            REFUSED,
            "The authorization server refuses introspection",
            f"'{server}' does not let {who} introspect, so '{address.server}' would refuse every token.",
            fix,
            address=str(address),
            path=desired.places.get(address, ()),
        )


def _finding(address: Address, desired: DesiredState, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(
        apply_findings.NOT_VERIFIED,
        "Whether tokens can be introspected is not known",
        detail,
        fix,
        Severity.WARNING,
        str(address),
        desired.places.get(address, ()),
    )
