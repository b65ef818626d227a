"""Reading YAML: equal to an independent reader, or a clear refusal; never a traceback, never too much memory."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import Node, read_nodes, read_tree
from tests.manifest.support import NULLS, second_opinion

ROOT = Path(__file__).parents[2]
TRICKY = [
    "007", "0x1F", "0o17", "1_000", "1e3", "-0", "+1", ".inf", ".NaN", "12:30:45", "2026-11-20", "2026-11-20T08:00:00Z",
    "true", "False", "yes", "no", "on", "off", "y", "n", "null", "Null", "~", "", " ", "a b", "a: b", "a #b", "#x", "- x",
    "&a", "*a", "!t", "|", ">", "%x", "@x", "`x", "'", '"', "\\", "\t", "a\tb", "line\nbreak", "line\n\nbreak\n", "\n",
    " lead", "trail ", "é", "日本", "\U0001f600", "a:b", "orders:read", "http://x/y?z=1&w=2", "[x]", "{x}", "x,y", "${env:A}",
    "<<", "=", "?", "---", "...", "key: [a, {b: c}]",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(TRICKY),
    st.text(
        st.characters(
            codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff", exclude_categories=("Cc", "Cs")
        )
    ),
)
KEYS = TEXTS.filter(lambda text: len(text) < 60)
TREES = st.recursive(
    st.one_of(st.none(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def read(text: str) -> Any:
    data, problems = read_tree(Source("x.yaml", text))
    assert problems == ()
    return data


def data_of(node: Node | None) -> Any:
    """The data of a node, without its positions."""
    value = node.value if node is not None else None
    if isinstance(value, dict):
        return {key: data_of(child) for key, (_, _, child) in value.items()}
    return [data_of(child) for child in value] if isinstance(value, list) else value


def problems(text: str) -> tuple[Diagnostic, ...]:
    return read_tree(Source("x.yaml", text))[1]


@given(
    st.dictionaries(KEYS, TREES, max_size=5),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.booleans(),
    st.sampled_from([20, 80, 4000]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@example({"007": "!!"}, None, None, False, 20, "\n")
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_both_readings_of_generated_documents_are_equal(
    tree: Any, flow: bool | None, style: Any, ascii_only: bool, width: int, line_end: str
) -> None:
    """Whatever a YAML writer writes, in whatever style and with whatever line ends, is read as ruamel.yaml reads it."""
    text = yaml.safe_dump(
        tree,
        default_flow_style=flow,
        default_style=style,
        allow_unicode=not ascii_only,
        width=width,
        sort_keys=False,
        line_break=line_end,
    )
    # A writer that forces quotes marks null with a tag, and tags are refused.
    if any(getattr(event, "tag", None) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        assert {item.rule for item in problems(text)} == {"unsupported-yaml"}
        return
    assert read(text) == second_opinion(text) == tree


FRAGMENTS = st.lists(
    st.sampled_from(
        ["a", "b1", "0", "~", ":", ": ", "- ", "-", "? ", ",", " ", "  ", "\n", "\n  ", "\t", "[", "]", "{", "}", "#", " #c", "'",
         '"', "|", ">", "|-\n", ">+\n", "&x ", "*x", "!t ", "<<", "---\n", "...\n", "%", "\\n", "é", "null", "''", '""', "\r\n"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(FRAGMENTS)
@example("a: b\n\tc: d")
@example("a:\t1")
@example("[orders:read, b]")
@example("{a:1}")
@settings(max_examples=600, deadline=None)
def test_what_two_readers_read_they_read_alike(text: str) -> None:
    """Text that only looks like YAML is refused with a place, or means what it means to an independent reader.

    Each of the two readers tolerates slips that the other refuses (`|#`); what counts is that neither sees other data.
    """
    data, found = read_tree(Source("x.yaml", text))
    if found:
        assert all(item.span is not None and item.rule and item.detail and item.fix for item in found)
        return
    try:
        other = second_opinion(text)
    except YAMLError:
        return
    if isinstance(data, str | None) and isinstance(other, str | None):
        return  # a document that is one scalar is no manifest, and the readers differ about scalars without indentation
    assert data == other


@given(TREES)
@settings(max_examples=30, deadline=None)
def test_without_libyaml_the_same_is_read(tree: Any) -> None:
    """Where PyYAML was built without libyaml its own parser gives the same data and the same findings, only later."""
    text = yaml.safe_dump({"top": tree})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert read(text) == {"top": tree}
        assert [item.rule for item in problems("a: 1\na: 2\n")] == ["duplicate-key"]
        assert [item.rule for item in problems("a: [\n")] == ["yaml-syntax"]


@given(TREES)
@settings(max_examples=100, deadline=None)
def test_positions_change_no_data(tree: Any) -> None:
    """Reading with positions, which makes the messages, gives the same data as reading without."""
    source = Source("x.yaml", yaml.safe_dump({"top": tree}))
    node, found = read_nodes(source)
    assert found == ()
    assert data_of(node) == read(source.text)


VALUES = [
    "", "x", "1", "null", "~", "a b", "a: b", "a:b", "a #c", "a#c", "x ", "'q'", '"q"', "'q' x", '"a\\n"', "[a, b]", "[a,b]",
    "[a, 'b, c', \"d: e\"]", "[]", "{}", "{a: b}", "{a: b, a: c}", "{a: [b, c], d: 'e'}", "{a: b:c}", "[a:b, c: d]", "[a #b]",
    "{a : b}", "${env:X}", "[${env:X}]", "['${env:X}']", "http://x/y?z=1#f", "[http://x/y]", "[a?b, c]", "*x", "&x y",
    "!t x", "|",
    ">", "-", "- y", "...", "(x)", "+1", "-1", "a'b", "[a'b]", "{a: b'c}", "[~, null]", "{null: a}", "[a]]",
    "{a: b} # c",
    "[a] # x]", "'it''s'", "# x", "x:", "::", "[a::b]", "{a: b:}", "[a: b]", "[[a]]", "{a: {b: c}}", "[a, ]", "x\\y",
    "[a&b]", "[x $y]",
]  # fmt: skip


def block(random: Random, indent: int, depth: int) -> list[str]:
    """Lines that are nearly always nested right, with values that are nearly always plain."""
    out: list[str] = []
    is_map = random.random() < 0.75
    for number in range(random.randint(1, 3)):
        start = " " * indent
        if random.random() < 0.05:
            out.append(random.choice(["", "  # c", start + "# c"]))
        nested = (
            block(random, indent + random.choice([2, 2, 4, 1, 0]), depth - 1)
            if depth and random.random() < 0.4
            else None
        )
        if is_map:
            value = random.choice(VALUES)
            out.append(f"{start}{random.choice('abc')}{number}:" + (f" {value}" if value and nested is None else ""))
        else:
            out.append(f"{start}- {random.choice(VALUES)}" if nested is None else f"{start}- {nested.pop(0).strip()}")
        out += nested or []
    return out


@given(st.randoms(use_true_random=False))
@settings(max_examples=600, deadline=None)
@pytest.mark.slow
def test_nested_lines_are_read_as_another_reader_reads_them(random: Random) -> None:
    """Lines that are nearly always nested right are refused, or mean what they mean to an independent reader."""
    text = "\n".join(block(random, 0, 3)) + "\n"
    data, found = read_tree(Source("x.yaml", text))
    if not found:
        assert data == second_opinion(text) == data_of(read_nodes(Source("x.yaml", text))[0])


PLAIN = (ROOT / "examples" / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8").splitlines()
MARKS = [
    *" \n:-#,[]{}\"'&*!|>%@`?~.<=$()/+", "  ", ": ", " #", "- ", "\n- ", "\n  ", "null", "<<", "---\n", "\u00a0", "\u2003",
    "\t", "\r\n", "''", '""', ":\n",
]  # fmt: skip


@given(
    st.integers(0, len(PLAIN) - 1),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(MARKS), st.integers(0, 2)), max_size=4),
)
@settings(max_examples=600, deadline=None)
def test_slips_in_a_real_manifest_are_never_read_in_two_ways(
    start: int, count: int, slips: list[tuple[int, str, int]]
) -> None:
    """With marks of YAML put into real lines, two readers see the same data, or one refuses it."""
    text = "\n".join(PLAIN[start : start + count]) + "\n"
    for place, mark, gone in slips:
        spot = place % (len(text) + 1)
        text = text[:spot] + mark + text[spot + gone :]
    data, found = read_tree(Source("x.yaml", text))
    if found:
        return
    assert data_of(read_nodes(Source("x.yaml", text))[0]) == data
    try:
        other = second_opinion(text)
    except YAMLError:
        return
    assert data == other or isinstance(data, str | None)


@pytest.mark.parametrize("text", [t for t in TRICKY if t in NULLS])
def test_only_plain_null_is_none(text: str) -> None:
    """The core schema's plain nulls are None; the same in quotes is a text."""
    assert read(f"a: {text}\nb: '{text}'\nc: \"{text}\"\nd: [{text or '~'}]") == {
        "a": None,
        "b": text,
        "c": text,
        "d": [None],
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("007", "007"),
        ("no", "no"),
        ("1e3", "1e3"),
        ("0x1F", "0x1F"),
        ("2026-11-20", "2026-11-20"),
        ("nUll", "nUll"),
        (".5", ".5"),
    ],
)
def test_nothing_is_turned_into_a_number_a_boolean_or_a_date(text: str, value: str) -> None:
    """Scalars stay the text that was written."""
    assert read(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: {b: 1, b: 2}\n", "duplicate-key", 1, 11),
        ("a: 1\n---\nb: 2\n", "multiple-documents", 2, 1),
        ("a: 1\n...\n---\nb: 2\n", "multiple-documents", 3, 1),
        ("a: !!python/object:os.system x\n", "unsupported-yaml", 1, 4),
        ("a: !foo [b]\n", "unsupported-yaml", 1, 4),
        ("%YAML 1.1\n---\na: 1\n", "unsupported-yaml", 1, 1),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "unsupported-yaml", 1, 1),
        ("x: &x {a: 1}\ny:\n  <<: *x\n", "unsupported-yaml", 3, 3),
        ("[a]: b\n", "unsupported-yaml", 1, 1),
        ("? {a: b}\n: c\n", "unsupported-yaml", 1, 3),
        ("~: b\n", "unsupported-yaml", 1, 1),
        (": b\n", "yaml-syntax", 1, 1),
        ("{: b}\n", "yaml-syntax", 1, 2),
        ("a: &x [*x]\n", "unsupported-yaml", 1, 8),
        ("a: *nobody\n", "yaml-syntax", 1, 4),
        ("a: b: c\n", "yaml-syntax", 1, 5),
        ("a: 'x\n", "yaml-syntax", 2, 1),
        ("a:\n\tb: 1\n", "yaml-syntax", 2, 1),
        ("a: @x\n", "yaml-syntax", 1, 4),
        ("a: &https://x\n", "unsupported-yaml", 1, 4),
        ("a: &x:y [b]\n", "unsupported-yaml", 1, 4),
        ("a: &x [&x [1], *x]\nb: *x\n", "unsupported-yaml", 1, 8),
        ("a: x\x00\n", "unsupported-yaml", 1, 5),
        ("a: x\u2028y\n", "unsupported-yaml", 1, 5),
        ("a: x\x85y\n", "unsupported-yaml", 1, 5),
        ("a: \ufeffb\n", "unsupported-yaml", 1, 4),
        ("\n\na: \ud800\n", "unsupported-yaml", 3, 4),
    ],
)  # fmt: skip
def test_what_a_manifest_does_without_is_refused_with_its_place(text: str, rule: str, line: int, column: int) -> None:
    """Duplicates, second documents, tags, directives, merge keys, strange keys and characters are findings, never data."""
    found = problems(text)
    assert [(item.rule, item.span.line, item.span.column) for item in found if item.span] == [(rule, line, column)]
    assert all(item.summary and item.detail and item.fix for item in found)


def test_every_duplicate_is_named_with_both_places() -> None:
    """All duplicates of a file are reported in one pass, each with the place of the first."""
    found = problems("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n")
    assert [item.span.line for item in found if item.span] == [2, 3, 4]
    assert "line 1, column 1" in found[1].detail


@pytest.mark.parametrize(
    "flow",
    [
        "{a: ${env:X:-a b}}",
        "[${command:pass show x}]",
        "{a: ${env:X}}",
        "[1, ${env:X}]",
        "{a: [b, ${env:X:-d}]}",
        "{a: ${var:x}, b: c}",
    ],
)
def test_an_unquoted_reference_in_braces_is_explained(flow: str) -> None:
    """The finding says why, points at the reference, and shows the quoted form."""
    (found,) = problems(f"key: {flow}\n")
    reference = re.search(r"\$\{[^}]*\}", flow)
    assert reference is not None
    assert found.rule == "yaml-syntax"
    assert found.span is not None
    assert found.span.column == len("key: ") + reference.start() + 1
    assert f'"{reference[0]}"' in found.fix


def test_aliases_share_values() -> None:
    """An alias is the anchored value; a later anchor of the same name wins from there on."""
    assert read("a: &x [1]\nb: *x\nc: &x z\nd: *x\n") == {"a": ["1"], "b": ["1"], "c": "z", "d": "z"}


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text", [bomb(30), "[" * 100_000, "{a: " * 50_000, "- " * 50_000 + "x", "? " * 5_000 + "a"], ids=["alias", "[", "{", "-", "?"]
)  # fmt: skip
def test_bombs_are_refused_in_bounded_memory(text: str) -> None:
    """Aliases that multiply and values that nest without end are findings, and take no memory to speak of."""
    tracemalloc.start()
    found = problems(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [item.rule for item in found] == ["too-large"]
    assert peak < 20_000_000


def ladder(steps: int, width: int) -> str:
    """Anchors of which each holds the one before it, `width` lists deeper."""
    inner = ["x", *(f"*a{number}" for number in range(steps - 1))]
    return "".join(f"a{n}: &a{n} {'[' * width}{alias}{']' * width}\n" for n, alias in enumerate(inner))


@pytest.mark.parametrize(("steps", "width"), [(2, 40), (40, 2), (30, 60), (200, 1)])
def test_aliases_count_for_the_depth(steps: int, width: int) -> None:
    """An alias is as deep as what it stands for: no file is deeper than the limit, whoever walks through its data."""
    (found,) = problems(ladder(steps, width))
    assert found.rule == "too-large"
    assert found.span is not None
    assert found.span.line == 63 // width + 1


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_the_depth_is_counted_through_aliases(steps: int, width: int, around: int) -> None:
    """With aliases inside anchored values, reading with and without positions refuses the same."""
    text = ladder(steps, width) + f"b: &b {'[' * around}*a{steps - 1}{']' * around}\nc: {'[' * width}*b{']' * width}\n"
    depth = 1 + steps * width + around + width
    found = problems(text)
    assert [item.rule for item in found] == (["too-large"] if depth > 64 else [])
    assert read_nodes(Source("x.yaml", text))[1] == found


def test_problems_without_end_are_cut_off() -> None:
    """A file of nothing but mistakes is read up to a number of them, and says so."""
    found = problems("- *nobody\n" * 20_000)
    assert len(found) == 10_001
    assert (found[-1].rule, "10000 problems" in found[-1].detail) == ("too-large", True)


def test_many_aliases_of_one_small_list_are_fine() -> None:
    """The alias limit grows with the file: a list shared by thousands of clients is honest."""
    text = "g: &g [a, b, c]\n" + "".join(f"c{n}: {{grants: *g, n: '{n}'}}\n" for n in range(5000))
    assert read(text)["c4999"] == {"grants": ["a", "b", "c"], "n": "4999"}


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_text_is_a_traceback(data: bytes) -> None:
    """Any text is data or findings with a place."""
    source = Source("x.yaml", data.decode("utf-8", "surrogateescape"))
    result, found = read_tree(source)
    assert found or result is None or isinstance(result, str | list | dict)
    assert all(item.span is not None for item in found)
