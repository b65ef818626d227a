"""The administration services behind the classic pages: `/invoke/wm.server.oauth/<service>`, in place of the Administrator API.

They act on the same objects as that API: each service translates its inputs, all of them text, for an operation of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from oauthdeploy.server.admin.api import Api, guard_admin
from oauthdeploy.server.admin.errors import AdminError, invalid, missing
from oauthdeploy.server.state import State

FOLDER = "/invoke/wm.server.oauth"

_SETTINGS: Final = {
    "requireHTTPS": "requireHTTPS",
    "requirePKCE": "requirePKCE",
    "authCodeLifetime": "authCodeLifetimeSeconds",
    "accessTokenLifetime": "accessTokenLifetimeSeconds",
    "tokenEndpointAuth": "tokenEndpointAuth",
    "authServerAlias": "authServerAlias",
}
_CLIENT: Final = {
    "name": "name",
    "version": "version",
    "type": "type",
    "redirect_uris": "redirect_uris",
    "scopes": "scopes",
    "token_lifetime": "tokenLifetime",
    "token_refresh_limit": "tokenRefreshCount",
    "enabled": "enabled",
    "notes": "description",
    "authorization_code_allowed": "authorizationCodeGrant",
    "implicit_allowed": "implicitGrant",
    "client_credentials_allowed": "clientCredentialsGrant",
    "owner_credentials_allowed": "resourceOwnerCredentialsGrant",
}
_PAGE: Final = tuple(f"approvalpg_{part}" for part in ("title", "heading", "logo_filename", "footer", "filename"))
_SCOPE: Final = {"values": "FoldersAndServices", "urlTemplates": "urlTemplates", "description": "description"}
_EXTERNAL: Final = {
    "introspection_endpoint": "introspectionEndpoint",
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "keystoreAlias": "keystoreAlias",
    "keyAlias": "keyAlias",
    "truststoreAlias": "truststoreAlias",
    "user": "user",
    "defaultScope": "defaultScope",
}
_TOKEN: Final = {
    "access_token_id": "accessTokenId",
    "refresh_token_id": "refreshTokenId",
    "client_id": "client_id",
    "client_name": "clientName",
    "client_version": "clientVersion",
    "owner_id": "ownerId",
    "expire_time_str": "expireTime",
    "remaining_refreshes": "remainingRefreshes",
}
"""Names of the services, and the same in the Administrator API."""

_FLAGS: Final = frozenset(
    {"requireHTTPS", "requirePKCE", "enabled", *(key for key in _CLIENT.values() if "Grant" in key)}
)
_NUMBERS: Final = frozenset(
    {"authCodeLifetimeSeconds", "accessTokenLifetimeSeconds", "tokenLifetime", "tokenRefreshCount"}
)
_CLIENTS: Final = "/admin/oauth/client"
_SCOPES: Final = "/admin/oauth/scope"
_EXTERNALS: Final = "/admin/oauth/externalserver"
_ACCESS: Final = "/admin/oauth/token/accesstoken"

Inputs = Mapping[str, Any]


class _Services:
    def __init__(self, app: Flask, api: Api) -> None:
        self._app = app
        self._api = api
        self._pages: dict[str, dict[str, str]] = {}

    # -- operations of the Administrator API ---------------------------------------------------------------------------

    def _call(self, method: str, path: str, *segments: str, body: Any = None, expand: bool = False) -> Any:
        query = "?expand=true" if expand else ""
        with self._app.test_request_context(path + query, method=method, json=body):
            return self._api.views[method, path](*segments)

    def _put(self, method: str, path: str, *segments: str, body: Any) -> Any:
        return self._call(method, path, *segments, body=body)

    def _rows(self, path: str, name: str) -> list[dict[str, Any]]:
        return list(self._call("GET", path, expand=True)[name])

    def _listed(self, path: str, name: str) -> list[Any]:
        rows = [str(row["name"]) for row in self._rows(path, name)]
        return list(rows) if self._api.state.profile.service_lists == "names" else [{"name": row} for row in rows]

    # -- services ----------------------------------------------------------------------------------------------------

    def get_settings(self, _given: Inputs) -> Inputs:
        return _told(self._call("GET", "/admin/oauth/globalsetting"), _SETTINGS)

    def set_settings(self, given: Inputs) -> Inputs:
        _require(given, "tokenEndpointAuth", "authServerAlias")
        self._put("PATCH", "/admin/oauth/globalsetting/", body=_given(given, _SETTINGS))
        return {"message": "Settings changed."}

    def list_clients(self, _given: Inputs) -> Inputs:
        shown = ("name", "version", "client_id", "type", "enabled")
        return {"clients": [{key: _text(row[key]) for key in shown} for row in self._rows(_CLIENTS, "clients")]}

    def get_client(self, given: Inputs) -> Inputs:
        raw = self._call("GET", _CLIENTS + "/{clientId}", _require(given, "client_id"))
        told = {key: value for key, value in _told(raw, _CLIENT).items() if key != "enabled"}
        secret = {"client_secret": raw["client_secret"]} if "client_secret" in raw else {}
        return {**told, **self._pages.get(str(given["client_id"]), {}), **secret, "type": str(raw["type"]).lower()}

    def register_client(self, given: Inputs) -> Inputs:
        _require(given, "name", "version", "type", "redirect_uris")
        raw = self._put("POST", _CLIENTS, body=self._client_body(given))
        self._keep_page(raw["client_id"], given)
        return {key: raw[key] for key in ("client_id", "client_secret") if key in raw}

    def update_client(self, given: Inputs) -> Inputs:
        client_id = _require(given, "client_id")
        self._put("PATCH", _CLIENTS + "/{clientId}", client_id, body=self._client_body(given))
        self._keep_page(client_id, given)
        return {}

    def _client_body(self, given: Inputs) -> dict[str, Any]:
        body = _given(given, _CLIENT)
        if "type" in body:
            body["type"] = str(body["type"]).capitalize()
        version = str(body.get("version", ""))
        if self._api.state.strict and version.isascii() and version.isdigit():
            body["version"] = int(version)
        return body

    def _keep_page(self, client_id: str, given: Inputs) -> None:
        # An update replaces them, as the edit page sends all of them.
        self._pages[client_id] = {key: str(given[key]) for key in _PAGE if given.get(key)}

    def update_status(self, given: Inputs) -> Inputs:
        body = {"enabled": _flag("enabled", _require(given, "enabled"))}
        client_id = _require(given, "client_id")
        before = self._call("GET", _CLIENTS + "/{clientId}", client_id)
        kept = {key: before[key] for key in _CLIENT.values()}
        self._put("PATCH", _CLIENTS + "/{clientId}", client_id, body={**kept, **body})
        return {}

    def map_scopes(self, given: Inputs) -> Inputs:
        client_id = _require(given, "client_id")
        before = self._call("GET", _CLIENTS + "/{clientId}", client_id)
        kept = {key: before[key] for key in _CLIENT.values()}
        self._put("PATCH", _CLIENTS + "/{clientId}", client_id, body={**kept, "scopes": given.get("scopes") or []})
        return {}

    def remove_client(self, given: Inputs) -> Inputs:
        self._call("DELETE", _CLIENTS + "/{clientId}", _require(given, "client_id"))
        return {}

    def list_scopes(self, _given: Inputs) -> Inputs:
        return {"scopes": self._listed(_SCOPES, "scopes")}

    def get_scope(self, given: Inputs) -> Inputs:
        return _told(self._call("GET", _SCOPES + "/{name}", _require(given, "name")), _SCOPE)

    def put_scope(self, given: Inputs) -> Inputs:
        name = _require(given, "name")
        body = {"name": name, **_given(given, _SCOPE)}
        if any(row["name"] == name for row in self._rows(_SCOPES, "scopes")):
            raw = self._put("PATCH", _SCOPES + "/{name}", name, body=body)
        else:
            raw = self._put("POST", _SCOPES, body={"scopeInputData": body})["scopeInputData"]
        return {"warnings": raw["warnings"]} if "warnings" in raw else {}

    def remove_scope(self, given: Inputs) -> Inputs:
        self._call("DELETE", _SCOPES + "/{name}", _require(given, "name"))
        return {"message": "Scope removed."}

    def list_external(self, _given: Inputs) -> Inputs:
        return {"authorizationServers": self._listed(_EXTERNALS, "externalServers")}

    def get_external(self, given: Inputs) -> Inputs:
        return _told(self._call("GET", _EXTERNALS + "/{name}", _require(given, "name")), _EXTERNAL)

    def set_external(self, given: Inputs) -> Inputs:
        name = _require(given, "name")
        _require(given, "introspection_endpoint", "client_secret", "client_id", "user")
        body = {"name": name, **_given(given, _EXTERNAL)}
        if any(row["name"] == name for row in self._rows(_EXTERNALS, "externalServers")):
            self._put("PATCH", _EXTERNALS + "/{name}", name, body=body)
        else:
            self._put("POST", _EXTERNALS + "/", body=body)
        return {"message": "Server changed."}

    def list_tokens(self, _given: Inputs) -> Inputs:
        rows = self._rows("/admin/oauth/token", "tokens")
        return {"tokens": [{"token_id": _token_id(row), **_told(row, _TOKEN)} for row in rows]}

    def remove_token(self, given: Inputs) -> Inputs:
        token_id = _require(given, "token_id")
        row = next((row for row in self._rows("/admin/oauth/token", "tokens") if _token_id(row) == token_id), None)
        if row is None:
            raise missing("token", "")
        self._call("DELETE", _ACCESS + "/{accessTokenId}", str(row["accessTokenId"]))
        return {"message": "Token removed."}

    def is_licensed(self, _given: Inputs) -> Inputs:
        return {"isOAuthLicensed": "true"}

    @property
    def table(self) -> Mapping[str, Callable[[Inputs], Inputs]]:
        """The services by name."""
        return {
            "getOAuthSettings": self.get_settings,
            "setOAuthSettings": self.set_settings,
            "listClientRegistrations": self.list_clients,
            "getClientRegistration": self.get_client,
            "registerClient": self.register_client,
            "updateClientRegistration": self.update_client,
            "updateClientStatus": self.update_status,
            "removeClientRegistration": self.remove_client,
            "mapScopesToClient": self.map_scopes,
            "listScopes": self.list_scopes,
            "getScope": self.get_scope,
            "putScope": self.put_scope,
            "removeScope": self.remove_scope,
            "listExternalAuthorizationServers": self.list_external,
            "getExternalAuthorizationServer": self.get_external,
            "setExternalAuthorizationServer": self.set_external,
            "listTokens": self.list_tokens,
            "removeToken": self.remove_token,
            "isOAuthLicensed": self.is_licensed,
        }


def register(app: Flask, api: Api) -> None:
    """Serve the services, by any method, to administrators."""
    table, state = _Services(app, api).table, api.state

    @app.route(FOLDER + "/<service>", methods=["GET", "POST"])
    def invoke(service: str) -> Response:
        # Read-only administrators are a notion of the Administrator API: the services have one ACL.
        refusal = guard_admin(state, reading=False)
        if refusal is not None:
            return refusal
        if service not in table:
            return _refusal(state, AdminError(404, "There is no such service."))
        body = request.get_json(silent=True) if request.method == "POST" else None
        try:
            return jsonify(table[service](body if isinstance(body, dict) else request.args.to_dict()))
        except AdminError as error:
            return _refusal(state, error)
        except HTTPException as error:
            return _refusal(state, AdminError(error.code or 500, error.name))


def _refusal(state: State, error: AdminError) -> Response:
    response = jsonify({"errorMessage": error.message})
    response.status_code = 500 if state.profile.service_errors == "status" else 200
    return response


def _told(raw: Inputs, names: Mapping[str, str]) -> dict[str, Any]:
    """An object as a service shows it: lists, and everything else as text."""
    return {service: _text(raw[key]) for service, key in names.items() if key in raw}


def _given(given: Inputs, names: Mapping[str, str]) -> dict[str, Any]:
    """The body of an operation from the inputs of a service. Raises AdminError."""
    return {key: _value(key, given[service]) for service, key in names.items() if service in given}


def _value(key: str, value: Any) -> Any:
    if key in _FLAGS:
        return _flag(key, value)
    if key not in _NUMBERS:
        return value
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid(f"'{key}' must be a number.") from None


def _flag(key: str, value: Any) -> bool:
    if value not in ("true", "false"):
        raise invalid(f"'{key}' must be true or false.")
    return bool(value == "true")


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return value
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _token_id(row: Inputs) -> str:
    return f"row-{row['accessTokenId'] or row['refreshTokenId']}"


def _require(given: Inputs, *names: str) -> str:
    """The first of the inputs, which all must be there. Raises AdminError."""
    for name in names:
        if name not in given or (given[name] in ("", None)):
            raise invalid(f"The input {name} is missing.")
    return str(given[names[0]])
