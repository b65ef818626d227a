"""`/admin/oauth/token`: the issued tokens, by opaque ids; the token values are not stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, expanding, link
from oauthdeploy.server.admin.errors import missing
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.models import Client, Token
from oauthdeploy.server.profile import Profile
from oauthdeploy.server.state import now

PATH = "/admin/oauth/token"
ACCESS_PATH = PATH + "/accesstoken"
REFRESH_PATH = PATH + "/refreshtoken"

FIELDS = (
    Field("client_id", "", "text", "The client that got the token."),
    Field("scopes", "", "text", "Scopes of the access token, separated by spaces."),
    Field("ownerId", "", "text", "The resource owner, or the client_id with client credentials."),
    Field("grantType", "", "text", "The grant that the token came from."),
    Field("tokenType", "", "text", "Bearer."),
    Field("accessTokenId", "", "text", "Opaque id of the access token; not the bearer value."),
    Field("refreshTokenId", "", "text", "Opaque id of the refresh token; empty without one."),
    Field("remainingRefreshes", "", "text", "Refreshes left; -1 without limit, empty without a refresh token."),
    Field("createdTime", "", "text", "When the token was issued, yyyy-MM-dd HH:mm:ss z."),
    Field("lastRefreshedTime", "", "text", "When it was refreshed last; empty if never."),
    Field("expireTime", "", "text", "When the access token ends; empty if never."),
    Field("clientName", "", "text", "Name of the client."),
    Field("clientVersion", "", "text", "Version of the client."),
)


def register(api: Api) -> None:
    """Serve the tokens: list, read, delete. Deleting either of an access and refresh token ends both."""
    state = api.state

    @api.operation("GET", PATH, summary="List access tokens, live and expired", answer="TokenList", expandable=True)
    def list_tokens() -> object:
        with state.store.read() as session:
            rows = session.execute(_all().order_by(Token.created_at, Token.access_id)).all()
        shown = [row for token, client in rows for row in rows_of(state.profile, token, client)]
        if state.profile.token_lists == "two":
            # A row with both ids is shown among the access tokens.
            access = [row for row in shown if row["accessTokenId"]]
            refresh = [row for row in shown if not row["accessTokenId"]]
            return {"access_tokens": _listed(access), "refresh_tokens": _listed(refresh)}
        return {"tokens": _listed(shown)}

    _register_one(api, ACCESS_PATH + "/{accessTokenId}", _with_access, refresh=False)
    _register_one(api, REFRESH_PATH + "/{refreshTokenId}", _with_refresh, refresh=True)


def _register_one(api: Api, path: str, query: Callable[[str], Select[Token, Client]], *, refresh: bool) -> None:
    store, profile = api.state.store, api.state.profile
    deleted = "refresh token and its access token" if refresh else "access token and its refresh token"

    @api.operation("GET", path, summary=f"Read a token{' by its refresh token' if refresh else ''}", answer="Token")
    def read_token(token_id: str) -> object:
        with store.read() as session:
            return answer(*_one(session, query(token_id), token_id))

    @api.operation("DELETE", path, summary=f"Delete {'a' if refresh else 'an'} {deleted}", status=204)
    def delete_token(token_id: str) -> None:
        with store.write() as session:
            end(profile, session, _one(session, query(token_id), token_id)[0], refresh=refresh)


def rows_of(profile: Profile, token: Token, client: Client) -> list[dict[str, object]]:
    """The rows of a token and its refresh token in a list, in the format of the profile."""
    whole: dict[str, object] = dict(answer(token, client))
    if access_is_gone(token):
        whole["accessTokenId"] = ""
    has_access, has_refresh = not access_is_gone(token), bool(token.refresh_id and token.refresh_hash)
    expired = token.expires_at is not None and token.expires_at <= now()
    has_access = has_access and not (expired and profile.expired_tokens == "left_out")
    if profile.token_rows == "pairs" and profile.token_lists == "one":
        return [whole] if has_access or has_refresh else []
    access = {**whole, "refreshTokenId": "", "remainingRefreshes": ""}
    refresh = {**whole, "accessTokenId": "", "expireTime": ""}
    return [*([access] if has_access else []), *([refresh] if has_refresh else [])]


def _listed(rows: list[dict[str, object]]) -> object:
    if expanding():
        return rows
    made: list[object] = []
    for row in rows:
        access, refresh = str(row["accessTokenId"]), str(row["refreshTokenId"])
        made.append(link(access or refresh, access or refresh, ACCESS_PATH if access else REFRESH_PATH))
    return made


def end(profile: Profile, session: Session, token: Token, *, refresh: bool) -> None:
    """End a token by its access token or its refresh token, and also the other one if the profile says so."""
    alone = profile.token_deletion == "single"
    if alone and refresh and not access_is_gone(token):
        token.refresh_id = token.refresh_hash = None
        token.remaining = None
    elif alone and not refresh and token.refresh_hash is not None:
        token.access_hash = f"{GONE}{token.access_id}"
        token.expires_at = now()
    else:
        session.delete(token)


GONE = "gone:"
"""No digest looks like this: the access token was deleted, and its refresh token still works."""


def access_is_gone(token: Token) -> bool:
    """Whether the access token was deleted but its refresh token was not."""
    return token.access_hash.startswith(GONE)


def _with_access(token_id: str) -> Select[Token, Client]:
    return _all().where(Token.access_id == token_id, ~Token.access_hash.startswith(GONE))


def _with_refresh(token_id: str) -> Select[Token, Client]:
    return _all().where(Token.refresh_id == token_id)


def _all() -> Select[Token, Client]:
    return select(Token, Client).join(Client, Client.client_id == Token.client_id)


def _one(session: Session, query: Select[Token, Client], token_id: str) -> tuple[Token, Client]:
    row = session.execute(query).one_or_none()
    if row is None:
        raise missing("token", token_id)
    return row


def answer(token: Token, client: Client) -> dict[str, str]:
    """A token in the document's schema, where every member is a string."""
    return {
        "client_id": token.client_id,
        "scopes": token.scope,
        "ownerId": token.owner,
        "grantType": token.grant_type,
        "tokenType": "Bearer",
        "accessTokenId": token.access_id,
        "refreshTokenId": token.refresh_id or "",
        "remainingRefreshes": "" if token.remaining is None else str(token.remaining),
        "createdTime": shown_time(token.created_at),
        "lastRefreshedTime": shown_time(token.refreshed_at),
        "expireTime": shown_time(token.expires_at),
        "clientName": client.name,
        "clientVersion": client.version,
    }


def shown_time(moment: int | None) -> str:
    """A time as `yyyy-MM-dd HH:mm:ss z`, in UTC; empty for never."""
    if moment is None:
        return ""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):
        return ""
