"""The HTTP side: one method for each request of Keycloak's admin REST API that the driver sends, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.errors import Conflict, Forbidden, NotFound, ServerError
from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.common_steps import all_pages, at_once, create_or_find, parsed, route_to
from oauthdeploy.drivers.http import AdminClient, Answer
from oauthdeploy.drivers.json_values import Garbled, a_number, a_text, an_object
from oauthdeploy.drivers.json_wire import FORM, Route
from oauthdeploy.drivers.keycloak.secret_fields import sent_back

# Keycloak's work for a page that is not in its cache grows with the square of the page: on two cores, 1,000 new clients take it
# 5.2 s in one page, 1.3 s in pages of 340 and 0.8 s in pages of 125, which are three times as many requests.
PAGE: Final = 340
"""The number of objects in one page."""

REALMS: Final = "/admin/realms"
REALM: Final = "/admin/realms/{}"
CLIENTS: Final = "/admin/realms/{}/clients"
CLIENT: Final = "/admin/realms/{}/clients/{}"
CLIENT_SECRET: Final = "/admin/realms/{}/clients/{}/client-secret"
CLIENT_ROLES: Final = "/admin/realms/{}/clients/{}/roles"
CLIENT_ROLE: Final = "/admin/realms/{}/clients/{}/roles/{}"
ROLE_BY_ID: Final = "/admin/realms/{}/roles-by-id/{}"
USER_SESSIONS: Final = "/admin/realms/{}/clients/{}/user-sessions"
OFFLINE_SESSIONS: Final = "/admin/realms/{}/clients/{}/offline-sessions"
PUSH: Final = "/admin/realms/{}/clients/{}/push-revocation"
SCOPES: Final = "/admin/realms/{}/client-scopes"
SCOPE: Final = "/admin/realms/{}/client-scopes/{}"
DEFAULT_SCOPE: Final = "/admin/realms/{}/clients/{}/default-client-scopes/{}"
OPTIONAL_SCOPE: Final = "/admin/realms/{}/clients/{}/optional-client-scopes/{}"
REALM_DEFAULTS: Final = "/admin/realms/{}/default-default-client-scopes"
REALM_OPTIONALS: Final = "/admin/realms/{}/default-optional-client-scopes"
PROFILES: Final = "/admin/realms/{}/client-policies/profiles"
POLICIES: Final = "/admin/realms/{}/client-policies/policies"
SESSION_STATS: Final = "/admin/realms/{}/client-session-stats"
SESSION: Final = "/admin/realms/{}/sessions/{}"
USERS: Final = "/admin/realms/{}/users"
SERVICE_ACCOUNT: Final = "/admin/realms/{}/clients/{}/service-account-user"
ROLE_MAPPINGS: Final = "/admin/realms/{}/users/{}/role-mappings"
INITIAL_ACCESS: Final = "/admin/realms/{}/clients-initial-access"
INITIAL_ACCESS_ONE: Final = "/admin/realms/{}/clients-initial-access/{}"
FLOWS: Final = "/admin/realms/{}/authentication/flows"

REVOKE: Final = "/realms/{}/protocol/openid-connect/revoke"
MAPPERS: Final = "/admin/realms/{}/client-scopes/{}/protocol-mappers/models"
MAPPER: Final = "/admin/realms/{}/client-scopes/{}/protocol-mappers/models/{}"
NEW_DEFAULT: Final = "/admin/realms/{}/default-default-client-scopes/{}"
NEW_OPTIONAL: Final = "/admin/realms/{}/default-optional-client-scopes/{}"

Json = Mapping[str, Any]
_ALWAYS_SENT: Final = frozenset({"clientId", "authorizationServicesEnabled"})


class AdminApi:
    """The requests about one realm."""

    def __init__(self, http: AdminClient, realm: str, parallel: int) -> None:
        self.http = http
        self.realm_name = realm
        self.parallel = parallel

    # -- the realm ---------------------------------------------------------------------------------------------------

    def realm(self) -> Json | None:
        """GET the realm; None if it does not exist."""
        return self._one(REALM)

    def create_realm(self) -> None:
        """POST the realm, enabled and with Keycloak's defaults."""
        self.http.request("POST", REALMS, {"realm": self.realm_name, "enabled": True})

    def put_realm(self, body: Json) -> None:
        """PUT some fields of the realm; most fields that are left out stay."""
        self._send("PUT", REALM, body=body)

    def profiles(self, *, everywhere: bool = False) -> Json:
        """GET the client profiles; with `everywhere`, including those of every realm, as `globalProfiles`."""
        return self._object(PROFILES, params={"include-global-profiles": str(everywhere).lower()})

    def put_profiles(self, profiles: Sequence[Json]) -> None:
        """PUT all client profiles of the realm."""
        self._send("PUT", PROFILES, body={"profiles": list(profiles)})

    def policies(self) -> Json:
        """GET the client policies."""
        return self._object(POLICIES)

    def put_policies(self, policies: Sequence[Json]) -> None:
        """PUT all client policies of the realm."""
        self._send("PUT", POLICIES, body={"policies": list(policies)})

    def flows(self) -> Sequence[Json]:
        """GET the authentication flows."""
        return self._list(FLOWS)

    # -- clients -----------------------------------------------------------------------------------------------------

    def clients(self, known: int = 0, likely: int = 0) -> Sequence[Json]:
        """Every client, by pages; a client that moves from one page to the next meanwhile is returned once.

        The pages of `known` clients, which are there, are requested at once; those of `likely` ones as soon as a first page is
        full.
        """
        return self._pages(CLIENTS, known=known, likely=likely)

    def client_called(self, client_id: str) -> Json | None:
        """The client with a client_id; None if there is none."""
        found = self._list(CLIENTS, params={"clientId": client_id})
        return next((one for one in found if one.get("clientId") == client_id), None)

    def client(self, uuid: str) -> Json | None:
        """GET a client; None if it does not exist."""
        return self._one(CLIENT, uuid)

    def create_client(self, body: Json) -> str:
        """POST a client; returns its id, or "" if the response lacks it."""
        return self._send("POST", CLIENTS, body=body).made

    def put_client(self, uuid: str, body: Json, read: Json) -> None:
        """PUT those fields of `body` that differ from the client as it was `read`; only these are traced.

        What is left out stays (docs/servers.md, "Keycloak 26.7"), and what was read may have been replaced by another machine
        since. Two fields are sent although they stay: without the one Keycloak deletes the authorization settings, without an
        empty list of web origins it derives them from new redirect URIs.
        """
        changed = {key: value for key, value in body.items() if key in _ALWAYS_SENT or value != read.get(key)}
        if not body.get("webOrigins", True):
            changed["webOrigins"] = body["webOrigins"]
        had, sent = read.get("attributes"), changed.get("attributes")
        if isinstance(had, Mapping) and isinstance(sent, Mapping):
            changed["attributes"] = {k: v for k, v in sent.items() if had.get(k) != v}
        self._send("PUT", CLIENT, uuid, body=sent_back(changed, read))

    def delete_client(self, uuid: str) -> bool:
        """DELETE a client; False if it did not exist."""
        return self._delete(CLIENT, uuid)

    def new_secret(self, uuid: str) -> Secret | None:
        """Let the server generate a secret for a client, and return it; None if the response has none, or a mask.

        The client's JSON then has it, and the last one generated is valid.
        """
        answer = self._send("POST", CLIENT_SECRET, uuid, repeatable=True)
        told = answer.body.get("value") if isinstance(answer.body, Mapping) else None
        secret = Secret(told, "server") if isinstance(told, str) and told and not is_masked(told) else None
        if secret is not None:
            self.http.guard(secret)
        return secret

    def client_role(self, uuid: str, name: str) -> Json | None:
        """A role of a client, by its name; None if there is none."""
        return self._one(CLIENT_ROLE, uuid, name)

    def create_role(self, uuid: str, body: Json) -> bool:
        """POST a role of a client; False if one of that name exists already."""
        try:
            self._send("POST", CLIENT_ROLES, uuid, body=body)
        except Conflict:
            return False
        except ServerError as error:
            if not error.uncertain:
                raise
            # The read that follows shows whether it was created, and by whom.
        return True

    def delete_role(self, role: str) -> bool:
        """DELETE a role by its id; False if it did not exist."""
        return bool(role) and self._delete(ROLE_BY_ID, role)

    def may_view_clients(self) -> bool:
        """Whether the account may view all clients, according to a request that requires exactly that permission."""
        try:
            self._list(INITIAL_ACCESS)
        except (Forbidden, NotFound):
            return False
        return True

    # -- client scopes -----------------------------------------------------------------------------------------------

    def scopes(self) -> Sequence[Json]:
        """Every client scope; the API has no pages of them."""
        return self._list(SCOPES)

    def scope(self, uuid: str) -> Json | None:
        """GET a client scope; None if it does not exist."""
        return self._one(SCOPE, uuid)

    def create_scope(self, body: Json) -> str:
        """POST a client scope; returns its id, or "" if the response lacks it."""
        return self._send("POST", SCOPES, body=body).made

    def put_scope(self, uuid: str, body: Json) -> None:
        """PUT a client scope; what is left out, including its mappers, stays."""
        self._send("PUT", SCOPE, uuid, body=body)

    def delete_scope(self, uuid: str) -> bool:
        """DELETE a client scope; False if it did not exist."""
        return self._delete(SCOPE, uuid)

    def put_mapper(self, scope: str, mapper: Json) -> None:
        """POST a protocol mapper of a client scope, or PUT it if it has an id."""
        if "id" in mapper:
            self._send("PUT", MAPPER, scope, str(mapper["id"]), body=mapper)
            return

        def post() -> Json:
            self._send("POST", MAPPERS, scope, body=mapper)
            return mapper

        named = mapper.get("name")
        create_or_find(post, lambda: next((m for m in self._list(MAPPERS, scope) if m.get("name") == named), None))

    def delete_mapper(self, scope: str, mapper: str) -> None:
        """DELETE a protocol mapper of a client scope."""
        self._delete(MAPPER, scope, mapper)

    def give_to_new_clients(self, scope: str, *, default: bool) -> None:
        """Let new clients get a client scope, as a default or an optional one; remove it from the other list first."""
        self._send("PUT", NEW_DEFAULT if default else NEW_OPTIONAL, scope)

    def keep_from_new_clients(self, scope: str) -> None:
        """Let new clients no longer get a client scope, from either list."""
        for path in (NEW_DEFAULT, NEW_OPTIONAL):
            self._delete(path, scope)

    def realm_scopes(self) -> tuple[frozenset[str], frozenset[str]]:
        """The names of the scopes that new clients get as default and as optional scopes, "" for one without a name. Raises
        UnexpectedAnswer.
        """
        defaults, optionals = at_once(2, self._list, (REALM_DEFAULTS, REALM_OPTIONALS))

        def names(found: Sequence[Json]) -> frozenset[str]:
            return parsed(
                self.http.server, "GET", REALM_DEFAULTS, lambda: frozenset(a_text(one, "name") for one in found)
            )

        return names(defaults), names(optionals)

    def assign(self, uuid: str, scope: str, *, default: bool) -> None:
        """Assign a client scope to a client. If the client has it in the other list, nothing changes: unassign it first."""
        self._send("PUT", DEFAULT_SCOPE if default else OPTIONAL_SCOPE, uuid, scope)

    def unassign(self, uuid: str, scope: str) -> None:
        """Unassign a client scope from a client, from either list; a deleted scope counts as unassigned."""
        self._delete(OPTIONAL_SCOPE, uuid, scope)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def sessions(self, uuid: str, *, offline: bool) -> Sequence[Json]:
        """The user sessions, or the offline sessions, in which a client takes part."""
        return self._pages(OFFLINE_SESSIONS if offline else USER_SESSIONS, uuid)

    def all_sessions(self, uuid: str) -> Sequence[Json]:
        """Both kinds of sessions in which a client takes part."""
        online, offline = at_once(2, lambda offline: self.sessions(uuid, offline=offline), (False, True))
        return [*online, *offline]

    def session_stats(self) -> Sequence[Json]:
        """How many sessions each client takes part in; clients without one are left out."""
        return self._list(SESSION_STATS)

    def end_session(self, session: str, *, offline: bool) -> bool:
        """End a session at every client; False if it had ended."""
        return self._delete(SESSION, session, params={"isOffline": str(offline).lower()})

    def push_revocation(self, uuid: str) -> Json:
        """Notify a client that has an admin URL of its not-before; returns the addresses that accepted it and those that
        failed.
        """
        answer = self._send("POST", PUSH, uuid, repeatable=True)
        return parsed(self.http.server, "POST", PUSH, lambda: an_object(answer.body or {}, "an answer"))

    def revoke(self, token: Secret, client_id: str, secret: Secret | None) -> None:
        """Revoke one token in the name of its client (RFC 7009 section 2.1)."""
        form = {"token": token, "client_id": client_id} | ({"client_secret": secret} if secret is not None else {})
        self.http.request("POST", self._route(REVOKE), form, content_type=FORM, repeatable=True)

    def clock(self) -> tuple[str, int]:
        """The server's clock, in seconds since 1970, and the id of the initial access token that shows it.

        No response has a Date header, and only a master administrator may read the time. But an initial access token shows when
        it was created: one is created for a second, seen by nobody, and to be deleted by `delete_initial_access`.
        """
        answer = self._send("POST", INITIAL_ACCESS, body={"count": 1, "expiration": 1}, repeatable=True)

        def read() -> tuple[str, int]:
            raw = an_object(answer.body, "an initial access token")
            return str(raw.get("id", "")), a_number(raw, "timestamp", 0, 1)

        return parsed(self.http.server, "POST", INITIAL_ACCESS, read)

    def delete_initial_access(self, made: str) -> None:
        """DELETE an initial access token."""
        self._delete(INITIAL_ACCESS_ONE, made)

    # -- users -------------------------------------------------------------------------------------------------------

    def user(self, name: str) -> Json | None:
        """The user with a name; None if there is none."""
        params = {"username": name, "exact": "true", "briefRepresentation": "true"}
        found = self._list(USERS, params=params)
        return next((one for one in found if str(one.get("username", "")).lower() == name.lower()), None)

    def service_account(self, uuid: str) -> Json | None:
        """The user behind a client's client credentials; None if it has none."""
        return self._one(SERVICE_ACCOUNT, uuid)

    def role_mappings(self, user: str) -> Json | None:
        """The roles assigned to a user, of the realm and of clients; None if there is no such user."""
        return self._one(ROLE_MAPPINGS, user)

    # -- shared ------------------------------------------------------------------------------------------------------

    def _route(self, path: str, *segments: str) -> Route:
        return route_to(self.http.server, path, self.realm_name, *segments)

    def _send(
        self,
        method: str,
        path: str,
        *segments: str,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        return self.http.request(method, self._route(path, *segments), body, params=params, repeatable=repeatable)

    def _object(self, path: str, *segments: str, params: Mapping[str, str] | None = None) -> Json:
        answer = self._send("GET", path, *segments, params=params)
        return parsed(self.http.server, "GET", path, lambda: an_object(answer.body, "the answer"))

    def _one(self, path: str, *segments: str) -> Json | None:
        try:
            return self._object(path, *segments)
        except NotFound:
            return None

    def _list(self, path: str, *segments: str, params: Mapping[str, str] | None = None) -> Sequence[Json]:
        answer = self._send("GET", path, *segments, params=params)

        def read() -> Sequence[Json]:
            if not isinstance(answer.body, list):
                raise Garbled("it is not a list")
            return [an_object(one, "an entry") for one in answer.body]

        return parsed(self.http.server, "GET", path, read)

    def _pages(self, path: str, *segments: str, known: int = 0, likely: int = 0) -> Sequence[Json]:
        """All pages: first those of the `known` objects, then those of the `likely` ones."""

        def page(first: int) -> Sequence[Json]:
            return self._list(path, *segments, params={"first": str(first), "max": str(PAGE)})

        return all_pages(page, size=PAGE, known=known, likely=likely, parallel=self.parallel, key="id")

    def _delete(self, path: str, *segments: str, params: Mapping[str, str] | None = None) -> bool:
        try:
            self._send("DELETE", path, *segments, params=params)
        except NotFound:
            return False
        return True
