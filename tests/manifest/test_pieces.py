"""Places in a big plain file are the same whether it is read as a whole or piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauthdeploy.core.diagnostics import Path as Way
from oauthdeploy.manifest import locate, pieces, yaml_nodes, yaml_reader
from oauthdeploy.manifest.lines import read_lines
from oauthdeploy.manifest.locate import Index
from oauthdeploy.manifest.yaml_nodes import Node, Source, data_of
from tests.manifest.rules.helpers import manifest
from tests.manifest.test_bounds import _found

TEXTS = ["x", "'y z'", '"${env:P}"', "[]", "[a, b]", "{a: b, secret: c}", "", "{password: p}", "null", "# note"]
KEYS = ["clients", "scopes", "secret", "password", "a", "name", "b-c", "0", "associations"]


@st.composite
def plain_texts(draw: st.DrawFn) -> str:
    """Texts of the forms that the express reader takes: sections, mappings and lists in them, comments, empty lines."""
    lines = list(draw(st.lists(st.sampled_from(["# top", ""]), max_size=2)))
    for section in draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=5)):
        kind = draw(st.sampled_from(["value", "map", "list", "flat list"]))
        if kind == "value":
            lines.append(f"{section}: {draw(st.sampled_from(TEXTS))}".rstrip())
            continue
        lines.append(f"{section}:{draw(st.sampled_from(['', '  # why']))}")
        indent = "" if kind == "flat list" else " " * draw(st.integers(1, 4))
        names = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=6))
        for name in names:
            lines += draw(st.lists(st.sampled_from(["", f"{indent}# between", "# far out"]), max_size=1))
            lines += _entry(draw, name, indent, listed="list" in kind)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def _entry(draw: st.DrawFn, name: str, indent: str, *, listed: bool) -> Iterator[str]:
    sign = "- " if listed else ""
    value = draw(st.sampled_from(TEXTS))
    if draw(st.booleans()):
        yield f"{indent}{sign}{name}: {value}".rstrip()
    else:
        yield f"{indent}{sign}{name}:"
        deeper = indent + "    "
        for inner in draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=3)):
            yield f"{deeper}{inner}: {draw(st.sampled_from(TEXTS))}".rstrip()
    if listed and draw(st.booleans()):
        yield f"{indent}  other: {draw(st.sampled_from(TEXTS))}".rstrip()


def _ways(node: Node | None, way: Way = ()) -> Iterator[Way]:
    """Every path of a file, and beside each two that lead nowhere."""
    yield from (way, (*way, "nowhere"), (*way, 99))
    value = node.value if node is not None else None
    if isinstance(value, dict):
        for key, (_, _, child) in value.items():
            yield from _ways(child, (*way, key))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _ways(child, (*way, number))


@given(plain_texts(), st.sampled_from([0, 20, 60, 1000]))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_a_piece_says_what_the_whole_says(text: str, size: int) -> None:
    """Places of keys and values, what stands there, and what is masked in each line."""
    if read_lines(text) is None:
        return
    source = Source("f", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SIZE", size)
        whole, parts = Index(source), Index(source, plain=True)
        for way in _ways(whole.node):
            for key in (True, False):
                assert parts.find(way, key=key) == whole.find(way, key=key), way
            assert data_of(parts.at(way)) == data_of(whole.at(way)), way
        for line in range(1, len(source.lines) + 2):
            assert parts.line(line) == whole.line(line)
            assert parts.span(line, 5) == whole.span(line, 5)


def test_one_mistake_in_a_big_file_is_found_without_reading_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The careful reader sees the piece that the mistake is in, not the file."""
    clients = "".join(f"  c{n}:\n    type: public\n    redirect_uris: [https://c{n}.example/cb]\n" for n in range(4000))
    text = manifest("clients:\n" + clients.replace("  c3000:\n    type: public", "  c3000:\n    tipe: public"))
    read: list[int] = []
    careful = yaml_nodes.read_nodes

    def counted(source: Source) -> Any:
        read.append(len(source.text))
        return careful(source)

    monkeypatch.setattr(locate, "read_nodes", counted)
    monkeypatch.setattr(yaml_reader, "read_nodes", counted)
    found = [item for item in _found(text) if item.rule == "unknown-key"]
    assert [(item.span.line, item.span.text) for item in found if item.span] == [
        (text[: text.index("tipe")].count("\n") + 1, "    tipe: public")
    ]
    assert sum(read) < len(text)


def test_no_secret_of_another_piece_is_shown() -> None:
    """Masks are made of the piece that a line is in."""
    clients = "".join(f"  c{n}: {{type: publik, secret: {{value: hidden-{n}}}}}\n" for n in range(3000))
    found = _found(manifest(f"clients:\n{clients}"))
    shown = [item.span.text for item in found if item.span is not None and item.rule == "not-allowed-value"]
    assert len(shown) > 900
    assert not [text for text in shown if "hidden" in text]
