"""Which live client is which of the manifest: the id first, then name and version, then the former key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.webmethods.client_matching import Sought, find_loosely, match
from oauthdeploy.drivers.webmethods.mapping import LiveClient, read_client
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Client


def live(client_id: str, name: str, version: str = "1") -> LiveClient:
    return read_client({"client_id": client_id, "name": name, "version": version, "type": "Public"})


def found(lives: list[LiveClient], *sought: Sought) -> dict[str, tuple[str, bool]]:
    return {key: (one.live.client_id, one.moved) for key, one in match(lives, sought).items()}


def want(key: str, former: str | None = None, **fields: str) -> Sought:
    return Sought(key, Client.model_validate(fields), former)


def test_the_id_comes_before_the_name() -> None:
    """A client with the key as its id is meant, whatever it is called."""
    lives = [live("other", "shop"), live("shop", "Something Else")]
    assert found(lives, want("shop")) == {"shop": ("shop", False)}


def test_name_and_version_are_the_natural_key() -> None:
    """Two versions are two clients."""
    lives = [live("x1", "Web Shop", "1"), live("x2", "Web Shop", "2")]
    assert found(lives, want("a", name="Web Shop"), want("b", name="Web Shop", version="2")) == {
        "a": ("x1", False),
        "b": ("x2", False),
    }
    assert found(lives, want("c", name="Web Shop", version="3")) == {}


def test_a_moved_client_is_found_at_its_former_key() -> None:
    """By its former id or its former name; once it is renamed, the former key means nothing any more."""
    assert found([live("x", "old")], want("new", "old")) == {"new": ("x", True)}
    assert found([live("old", "Any")], want("new", "old")) == {"new": ("old", True)}
    assert found([live("x", "new"), live("y", "old")], want("new", "old")) == {"new": ("x", False)}
    assert found([live("x", "old")], want("new", "old"), want("old")) == {"old": ("x", False)}


def test_a_key_alone_finds_by_label_name_and_version_one() -> None:
    """Marked absent, a client is named by one word: its id, the label of the server's pages, or its name."""
    lives = [live("x1", "Shop", "1"), live("x2", "Shop", "2"), live("y", "Solo", "7"), live("z1", "Two", "5")]
    assert found(lives, Sought("Shop (2)")) == {"Shop (2)": ("x2", False)}
    assert found(lives, Sought("Shop")) == {"Shop": ("x1", False)}
    assert found(lives, Sought("Solo")) == {"Solo": ("y", False)}
    several = [*lives, live("z2", "Two", "6")]
    assert found(several, Sought("Two")) == {}


def test_a_key_alone_never_takes_what_another_key_means() -> None:
    """Deleting by a loose name must not hit a client that the manifest wants."""
    assert found([live("x", "Shop")], want("web", name="Shop"), Sought("Shop")) == {"web": ("x", False)}
    assert find_loosely([live("x", "Shop")], "Shop") is not None


def test_what_is_known_of_an_unwanted_client_finds_it() -> None:
    """An absent entry's name and version, or the id in a journal; what is wanted comes first."""
    lives = [live("x1", "Batch", "1"), live("x2", "Batch", "2")]
    assert found(lives, Sought("batch", identity=Identity("Batch", "2"))) == {"batch": ("x2", False)}
    assert found(lives, Sought("batch", identity=Identity("Batch", "3"))) == {}
    assert found(lives, Sought("batch", identity=Identity("Batch", "3", id="x1"))) == {"batch": ("x1", False)}
    assert found(lives, Sought("old", identity=Identity("Batch")), want("new", name="Batch")) == {"new": ("x1", False)}


def test_a_former_key_may_be_a_label() -> None:
    """That is what a plan called the client while the manifest didn't have it."""
    assert found([live("x", "Old", "2")], want("new", "Old (2)")) == {"new": ("x", True)}


@pytest.mark.parametrize("lives", [[live("a", "n"), live("a", "m")], [live("a", "n"), live("b", "n")]])
def test_a_contradictory_list_is_garbled(lives: list[LiveClient]) -> None:
    """Two clients with one id, or with one name and version, can't both be true."""
    with pytest.raises(Garbled):
        match(lives, [])


words = st.sampled_from(["a", "b", "c", "d"])


@given(
    st.dictionaries(st.tuples(words, st.sampled_from(["1", "2"])), words, max_size=5),
    st.lists(st.tuples(words, st.none() | words, st.none() | words), unique_by=lambda one: one[0], max_size=4),
    st.randoms(),
)
def test_every_live_client_belongs_to_one_key_at_most(
    table: dict[tuple[str, str], str], wishes: list[tuple[str, str | None, str | None]], chance: object
) -> None:
    """Whatever the order in which servers list and manifests write."""
    by_id = {client_id: key for key, client_id in table.items()}
    lives = [live(client_id, name, version) for client_id, (name, version) in by_id.items()]
    sought = [want(key, former, **({"name": name} if name else {})) for key, name, former in wishes]
    first = {key: one.live.client_id for key, one in match(lives, sought).items()}
    assert len(set(first.values())) == len(first)
    chance.shuffle(lives)  # type: ignore[attr-defined]
    chance.shuffle(sought)  # type: ignore[attr-defined]
    assert {key: one.live.client_id for key, one in match(lives, sought).items()} == first
