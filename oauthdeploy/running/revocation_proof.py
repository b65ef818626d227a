"""Proves cut-offs with tokens: a refused token is better evidence than the server's own list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Prover
from oauthdeploy.model.objects import Revocation, RevocationProof, Side
from oauthdeploy.model.servers import Server
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.revocation.request import PROVED
from oauthdeploy.running import apply_findings


def prove(changes: Iterable[Change], servers: Mapping[str, Server], prover: Prover) -> Diagnostics:
    """Try the token of each revocation that was carried out and has one, at each authorization server that took part and at
    each address.

    Returns a finding for each trial: information if the token is refused, an error if it works, a warning if that cannot be
    found out.
    """
    entries: dict[str, list[Change]] = {}
    for change in changes:
        if isinstance(change.desired, Revocation) and change.desired.proof is not None:
            entries.setdefault(change.address.name, []).append(change)
    return Diagnostics.of(
        found for revocation in entries.values() for found in _prove(revocation, servers, prover)
    ).sorted()


def _prove(changes: Sequence[Change], servers: Mapping[str, Server], prover: Prover) -> Iterator[Diagnostic]:
    """The trials of one entry of the manifest."""
    proof = _proof_of(changes[0])
    if proof is None:
        return
    tried = False
    for change in changes:
        server = change.address.server
        if Side.AUTHORIZATION in servers[server].role.sides:
            found = _try(change, partial(prover.is_active, server, proof.token), server, "calls the token active")
            tried = tried or found is not None
            yield from () if found is None else (found,)
    on_resource = [change for change in changes if Side.RESOURCE in servers[change.address.server].role.sides]
    change = (on_resource or changes)[0]
    for url in proof.urls or ():
        found = _try(change, partial(prover.is_taken, url, proof.token), url, "accepts the token")
        tried = tried or found is not None
        yield from () if found is None else (found,)
    if not tried:
        detail = "The token could not be tried anywhere: no server entry configures introspection, and the proof has no urls."
        yield apply_findings.about(change, apply_findings.NOT_VERIFIED, _UNPROVED, detail, _ASK, Severity.WARNING)


_UNPROVED = "A cut-off could not be proved"
_ASK = "Add introspection with its credentials to the authorization server's entry, or add urls to the proof."


def _proof_of(change: Change) -> RevocationProof | None:
    return change.desired.proof if isinstance(change.desired, Revocation) else None


def _try(change: Change, works: Callable[[], bool | None], where: str, does: str) -> Diagnostic | None:
    """What one trial shows; None if it cannot be made."""
    try:
        answer = works()
    except OAuthDeployError as error:
        detail = f"Whether {where} still {does} is not known: {error.summary}."
        return apply_findings.about(change, apply_findings.NOT_VERIFIED, _UNPROVED, detail, error.fix, Severity.WARNING)
    if answer is None:
        return None
    if answer:
        return apply_findings.cut_off_incomplete(change, f"{where} still {does}.")
    return apply_findings.about(change, PROVED, "Proved by a token", f"{where} no longer {does}.", "", Severity.INFO)
