"""Canonical forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, ClientTokens, Grant, Scope, Trust
from oauthdeploy.planning.normalize import (
    canonical_set,
    flatten,
    is_instruction,
    is_unreported,
    live_value,
    same,
    surely_fulfilled,
    wanted_fields,
    write_only,
)


@given(st.lists(st.text(max_size=3), max_size=6), st.randoms())
def test_a_set_has_one_form_whatever_its_order_and_repetitions(values: list[str], random: object) -> None:
    """Sets as sets."""
    shuffled = [*values, *values]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical_set(values if len(set(values)) == len(values) else shuffled) == canonical_set(shuffled)
    assert canonical_set(shuffled) == tuple(sorted(set(values)))


def test_flatten_gives_written_fields_alone_with_sets_in_order() -> None:
    """A field that was not written is not managed; nested fields are named by dotted path."""
    value = Client(
        grants=(Grant.REFRESH_TOKEN, Grant.AUTHORIZATION_CODE), tokens=ClientTokens(refresh_count=3), name=None
    )
    assert flatten(value) == {
        "name": None,
        "grants": (Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN),
        "tokens.refresh_count": 3,
    }


def test_equivalent_redirect_uris_stay_two() -> None:
    """Exact match is a security property (RFC 9700 section 2.1): nothing merges URIs that a browser takes for the same."""
    uris = ("https://a.example", "https://a.example/", "https://A.example/", "https://a.example:443/")
    assert flatten(Client(redirect_uris=uris))["redirect_uris"] == tuple(sorted(uris))


def test_null_on_a_group_asks_for_null_in_each_of_its_fields() -> None:
    """`tokens: null` means the default of every field of tokens."""
    assert wanted_fields(Client(tokens=None)) == {"tokens.access_lifetime": None, "tokens.refresh_count": None}


def test_null_inside_a_group_asks_for_that_field_alone() -> None:
    """`tokens: {refresh_count: null}` says nothing of the lifetime."""
    assert wanted_fields(Client(tokens=ClientTokens(refresh_count=None))) == {"tokens.refresh_count": None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("secret.generate", True),
        ("secret.revision", True),
        ("secret.deliver_to", True),
        ("secret.deliver_to.file", True),
        ("secret.value", False),
        ("name", False),
    ],
)
def test_instructions_are_no_state(path: str, expected: bool) -> None:
    """What tells the tool what to do is not compared."""
    assert is_instruction(path) is expected


def test_what_a_server_leaves_out_is_its_default() -> None:
    """A default never shows as a difference; a list that is not given is empty."""
    assert live_value(Client, "enabled", None, {"enabled": True}) is True
    assert live_value(Client, "redirect_uris", None, {}) == ()
    assert live_value(Client, "description", None, {}) is None
    assert live_value(Client, "grants", None, {"grants": ("refresh_token", "authorization_code")}) == (
        "authorization_code",
        "refresh_token",
    )


def test_an_empty_text_is_what_a_server_without_one_has() -> None:
    """A server can't tell an empty text from none, so asking for it is fulfilled by none."""
    assert same(None, "")
    assert not same("x", "")
    assert not same(None, ())


def test_said_and_unsaid_secrets_are_told_apart() -> None:
    """A server that says 'no secret' has answered; one that leaves the field out has not."""
    assert is_unreported(flatten(Client(name="x")), "secret.value")
    assert not is_unreported(flatten(Client(secret=None)), "secret.value")
    assert not is_unreported(flatten(Client(secret=ClientSecret(value=Secret("a", "b")))), "secret.value")


def test_write_only_fields_are_known_from_the_model() -> None:
    """The marks of the model say which fields servers don't give back."""
    assert write_only(Client) == {"secret.value"}
    assert write_only(Trust) == {"client_secret", "password"}


def test_the_quick_look_is_sure_or_silent() -> None:
    """True only where all written fields agree; sets in any order; anything else is left to the exact comparison."""
    wanted = Client(name="a", grants=(Grant.PASSWORD, Grant.IMPLICIT), tokens=ClientTokens(refresh_count=1))
    there = Client(
        name="a",
        grants=(Grant.IMPLICIT, Grant.PASSWORD),
        tokens=ClientTokens(refresh_count=1, access_lifetime=9),
        version="1",
    )
    assert surely_fulfilled(wanted, there, frozenset())
    assert not surely_fulfilled(wanted, there.model_copy(update={"name": "b"}), frozenset())
    assert surely_fulfilled(wanted, there.model_copy(update={"name": "b"}), frozenset({"name"}))
    assert not surely_fulfilled(Scope(description=""), Scope(), frozenset())
