"""The pages for people: sign-in, approval, errors, and the start page. No scripts, and no external resources."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Flask, Response, make_response, redirect, render_template, request
from flask import session as browser_session
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from oauthdeploy.server.admin.server_settings import FOOTER, HEADER, TITLE, parameters
from oauthdeploy.server.models import Scope
from oauthdeploy.server.oauth import BASE, INTERNAL_FOLDER, METADATA_PATH
from oauthdeploy.server.passwords import generate_secret
from oauthdeploy.server.protocol import OAuthClient, OAuthServer, ParsedRequest, sign_in, signed_in
from oauthdeploy.server.state import NOT_FOR_PRODUCTION, State
from oauthdeploy.server.store import log_in

AUTHORIZE_PATH = f"{BASE}/authorize"
SIGN_IN_PATH = f"/invoke/{INTERNAL_FOLDER}/signIn"
SIGN_OUT_PATH = f"/invoke/{INTERNAL_FOLDER}/signOut"
APPROVE_PATH = f"/invoke/{INTERNAL_FOLDER}/approve"

_CARRIED = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")


def register_start_page(app: Flask, state: State) -> None:
    """Serve `/`: what this server is, and what it is not."""

    @app.get("/")
    def start_page() -> Response:
        return page("start.html", role=state.config.role, strict=state.strict, metadata_path=METADATA_PATH)


def register(app: Flask, state: State, server: OAuthServer) -> None:
    """Serve the authorization endpoint with its sign-in and approval pages."""

    @app.get(AUTHORIZE_PATH)
    def authorize() -> AnyResponse:
        user = signed_in(state)
        parsed = ParsedRequest(request, request.args)
        try:
            grant = server.get_consent_grant(parsed, end_user=user.name if user else None)
        except OAuth2Error as error:
            return refuse(state, server, parsed, error)
        if user is None:
            return sign_in_page(parsed, grant.redirect_uri, query_of(parsed))
        return approval_page(state, parsed, grant.redirect_uri, user.name)

    @app.post(SIGN_IN_PATH)
    def sign_in_form() -> AnyResponse:
        target = authorization_path()
        if not csrf_is_right():
            return redirect(target, 303)
        name = request.form.get("username", "")
        identity = log_in(state.store, state.checker, name, request.form.get("password", ""))
        if identity is not None:
            sign_in(identity)
            return redirect(target, 303)
        parsed = ParsedRequest(request, authorization_parameters(request.form.get("query", "")))
        try:
            grant = server.get_consent_grant(parsed)
        except OAuth2Error as error:
            return refuse(state, server, parsed, error)
        return sign_in_page(parsed, grant.redirect_uri, query_of(parsed), name=name, failed=True)

    @app.post(SIGN_OUT_PATH)
    def sign_out_form() -> AnyResponse:
        if csrf_is_right():
            browser_session.clear()
        return redirect(authorization_path(), 303)

    @app.post(APPROVE_PATH)
    def approve() -> AnyResponse:
        user = signed_in(state)
        if user is None or not csrf_is_right():
            return page("error.html", 403, title="This form has expired", detail="Start again from the application.")
        parsed = ParsedRequest(request, request.form)
        try:
            grant = server.get_consent_grant(parsed, end_user=user.name)
        except OAuth2Error as error:
            return refuse(state, server, parsed, error)
        approved = request.form.get("approved") == "true"
        response = server.create_authorization_response(parsed, user.name if approved else None, grant)
        return sent_back(state, parsed, response)


def refuse(state: State, server: OAuthServer, parsed: ParsedRequest, error: OAuth2Error) -> AnyResponse:
    """An authorization request that failed: the error goes to the redirect URI if that is trusted, otherwise to a page."""
    if error.redirect_uri:
        return sent_back(state, parsed, server.handle_error_response(parsed, error))
    return page(
        "error.html",
        400,
        title="This request cannot be authorized",
        detail=error.get_error_description() or error.error,
        code=error.error,
    )


def sent_back(state: State, parsed: ParsedRequest, response: Response) -> Response:
    """A redirect to the client with the issuer (RFC 9207 section 2), in the fragment if the response is there.

    Status 303, so that the form's content is not posted on. A `state` without a value is returned too (RFC 6749 section
    4.1.2: if it was present in the request), which Authlib leaves out.
    """
    location = response.headers.get("Location")
    if location is None:
        return response
    parts = urlsplit(location)
    empty = {"state": ""} if parsed.args.get("state") == "" else {}
    more = urlencode({**empty, "iss": state.issuer_of(request)})
    if parts.fragment:
        parts = parts._replace(fragment=f"{parts.fragment}&{more}")
    else:
        parts = parts._replace(query=f"{parts.query}&{more}")
    response.headers["Location"] = urlunsplit(parts)
    response.status_code = 303
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def authorization_parameters(query: str) -> MultiDict[str, str]:
    """The parameters of an authorization request from its query string."""
    return MultiDict(parse_qsl(query, keep_blank_values=True))


def authorization_path() -> str:
    """The path of the authorization request that a form contains; it never leads to another server."""
    parameters = authorization_parameters(request.form.get("query", ""))
    return f"{AUTHORIZE_PATH}?{urlencode(list(parameters.items(multi=True)))}"


def query_of(parsed: ParsedRequest) -> str:
    """The query string of an authorization request."""
    return urlencode(list(parsed.args.items(multi=True)))


def sign_in_page(
    parsed: ParsedRequest, redirect_uri: str, query: str, *, name: str = "", failed: bool = False
) -> Response:
    """The page that asks for user name and password."""
    client: OAuthClient = parsed.client
    return page(
        "sign_in.html",
        401 if failed else 200,
        redirect_uri,
        client=client,
        query=query,
        name=name,
        failed=failed,
        action=SIGN_IN_PATH,
    )


def approval_page(state: State, parsed: ParsedRequest, redirect_uri: str, user: str) -> Response:
    """The page that asks the owner for approval; it posts the resolved scope, so nothing can be added afterwards."""
    names, texts = parsed.scope.split(), parameters(state)
    with state.store.read() as session:
        rows = session.execute(select(Scope.name, Scope.description).where(Scope.name.in_(names)))
        described = {name: description or "" for name, description in rows}
    carried = {key: parsed.args[key] for key in _CARRIED if key in parsed.args}
    return page(
        "approve.html",
        200,
        redirect_uri,
        client=parsed.client,
        heading=texts[HEADER],
        title=texts[TITLE],
        footer=texts[FOOTER],
        scopes=[(name, described.get(name, "")) for name in names],
        user=user,
        destination=urlsplit(redirect_uri).netloc,
        carried={**carried, "scope": parsed.scope},
        query=query_of(parsed),
        action=APPROVE_PATH,
        sign_out=SIGN_OUT_PATH,
    )


def csrf_token() -> str:
    """The token of this browser session that every form carries."""
    token = browser_session.get("csrf")
    if not isinstance(token, str):
        token = browser_session["csrf"] = generate_secret()
    return token


def csrf_is_right() -> bool:
    """Whether a form came from a page of this browser session."""
    expected = browser_session.get("csrf")
    given = request.form.get("csrf", "")
    return isinstance(expected, str) and hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def page(template: str, status: int = 200, redirect_uri: str | None = None, **values: object) -> Response:
    """A page with a policy that allows nothing but itself, and forms that may end at `redirect_uri`.

    Browsers apply `form-action` to where a form's answer redirects, so the client's origin has to be in it.
    """
    nonce = secrets.token_urlsafe(16)
    form_action = "'none'" if redirect_uri is None else _form_action(redirect_uri)
    forms = redirect_uri is not None
    response = make_response(
        render_template(template, nonce=nonce, csrf=csrf_token() if forms else "", notice=NOT_FOR_PRODUCTION, **values),
        status,
    )
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {form_action}"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _form_action(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    safe = all(character.isalnum() or character in ":/.-_" for character in origin) and origin.isascii()
    return f"'self' {origin if safe else parts.scheme + ':'}"
