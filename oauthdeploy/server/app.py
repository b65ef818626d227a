"""The WSGI application: state, admin API, OAuth endpoints, protected services, and error responses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from oauthdeploy.server import oauth, pages, protected_resource
from oauthdeploy.server.admin import (
    clients,
    groups,
    scopes,
    server_settings,
    services,
    settings,
    tokens,
    trusted_servers,
    users,
)
from oauthdeploy.server.admin.api import DOCUMENT_PATH, PREFIX, Api, admin_error, guard_admin, problem
from oauthdeploy.server.admin.errors import AdminError
from oauthdeploy.server.config import ServerConfig, load_seed
from oauthdeploy.server.config_error import ConfigError
from oauthdeploy.server.openapi import build_document
from oauthdeploy.server.outbound import Outbound
from oauthdeploy.server.passwords import SecretChecker, digest, generate_secret
from oauthdeploy.server.private_files import Vault
from oauthdeploy.server.state import EXTENSION, State, current_state
from oauthdeploy.server.store import Store, seed_users

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The longest request body, in bytes.
MAX_BODY = 1024 * 1024

log = logging.getLogger(__name__)


def create_app(config: ServerConfig) -> Flask:
    """The application of one server, on the data directory of `config`, which is created if needed.

    The data directory is opened, seeded and ready when this returns; `close_app` closes it.

    Raises:
        ConfigError: the seed or the certificate file cannot be used.
    """
    seed = load_seed(config)
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        outbound = Outbound(config.ca_file)
    except OSError as problem:
        raise ConfigError(f"The certificates in {config.ca_file} cannot be read: {problem}") from problem
    checker = SecretChecker()
    vault = Vault(config.data_dir / "vault.key")
    store = Store(config.data_dir / "server.db", config.threads)
    try:
        seed_users(store, checker, seed.users, config.data_dir)
    except BaseException:
        outbound.close()
        store.close()
        raise
    state = State(config, seed, store, vault, checker, outbound)

    # Authlib writes whole tokens to its debug log.
    logging.getLogger("authlib").setLevel(logging.INFO)
    app = Flask("oauthdeploy.server", static_folder=None, template_folder="templates")
    app.extensions[EXTENSION] = state
    app.secret_key = generate_secret()
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        SESSION_COOKIE_NAME=f"oauthdeploy_{digest(str(config.data_dir.resolve()))[:8]}",
        SESSION_COOKIE_PATH="/invoke",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.tls,
    )
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    app.wsgi_app = _WholePath(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_guard)
    app.after_request(_finish)
    app.register_error_handler(AdminError, admin_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)
    _register_admin(app, state)
    pages.register_start_page(app, state)
    if config.is_authorization_server:
        pages.register(app, state, oauth.register(app, state))
    if config.is_resource_server:
        protected_resource.register(app, state)
    return app


def state_of(app: Flask) -> State:
    """The state of an application made by `create_app`."""
    state = app.extensions[EXTENSION]
    assert isinstance(state, State)
    return state


def close_app(app: Flask) -> None:
    """Close the database and the outbound connections of an application."""
    state = state_of(app)
    state.outbound.close()
    state.store.close()


def _register_admin(app: Flask, state: State) -> None:
    api = Api(app, state)
    for resource in (settings, clients, scopes, trusted_servers, tokens, users, groups, server_settings):
        resource.register(api)

    @api.operation("GET", DOCUMENT_PATH, summary="Read this document", tag="swagger")
    def read_document() -> object:
        return document

    document = build_document(api)
    if state.profile.administration == "services":
        services.register(app, api)


def _guard() -> Response | None:
    if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
        refusal = guard_admin(current_state())
        if refusal is None and isinstance(request.routing_exception, RequestRedirect):
            # The router would redirect to the other form of a path, whose slash is literal.
            raise NotFound()
        return refusal
    if (
        request.endpoint != "invoke"
        and request.path.startswith(_OAUTH_PATHS)
        and current_state().config.is_authorization_server
    ):
        return oauth.require_https(current_state())
    return None


_OAUTH_PATHS = (f"/invoke/{oauth.PUBLIC_FOLDER}/", f"/invoke/{oauth.INTERNAL_FOLDER}/")


def _finish(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    log.info("%s %s %d", request.method, quote(request.path), response.status_code)
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        return Response(error.get_response().get_data(), status, error.get_headers())
    response = _error(status, _MESSAGES.get(status, error.name))
    if isinstance(error, RequestEntityTooLarge):
        response.headers["Connection"] = "close"
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


_MESSAGES = {
    404: "There is nothing at this path.",
    405: "The method is not allowed at this path.",
    413: f"The request is larger than {MAX_BODY} bytes.",
}


def _crash(error: Exception) -> Response:
    log.error("%s %s failed", request.method, quote(request.path), exc_info=error)
    return _error(500, "The server failed; its log says why.")


def _error(status: int, message: str) -> Response:
    if request.path.startswith(PREFIX):
        return problem(status, message)
    response = jsonify({"error": "server_error" if status >= 500 else "invalid_request", "error_description": message})
    response.status_code = status
    return response


class _WholePath:
    """Passes the application the path with every escape decoded once.

    The WSGI server leaves `%2F` as it is, which makes the scope names `a/b` and `a%2Fb` look the same.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raw = environ.get("REQUEST_URI", "")
        if isinstance(raw, str) and raw.startswith("/"):
            environ["PATH_INFO"] = unquote_to_bytes(raw.partition("?")[0]).decode("latin-1")
        return self._app(environ, start_response)
