"""Issue, refresh, end and describe tokens. Values are stored only as hashes."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import delete, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.server_settings import DISABLE_TOKENS, is_on
from oauthdeploy.server.models import PUBLIC, Client, Code, SpentRefreshToken, Token
from oauthdeploy.server.passwords import digest, generate_client_id
from oauthdeploy.server.state import State, now
from oauthdeploy.server.store import get_settings

USE_GLOBAL = -2
UNLIMITED = -1
_KEEP_USED_CODES = 24 * 3600


class Grant(Struct, frozen=True):
    """What a token is issued for.

    `owner` is the resource owner, or the client_id with client credentials. `code` is the hash of the
    authorization code behind it, so that a second use of the code can end the token.
    """

    client_id: str
    owner: str
    kind: str
    scope: str
    code: str | None = None


class RefreshToken(Struct, frozen=True):
    """A usable refresh token, as it was when it was looked up."""

    access_id: str
    hash: str
    client_id: str
    owner: str
    granted_scope: str
    remaining: int


def lifetime_of(session: Session, client: Client) -> int | None:
    """Lifetime in seconds of the access tokens of a client; None if they never end."""
    seconds = client.token_lifetime
    if seconds == USE_GLOBAL:
        seconds = get_settings(session).access_token_lifetime
    return None if seconds < 0 else seconds


def issue(session: Session, grant: Grant, lifetime: int | None, access: str, refresh: tuple[str, int] | None) -> None:
    """Record a new access token, and the refresh token with its number of uses, if there is one."""
    moment = now()
    session.add(
        Token(
            access_id=generate_client_id(),
            refresh_id=generate_client_id() if refresh else None,
            client_id=grant.client_id,
            owner=grant.owner,
            grant_type=grant.kind,
            scope=grant.scope,
            granted_scope=grant.scope,
            access_hash=digest(access),
            refresh_hash=digest(refresh[0]) if refresh else None,
            remaining=refresh[1] if refresh else None,
            created_at=moment,
            issued_at=moment,
            refreshed_at=None,
            expires_at=None if lifetime is None else moment + lifetime,
            code_hash=grant.code,
        )
    )


def find_refresh_token(session: Session, value: str) -> RefreshToken | None:
    """The refresh token with this value, if it can still be used."""
    row = session.scalar(select(Token).where(Token.refresh_hash == digest(value)))
    if row is None or row.refresh_hash is None or not row.remaining:
        return None
    return RefreshToken(row.access_id, row.refresh_hash, row.client_id, row.owner, row.granted_scope, row.remaining)


def refreshes_left(remaining: int) -> int:
    """How many refreshes are left after one more."""
    return remaining if remaining == UNLIMITED else remaining - 1


def renew(
    session: Session, used: RefreshToken, scope: str, lifetime: int | None, access: str, refresh: str | None
) -> bool:
    """Replace the access token, and the refresh token unless `used` was its last use.

    The ids stay, so a deletion by id also hits a token that has just been refreshed.

    Returns:
        False when somebody else used the refresh token in the meantime; then nothing is changed.
    """
    moment = now()
    changed = session.execute(
        update(Token)
        .where(Token.access_id == used.access_id, Token.refresh_hash == used.hash)
        .values(
            scope=scope,
            access_hash=digest(access),
            refresh_hash=None if refresh is None else digest(refresh),
            remaining=refreshes_left(used.remaining),
            issued_at=moment,
            refreshed_at=moment,
            expires_at=None if lifetime is None else moment + lifetime,
        )
    )
    if rows(changed) == 0:
        return False
    session.add(SpentRefreshToken(hash=used.hash, access_id=used.access_id))
    return True


def end_if_spent(session: Session, value: str, client_id: str) -> None:
    """End the tokens of a client whose already exchanged refresh token shows up again (RFC 9700 section 4.14.2)."""
    spent = session.get(SpentRefreshToken, digest(value))
    if spent is not None:
        session.execute(delete(Token).where(Token.access_id == spent.access_id, Token.client_id == client_id))


def use_code(session: Session, code_hash: str) -> bool:
    """Mark an authorization code as used; False if it was used already or no longer exists."""
    changed = session.execute(update(Code).where(Code.hash == code_hash, Code.used.is_(False)).values(used=True))
    return rows(changed) == 1


def end_tokens_of_code(session: Session, code_hash: str) -> None:
    """End what was issued for an authorization code (RFC 6749 section 4.1.2)."""
    session.execute(delete(Token).where(Token.code_hash == code_hash))


def forget_old_codes(session: Session) -> None:
    """Remove codes that expired long ago and whose second use would be refused anyway."""
    session.execute(delete(Code).where(Code.expires_at < now() - _KEEP_USED_CODES))


def remove_expired(session: Session) -> int:
    """Remove expired access tokens, except those that a refresh token can still renew.

    Returns:
        how many were removed.
    """
    forget_old_codes(session)
    renewable = Token.refresh_hash.is_not(None) & (Token.remaining != 0)
    removed = session.execute(delete(Token).where(Token.expires_at.is_not(None), Token.expires_at <= now(), ~renewable))
    return rows(removed)


def find_token(session: Session, value: str) -> Token | None:
    """The row that holds this value as its access token or refresh token."""
    hashed = digest(value)
    return session.scalar(select(Token).where(or_(Token.access_hash == hashed, Token.refresh_hash == hashed)))


def introspect(state: State, value: str) -> dict[str, object]:
    """The introspection response about a token (RFC 7662 section 2.2).

    For an active access token: token_type, scope, client_id, owner_id, iat and exp (left out if it never ends), and as
    extensions of this server `client_name` and `client_version`, by which a resource server finds the client in its own
    registrations, where the id may be another. For an active refresh token: only active. Tokens of a disabled client are
    inactive.
    """
    inactive: dict[str, object] = {"active": False}
    with state.store.read() as session:
        token = find_token(session, value)
        client = None if token is None else session.get(Client, token.client_id)
    if token is None or client is None or (not client.enabled and is_on(state, DISABLE_TOKENS)):
        return inactive
    if token.refresh_hash == digest(value):
        return {"active": True} if token.remaining and client.refresh_count else inactive
    if token.expires_at is not None and token.expires_at <= now():
        return inactive
    answer: dict[str, object] = {
        "active": True,
        "token_type": "Bearer",
        "scope": token.scope,
        "client_id": token.client_id,
        "owner_id": token.owner,
        "iat": token.issued_at,
    }
    if token.expires_at is not None:
        answer["exp"] = token.expires_at
    if state.profile.introspection == "documented":
        if client.type == PUBLIC:
            # It has no account, so the server that issued the token did not note who requested it.
            del answer["client_id"]
        return answer
    return {**answer, "client_name": client.name, "client_version": client.version}


def shown_introspection(state: State, answer: dict[str, object]) -> dict[str, object]:
    """An introspection response as it is sent: the documented service returns `active` as a string."""
    if state.profile.introspection != "documented":
        return answer
    return {**answer, "active": "true" if answer["active"] else "false"}


def rows(result: object) -> int:
    """The number of rows that a statement changed."""
    assert isinstance(result, CursorResult)
    return result.rowcount
