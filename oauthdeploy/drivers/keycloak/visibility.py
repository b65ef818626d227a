"""What an account may see of a realm: whether a client or scope that is not listed does not exist. Pure.

Keycloak omits from a list what the account may not view, and answers 200: an account with only `query-clients` gets an empty
list, one with fine-grained admin permissions (Server Administration Guide, "Delegating realm administration using permissions")
those clients that it was granted. The roles `view-clients` and `manage-clients` show all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity

MASTER: Final = "master"
SHOWS_CLIENTS: Final = frozenset({"view-clients", "manage-clients", "realm-admin"})
SHOWS_USERS: Final = frozenset({"view-users", "manage-users", "realm-admin"})


def roles_in(claims: Mapping[str, Any], realm: str, signed_in_to: str) -> frozenset[str] | None:
    """The roles for `realm` in an access token's claims; None if it has none, like lightweight tokens.

    Accounts of the realm itself have them from its client `realm-management`; accounts of `master` from the client
    `<realm>-realm`.
    """
    access = claims.get("resource_access")
    if not isinstance(access, Mapping):
        return None
    entry = access.get(f"{realm}-realm" if signed_in_to == MASTER else "realm-management")
    roles = entry.get("roles") if isinstance(entry, Mapping) else None
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()


def shows_all_clients(
    roles: frozenset[str] | None, *, may_view: bool, permissions: bool | None, same_realm: bool
) -> bool:
    """Whether the account sees every client and client scope.

    `roles` are those of its token; `may_view` is whether it passed a request that requires permission to view all clients;
    `permissions` whether the realm has fine-grained permissions (None: unknown). With those, an account of the same realm
    passes too, and may be denied single clients; accounts of another realm can only have roles.
    """
    if roles is not None and roles & SHOWS_CLIENTS:
        return True
    return may_view and (permissions is False or not same_realm)


class Sight(Struct, frozen=True, dict=True):
    """What the account may see of a realm, found out on first use.

    `claims` are those of its access token, `may_view` asks the server, `signed_in_to` is the realm of the account;
    `permissions` as in `shows_all_clients`.
    """

    realm: str
    signed_in_to: str
    permissions: bool | None
    claims: Callable[[], Mapping[str, Any]]
    may_view: Callable[[], bool]

    def shows_all(self, *, whole_list: bool) -> bool:
        """Whether what is not found does not exist.

        `whole_list`: all were listed, including what every realm has; only fine-grained permissions can have filtered that.
        """
        if self._roles is not None and self._roles & SHOWS_CLIENTS:
            return True
        if whole_list and self.permissions is False:
            return True
        return self._asked

    @cached_property
    def _asked(self) -> bool:
        return shows_all_clients(
            self._roles,
            may_view=self.may_view(),
            permissions=self.permissions,
            same_realm=self.realm == self.signed_in_to,
        )

    @property
    def shows_users(self) -> bool:
        """Whether the account sees every user; True if its token lists no roles, because nothing else shows it."""
        return self._roles is None or bool(self._roles & SHOWS_USERS)

    @cached_property
    def _roles(self) -> frozenset[str] | None:
        return roles_in(self.claims(), self.realm, self.signed_in_to)


def filtered(server: str, kind: Kind, missing: tuple[str, ...]) -> Diagnostic:
    """The finding for a kind of which the account may not see everything; `missing` are names that were not found."""
    noun = "client scopes" if kind is Kind.SCOPE else "clients"
    named = (
        f" {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''} may exist and be hidden."
        if missing
        else ""
    )
    return Diagnostic(
        "list-filtered",
        "The account does not see everything",
        f"'{server}' omits from lists the {noun} that this account may not view.{named}",
        "Give the account the role view-clients or manage-clients of the realm, in a full access token.",
        Severity.WARNING,
    )
