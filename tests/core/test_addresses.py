"""Addresses name every object once, and their written form says it all."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, AddressError, Kind, object_address

SERVERS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NAMED = st.sampled_from([Kind.SCOPE, Kind.CLIENT, Kind.REVOCATION])
ADDRESSES = st.one_of(
    st.builds(Address, NAMED, NAMES, SERVERS),
    st.builds(Address.association, NAMES, NAMES, SERVERS),
    st.builds(Address.singleton, st.sampled_from([Kind.TRUST, Kind.SETTINGS]), SERVERS),
)


@given(ADDRESSES)
@pytest.mark.slow
def test_the_written_form_round_trips(address: Address) -> None:
    """parse(str(address)) is the address, whatever its names hold; the form is one printable line."""
    assert Address.parse(str(address)) == address
    assert str(address).isprintable()


@given(NAMED, NAMES, SERVERS)
def test_an_address_without_its_server_is_its_beginning(kind: Kind, name: str, server: str) -> None:
    """One spelling of a name, with the server and without: `@` at the end of a name stays."""
    assert f"{object_address(kind, name)}@{server}" == str(Address(kind, name, server))


@given(NAMES, NAMES, SERVERS)
def test_an_association_gives_its_two_ends_back(client: str, scope: str, server: str) -> None:
    """Client and scope are told apart even when they hold colons, at signs and slashes."""
    address = Address.parse(str(Address.association(client, scope, server)))
    assert (address.client, address.scope, address.server) == (client, scope, server)


@given(st.lists(ADDRESSES, max_size=8), st.randoms(use_true_random=False))
def test_addresses_sort_the_same_whatever_the_order(addresses: list[Address], random: Random) -> None:
    """Sorting is total, so equal input gives equal plans."""
    shuffled = random.sample(addresses, len(addresses))
    assert sorted(addresses) == sorted(shuffled)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_says_why_not(text: str) -> None:
    """No text gives another error than AddressError."""
    try:
        parsed = Address.parse(text)
    except AddressError as error:
        assert "write" in str(error) or "none of" in str(error)
    else:
        assert Address.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("client/web-shop@login", Kind.CLIENT, "web-shop"),
        ("scope/https://api.example.com/read@orders", Kind.SCOPE, "https://api.example.com/read"),
        ("scope/a@b@orders", Kind.SCOPE, "a@b"),
        ("settings@login", Kind.SETTINGS, ""),
        ("trust@orders", Kind.TRUST, ""),
        ("association/web-shop:orders.read@login", Kind.ASSOCIATION, "web-shop:orders.read"),
    ],
)
def test_addresses_look_as_documented(text: str, kind: Kind, name: str) -> None:
    """The forms of the documentation are read and written letter by letter."""
    address = Address.parse(text)
    assert (address.kind, address.name, str(address)) == (kind, name, text)


@pytest.mark.parametrize(
    "text",
    ["", "client", "client/x", "@login", "klient/x@login", "client/@login", "settings/x@login", "association/x@login"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """The message shows how an address is written."""
    with pytest.raises(AddressError):
        Address.parse(text)


def test_a_client_names_no_scope_and_the_reverse() -> None:
    """Asking an address for what it is not about is an error, not an empty text."""
    with pytest.raises(ValueError, match="names no scope"):
        _ = Address.parse("client/x@s").scope
    with pytest.raises(ValueError, match="names no client"):
        _ = Address.parse("scope/x@s").client
