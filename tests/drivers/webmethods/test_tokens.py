"""Which tokens a revocation means, and which still work: times, zones, owners, scopes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.webmethods.tokens import count, parse_server_time, read_token, selected
from oauthdeploy.model.objects import Revocation

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def row(**fields: Any) -> dict[str, Any]:
    return {
        "client_id": "c",
        "scopes": "a b",
        "ownerId": "alice",
        "accessTokenId": "at",
        "refreshTokenId": "",
        "remainingRefreshes": "",
        "createdTime": "2026-11-20 07:00:00 UTC",
        "expireTime": "2026-11-20 09:00:00 UTC",
        **fields,
    }


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-11-20 08:00:00 UTC", None, "2026-11-20T08:00:00"),
        ("2026-11-20 08:00:00 GMT", None, "2026-11-20T08:00:00"),
        ("2026-11-20 08:00:00 CET", None, "2026-11-20T07:00:00"),
        ("2026-07-20 08:00:00 CEST", None, "2026-07-20T06:00:00"),
        ("2026-11-20 08:00:00 EST", None, "2026-11-20T13:00:00"),
        ("2026-11-20 08:00:00 +0530", None, "2026-11-20T02:30:00"),
        ("2026-11-20 08:00:00 GMT-03:00", None, "2026-11-20T11:00:00"),
        ("2026-11-20 08:00:00.123 UTC", None, "2026-11-20T08:00:00"),
        ("2026-11-20 08:00:00 IST", "Asia/Kolkata", "2026-11-20T02:30:00"),
        ("2026-11-20 08:00:00", "Europe/Berlin", "2026-11-20T07:00:00"),
        ("2026-10-25 01:30:00 GMT", "Europe/London", "2026-10-25T01:30:00"),
        ("2026-10-25 01:30:00 BST", "Europe/London", "2026-10-25T00:30:00"),
    ],
)
def test_server_times_are_read_in_utc(text: str, zone: str | None, expected: str) -> None:
    """Abbreviations that mean one offset, offsets, and for the rest the zone that the options name."""
    assert parse_server_time(text, zone) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-20", "2026-13-40 08:00:00 UTC", "0001-01-01 00:00:00 +1400", "20.11.2026 08:00:00 UTC"]
)
def test_what_is_no_time_is_garbled(text: str) -> None:
    """Deleting by a time that was guessed would be worse than stopping."""
    with pytest.raises(Garbled):
        parse_server_time(text, "UTC")


def test_an_ambiguous_zone_needs_the_option() -> None:
    """IST is India, Israel and Ireland."""
    with pytest.raises(Garbled, match=r"options\.timezone"):
        parse_server_time("2026-11-20 08:00:00 IST", None)


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ({}, True),
        ({"owner": "alice"}, True),
        ({"owner": "bob"}, False),
        ({"scope": "b"}, True),
        ({"scope": "a b"}, False),
        ({"tokens": {"issued_before": "2026-11-20T07:00:01Z"}}, True),
        ({"tokens": {"issued_before": "2026-11-20T07:00:00Z"}}, False),
        ({"tokens": {"issued_before": "2026-11-20T08:30:00+01:00"}}, True),
        ({"owner": "alice", "scope": "c"}, False),
    ],
)
def test_a_revocation_means_what_it_says(more: dict[str, Any], chosen: bool) -> None:
    """Client, owner, scope and time must all fit."""
    revocation = Revocation.model_validate({"client": "k", "tokens": "all", **more})
    assert bool(selected([read_token(row())], "c", revocation, None)) is chosen
    assert not selected([read_token(row(client_id="d"))], "c", revocation, None)


@pytest.mark.parametrize(("field", "more"), [("scopes", {"scope": "b"}), ("ownerId", {"owner": "alice"})])
def test_a_list_that_does_not_show_what_selects_tokens_selects_nothing(field: str, more: dict[str, Any]) -> None:
    """No tokens meant and nobody knows which are two things; a null beside other values means that the token has none."""
    revocation = Revocation.model_validate({"client": "k", "tokens": "all", **more})
    hidden = read_token({key: value for key, value in row().items() if key != field})
    with pytest.raises(Garbled, match="no token of the list shows its"):
        selected([hidden], "c", revocation, None)
    assert selected([hidden, read_token(row(accessTokenId="other"))], "c", revocation, None) == [
        read_token(row(accessTokenId="other"))
    ]
    assert selected([hidden], "d", revocation, None) == []


@pytest.mark.parametrize(("later", "chosen"), [(1, True), (0, False), (-1, False)])
def test_a_cut_off_that_was_made_means_the_tokens_from_before_it(later: int, chosen: bool) -> None:
    """What was issued at that moment or later is none of it; what does not say when it was issued is."""
    revocation = Revocation.model_validate({"client": "k", "tokens": "all"})
    token = read_token(row())
    moment = parse_server_time(token.created, None).timestamp() + later
    assert bool(selected([token], "c", revocation, None, moment)) is chosen
    assert selected([read_token(row(createdTime="yesterday"))], "c", revocation, None, moment)


def test_a_time_that_is_not_needed_is_not_read() -> None:
    """`tokens: all` works whatever zone the server writes."""
    token = read_token(row(createdTime="yesterday"))
    assert selected([token], "c", Revocation.model_validate({"client": "k", "tokens": "all"}), None)
    bound = Revocation.model_validate({"client": "k", "tokens": {"issued_before": NOW}})
    with pytest.raises(Garbled):
        selected([token], "c", bound, None)


@pytest.mark.parametrize(
    ("fields", "active", "endless"),
    [
        ({}, 1, False),
        ({"expireTime": "2026-11-20 08:00:00 UTC"}, 0, False),
        ({"expireTime": ""}, 1, True),
        ({"expireTime": None}, 1, True),
        ({"expireTime": "Never"}, 1, True),
        ({"expireTime": "2026-11-20 01:00:00 UTC", "refreshTokenId": "rt", "remainingRefreshes": "3"}, 1, True),
        ({"expireTime": "2026-11-20 01:00:00 UTC", "refreshTokenId": "rt", "remainingRefreshes": "-1"}, 1, True),
        ({"expireTime": "2026-11-20 01:00:00 UTC", "refreshTokenId": "rt", "remainingRefreshes": "0"}, 0, False),
        ({"expireTime": "garbage"}, 1, True),
    ],
)
def test_a_token_works_until_it_and_its_refreshes_end(fields: dict[str, Any], active: int, endless: bool) -> None:
    """By the server's clock; what can't be told counts as working."""
    found = count([read_token(row(**fields))], NOW, None)
    assert (found.active, found.total, found.endless) == (active, 1, endless)
    assert (found.until is not None) == (active == 1 and not endless)


def test_without_the_servers_clock_every_token_counts_as_working() -> None:
    """The local clock is never asked."""
    assert count([read_token(row(expireTime="2001-01-01 00:00:00 UTC"))], None, None).active == 1


@given(st.lists(st.integers(-100, 100), max_size=8))
def test_the_last_end_is_told(offsets: list[int]) -> None:
    """`until` is the latest end among the tokens that still work."""
    rows = [row(expireTime=(NOW + timedelta(minutes=offset)).strftime("%Y-%m-%d %H:%M:%S UTC")) for offset in offsets]
    found = count([read_token(one) for one in rows], NOW, None)
    left = [offset for offset in offsets if offset > 0]
    assert found.active == len(left)
    assert found.until == (NOW + timedelta(minutes=max(left)) if left else None)


@pytest.mark.parametrize("raw", [row(accessTokenId=""), row(accessTokenId=5), row(scopes=["a"]), row(ownerId={}), 7])
def test_a_broken_row_is_garbled(raw: Any) -> None:
    """A token that can't be named can't be deleted, and must not be passed over."""
    with pytest.raises(Garbled):
        read_token(raw)


def test_ids_are_secrets() -> None:
    """Whether an id is the bearer value itself is not public."""
    token = read_token(row(refreshTokenId="rt-value", accessTokenId="at-value"))
    assert "at-value" not in repr(token)
    assert "rt-value" not in repr(token)
