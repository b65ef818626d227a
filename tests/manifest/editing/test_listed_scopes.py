"""The option that lists default scopes is written as `as` at the associations, or stays as it is."""

from __future__ import annotations

import pytest

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
