"""`/admin/oauth/client`: the client registrations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from flask import request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, answer_fields, expanding, listing
from oauthdeploy.server.admin.errors import conflict, invalid, missing, shown
from oauthdeploy.server.admin.fields import Field, Kind, Value, check_name, patch_of, read_body, read_fields
from oauthdeploy.server.models import CONFIDENTIAL, PUBLIC, Client, ClientAccount, ClientPkce, Scope, User
from oauthdeploy.server.passwords import generate_client_id, generate_secret, hash_chosen, hash_generated
from oauthdeploy.server.state import State
from oauthdeploy.server.store import find_client, scopes_by_client, scopes_of, set_scopes

PATH = "/admin/oauth/client"
FORBIDDEN_IN_NAMES = "&()\\;,/\":'<>"
FORBIDDEN_IN_URIS = '^#%"'
MASK = "********"
USE_GLOBAL = -2
UNLIMITED = -1

_GIVEN_ID = re.compile(r"[A-Za-z0-9._~@-]{1,128}")
_URI_START = re.compile(r"https?://[A-Za-z0-9]")

FIELDS = (
    Field("name", "name", "text", "Name; unique together with the version.", required=True),
    Field("version", "version", "version", "Version; unique together with the name.", required=True),
    Field("type", "type", "text", "Client type.", choices=(CONFIDENTIAL, PUBLIC), required=True, loose="case"),
    Field("description", "description", "text", "What the client is."),
    Field("redirect_uris", "redirect_uris", "texts", "Redirect URIs, compared character by character."),
    Field("scopes", "scopes", "texts", "Scopes that the client may request."),
    Field("authorizationCodeGrant", "authorization_code_grant", "boolean", "Authorization code grant.", False),
    Field("implicitGrant", "implicit_grant", "boolean", "Implicit grant.", False),
    Field("clientCredentialsGrant", "client_credentials_grant", "boolean", "Client credentials grant.", False),
    Field("resourceOwnerCredentialsGrant", "password_grant", "boolean", "Password grant.", False),
    Field(
        "tokenLifetime",
        "token_lifetime",
        "integer",
        "Lifetime of access tokens in seconds; -2 as in the settings, -1 never ends.",
        USE_GLOBAL,
        minimum=USE_GLOBAL,
    ),
    Field(
        "tokenRefreshCount",
        "refresh_count",
        "integer",
        "How often a token can be refreshed; -1 without limit, 0 not at all.",
        0,
        minimum=UNLIMITED,
    ),
    Field("enabled", "enabled", "boolean", "Whether the client may get and use tokens.", True),
    Field("registrationClientUri", "registration_client_uri", "text", "Kept as given."),
    Field("registrationAccessToken", "registration_access_token", "text", "Kept as given, encrypted at rest."),
)
IDENTITY_FIELDS = (
    Field("client_id", "client_id", "text", "The client's id, never editable."),
    Field("client_secret", "client_secret", "text", "The secret of a confidential client."),
)


_PKCE_KINDS: Final[Mapping[str, Kind]] = {"integer": "integer", "text": "text", "boolean": "boolean"}
_AS_GLOBAL = -1


def own_fields(state: State) -> Sequence[Field]:
    """The fields of a client in this release."""
    kind = _PKCE_KINDS.get(state.profile.client_pkce)
    if kind is None:
        return FIELDS
    default: Value = False if kind == "boolean" else _AS_GLOBAL if kind == "integer" else str(_AS_GLOBAL)
    says = "Whether a public client must use PKCE; -1 as in the settings, 0 no, 1 yes."
    return (*FIELDS, Field("requirePKCE", "require_pkce", kind, says, default, minimum=_AS_GLOBAL))


def input_fields(state: State) -> Sequence[Field]:
    """The fields that a client body may have; the id and the secret only if the creator may choose them."""
    fields = own_fields(state)
    return (*fields, *IDENTITY_FIELDS) if state.config.accept_client_id else fields


def register(api: Api) -> None:
    """Serve client registrations: list, create, read by id or by name and version, replace, update, delete."""
    state = api.state

    @api.operation("GET", PATH, summary="List the clients", answer="ClientList", expandable=True)
    def list_clients() -> object:
        with state.store.read() as session:
            clients = session.scalars(select(Client).order_by(Client.name, Client.version)).all()
            if not expanding():
                return listing("clients", [(client.name, client.client_id) for client in clients], PATH)
            scopes = scopes_by_client(session)
            return {"clients": [answer(state, session, one, scopes.get(one.client_id, [])) for one in clients]}

    @api.operation("POST", PATH, summary="Register a client", body="ClientIn", answer="ClientOut", status=201)
    def create_client() -> object:
        values = read_fields(read_body(request), input_fields(state), strict=state.strict)
        pkce = _pkce_of(values.pop("require_pkce", _AS_GLOBAL))
        given_id = cast("str | None", values.pop("client_id", None))
        given_secret = cast("str | None", values.pop("client_secret", None))
        if given_id is not None and not _GIVEN_ID.fullmatch(given_id):
            raise invalid("Field 'client_id' must have 1 to 128 letters, digits, or . _ ~ @ -")
        client = Client(client_id=given_id or generate_client_id(), secret_hash=None)
        with state.store.write() as session:
            if session.get(Client, client.client_id) is not None:
                raise conflict("Another client has this client_id.")
            scopes = apply(state, session, client, values)
            new_secret = set_secret(state, client, given_secret)
            session.add(client)
            set_account(state, session, client)
            set_scopes(session, client.client_id, scopes)
            _set_pkce(session, client, pkce)
            return answer(state, session, client, scopes, new_secret)

    @api.operation("GET", PATH + "/{clientId}", summary="Read a client", answer="ClientOut")
    def read_client(client_id: str) -> object:
        with state.store.read() as session:
            return answer(state, session, get(session, client_id), scopes_of(session, client_id))

    @api.operation(
        "GET", PATH + "/{name}/version/{version}", summary="Read a client by name and version", answer="ClientOut"
    )
    def read_client_by_name(name: str, version: str) -> object:
        with state.store.read() as session:
            client = find_client(session, name, version)
            if client is None:
                raise missing("client", f"{name} ({version})")
            return answer(state, session, client, scopes_of(session, client.client_id))

    @api.operation(
        "PUT",
        PATH + "/{clientId}",
        summary="Replace a client; unnamed fields get their default, id and secret stay",
        body="ClientIn",
        answer="ClientOut",
    )
    def replace_client(client_id: str) -> object:
        return change(client_id, partial=False)

    @api.operation(
        "PATCH",
        PATH + "/{clientId}",
        summary="Update a client (JSON Merge Patch)",
        body="ClientIn",
        answer="ClientOut",
    )
    def update_client(client_id: str) -> object:
        return change(client_id, partial=True)

    @api.operation("DELETE", PATH + "/{clientId}", summary="Delete a client and all of its tokens", status=204)
    def delete_client(client_id: str) -> object:
        with state.store.write() as session:
            client = get(session, client_id)
            client.type = PUBLIC
            set_account(state, session, client)
            session.delete(client)
        return None

    def change(client_id: str, *, partial: bool) -> object:
        body: Mapping[str, object] = read_body(request, merge_patch=partial)
        with state.store.write() as session:
            client = get(session, client_id)
            body, partial = patch_of(state.profile, body, _natural_key(state, client), partial=partial)
            values = read_fields(body, input_fields(state), strict=state.strict, partial=partial)
            own = session.get(ClientPkce, client_id)
            kept = own.required if own is not None else _AS_GLOBAL
            pkce = _pkce_of(values.pop("require_pkce", kept))
            given_id = values.pop("client_id", None)
            given_secret = cast("str | None", values.pop("client_secret", None))
            if given_id not in (None, client_id):
                raise invalid("Field 'client_id' cannot be changed.")
            scopes = apply(state, session, client, values)
            new_secret = set_secret(state, client, given_secret)
            set_account(state, session, client)
            if "scopes" in values:
                set_scopes(session, client_id, scopes)
            _set_pkce(session, client, pkce)
            return answer(state, session, client, scopes, new_secret)


def get(session: Session, client_id: str) -> Client:
    """The client with this id, or a 404."""
    client = session.get(Client, client_id)
    if client is None:
        raise missing("client", client_id)
    return client


def _pkce_of(value: object) -> int:
    try:
        found = int(cast("int | str", value))
    except ValueError:
        found = 2
    if found not in (_AS_GLOBAL, 0, 1):
        raise invalid("Field 'requirePKCE' must be -1, 0 or 1.")
    return found


def _set_pkce(session: Session, client: Client, required: int) -> None:
    session.flush()
    session.execute(delete(ClientPkce).where(ClientPkce.client_id == client.client_id))
    if required != _AS_GLOBAL and client.type == PUBLIC:
        session.add(ClientPkce(client_id=client.client_id, required=required))
        session.flush()


def _shown_pkce(state: State, session: Session, client: Client) -> object:
    own = session.get(ClientPkce, client.client_id)
    required = own.required if own is not None else _AS_GLOBAL
    match state.profile.client_pkce:
        case "boolean":
            return required == 1
        case "text":
            return str(required)
        case _:
            return required


def answer(
    state: State, session: Session, client: Client, scopes: Sequence[str], secret: str | None = None
) -> dict[str, object]:
    """A client as ClientOut; the profile says how its secret is shown after the response in which the server generates it."""
    sealed = {"registration_access_token": state.vault.open(client.registration_access_token)}
    result = answer_fields(client, [field for field in FIELDS if field.name != "scopes"], sealed)
    result["version"] = _shown_version(state, client)
    result["scopes"] = list(scopes)
    if state.profile.client_pkce != "absent":
        result["requirePKCE"] = _shown_pkce(state, session, client)
    result["client_id"] = client.client_id
    shown = secret if state.profile.secret_at_creation else None
    if shown is None and client.secret_hash is not None and state.profile.secrets != "hidden":
        shown = MASK if state.profile.secrets == "masked" else state.shown_secrets.get(client.client_id)
    if shown is not None:
        result["client_secret"] = shown
    return result


def _natural_key(state: State, client: Client) -> dict[str, object]:
    return {"name": client.name, "version": _shown_version(state, client), "type": client.type}


def _shown_version(state: State, client: Client) -> str | int:
    looks_like_number = re.fullmatch(r"0|-?[1-9][0-9]{0,9}", client.version) is not None
    return int(client.version) if looks_like_number and (state.strict or client.version_is_number) else client.version


def apply(state: State, session: Session, client: Client, values: Mapping[str, Value]) -> list[str]:
    """Set new values on a client and check the result against the rules of client registrations.

    Returns:
        the client's scopes afterwards.

    Raises:
        AdminError: 400 when a rule is broken, 409 when another client has the name and version.
    """
    scopes = cast("list[str]", values["scopes"]) if "scopes" in values else scopes_of(session, client.client_id)
    with session.no_autoflush:
        for attribute, value in values.items():
            if attribute == "scopes":
                continue
            if attribute == "version":
                client.version_is_number = isinstance(value, int)
                value = str(value)
            if attribute == "registration_access_token":
                value = state.vault.seal(cast("str | None", value))
            setattr(client, attribute, value)
        check_rules(client)
        other = find_client(session, client.name, client.version)
        if other is not None and other.client_id != client.client_id:
            raise conflict(f"A client named {shown(client.name)} with version {shown(client.version)} exists.")
        if "scopes" in values:
            known = set(session.scalars(select(Scope.name).where(Scope.name.in_(scopes)))) if scopes else set()
            unknown = [scope for scope in scopes if scope not in known]
            if unknown:
                raise invalid(f"Field 'scopes' names the unknown scope {shown(unknown[0])}.")
    return scopes


def check_rules(client: Client) -> None:
    """The rules of a client registration (guide, Registering Clients)."""
    check_name("name", client.name, FORBIDDEN_IN_NAMES)
    check_name("version", client.version, FORBIDDEN_IN_NAMES)
    for uri in client.redirect_uris:
        if not _URI_START.match(uri):
            raise invalid("Field 'redirect_uris' must contain URIs that start with http:// or https:// and a host.")
        bad = next((c for c in uri if c in FORBIDDEN_IN_URIS or c.isspace() or not c.isprintable()), None)
        if bad is not None or len(uri) > 2048:
            raise invalid(
                f"Field 'redirect_uris' contains a URI that is too long or contains one of {FORBIDDEN_IN_URIS}"
            )
    if (client.authorization_code_grant or client.implicit_grant) and not client.redirect_uris:
        raise invalid("Field 'redirect_uris' is required with the authorization code or implicit grant.")
    if client.type == PUBLIC and (client.client_credentials_grant or client.password_grant):
        raise invalid(
            "Fields 'clientCredentialsGrant' and 'resourceOwnerCredentialsGrant' are for confidential clients only."
        )
    if client.token_lifetime == 0:
        raise invalid("Field 'tokenLifetime' must be at least 1, -1 for never, or -2 for the global setting.")


def set_account(state: State, session: Session, client: Client) -> None:
    """Create, update or remove the user account of a confidential client (guide, Configuring OAuth: client types).

    Its name is the client_id and its password the secret. An account that was created otherwise is left alone.
    """
    session.flush()
    user, own = session.get(User, client.client_id), session.get(ClientAccount, client.client_id)
    if own is not None and user is not None and client.type == PUBLIC:
        session.delete(user)
    elif own is not None and user is not None:
        user.password_hash = client.secret_hash or ""
    elif user is None and client.type != PUBLIC and state.profile.client_accounts:
        session.add(User(name=client.client_id, password_hash=client.secret_hash or "", enabled=True))
        session.flush()
        session.add(ClientAccount(user=client.client_id))
    session.flush()


def set_secret(state: State, client: Client, given: str | None) -> str | None:
    """Make sure that a confidential client has a secret and a public one has none.

    Returns:
        the secret when it was generated here; the only time that it is known.
    """
    if client.type == PUBLIC:
        if given is not None:
            raise invalid("Field 'client_secret' is for confidential clients only.")
        client.secret_hash = None
        return None
    if given is not None:
        if not 8 <= len(given) <= 1024:
            raise invalid("Field 'client_secret' must have 8 to 1024 characters.")
        client.secret_hash = hash_chosen(given)
        _remember(state, client, given)
        return None
    if client.secret_hash is not None:
        return None
    secret = generate_secret()
    client.secret_hash = hash_generated(secret)
    _remember(state, client, secret)
    return secret


def _remember(state: State, client: Client, secret: str) -> None:
    if state.profile.secrets == "clear":
        state.shown_secrets[client.client_id] = secret
