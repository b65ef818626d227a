"""What ruamel.yaml's own round trip loses, each with what is of our own instead. One that fails says: that piece can go."""

from __future__ import annotations

import io

import pytest
from ruamel.yaml import YAML

from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.editing.insert import insert_entry
from oauthdeploy.manifest.editing.read import comments_of
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree


def round_trip(text: str, *, last: str = "") -> str:
    """The text through ruamel.yaml's round trip, with its most careful settings; the key `last` is moved to the end."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 1_000_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(text)
    if last:
        data.move_to_end(last)
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def formatted(text: str) -> str:
    found = format_source(Source("x.yaml", text))
    assert found.problems == ()
    return found.text


@pytest.mark.parametrize(
    "text",
    ["a: [x, # one\n  y]\n", "a: [ # first\n  x]\n", "a: {\n  # own\n  b: 1}\n", "a: [x,\n  # own\n  y]\nb: 1\n"],
    ids=["between", "first", "own-line-in-braces", "own-line"],
)
def test_comments_between_brackets_are_lost(text: str) -> None:
    """`read` finds comments in the text between values, not where ruamel.yaml's scanner put them."""
    assert "#" not in round_trip(text)
    assert comments_of(formatted(text)) == comments_of(text)


def test_a_comment_beside_an_alias_leaves_its_line() -> None:
    """One node at two places has one comment slot; here an alias is a node of its own."""
    text = "a: &x t\n\nb: *x  # beside\n"
    assert "*x  # beside" not in round_trip(text)
    assert formatted(text) == text


def test_an_anchor_with_a_comment_is_lost_where_nothing_refers_to_it() -> None:
    """And its comment goes to a line of its own."""
    text = "a: &x  # beside\n  b: 1\n"
    assert "&x" not in round_trip(text)
    assert formatted(text) == text


def test_a_comment_between_a_key_and_its_text_changes_sides() -> None:
    """What stood above the text would stand under it."""
    text = "a:\n  # above\n  text\n"
    assert round_trip(text).splitlines()[0].startswith("a: text")
    assert formatted(text) == "# above\na: text\n"


def test_a_comment_stays_behind_when_its_key_moves() -> None:
    """A comment above a key is kept with the value before it; `read` gives it to the entry that it speaks of."""
    text = "servers:\n  a: x\n# who we are\nname: shop\n"
    assert round_trip(text, last="servers") == "name: shop\nservers:\n  a: x\n# who we are\n"
    assert formatted(text) == "# who we are\nname: shop\n\nservers:\n  a: x\n"


def test_lines_of_a_long_text_are_joined() -> None:
    """`Scalar.lines` has the lines of its author."""
    text = f"a: '{'x' * 80}\n  {'y' * 80}'\n"
    assert round_trip(text).count("\n") == 1
    assert formatted(text).count("\n") == 2


def test_null_is_left_out() -> None:
    """The three forms of null become nothing."""
    assert round_trip("a: null\nb: ~\n") == "a:\nb:\n"
    assert formatted("a: null\nb: ~\n") == "a: null\nb: null\n"


def test_a_comment_below_a_dash_leaves_its_entry() -> None:
    """The lines of a list are written by `write`, in which a dash may stand alone."""
    text = "a:  # beside\n  -\n    # note\n    b: 1\n  - c\n"
    assert "# note\n  - b: 1" in round_trip(text)
    assert formatted(text) == text


def test_lines_that_nobody_changed_are_written_anew() -> None:
    """So an entry is put into a file as text, by the position of its node."""
    text = "version:   1\nname: 'shop'   # ours\nrevocations:\n    -   {id: A, client: b}\n"
    assert round_trip(text) != text
    made = insert_entry(Source("x.yaml", text), ("revocations",), {"id": "B", "client": "c"})
    assert made == text + "    - id: B\n      client: c\n"
    assert len(read_tree(Source("x.yaml", made))[0]["revocations"]) == 2
