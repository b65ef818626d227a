"""The list of tokens, and deleting them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from .kit import ALICE, Kit

PATH = "/oauth/token"


def shown(kit: Kit, client: dict[str, object]) -> list[dict[str, str]]:
    tokens = kit.admin("GET", PATH + "?expand=true").json()["tokens"]
    return [token for token in tokens if token["client_id"] == client["client_id"]]


def password_token(kit: Kit, **more: object) -> tuple[dict[str, object], dict[str, str]]:
    client = kit.client(kit.scope("a"), resourceOwnerCredentialsGrant=True, tokenRefreshCount=3, **more)
    return client, kit.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])


def test_a_token_is_shown_in_the_documented_schema(either: Kit) -> None:
    """Every member is a string; ids are opaque and aren't the tokens; times are in UTC."""
    before = datetime.now(UTC).replace(microsecond=0)
    client, token = password_token(either, tokenLifetime=90)
    (entry,) = shown(either, client)
    assert all(isinstance(value, str) for value in entry.values())
    assert entry["ownerId"] == "alice"
    assert entry["grantType"] == "password"
    assert entry["tokenType"] == "Bearer"
    assert entry["remainingRefreshes"] == "3"
    assert entry["lastRefreshedTime"] == ""
    assert entry["scopes"] == token["scope"]
    assert (entry["clientName"], entry["clientVersion"]) == (client["name"], "1")
    assert entry["accessTokenId"] not in (token["access_token"], token["refresh_token"], "")
    assert token["access_token"] not in str(entry)
    created, expires = (
        datetime.strptime(entry[name], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
        for name in ("createdTime", "expireTime")
    )
    assert before <= created <= datetime.now(UTC)
    assert (expires - created).total_seconds() == 90
    short = either.admin("GET", PATH).json()["tokens"]
    url = f"/admin{PATH}/accesstoken/{entry['accessTokenId']}"
    assert {"name": entry["accessTokenId"], "url": url} in short
    assert either.admin("GET", f"{PATH}/accesstoken/{entry['accessTokenId']}").json() == entry
    assert either.admin("GET", f"{PATH}/refreshtoken/{entry['refreshTokenId']}").json() == entry


def test_a_token_without_end_or_refresh(either: Kit) -> None:
    """What there isn't is an empty string."""
    client = either.machine(either.scope("a"), tokenLifetime=-1)
    answer = either.token(client)
    assert "expires_in" not in answer
    assert "refresh_token" not in answer
    (entry,) = shown(either, client)
    assert (entry["expireTime"], entry["refreshTokenId"], entry["remainingRefreshes"]) == ("", "", "")
    assert entry["ownerId"] == client["client_id"]
    assert "exp" not in either.introspect(answer["access_token"])


def test_a_refresh_keeps_the_ids(either: Kit) -> None:
    """A refreshed token stays one entry with its ids, so a deletion by id can't miss it."""
    client, token = password_token(either)
    (before,) = shown(either, client)
    either.token(client, grant_type="refresh_token", refresh_token=token["refresh_token"])
    (after,) = shown(either, client)
    assert after["accessTokenId"] == before["accessTokenId"]
    assert after["refreshTokenId"] == before["refreshTokenId"]
    assert after["remainingRefreshes"] == "2"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", after["lastRefreshedTime"])


@pytest.mark.parametrize("by", ["accesstoken", "refreshtoken"])
def test_deleting_one_ends_both(either: Kit, by: str) -> None:
    """The access token and the refresh token go together, whichever is deleted; other tokens stay."""
    client, token = password_token(either)
    other = either.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])
    entry = shown(either, client)[0]
    if either.introspect(token["access_token"])["iat"] != either.introspect(other["access_token"])["iat"]:
        assert entry["createdTime"] <= shown(either, client)[1]["createdTime"]
    key = entry["accessTokenId" if by == "accesstoken" else "refreshTokenId"]
    assert either.admin("DELETE", f"{PATH}/{by}/{key}").status_code == 204
    pairs = [(either.active(one["access_token"]), either.active(one["refresh_token"])) for one in (token, other)]
    assert sorted(pairs) == [(False, False), (True, True)]
    assert either.admin("DELETE", f"{PATH}/{by}/{key}").status_code == 404
    assert either.admin("GET", f"{PATH}/{by}/{key}").status_code == 404


def test_expired_tokens_are_listed_until_removed(either: Kit) -> None:
    """Expired tokens stay in the list; the removal service takes them, but not what can still be refreshed."""
    gone = either.machine(either.scope("a"), tokenLifetime=1)
    live = either.machine(either.scope("a"))
    renewable, pair = password_token(either, tokenLifetime=1)
    token = either.token(gone)["access_token"]
    either.token(live)
    time.sleep(2.1)
    assert not either.active(token)
    assert len(shown(either, gone)) == 1
    assert either.service("removeExpiredAccessTokens").status_code == 401
    assert either.service_as(ALICE, "removeExpiredAccessTokens").status_code == 401
    response = either.http.get(
        f"{either.url}/invoke/pub.oauth/removeExpiredAccessTokens", auth=("Administrator", "manage-2f6d")
    )
    assert response.json()["removedTokensCount"] >= 1
    assert shown(either, gone) == []
    assert len(shown(either, live)) == 1
    assert len(shown(either, renewable)) == 1
    assert either.token(renewable, grant_type="refresh_token", refresh_token=pair["refresh_token"])
