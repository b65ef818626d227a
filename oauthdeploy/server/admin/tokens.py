"""`/admin/oauth/token`: the tokens that were issued, by opaque ids; the tokens themselves are known to nobody."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, expanding, listing
from oauthdeploy.server.admin.errors import missing
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.models import Client, Token

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
        if expanding():
            return {"tokens": [answer(token, client) for token, client in rows]}
        return listing("tokens", [(token.access_id, token.access_id) for token, _ in rows], ACCESS_PATH)

    @api.operation("GET", ACCESS_PATH + "/{accessTokenId}", summary="Read a token", answer="Token")
    def read_access_token(token_id: str) -> object:
        with state.store.read() as session:
            return answer(*_one(session, _all().where(Token.access_id == token_id), token_id))

    @api.operation(
        "DELETE",
        ACCESS_PATH + "/{accessTokenId}",
        summary="Delete an access token and its refresh token",
        status=204,
    )
    def delete_access_token(token_id: str) -> object:
        with state.store.write() as session:
            session.delete(_one(session, _all().where(Token.access_id == token_id), token_id)[0])
        return None

    @api.operation(
        "GET", REFRESH_PATH + "/{refreshTokenId}", summary="Read a token by its refresh token", answer="Token"
    )
    def read_refresh_token(token_id: str) -> object:
        with state.store.read() as session:
            return answer(*_one(session, _all().where(Token.refresh_id == token_id), token_id))

    @api.operation(
        "DELETE",
        REFRESH_PATH + "/{refreshTokenId}",
        summary="Delete a refresh token and its access token",
        status=204,
    )
    def delete_refresh_token(token_id: str) -> object:
        with state.store.write() as session:
            session.delete(_one(session, _all().where(Token.refresh_id == token_id), token_id)[0])
        return None


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
    """A moment as `yyyy-MM-dd HH:mm:ss z`, in UTC; empty for never."""
    if moment is None:
        return ""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):
        return ""
