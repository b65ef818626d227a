"""What the driver's own sign-in depends on: the changes of a realm that would end its access. Pure.

A client or a user of the managed realm signs in at that realm's token endpoint, and its permissions are roles in the token. So
the client, its authentication, its grant, its scopes and their mappers, and the realm's rules all count. An account of another
realm needs none of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.keycloak.facts import KeycloakCredentials, KeycloakOptions
from oauthdeploy.model.fields import ForPeople, marked
from oauthdeploy.model.objects import Client, Grant, Revocation
from oauthdeploy.planning.changes import Action, Change, FieldChange, Lockout

HTTPS_RULE: Final = "https-required-over-http"
_ROLES: Final = "realm-management"
"""The client whose roles are the permissions to manage a realm."""

_CARRYING: Final = frozenset({"basic", "roles", "service_account"})
"""The client scopes whose mappers add an account and its roles to a token."""

_HARMLESS: Final = frozenset(
    {
        *marked(Client, ForPeople),
        "name",
        "redirect_uris",
        "tokens.access_lifetime",
        "secret.revision",
        *(
            f"options.keycloak.{name}"
            for name in (
                "web_origins",
                "root_url",
                "base_url",
                "admin_url",
                "always_display_in_console",
                "frontchannel_logout",
                "post_logout_redirect_uris",
                "ciba",
                "refresh_for_client_credentials",
                "pkce_method",
                "require_par",
                "session_idle",
                "session_max",
                "offline_session_idle",
                "offline_session_max",
            )
        ),
    }
)
"""Fields of a client that a sign-in by client credentials or by password does not depend on."""


def find_lockouts(
    changes: Sequence[Change], credentials: KeycloakCredentials, options: KeycloakOptions, url: str
) -> Iterator[Lockout]:
    """The changes after which these credentials would no longer be accepted at this address."""
    own = credentials.realm == options.realm
    sign_in = _SignIn(credentials)
    for change in changes:
        for why in _of_settings(change, url, own=own):
            yield Lockout(change, why, HTTPS_RULE)
        if own:
            yield from (Lockout(change, why) for why in sign_in.ended_by(change))


class _SignIn(Struct, frozen=True):
    credentials: KeycloakCredentials

    @property
    def client(self) -> str:
        return self.credentials.client_id or "admin-cli"

    @property
    def grant(self) -> Grant:
        return Grant.CLIENT_CREDENTIALS if self.credentials.username is None else Grant.PASSWORD

    def ended_by(self, change: Change) -> Iterator[str]:
        """Why the sign-in would end with the change; nothing if it would not."""
        kind = change.address.kind
        if kind is Kind.SETTINGS:
            yield from (why for field in change.fields if (why := self._of_rule(field)))
        elif kind is Kind.CLIENT:
            yield from self._of_client(change)
        elif kind is Kind.ASSOCIATION:
            if change.action is Action.DELETE and change.live_address.client == self.client:
                yield f"oauthdeploy signs in with the client '{self.client}', whose scopes say which roles its tokens carry"
        elif kind is Kind.SCOPE:
            mappers = any(field.path.startswith("options.keycloak.protocol_mappers") for field in change.fields)
            if change.address.name in _CARRYING and (mappers or change.action is Action.DELETE):
                yield f"the client scope '{change.address.name}' adds claims to oauthdeploy's tokens that it needs"
        elif isinstance(change.desired, Revocation) and change.desired.client == self.client:
            yield f"oauthdeploy signs in with the client '{self.client}'"

    def _of_client(self, change: Change) -> Iterator[str]:
        name = change.live_address.name
        if name == _ROLES and _fails(change, "enabled"):
            yield f"oauthdeploy's permissions are roles of the client '{_ROLES}'"
        if name != self.client or change.action is Action.CREATE:
            return
        if change.action is not Action.UPDATE or change.former is not None:
            yield f"oauthdeploy signs in with the client '{self.client}'"
            return
        ending = [field.path for field in change.fields if self._ends(field)]
        if ending:
            yield f"oauthdeploy signs in with the client '{self.client}', which depends on its {', '.join(ending)}"

    def _ends(self, field: FieldChange) -> bool:
        if field.path == "grants":
            return self.grant in field.removed
        if field.path in ("enabled", "options.keycloak.full_scope_allowed"):
            return field.after is not True
        return field.path not in _HARMLESS

    def _of_rule(self, field: FieldChange) -> str:
        if field.path == "options.keycloak.reject_password" and field.after and self.grant is Grant.PASSWORD:
            return "oauthdeploy signs in with the password grant, which the realm would reject"
        rotates = field.path.partition("[")[0].startswith("options.keycloak.secret_rotation") and field.after
        if rotates and self.credentials.client_secret is not None:
            return f"the secret of the client '{self.client}' that oauthdeploy signs in with would stop working"
        return ""


def _fails(change: Change, path: str) -> bool:
    return any(field.path == path and field.after is not True for field in change.fields) or (
        change.action is Action.DELETE and isinstance(change.live.value if change.live else None, Client)
    )


def _of_settings(change: Change, url: str, *, own: bool) -> Iterator[str]:
    """Why the realm would refuse connections at this address."""
    if change.address.kind is not Kind.SETTINGS or not url.lower().startswith("http:"):
        return
    after = {field.path: field.after for field in change.fields}
    everybody = after.get("require_https") is True or after.get("options.keycloak.ssl_required") == "all"
    outsiders = after.get("require_https") is False or after.get("options.keycloak.ssl_required") == "external"
    if everybody or (outsiders and _is_public(url)):
        what = "sign in" if own else "revoke, introspect or get a token"
        yield f"the realm would demand HTTPS, and nobody could {what} at {url}"


def _is_public(url: str) -> bool:
    """Whether the host is an address that is not private; unknown for names."""
    try:
        return ip_address(urlsplit(url).hostname or "").is_global
    except ValueError:
        return False
