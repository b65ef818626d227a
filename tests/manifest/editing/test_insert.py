"""Putting an entry into a file that people wrote: nothing else changes, whatever the file looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing.format import format_source
from oauthdeploy.manifest.editing.insert import Entry, NotInserted, insert_entry
from oauthdeploy.manifest.editing.revocations import add_revocation
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.objects import Revocation, Side

HEAD = "version: 1\nname: shop\n"
ENTRY: Entry = {"id": "INC-7", "client": "mobile", "tokens": "all", "block": ["resource"]}
WRITTEN = {"id": "INC-7", "client": "mobile", "tokens": "all", "block": ["resource"]}
ITEM = "  - id: INC-7\n    client: mobile\n    tokens: all\n    block: [resource]\n"
PATH = ("revocations",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, f"{HEAD}\nrevocations:\n{ITEM}"),
        (
            f"{HEAD}\n# who is who\nresource_owners: [a]\n",
            f"{HEAD}\nrevocations:\n{ITEM}\n# who is who\nresource_owners: [a]\n",
        ),
        (f"{HEAD}revocations: []  # none yet\n", f"{HEAD}revocations:  # none yet\n{ITEM}"),
        (f"{HEAD}revocations:\npolicy: {{}}\n", f"{HEAD}revocations:\n{ITEM}policy: {{}}\n"),
        (
            f"{HEAD}revocations:\n  - {{id: A, client: b}}  # old\n    # of it\n  # of the next\n\npolicy: {{}}\n",
            f"{HEAD}revocations:\n  - {{id: A, client: b}}  # old\n    # of it\n{ITEM}  # of the next\n\npolicy: {{}}\n",
        ),
        (
            f"{HEAD}revocations:\n- id: A\n  client: b",
            f"{HEAD}revocations:\n- id: A\n  client: b\n{ITEM.replace('  - ', '- ').replace('    ', '  ')}",
        ),
        (
            f"{HEAD}revocations: [{{id: A, client: b}}]\n",
            f"{HEAD}revocations: [{{id: A, client: b}}, {{id: INC-7, client: mobile, tokens: all, block: [resource]}}]\n",
        ),
        (
            f"{HEAD}revocations:\n  - id: A\n    reason: |\n      lost\n\n      twice\n    client: b\nscopes: {{}}\n",
            f"{HEAD}revocations:\n  - id: A\n    reason: |\n      lost\n\n      twice\n    client: b\n{ITEM}scopes: {{}}\n",
        ),
    ],
    ids=["no-section", "before-later", "empty", "null", "comments", "not-indented", "flow", "block-text"],
)
def test_the_entry_is_added_and_nothing_else_changes(before: str, after: str) -> None:
    """In each form that a list can have, an entry is put at its end in the style of the file."""
    assert insert_entry(Source("m.yaml", before), PATH, ENTRY) == after


def test_windows_line_ends_stay() -> None:
    """A file keeps the line ends that it has."""
    text = f"{HEAD}revocations:\n  - {{id: A, client: b}}\n".replace("\n", "\r\n")
    made = insert_entry(Source("m.yaml", text), PATH, ENTRY)
    assert made == text + ITEM.replace("\n", "\r\n")


def test_the_list_of_an_environment_is_added_to() -> None:
    """The overlay's own list, deeper in."""
    text = f"{HEAD}environments:\n  prod:\n    revocations:\n      - {{id: A, client: b}}\n    settings: {{}}\n"
    made = insert_entry(Source("m.yaml", text), ("environments", "prod", "revocations"), ENTRY)
    data, problems = read_tree(Source("m.yaml", made))
    assert not problems
    assert data["environments"]["prod"]["revocations"] == [{"id": "A", "client": "b"}, WRITTEN]


@pytest.mark.parametrize(
    "text",
    [
        '{"version": "1", "name": "shop"}',
        f"{HEAD}revocations: none\n",
        f"{HEAD}a: &cuts [x]\nrevocations: *cuts\n",
        "version: [\n",
    ],
)
def test_a_file_that_can_not_be_added_to_is_left_and_the_entry_shown(text: str) -> None:
    """The error holds the lines to put in by hand."""
    with pytest.raises(NotInserted) as caught:
        insert_entry(Source("m.yaml", text), PATH, ENTRY)
    assert ITEM.rstrip() in caught.value.fix


@given(
    client=st.text(min_size=1, max_size=30),
    reason=st.text(max_size=30),
    entries=st.lists(st.sampled_from(["- {id: A, client: b}", "- id: B\n    client: 'c # d'\n    # kept"]), max_size=3),
)
def test_whatever_people_type_becomes_text_and_the_file_stays_canonical(
    client: str, reason: str, entries: list[str]
) -> None:
    """Names and reasons can't become YAML or references; a file in canonical form is so afterwards."""
    listed = "revocations:\n" + "".join(f"  {entry}\n" for entry in entries) if entries else ""
    before = format_source(Source("m.yaml", f"# top\n{HEAD}{listed}")).text
    entry: Entry = {"id": "INC-7", "client": client, "reason": reason, "tokens": "all"}
    made = insert_entry(Source("m.yaml", before), PATH, entry)
    data, problems = read_tree(Source("m.yaml", made))
    assert not problems
    assert data["revocations"][-1]["client"].replace("$${", "${") == client.replace("$${", "${")
    assert format_source(Source("m.yaml", made)).text == made


def _files(folder: Path, **texts: str) -> ManifestRequest:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(HEAD + text)
    return ManifestRequest(files=tuple(str(folder / f"{name}.yaml") for name in texts))


CUT = Revocation(client="mobile", tokens="all", block=(Side.RESOURCE,))


def test_the_place_is_where_people_would_look(tmp_path: Path) -> None:
    """The last file with revocations, else the file of the client, else the first one."""
    clients = "clients: {mobile: {type: public}}\n"
    request = _files(tmp_path, a="", b=clients)
    assert add_revocation(request, "X", CUT).file.endswith("b.yaml")
    request = _files(tmp_path, a="revocations: []\n", b=clients)
    assert add_revocation(request, "X", CUT).file.endswith("a.yaml")
    assert add_revocation(_files(tmp_path, a="", b=""), "X", CUT).file.endswith("a.yaml")


def test_an_entry_that_says_it_already_is_enough_and_an_id_is_used_once(tmp_path: Path) -> None:
    """What is asked for stands there already, or another entry has the id."""
    request = _files(
        tmp_path, a="revocations: [{id: X, client: mobile, tokens: all, block: [resource, authorization]}]\n"
    )
    found = add_revocation(request, "Y", CUT)
    assert (found.already, found.before) == ("X", found.after)
    weaker = _files(
        tmp_path, a="revocations: [{id: X, client: mobile, tokens: all, owner: alice, block: [resource]}]\n"
    )
    assert add_revocation(weaker, "X", CUT).key == "X-2"
