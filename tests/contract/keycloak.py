"""A real Keycloak as a site of the contract suite: a realm of its own for each scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.drivers.keycloak.site import Site as Manager
from tests.servers.keycloak import VERSION, Keycloak, Realm, make_realm

OWNER = ("alice", "alice-password-31c8")
WATCHER = ("watcher", "watcher-secret-6e20")
_VIEW = ("view-realm", "view-clients", "view-users")
_VOLATILE = frozenset({"access"})


class KeycloakSite(Site):
    """The administrator of the server manages a fresh realm."""

    driver = "keycloak"
    role = Role.AUTHORIZATION
    server_version = f"Keycloak {VERSION}"

    def __init__(self, server: Keycloak) -> None:
        self._server = server
        self._realm: Realm | None = None

    @property
    def realm(self) -> Realm:
        """The realm of this scenario."""
        if self._realm is None:
            self._realm = make_realm(self._server)
        return self._realm

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {
            "credentials": {"username": self._server.username, "password": self._server.password},
            "options": {"realm": self.realm.name},
            "limits": {"timeout": 60},
        }

    def reset(self) -> None:
        if self._realm is not None:
            self._realm.call("DELETE")
        self._realm = None

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"username": self._server.username, "password": "a-wrong-password-5e"}

    def reader_credentials(self) -> Mapping[str, Any]:
        return Manager(self.realm).account("reader", *_VIEW).credentials

    def lockout(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        return {"settings": {"require_https": False}}, {"settings": {"require_https": True}}

    def narrow_credentials(self) -> Mapping[str, Any]:
        return Manager(self.realm).account("narrow", "query-clients", "view-realm").credentials

    def account(self) -> str:
        self.realm.add(
            "/users",
            {
                "username": OWNER[0],
                "enabled": True,
                "email": "alice@example.com",
                "firstName": "Alice",
                "lastName": "Example",
                "emailVerified": True,
                "credentials": [{"type": "password", "value": OWNER[1], "temporary": False}],
            },
        )
        return OWNER[0]

    def signs_in(self, client_id: str, secret: str) -> bool:
        return self.realm.token(client_id, secret).status_code == 200

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str:
        self._watch(client_id)
        form = {"scope": scope} if scope else {}
        if owner:
            form |= {"grant_type": "password", "username": owner, "password": OWNER[1]}
        answer = self.realm.token(client_id, secret, **form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def _watch(self, client_id: str) -> None:
        """Put the watcher into the audience of a client's tokens: nobody else is told whether they are active."""
        if self.realm.get("/clients", params={"clientId": WATCHER[0]}) == []:
            self.realm.add("/clients", {"clientId": WATCHER[0], "secret": WATCHER[1]})
        client = self.realm.client(client_id)
        if not any(mapper["name"] == WATCHER[0] for mapper in client.get("protocolMappers", ())):
            self.realm.add(f"/clients/{client['id']}/protocol-mappers/models", _AUDIENCE)

    def is_active(self, token: str) -> bool:
        return bool(self.realm.introspect(token, *WATCHER)["active"])

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        match kind:
            case Kind.CLIENT:
                path, by_hand = f"/clients/{identity}", _CLIENT
            case Kind.SCOPE:
                path, by_hand = f"/client-scopes/{identity}", _SCOPE
            case _:
                path, by_hand = "", _REALM
        now = self.realm.get(path)
        merged = {**now, **by_hand, "attributes": {**now.get("attributes", {}), **by_hand.get("attributes", {})}}
        answer = self.realm.call("PUT", path, merged)
        assert answer.status_code == 204, answer.text
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any]:
        path = {Kind.CLIENT: f"/clients/{identity}", Kind.SCOPE: f"/client-scopes/{identity}"}.get(kind, "")
        found = {key: value for key, value in self.realm.get(path).items() if key not in _VOLATILE}
        attributes = found.pop("attributes", {})
        return {**found, **{f"attributes.{key}": value for key, value in attributes.items()}}

    def native_fields(self, kind: Kind) -> frozenset[str]:
        return frozenset({"accessTokenLifespan"}) if kind is Kind.SETTINGS else frozenset({"description"})


_AUDIENCE: dict[str, Any] = {
    "name": WATCHER[0],
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {
        "included.client.audience": WATCHER[0],
        "access.token.claim": "true",
        "introspection.token.claim": "true",
    },
}
_CLIENT: dict[str, Any] = {
    "rootUrl": "https://shop.example.com",
    "baseUrl": "/home",
    "adminUrl": "https://shop.example.com/admin",
    "alwaysDisplayInConsole": True,
    "webOrigins": ["https://shop.example.com"],
    "consentRequired": True,
    "fullScopeAllowed": False,
    "frontchannelLogout": True,
    "surrogateAuthRequired": False,
    "notBefore": 1,
    "defaultClientScopes": ["email"],
    "attributes": {
        "post.logout.redirect.uris": "https://shop.example.com/bye",
        "backchannel.logout.url": "https://shop.example.com/logout",
        "by.hand": "kept",
    },
}
_SCOPE: dict[str, Any] = {"attributes": {"consent.screen.text": "By hand", "gui.order": "7", "by.hand": "kept"}}
_REALM: dict[str, Any] = {
    "displayName": "By hand",
    "ssoSessionIdleTimeout": 1234,
    "ssoSessionMaxLifespan": 23456,
    "bruteForceProtected": True,
    "loginTheme": "keycloak",
    "attributes": {"frontendUrl": "", "by.hand": "kept"},
}
