"""Tokens as an Integration Server lists them: which of them a revocation means, and which are still valid. Pure.

The list contains active and expired access tokens. An expired one whose refresh token is still valid counts as active. Whether
an id in the list is the bearer value itself is not public, so ids are secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import token_handle
from oauthdeploy.drivers.json_values import Garbled, a_list, a_text, an_object
from oauthdeploy.drivers.webmethods.fields import UNLIMITED
from oauthdeploy.model.objects import IssuedBefore, Revocation
from oauthdeploy.model.state import LiveToken, TokenCount

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.\d+)?(?: +(\S+))?\Z")
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{2}):?(\d{2})\Z")

_ZONES: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AEST": 10, "AEDT": 11, "AWST": 8, "NZST": 12, "NZDT": 13, "SAST": 2,
}  # fmt: skip
"""Abbreviations with one offset, in hours. Others (IST, BST, CST ...) are ambiguous and need the zone's name."""

_ENDLESS: Final = frozenset({"", "-1", "never", "never expires"})


class Token(Struct, frozen=True):
    """One row of the list. Times are parsed only when needed. `scopes` and `owner` are None if the row does not show them."""

    client_id: str
    scopes: frozenset[str] | None
    owner: str | None
    access_id: Secret | None
    refresh_id: Secret | None
    refreshes: int | None
    created: str
    expires: str

    @property
    def refreshable(self) -> bool:
        """Whether it has a valid refresh token; if the server does not return the count, it may."""
        return self.refresh_id is not None and self.refreshes != 0

    @property
    def same_ids(self) -> tuple[str, ...]:
        """What identifies the row; never to be shown."""
        return tuple(part.reveal() for part in (self.access_id, self.refresh_id) if part is not None)


def token_rows(body: Any) -> Sequence[Any]:
    """The rows in a response: of its one list, or of its two, for access tokens and for refresh tokens. Raises Garbled."""
    if not isinstance(body, Mapping):
        return a_list(body, "tokens")
    lists = {str(name).lower().replace("_", ""): value for name, value in body.items() if isinstance(value, list)}
    known = [value for name, value in lists.items() if name in _LISTS]
    others = [value for name, value in lists.items() if name not in _LISTS]
    if len(known) < 2 or any(isinstance(item, Mapping) for value in others for item in value):
        return a_list(body, "tokens")
    return [row for value in known for row in value]


_LISTS: Final = frozenset({"tokens", "accesstokens", "refreshtokens"})


def read_token(body: Any) -> Token:
    """Raises Garbled."""
    raw = an_object(body, "a token")
    access, refresh = a_text(raw, "accessTokenId"), a_text(raw, "refreshTokenId")
    # The documentation leaves open whether a row is an access token, a refresh token or both.
    if not access and not refresh:
        raise Garbled("a token has no id")
    return Token(
        client_id=a_text(raw, "client_id"),
        scopes=frozenset(a_text(raw, "scopes").split()) if raw.get("scopes") is not None else None,
        owner=a_text(raw, "ownerId") if raw.get("ownerId") is not None else None,
        access_id=Secret(access, "server") if access else None,
        refresh_id=Secret(refresh, "server") if refresh else None,
        refreshes=_remaining(raw.get("remainingRefreshes")) if refresh else None,
        created=a_text(raw, "createdTime"),
        expires=a_text(raw, "expireTime"),
    )


def _remaining(value: Any) -> int | None:
    """How many refreshes are left, -1 for without limit; None if the server does not return it."""
    try:
        return max(int(str(value)[:12]), UNLIMITED)
    except ValueError:
        return None


def parse_server_time(text: str, zone: str | None) -> datetime:
    """Parse `yyyy-MM-dd HH:mm:ss z` into UTC; `zone` is the server's time zone, for ambiguous z. Raises Garbled."""
    match = _TIME.match(text.strip())
    if match is None:
        raise Garbled("a time is not written as yyyy-MM-dd HH:mm:ss z")
    try:
        plain = datetime.fromisoformat(match[1])
        return _placed(plain, match[2] or "", zone).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise problem if isinstance(problem, Garbled) else Garbled("a time is out of range") from None


def _placed(plain: datetime, written: str, zone: str | None) -> datetime:
    if written in _ZONES:
        return plain.replace(tzinfo=timezone(timedelta(hours=_ZONES[written])))
    offset = _OFFSET.match(written)
    if offset is not None:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return plain.replace(tzinfo=timezone(-size if offset[1] == "-" else size))
    if zone is None:
        raise Garbled("a time's zone is ambiguous; name the server's time zone in options.timezone")
    # Once a year an hour occurs twice; the abbreviation says which of the two it is.
    places = [plain.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
    return next((place for place in places if place.tzname() == written), places[0])


def selected(
    tokens: Iterable[Token], client_id: str, revocation: Revocation, zone: str | None, cut_at: float | None = None
) -> Sequence[Token]:
    """The tokens that a revocation means; for `all` carried out at `cut_at` (seconds since 1970), those from before, and those
    without a time of issue.

    Raises Garbled if the list does not show what selects tokens, or if a time of issue is needed and cannot be parsed.
    """
    listed = list(tokens)
    own = [token for token in listed if token.client_id == client_id]
    if own and revocation.owner is not None:
        _require_shown([token.owner for token in listed], "owner")
    if own and revocation.scope is not None:
        _require_shown([token.scopes for token in listed], "scopes")
    chosen = []
    for token in own:
        if revocation.owner is not None and token.owner != revocation.owner:
            continue
        if revocation.scope is not None and revocation.scope not in (token.scopes or ()):
            continue
        if revocation.handles is not None and handle_of(token) not in revocation.handles:
            continue
        bound = revocation.tokens
        if isinstance(bound, IssuedBefore) and parse_server_time(token.created, zone) >= bound.issued_before:
            continue
        if bound == "all" and cut_at is not None and _is_from(token, cut_at, zone):
            continue
        chosen.append(token)
    return chosen


def _require_shown(values: Sequence[object], what: str) -> None:
    """A null means that a token has none; but where no row shows it, nobody knows which tokens are meant. Raises Garbled."""
    if all(value is None for value in values):
        raise Garbled(f"no token of the list shows its {what}")


def _is_from(token: Token, moment: float, zone: str | None) -> bool:
    """Whether a token was issued at a given time or later."""
    issued = _issued(token, zone)
    return issued is not None and issued.timestamp() >= moment


def count(tokens: Sequence[Token], now: datetime | None, zone: str | None) -> TokenCount:
    """How many of the tokens are still valid at `now`, the server's clock, and until when; unknown counts as valid."""
    active, until, endless = 0, None, False
    for token in tokens:
        end = _end(token, zone)
        if token.refreshable or end is None:
            active, endless = active + 1, True
        # The list may contain expired tokens, too.
        elif now is None or end > now:
            active += 1
            until = end if until is None else max(until, end)
    return TokenCount(active=active, total=len(tokens), until=None if endless else until, endless=endless)


def working(tokens: Iterable[Token], now: datetime | None, zone: str | None) -> Sequence[LiveToken]:
    """The tokens that are still valid at `now`, the server's clock; unknown counts as valid."""
    found = []
    for token in tokens:
        until = None if token.refreshable else _end(token, zone)
        if until is None or now is None or until > now:
            issued = _issued(token, zone)
            found.append(
                LiveToken(
                    token.client_id,
                    token.scopes or frozenset(),
                    issued,
                    until,
                    token.owner or "",
                    handle_of(token),
                    token.refreshes,
                )
            )
    return found


def handle_of(token: Token) -> str:
    """The handle by which people name the token: derived from its id, which never leaves this program."""
    return token_handle(token.same_ids[0])


def _issued(token: Token, zone: str | None) -> datetime | None:
    try:
        return parse_server_time(token.created, zone)
    except Garbled:
        return None


def _end(token: Token, zone: str | None) -> datetime | None:
    if token.expires.strip().lower() in _ENDLESS:
        return None
    try:
        return parse_server_time(token.expires, zone)
    except Garbled:
        return None
