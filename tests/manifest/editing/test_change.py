"""Changing a manifest's text: whatever servers call their things, the file holds exactly that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.manifest.editing.change import Draft
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import NO_KEYS, read_tree


@given(name=st.sampled_from(sorted(NO_KEYS)) | st.text(st.characters(exclude_categories=["Cs"])), braces=st.booleans())
def test_any_name_becomes_a_key_at_any_depth(name: str, braces: bool) -> None:
    """A protocol mapper of a server may be called null, ~ or nothing at all; one such name must not stop an export."""
    draft = Draft(Source("oauthdeploy.yaml", "version: 1\n"))
    draft.put(("clients", name), {"mappers": {name: {"config": {name: "x"}}}}, braces=braces)
    draft.put(("scopes", "orders", "options", name), "y")
    tree, problems = read_tree(Source("oauthdeploy.yaml", draft.text()))
    assert not problems
    assert tree["clients"] == {name: {"mappers": {name: {"config": {name: "x"}}}}}
    assert tree["scopes"] == {"orders": {"options": {name: "y"}}}
