"""The option that lists default scopes is written as `as` at the associations, or stays as it is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from oauthdeploy.manifest.editing import listed_scopes
from oauthdeploy.manifest.editing.drafts import Drafts
from oauthdeploy.manifest.editing.listed_scopes import with_ways_at_associations
from oauthdeploy.manifest.source import Source

LISTING = [("keycloak", "default_scopes")]


def rewritten(*texts: str) -> list[str]:
    sources = [Source(f"{number}.yaml", text) for number, text in enumerate(texts)]
    made = with_ways_at_associations(sources, LISTING)
    assert with_ways_at_associations(made, LISTING) == made
    return [source.text for source in made]


def client(scopes: str, more: str = "") -> str:
    return f"clients:\n  web: {{type: public, options: {{keycloak: {{default_scopes: {scopes}{more}}}}}}}\n"


CASES = {
    "some": ("[a]", "[a, b]", ["scopes: [a], as: default", "scopes: [b], as: optional"]),
    "all": ("[b, a]", "[a, b]", ["scopes: [a, b], as: default"]),
    "none": ("[]", "[a, b]", ["scopes: [a, b], as: optional"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_list_becomes_what_it_means(name: str) -> None:
    """Across the files of a manifest; options that are empty afterwards go too."""
    listed, scopes, entries = CASES[name]
    made = rewritten(client(listed), f"associations:\n  - {{client: web, scopes: {scopes}}}\n")
    assert made == [
        "clients:\n  web: {type: public}\n",
        "associations:\n" + "".join(f"  - {{client: web, {entry}}}\n" for entry in entries),
    ]


def test_other_options_stay() -> None:
    """Only the list goes."""
    text = client("[a]", ", require_par: true") + "associations: [{client: web, scopes: [a]}]\n"
    assert "options: {keycloak: {require_par: true}}" in rewritten(text)[0]


UNTOUCHED = {
    "no list of associations": client("[a]"),
    "a scope without association": client("[a, c]") + "associations: [{client: web, scopes: [a]}]\n",
    "associations that say it": client("[a]") + "associations: [{client: web, scopes: [a], as: default}]\n",
    "two entries": client("[a]") + "associations: [{client: web, scopes: [a]}, {client: web, scopes: [b]}]\n",
    "from the other end": client("[a]") + "associations: [{client: web, scopes: [a]}, {scope: b, clients: [web]}]\n",
    "a reference": client("['${var.s}']") + "associations: [{client: web, scopes: ['${var.s}']}]\n",
    "null": client("null") + "associations: [{client: web, scopes: [a]}]\n",
    "a comment": "clients:\n  web:\n    options:\n      keycloak:\n        default_scopes: [a]  # why\n"
    "associations: [{client: web, scopes: [a]}]\n",
    "an environment": client("[a]")
    + "associations: [{client: web, scopes: [a]}]\nenvironments: {prod: {clients: {web: {enabled: false}}}}\n",
    "another driver": "clients: {web: {options: {other: {default_scopes: [a]}}}}\nassociations: [{client: web, scopes: [a]}]\n",
    "no YAML": "clients: {web: {options: {keycloak: {default_scopes: [a]\n",
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_not_surely_the_same_stays(name: str) -> None:
    """To the byte: `fmt` never changes what a manifest means, and loses no comment."""
    assert rewritten(UNTOUCHED[name]) == [UNTOUCHED[name]]


def many(count: int, *, odd: int = -1, note: str = "") -> Source:
    """A file with a list of default scopes at each client; one client has `note` after its list."""
    clients = "".join(
        f"  c{number}:\n    options:\n      keycloak:\n        default_scopes: [a]{note if number == odd else ''}\n"
        for number in range(count)
    )
    associations = "".join(f"  - {{client: c{number}, scopes: [a, b]}}\n" for number in range(count))
    return Source("m.yaml", f"clients:\n{clients}associations:\n{associations}")


def drafts_made(source: Source, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """How often the file was read to be changed, and its text afterwards."""
    made: list[Drafts] = []

    class Counted(Drafts):
        def __init__(self, sources: Iterable[Source]) -> None:
            super().__init__(sources)
            made.append(self)

    monkeypatch.setattr(listed_scopes, "Drafts", Counted)
    (after,) = with_ways_at_associations([source], LISTING)
    return len(made), after.text


def test_all_clients_are_changed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read and written once, however many clients it has: time grows with its length and not with the square."""
    reads, text = drafts_made(many(50), monkeypatch)
    assert reads == 1
    assert "options" not in text
    assert text.count("as: default") == text.count("as: optional") == 50


def test_a_comment_keeps_only_its_own_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of all other clients go, with one more look at the file."""
    reads, text = drafts_made(many(50, odd=7, note="  # why"), monkeypatch)
    assert reads == 2
    assert text.count("default_scopes") == 1
    assert "default_scopes: [a]  # why" in text


def test_an_anchor_keeps_only_the_lists_that_need_it() -> None:
    """What cannot be changed in place stays, and the rest is changed all the same."""
    text = many(20).text.replace("[a]\n", "&l [a]\n", 1)
    (made,) = rewritten(text + "variables: {l: *l}\n")
    assert made.count("default_scopes") == 1
    assert made.count("as: default") == 19


def test_options_that_many_clients_share_cost_no_attempt_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them can lose its list, and trying one by one would read and write the file twice for each."""
    clients = "".join(f"  c{number}: {{options: *o}}\n" for number in range(1, 40))
    associations = "".join(f"  - {{client: c{number}, scopes: [a]}}\n" for number in range(40))
    first = "clients:\n  c0:\n    options: &o {keycloak: {default_scopes: [a]}}\n"
    source = Source("m.yaml", f"{first}{clients}associations:\n{associations}")
    assert drafts_made(source, monkeypatch) == (1, source.text)


def test_options_by_an_alias_stay() -> None:
    """Their other user would lose them."""
    text = "clients:\n  a:\n    options: &o {keycloak: {default_scopes: [a]}}\n  b:\n    options: *o\nassociations:\n"
    text += "  - {client: a, scopes: [a]}\n  - {client: b, scopes: [a]}\n"
    assert rewritten(text) == [text]
