"""What the driver's own sign-in depends on: the changes of an Integration Server that would end its access. Pure.

An account signs in to the Administrator API by HTTP Basic, which does not depend on scopes, associations, trust or lifetimes.
It depends on three things. A confidential client has an account with the name of its client_id (Configuring OAuth, "Client
types"), which is deleted with the client, or when the client becomes public. The groups of that account are a field of the
client. And with "Require HTTPS" the services of pub.oauth, which introspect and revoke tokens, refuse http; the Administrator
API does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.objects import ClientType, Side
from oauthdeploy.planning.changes import Change, Lockout

ADMINISTRATORS: Final = "Administrators"
"""The group that may use all of the Administrator API."""


def find_lockouts(changes: Sequence[Change], account: str, url: str, sides: frozenset[Side]) -> Iterator[Lockout]:
    """The changes that would delete this account, or disable introspection at this address."""
    for change in changes:
        after = {field.path: field.after for field in change.fields}
        if change.address.kind is Kind.CLIENT and after.get("type") is ClientType.PUBLIC:
            known = {change.live.identity, change.live.client_id} if change.live is not None else set()
            if account in known | {change.live_address.name}:
                yield Lockout(change, f"oauthdeploy signs in with the account '{account}', which a public client lacks")
        is_own = change.live is not None and change.live.client_id == account
        if is_own and any(field.path == "groups" and ADMINISTRATORS in field.removed for field in change.fields):
            yield Lockout(change, f"oauthdeploy signs in with the account '{account}', which leaves {ADMINISTRATORS}")
        plain = url.lower().startswith("http:") and Side.AUTHORIZATION in sides
        if change.address.kind is Kind.SETTINGS and plain and after.get("require_https") is True:
            yield Lockout(change, f"tokens could no longer be introspected or revoked at {url}, which is not https")
