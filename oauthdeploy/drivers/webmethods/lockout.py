"""What the driver's own sign-in depends on: the changes of an Integration Server after which it could not come back. Pure.

An account signs in to the Administrator API by HTTP Basic, and no scope, association, trust or lifetime counts there. Two things
do. A confidential client has an account that is called as its client_id (Configuring OAuth, "Client types"): it goes with the
client, or when the client becomes public. And with "Require HTTPS" the services of pub.oauth, by which tokens are introspected
and revoked, refuse http; the Administrator API does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.objects import ClientType, Side
from oauthdeploy.planning.changes import Change, Lockout


def find_lockouts(changes: Sequence[Change], account: str, url: str, sides: frozenset[Side]) -> Iterator[Lockout]:
    """The changes after which this account is gone, or this address serves no introspection."""
    for change in changes:
        after = {field.path: field.after for field in change.fields}
        if change.address.kind is Kind.CLIENT and after.get("type") is ClientType.PUBLIC:
            known = {change.live.identity, change.live.client_id} if change.live is not None else set()
            if account in known | {change.live_address.name}:
                yield Lockout(change, f"oauthdeploy signs in with the account '{account}', which a public client lacks")
        plain = url.lower().startswith("http:") and Side.AUTHORIZATION in sides
        if change.address.kind is Kind.SETTINGS and plain and after.get("require_https") is True:
            yield Lockout(change, f"tokens could no longer be introspected or revoked at {url}, which is not https")
