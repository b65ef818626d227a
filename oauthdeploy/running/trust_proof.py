"""Proves trust: an introspection that succeeds is better evidence than the resource server's stored settings."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Prover
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import Change
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


def not_ready(change: Change, prover: Prover) -> Diagnostic | None:
    """Why a resource server must not switch to another authorization server yet; None if that answers as the trust needs.

    Tried are the key set and the metadata, or an introspection. An address that cannot be reached from here proves nothing: the
    resource server may be in another network.
    """
    trust = change.desired
    assert isinstance(trust, Trust)
    try:
        if trust.via == "jwt":
            prover.has_keys(trust)
        elif trust.via == "external" and prover.introspects(trust) is False:
            server = trust.authorization_server
            detail = f"'{server}' refuses introspection, so '{change.address.server}' would refuse every token."
            fix = f"Correct introspection of '{server}'. The resource server has not switched."
            return apply_findings.about(change, REFUSED, _REFUSES, detail, fix)
        elif trust.via == "remote":
            prover.is_active(
                trust.authorization_server, Secret(secrets.token_urlsafe(32), "a token that nobody has issued")
            )
    except Unreachable:
        return None
    except OAuthDeployError as error:
        return apply_findings.of_error(error, change)
    return None


_REFUSES: Final = "The authorization server refuses introspection"


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
            _REFUSES,
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
