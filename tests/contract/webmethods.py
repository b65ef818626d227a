"""The embedded server as a site of the contract suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.drivers.webmethods.site import ADMIN, READER, start_site
from tests.drivers.webmethods.site import Site as Running

OWNER = ("nobody", "none-1a2b")


class WebMethodsSite(Site):
    """An embedded server in one role and mode, emptied between scenarios."""

    driver = "webmethods"

    def __init__(self, running: Running, title: str) -> None:
        self._running = running
        self.role = Role(running.role)
        self.title = title
        account = {"username": "contract-rs", "password": "introspection-password-8d"}
        self.others = {
            "partner-idp": {
                "role": "authorization",
                "driver": "external",
                "introspection": {
                    "endpoint": "https://idp.partner.example.com/introspect",
                    "client_id": "orders-rs",
                    "client_secret": "introspection-secret-2c",
                    "user": ADMIN[0],
                },
            },
            "peer": {
                "role": "authorization",
                "driver": "webmethods",
                "url": "http://127.0.0.1:1",
                "credentials": {"username": "u", "password": "peer-password-77"},
                "introspection": account,
            },
        }

    @property
    def url(self) -> str:
        return self._running.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {"credentials": {"username": ADMIN[0], "password": ADMIN[1]}}

    def reset(self) -> None:
        self._running.clear()

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"username": ADMIN[0], "password": "a-wrong-password-5e"}

    def reader_credentials(self) -> Mapping[str, Any]:
        return {"username": READER[0], "password": READER[1]}

    def lockout(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        if self.role is Role.RESOURCE:
            own = {"type": "confidential", "grants": ["client_credentials"]}
            return {"clients": {ADMIN[0]: own}}, {"clients": {ADMIN[0]: {**own, "type": "public", "grants": []}}}
        return {"settings": {"require_https": False}}, {"settings": {"require_https": True}}

    def account(self) -> str:
        return OWNER[0]

    def group(self) -> str | None:
        # Without accounts of clients there is nobody to put into it.
        return "ResourceServers" if self._running.strict else None

    def signs_in(self, client_id: str, secret: str) -> bool | None:
        return None if self.role is Role.RESOURCE else self._running.signs_in(client_id, secret)

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str | None:
        if self.role is Role.RESOURCE:
            return None
        form = {"scope": scope} if scope else {}
        if owner:
            form |= {"grant_type": "password", "username": owner, "password": OWNER[1]}
        return str(self._running.token(client_id, secret, **form)["access_token"])

    def is_active(self, token: str) -> bool:
        answer = self._running.http.post(
            f"{self.url}/invoke/pub.oauth/introspectToken", data={"token": token}, auth=ADMIN, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["active"] in (True, "true")

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        match kind:
            case Kind.CLIENT:
                self._running.raw("PATCH", f"/oauth/client/{identity}", CLIENT, status=200)
            case Kind.SCOPE:
                scope = {**_SCOPE, "name": name, "description": "before"}
                self._running.raw("PUT", f"/oauth/scope/{name}", {"scopeInputData": scope}, status=200)
            case _:
                self._running.raw("PATCH", "/oauth/globalsetting/", SETTINGS, status=200)
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any]:
        path = {Kind.CLIENT: f"/oauth/client/{identity}", Kind.SCOPE: f"/oauth/scope/{name}"}
        return dict(self._running.raw("GET", path.get(kind, "/oauth/globalsetting"), status=200))

    def native_fields(self, kind: Kind) -> frozenset[str]:
        return frozenset({"accessTokenLifetimeSeconds"}) if kind is Kind.SETTINGS else frozenset({"description"})

    def trusted(self, via: str) -> str | None:
        itself = self.server if self.role is Role.BOTH else None
        return {"local": itself, "remote": "peer", "external": "partner-idp"}.get(via)


SETTINGS: dict[str, Any] = {"requirePKCE": True, "authCodeLifetimeSeconds": 61, "tokenEndpointAuth": "credentials"}
CLIENT: dict[str, Any] = {
    "type": "Confidential",
    "redirect_uris": ["https://b.example.com/x", "https://a.example.com/y"],
    "authorizationCodeGrant": True,
    "implicitGrant": True,
    "clientCredentialsGrant": True,
    "resourceOwnerCredentialsGrant": True,
    "tokenLifetime": 99,
    "tokenRefreshCount": 3,
    "enabled": False,
    "registrationClientUri": "https://reg.example.com/1",
    "registrationAccessToken": "reg-token",
}
_SCOPE: dict[str, Any] = {"FoldersAndServices": ["a.b", "c.d:e"], "urlTemplates": ["GET_a/b"]}


@contextmanager
def webmethods_site(folder: Path, role: Role, *, strict: bool, takes_ids: bool) -> Iterator[WebMethodsSite]:
    """A server of its own for one class of tests."""
    running = start_site(folder, strict=strict, takes_ids=takes_ids, role=role.value)
    try:
        yield WebMethodsSite(running, ("strict" if strict else "tolerant") + (" ids" if takes_ids else ""))
    finally:
        running.stop()
