"""The administration services behind the classic pages (`wm.server.oauth:*`), in the terms of the Administrator API.

They are for servers whose Administrator API has no OAuth part yet (10.3 to 10.10). The vendor does not publish them: names and
parameters are from the signature files of 10.11, may change with any fix, and are not supported. A request that only reads is
sent by GET, so that a plan cannot write; one that writes by POST. Every value is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from oauthdeploy.core.errors import Conflict, NotFound, Rejected, ServerError, UnexpectedAnswer, Unsupported
from oauthdeploy.core.secrets import Secret, is_masked
from oauthdeploy.drivers.common_steps import at_once, blocks, deletes_tokens
from oauthdeploy.drivers.exchange import Answer
from oauthdeploy.drivers.http import AdminClient
from oauthdeploy.drivers.json_values import a_list, a_name, an_object
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.client import PARALLEL, AdminApi
from oauthdeploy.drivers.webmethods.mapping import LiveClient
from oauthdeploy.drivers.webmethods.openapi_document import Api
from oauthdeploy.drivers.webmethods.tokens import Token
from oauthdeploy.model.objects import Revocation, Scope, Settings, Side, Trust
from oauthdeploy.planning.changes import Action, Change

FOLDER: Final = "/invoke/wm.server.oauth/"
TITLE: Final = "webMethods Integration Server, by its administration services"

_SETTINGS: Final = {
    "requireHTTPS": "requireHTTPS",
    "requirePKCE": "requirePKCE",
    "authCodeLifetimeSeconds": "authCodeLifetime",
    "accessTokenLifetimeSeconds": "accessTokenLifetime",
    "tokenEndpointAuth": "tokenEndpointAuth",
    "authServerAlias": "authServerAlias",
}
_GRANTS: Final = {
    "authorizationCodeGrant": "authorization_code_allowed",
    "implicitGrant": "implicit_allowed",
    "clientCredentialsGrant": "client_credentials_allowed",
    "resourceOwnerCredentialsGrant": "owner_credentials_allowed",
}
_PAGE: Final = tuple(f"approvalpg_{part}" for part in ("title", "heading", "logo_filename", "footer", "filename"))
_CLIENT: Final = {
    "name": "name",
    "version": "version",
    "type": "type",
    "description": "notes",
    "redirect_uris": "redirect_uris",
    "scopes": "scopes",
    **_GRANTS,
    "tokenLifetime": "token_lifetime",
    "tokenRefreshCount": "token_refresh_limit",
    "enabled": "enabled",
    **{name: name for name in _PAGE},
}
_SCOPE: Final = {
    "name": "name",
    "description": "description",
    "FoldersAndServices": "values",
    "urlTemplates": "urlTemplates",
}
_EXTERNAL: Final = {
    "name": "name",
    "introspectionEndpoint": "introspection_endpoint",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "user": "user",
    "keystoreAlias": "keystoreAlias",
    "keyAlias": "keyAlias",
    "truststoreAlias": "truststoreAlias",
    "defaultScope": "defaultScope",
}
_TOKEN: Final = {
    "client_id": "client_id",
    "ownerId": "owner_id",
    "accessTokenId": "access_token_id",
    "refreshTokenId": "refresh_token_id",
    "remainingRefreshes": "remaining_refreshes",
    "expireTime": "expire_time_str",
}
"""Names in the Administrator API, and the same in the services."""

NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "settings": frozenset(_SETTINGS.values()),
    "client": frozenset(_CLIENT.values()) - {"enabled", *_PAGE},
    "scope": frozenset(_SCOPE.values()) - {"name"},
    "external server": frozenset(_EXTERNAL.values()) - {"name", "client_secret"},
}
"""What the services that show one object return by their signatures, except for what they may leave out."""

_PATHS: Final = (
    *(("GET", path) for path in (doc.SETTINGS, doc.CLIENTS, doc.CLIENT, doc.SCOPES, doc.SCOPE, doc.EXTERNALS)),
    *(("POST", path) for path in (doc.CLIENTS, doc.SCOPES, doc.EXTERNALS)),
    *(("PATCH", path) for path in (doc.SETTINGS, doc.CLIENT, doc.SCOPE, doc.EXTERNAL)),
    *(("DELETE", path) for path in (doc.CLIENT, doc.SCOPE)),
    *(("GET", path) for path in (doc.EXTERNAL, doc.TOKENS)),
)

API: Final = Api(
    title=TITLE,
    version="",
    paths=MappingProxyType({key: key[1] for key in _PATHS}),
    settings=frozenset(_SETTINGS),
    client=frozenset(_CLIENT),
    patches=MappingProxyType(
        {
            path: dict.fromkeys(names, "")
            for path, names in (
                (doc.SETTINGS, _SETTINGS),
                (doc.CLIENT, _CLIENT),
                (doc.SCOPE, _SCOPE),
                (doc.EXTERNAL, _EXTERNAL),
            )
        }
    ),
    wraps_scopes=False,
    text_versions=True,
)
"""What the services offer, as the OpenAPI document of the Administrator API would say it."""

Step = Callable[[Sequence[Any], Mapping[str, Any]], Answer]


class ServicesApi(AdminApi):
    """The requests of the driver, carried out by administration services."""

    def __init__(self, http: AdminClient) -> None:
        super().__init__(http, API)
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._steps: Mapping[tuple[str, str], Step] = {
            ("GET", doc.SETTINGS): self._settings,
            ("PATCH", doc.SETTINGS): self._put_settings,
            ("GET", doc.CLIENTS): self._clients,
            ("GET", doc.CLIENT): self._client,
            ("POST", doc.CLIENTS): self._register,
            ("PATCH", doc.CLIENT): self._update,
            ("DELETE", doc.CLIENT): self._remove("removeClientRegistration", "client_id", doc.CLIENT),
            ("GET", doc.SCOPES): self._scopes,
            ("GET", doc.SCOPE): self._scope,
            ("POST", doc.SCOPES): self._add_scope,
            ("PATCH", doc.SCOPE): self._put_scope,
            ("DELETE", doc.SCOPE): self._remove("removeScope", "name", doc.SCOPE),
            ("GET", doc.EXTERNALS): self._externals,
            ("GET", doc.EXTERNAL): self._external,
            ("POST", doc.EXTERNALS): self._put_external,
            ("PATCH", doc.EXTERNAL): self._put_external,
            ("GET", doc.TOKENS): self._tokens,
        }

    # -- requests of the base class ----------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        path: str,
        *segments: str | Secret,
        body: Any = None,
        params: Mapping[str, str] | None = None,  # noqa: ARG002 - a list of the services has no short form
    ) -> Answer:
        step = self._steps.get((method, path))
        if step is None:
            raise Unsupported(
                f"The administration services of '{self.http.server}' have nothing for {method} {path}",
                server=self.http.server,
                fix="Leave it out for this server, or set it on the server's own page.",
            )
        return step(segments, body or {})

    def patch_client(self, client_id: str, body: Mapping[str, Any]) -> LiveClient:
        """Update a client: its status and its scopes have services of their own, which touch nothing else."""
        if body.keys() == {"enabled"}:
            self._write("updateClientStatus", {"client_id": client_id, "enabled": _text(body["enabled"])})
        elif body.keys() == {"scopes"}:
            self._write("mapScopesToClient", {"client_id": client_id, "scopes": list(body["scopes"])})
        else:
            return super().patch_client(client_id, body)
        live = self.client(client_id)
        if live is None:
            raise self._no_such("client", doc.CLIENT)
        return live

    def delete_token(self, token: Token) -> ServerError | None:
        """Remove a row of the list, by the ids that it showed. As `AdminApi.delete_token`."""
        row = self._rows.get(token.same_ids[0])
        if row is None:
            return self._no_such("token", doc.TOKENS)
        ids = {key: row[key] for key in ("token_id", "access_token_id", "refresh_token_id") if row.get(key)}
        try:
            self._write("removeToken", {key: Secret(str(value), "server") for key, value in ids.items()})
        except (Rejected, NotFound) as error:
            return error
        return None

    def delete_refresh_token(self, token: Token) -> ServerError | None:
        """A row has both tokens."""
        return self.delete_token(token)

    # -- settings ----------------------------------------------------------------------------------------------------

    def _settings(self, _segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer = self._read("getOAuthSettings")
        raw = self._object(answer, "getOAuthSettings")
        if "tokenEndpointAuth" not in raw:
            raise self._too_old("getOAuthSettings shows no tokenEndpointAuth")
        return _with(answer, _renamed(raw, _SETTINGS))

    def _put_settings(self, segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        self._write("setOAuthSettings", _inputs(body, _SETTINGS))
        return self._settings(segments, {})

    # -- clients -----------------------------------------------------------------------------------------------------

    def _listed(self) -> tuple[Answer, Mapping[str, Mapping[str, Any]]]:
        """The entries of the list of clients by id: the only place that shows whether a client is enabled."""
        answer = self._read("listClientRegistrations")

        def entries() -> Mapping[str, Mapping[str, Any]]:
            rows = [an_object(raw, "a client") for raw in a_list(answer.body, "clients")]
            return {a_name(raw, "client_id"): raw for raw in rows}

        return answer, self.parsed("GET", FOLDER + "listClientRegistrations", entries)

    def _clients(self, _segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, entries = self._listed()
        whole = at_once(PARALLEL, lambda client_id: self._registration(client_id, entries), entries)
        return _with(answer, {"clients": list(whole)})

    def _client(self, segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, entries = self._listed()
        if segments[0] not in entries:
            raise self._no_such("client", doc.CLIENT)
        return _with(answer, self._registration(segments[0], entries))

    def _registration(self, client_id: str, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        raw = self._object(self._read("getClientRegistration", client_id=client_id), "getClientRegistration")
        if not any(flag in raw for flag in _GRANTS.values()):
            raise self._too_old("getClientRegistration shows no grants")
        whole = {"enabled": entries[client_id].get("enabled", "true"), **raw}
        return {**_renamed(whole, _CLIENT), "client_id": client_id, "client_secret": raw.get("client_secret")}

    def _register(self, _segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        answer = self._write("registerClient", {"redirect_uris": [], **_inputs(body, _CLIENT)})
        raw = self._object(answer, "registerClient")
        client_id = self.parsed("POST", FOLDER + "registerClient", lambda: a_name(raw, "client_id"))
        _listing, entries = self._listed()
        if client_id not in entries:
            raise self._no_such("client", doc.CLIENT)
        made = self._registration(client_id, entries)
        return _with(answer, {**made, "client_secret": raw.get("client_secret") or made["client_secret"]})

    def _update(self, segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        self._write("updateClientRegistration", {"client_id": segments[0], **_inputs(body, _CLIENT)})
        return self._client(segments, {})

    # -- scopes ------------------------------------------------------------------------------------------------------

    def _names(self, service: str, what: str) -> tuple[Answer, Sequence[str]]:
        """The names of a list, whose entries may be texts or objects."""
        answer = self._read(service)

        def names() -> Sequence[str]:
            rows = a_list(answer.body, what.lower())
            return [raw if isinstance(raw, str) else a_name(an_object(raw, "an entry"), "name") for raw in rows]

        return answer, self.parsed("GET", FOLDER + service, names)

    def _scopes(self, _segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, names = self._names("listScopes", "scopes")
        return _with(answer, {"scopes": list(at_once(PARALLEL, self._one_scope, names))})

    def _scope(self, segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, names = self._names("listScopes", "scopes")
        if segments[0] not in names:
            raise self._no_such("scope", doc.SCOPE)
        return _with(answer, self._one_scope(segments[0]))

    def _one_scope(self, name: str) -> dict[str, Any]:
        raw = self._object(self._read("getScope", name=name), "getScope")
        told = _renamed(raw, _SCOPE)
        if told.keys().isdisjoint({"FoldersAndServices", "urlTemplates"}):
            raise self._unusable("getScope", "shows neither values nor urlTemplates")
        return {"FoldersAndServices": [], "urlTemplates": [], **told, "name": name}

    def _add_scope(self, _segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        # putScope adds and edits: it would overwrite a scope that somebody made since the plan.
        if body["name"] in self._names("listScopes", "scopes")[1]:
            raise Conflict(
                f"'{self.http.server}' has a scope named '{body['name']}'",
                server=self.http.server,
                method="POST",
                path=FOLDER + "putScope",
                fix="Make a new plan.",
            )
        return self._put_scope([body["name"]], body)

    def _put_scope(self, segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        self._write("putScope", {**_inputs(body, _SCOPE), "name": segments[0]})
        return self._scope(segments, {})

    # -- external authorization servers --------------------------------------------------------------------------------

    def _externals(self, _segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, names = self._names("listExternalAuthorizationServers", "authorizationServers")
        return _with(answer, {"externalservers": [{"name": name} for name in names]})

    def _external(self, segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer, names = self._names("listExternalAuthorizationServers", "authorizationServers")
        if segments[0] not in names:
            raise self._no_such("external authorization server", doc.EXTERNAL)
        raw = self._object(
            self._read("getExternalAuthorizationServer", name=segments[0]), "getExternalAuthorizationServer"
        )
        if "introspection_endpoint" not in raw:
            raise self._unusable("getExternalAuthorizationServer", "shows no introspection_endpoint")
        return _with(answer, {**_renamed(raw, _EXTERNAL), "name": segments[0]})

    def _put_external(self, segments: Sequence[Any], body: Mapping[str, Any]) -> Answer:
        name = segments[0] if segments else body["name"]
        inputs = {**_inputs(body, _EXTERNAL), "name": name}
        if "client_secret" not in inputs:
            # The service requires the secret also where something else is edited.
            shown = self._external([name], {}).body.get("clientSecret")
            if not isinstance(shown, str) or not shown or is_masked(shown):
                raise Unsupported(
                    f"'{self.http.server}' cannot edit an external authorization server without its client secret",
                    server=self.http.server,
                    fix="Write client_secret under introspection of the trusted server.",
                )
            inputs["client_secret"] = Secret(shown, "server")
        self._write("setExternalAuthorizationServer", inputs)
        return self._external([name], {})

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _tokens(self, _segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
        answer = self._read("listTokens")
        found = self.parsed(
            "GET",
            FOLDER + "listTokens",
            lambda: [an_object(raw, "a token") for raw in a_list(answer.body, "tokens")],
        )
        with self._lock:
            for row in found:
                for key in ("access_token_id", "refresh_token_id"):
                    if row.get(key):
                        self._rows[str(row[key])] = row
        return _with(answer, {"tokens": [_renamed(row, _TOKEN) for row in found]})

    # -- services ----------------------------------------------------------------------------------------------------

    def _read(self, service: str, **inputs: str) -> Answer:
        return self._checked("GET", service, self.http.get(FOLDER + service, inputs or None))

    def _write(self, service: str, inputs: Mapping[str, Any]) -> Answer:
        # All of them set whole values or remove by id, so that a second call has the same result; only one of them adds.
        again = service != "registerClient"
        return self._checked(
            "POST", service, self.http.request("POST", FOLDER + service, dict(inputs), repeatable=again)
        )

    def _checked(self, method: str, service: str, answer: Answer) -> Answer:
        """A service may report its failure in an answer of status 200, as the pages show it."""
        words = answer.body.get("errorMessage") if isinstance(answer.body, Mapping) else None
        if not words:
            return answer
        raise Rejected(
            f"'{self.http.server}' refused {service}",
            server=self.http.server,
            method=method,
            path=FOLDER + service,
            status=400,
            words=str(words),
            fix="See the server's words.",
        )

    def _object(self, answer: Answer, service: str) -> Mapping[str, Any]:
        return self.parsed("GET", FOLDER + service, lambda: an_object(answer.body, "the answer"))

    def _remove(self, service: str, key: str, path: str) -> Step:
        def remove(segments: Sequence[Any], _body: Mapping[str, Any]) -> Answer:
            known = self._listed()[1] if path == doc.CLIENT else self._names("listScopes", "scopes")[1]
            if segments[0] not in known:
                raise self._no_such("client" if path == doc.CLIENT else "scope", path)
            return self._write(service, {key: segments[0]})

        return remove

    def _no_such(self, what: str, path: str) -> NotFound:
        return NotFound(f"'{self.http.server}' has no such {what}", server=self.http.server, path=path, status=404)

    def _unusable(self, service: str, why: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"The answer of '{self.http.server}' cannot be used: {service} {why}",
            server=self.http.server,
            method="GET",
            path=FOLDER + service,
        )

    def _too_old(self, why: str) -> Unsupported:
        return Unsupported(
            f"'{self.http.server}' is too old: {why}",
            server=self.http.server,
            fix="10.3 or newer is needed.",
        )


def count_writes(change: Change, sides: frozenset[Side]) -> int:
    """How many requests one change takes, except for associations; reads that may prove unnecessary are counted.

    After each write the object is read again: a client and a scope by their list and by themselves.
    """
    desired = change.desired
    match desired, change.action:
        case Settings(), _:
            return 2
        case Trust(), _:
            return 2 if desired.via == "local" else 7
        case Revocation(), _:
            there = change.live is not None and bool(change.live.identity)
            tokens = change.live.tokens.total if change.live is not None and change.live.tokens is not None else 0
            deleting = 2 + tokens if deletes_tokens(change, sides) else 0
            return deleting + 3 * int(blocks(change, sides)) if there else 0
        case _, Action.DELETE:
            return 2
        case Scope(), Action.CREATE:
            return 4
        case Scope(), Action.REPLACE:
            return 6
        case _, Action.REPLACE:
            return 5
        case _:
            return 3


ASSOCIATIONS: Final = 5
"""How many requests the associations of one client take."""


def load_services(http: AdminClient) -> ServicesApi:
    """The services of a server that has them. Raises Unsupported where it has none, or has no licence for OAuth."""
    found = ServicesApi(http)
    try:
        found.settings()
    except NotFound as error:
        raise Unsupported(
            f"'{http.server}' has no administration services for OAuth",
            server=http.server,
            path=FOLDER,
            status=error.status,
            fix="Check url; leave options.api out for servers with the Administrator API.",
        ) from None
    return found


def _with(answer: Answer, body: Any) -> Answer:
    return Answer(answer.status, body, answer.date)


def _renamed(raw: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {rest: raw[service] for rest, service in names.items() if service in raw}


def _inputs(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a service: lists as lists, everything else as text."""
    found: dict[str, Any] = {}
    for rest, service in names.items():
        if rest in body:
            value = body[rest]
            found[service] = str(value).lower() if rest == "type" else _text(value)
    return found


def _text(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    if isinstance(value, Secret):
        return value
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
