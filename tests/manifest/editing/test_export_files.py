"""An export into files: options where they are written, and each change in the file that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.manifest.compose import merge_files
from oauthdeploy.manifest.editing.export_merge import write_export
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.objects import AssignedAs
from oauthdeploy.planning.export.values import EntryEdit, Export, OptionEdit, SettingsEdit

OPTIONS = """\
settings:
  options: {keycloak: {display_name: Ours}}
  overrides:
    b: {options: {keycloak: {display_name: Theirs}}}

clients:
  shop:
    type: public
    options:
      keycloak:  # what the model lacks
        base_url: ${var:base}  # the shop
        attributes:
          login_theme: shop  # theirs
          a.b: "1"
"""


def edited(text: str, edit: Export, environment: str | None = None) -> str:
    (made,) = write_export([Source("a.yaml", text)], edit, environment).files
    return made.text


def option(*keys: str, gone: bool = False, alike: bool = True, **values: Any) -> OptionEdit:
    return OptionEdit(("keycloak", *keys), values or {"a": None}, alike=alike, gone=gone)


def client(*edits: OptionEdit) -> Export:
    return Export(clients=(EntryEdit("shop", options=edits),))


def test_an_option_is_changed_where_it_is_written() -> None:
    """The key that it has, with all comments around it; null is written as null."""
    made = edited(OPTIONS, client(option("attributes", "a.b", a="2"), option("attributes", "login_theme", a=None)))
    assert made == OPTIONS.replace('a.b: "1"', 'a.b: "2"').replace("login_theme: shop", "login_theme: null")


def test_an_option_that_goes_takes_empty_mappings_along() -> None:
    """So that nothing is left that says nothing."""
    made = edited(
        OPTIONS, client(option("attributes", "a.b", gone=True), option("attributes", "login_theme", gone=True))
    )
    assert "attributes" not in made
    assert "base_url: ${var:base}" in made
    gone = edited(
        "clients:\n  shop:\n    type: public\n    options: {keycloak: {x: y}}\n", client(option("x", gone=True))
    )
    assert gone == "clients:\n  shop:\n    type: public\n"


@pytest.mark.parametrize(
    ("edit", "common", "own"),
    [
        (option("display_name", a="New"), "New", "Theirs"),
        (option("display_name", a="New", b="New"), "New", "New"),
        (option("display_name", b="New", alike=False), "Ours", "New"),
    ],
)
def test_an_option_of_settings_goes_to_the_override_that_has_it(edit: OptionEdit, common: str, own: str) -> None:
    """Else to what all share, where all have the same ones."""
    made = edited(OPTIONS, Export(settings=SettingsEdit(options=(edit,))))
    assert f"  options: {{keycloak: {{display_name: {common}}}}}\n" in made
    assert f"    b: {{options: {{keycloak: {{display_name: {own}}}}}}}\n" in made


def test_an_option_of_settings_that_one_server_holds_otherwise_becomes_an_override() -> None:
    """What the others hold stays said."""
    made = edited(OPTIONS, Export(settings=SettingsEdit(options=(option("display_name", c="New", alike=False),))))
    assert "options: {keycloak: {display_name: Ours}}" in made
    assert "    c:\n      options:\n        keycloak:\n          display_name: New\n" in made


def test_an_option_that_an_environment_writes_is_changed_there() -> None:
    """The document's own value stays."""
    text = (
        OPTIONS + "environments:\n  prod:\n    clients:\n      shop: {options: {keycloak: {base_url: https://prod}}}\n"
    )
    made = edited(text, client(option("base_url", a="https://new")), "prod")
    assert "base_url: ${var:base}  # the shop" in made
    assert "https://new" in made.partition("environments:")[2]
    assert "https://prod" not in made


def test_files_that_are_not_concerned_come_back_as_they_are() -> None:
    """Also where they are not in canonical form; new entries go to the last file with the section, else to the first."""
    sources = [
        Source("1.yaml", "version:   1\n"),
        Source("2.yaml", "clients:\n    a: {type:   public}\n"),
        Source("3.yaml", "clients:\n    b: {type:   public}\n"),
        Source("4.yaml", "scopes: {}   # none yet\n"),
    ]
    found = Export(
        clients=(EntryEdit("c", values={"type": "public"}),),
        scopes=(EntryEdit("s", values={"description": "S"}),),
        associations={"c": {"s": None}},
    )
    made = [source.text for source in write_export(sources, found).files]
    assert made == [
        "version: 1\n\nassociations:\n  - {client: c, scopes: [s]}\n",
        sources[1].text,
        "clients:\n  b: {type: public}\n  c:\n    type: public\n",
        "scopes:  # none yet\n  s:\n    description: S\n",
    ]


def test_a_list_from_either_end_is_found_in_every_file() -> None:
    """The first list of the client is the one that stays; lists from the scopes' end say it no more."""
    sources = [
        Source("1.yaml", "associations:\n  - {scope: x, clients: [a, c]}\n"),
        Source("2.yaml", "associations:\n  - {client: c, scopes: [s]}\n"),
        Source("3.yaml", "associations:\n  - {client: c, scopes: [t]}\n"),
    ]
    found = Export(associations={"c": {"s": None, "x": None}})
    made = [source.text for source in write_export(sources, found).files]
    assert made == [
        "associations:\n  - {scope: x, clients: [a]}\n",
        "associations:\n  - {client: c, scopes: [s, x]}\n",
        "associations: []\n",
    ]


DEFAULT, OPTIONAL = AssignedAs.DEFAULT, AssignedAs.OPTIONAL
LISTS = {
    "nothing yet": ("{}\n", ["client: c, scopes: [d], as: default", "client: c, scopes: [o, p], as: optional"]),
    "one without a word": (
        "associations:\n  - {client: c, scopes: [d, o, p]}  # all\n",
        ["client: c, scopes: [d], as: default", "client: c, scopes: [o, p], as: optional"],
    ),
    "one that is right": (
        "associations:\n  - {client: c, scopes: [p, o], as: optional}\n",
        ["client: c, scopes: [p, o], as: optional", "client: c, scopes: [d], as: default"],
    ),
    "both the wrong way": (
        "associations:\n  - {client: c, scopes: [d], as: optional}\n  - {client: c, scopes: [o, p], as: default}\n",
        ["client: c, scopes: [o, p], as: optional", "client: c, scopes: [d], as: default"],
    ),
    "from the scope's end": (
        "associations:\n  - {scope: o, clients: [c, b], as: default}\n",
        [
            "scope: o, clients: [b], as: default",
            "client: c, scopes: [d], as: default",
            "client: c, scopes: [o, p], as: optional",
        ],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_client_has_one_entry_for_each_way_of_having_scopes(name: str) -> None:
    """Entries that say so already stay to the byte, the others are changed where they stand; again it changes nothing."""
    before, wanted = LISTS[name]
    found = Export(
        associations={"c": {"d": DEFAULT, "o": OPTIONAL, "p": OPTIONAL}}, listing=(("keycloak", "default_scopes"),)
    )
    (made,) = write_export([Source("1.yaml", before)], found).files
    lines = [line.strip().split("  #")[0] for line in made.text.splitlines() if line.strip().startswith("- {")]
    assert lines == [f"- {{{each}}}" for each in wanted]
    assert write_export([made], found).files == (made,)


def test_a_list_takes_the_place_of_the_option_that_said_the_same() -> None:
    """Two places for one fact would contradict each other after the next change."""
    text = "clients:\n  c:\n    type: public\n    options: {keycloak: {default_scopes: [d]}}\n"
    found = Export(associations={"c": {"d": OPTIONAL}}, listing=(("keycloak", "default_scopes"),))
    (made,) = write_export([Source("1.yaml", text)], found).files
    assert made.text == (
        "clients:\n  c:\n    type: public\n\nassociations:\n  - {client: c, scopes: [d], as: optional}\n"
    )


# -- whatever is written where ----------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")
names = st.sampled_from(NAMES)
texts = st.sampled_from(["x", "y", "true", "1", "${", ": #"])
entries = st.fixed_dictionaries({}, optional={"description": texts, "name": texts, "on": st.just(["one"])})
manifests = st.fixed_dictionaries(
    {},
    optional={
        "settings": st.dictionaries(st.sampled_from(["require_https", "require_pkce"]), st.booleans()),
        "scopes": st.dictionaries(names, entries),
        "clients": st.dictionaries(names, entries),
        "associations": st.lists(
            st.fixed_dictionaries({"client": names, "scopes": st.lists(names, unique=True)})
            | st.fixed_dictionaries({"scope": names, "clients": st.lists(names, unique=True)}),
            max_size=4,
        ),
    },
)
edits: st.SearchStrategy[tuple[EntryEdit, ...]] = st.lists(
    st.builds(
        EntryEdit,
        names,
        values=st.dictionaries(st.sampled_from(["description", "name"]), texts),
        everywhere=st.booleans(),
        gone=st.booleans(),
    ),
    unique_by=lambda edit: edit.name,
).map(tuple)


exports = st.builds(
    Export,
    scopes=edits,
    clients=edits,
    settings=st.builds(
        SettingsEdit, st.dictionaries(st.sampled_from(["require_https", "require_pkce"]), st.none() | st.booleans())
    ),
    associations=st.dictionaries(names, st.none() | st.dictionaries(names, st.none() | st.sampled_from(AssignedAs))),
)


@settings(max_examples=200, deadline=None)
@given(manifests, exports, st.data())
@pytest.mark.slow
def test_files_say_together_what_one_file_would(whole: dict[str, Any], found: Export, data: st.DataObject) -> None:
    """However a manifest is spread, the export changes it to the same; and what nothing is changed in keeps its bytes."""
    spread: list[dict[str, Any]] = [{}, {}, {}]
    for section, value in whole.items():
        if isinstance(value, list):
            for entry in value:
                data.draw(st.sampled_from(spread)).setdefault(section, []).append(entry)
        else:
            for key, entry in value.items():
                homes = data.draw(st.lists(st.sampled_from(range(3)), min_size=1, unique=True))
                for home in homes:
                    spread[home].setdefault(section, {})[key] = entry
    sources = [Source(f"{number}.yaml", _yaml(part)) for number, part in enumerate(spread)]
    made = write_export(sources, found).files
    alone = write_export([Source("whole.yaml", _yaml(whole))], found).files
    assert _said(made) == _said(alone)
    for before, after in zip(sources, made, strict=True):
        if read_tree(before)[0] == read_tree(after)[0]:
            assert after.text == before.text


def _yaml(tree: dict[str, Any]) -> str:
    return json.dumps(tree, indent=1, ensure_ascii=False)


def _said(sources: Sequence[Source]) -> Any:
    """What the files say together; lists of associations by client and in any order."""
    made, problems = merge_files([read_tree(source)[0] or {} for source in sources], Locator(sources))
    assert problems == []
    tree = {section: value for section, value in made.tree.items() if value}
    tree["associations"] = sorted(json.dumps(entry, sort_keys=True) for entry in tree.get("associations", ()))
    return tree
