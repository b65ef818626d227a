"""The fast reader: YAML 1.2 to raw texts, None, dicts and lists, or the findings that say why not.

libyaml (through PyYAML) gives the events; nothing resolves types, so `007` stays a text and only the plain scalars that
YAML 1.2's core schema calls null (`null`, `Null`, `NULL`, `~` and nothing) become None. It was chosen by measurement over
rapidyaml: reading 4 MB into Python objects took 1.0 s of CPU against 1.6 s, every failure is an exception with a place
(rapidyaml writes to the process's stderr and can't be told not to), and a tab after a colon, a NUL or a bad byte are never
misread. libyaml and YAML 1.2 differ in the line breaks U+0085, U+2028 and U+2029; those characters are refused as such.

The good path keeps no positions. Anything unusual is read again by `nodes.read_nodes`, which names every problem's place.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
import yaml.parser
import yaml.reader
import yaml.scanner
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.lines import MIN_SIZE, most_values, read_lines
from oauthdeploy.manifest.yaml_nodes import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_VALUES,
    NULLS,
    Source,
    alias_budget,
    data_of,
    event_source,
    name_is_cut,
    read_nodes,
)

__all__ = ["read_other", "read_plain", "read_tree"]

_ABSENT: Final = object()
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


class _Unusual(Exception):
    """Something that the good path leaves to the careful reader."""


def read_tree(source: Source) -> tuple[Any, tuple[Diagnostic, ...]]:
    """Read one YAML document. Gives the raw data (None for an empty file, too) and findings.

    With findings the data is what could still be read; after a syntax error it is None.
    """
    plain = read_plain(source)
    return (plain, ()) if plain is not None else read_other(source)


def read_other(source: Source) -> tuple[Any, tuple[Diagnostic, ...]]:
    """As `read_tree`, for a file that `read_plain` has refused."""
    if match := _FORBIDDEN.search(source.text):
        return None, (_forbidden(source, match),)
    try:
        return _read(source.text), ()
    except (_Unusual, yaml.YAMLError):
        nodes, problems = read_nodes(source)
        return data_of(nodes), problems


def read_plain(source: Source) -> dict[str, Any] | None:
    """The data of a big file that is plainly written; None for any other. Its `pieces` can be read by themselves."""
    if len(source.text) < MIN_SIZE or most_values(source.text) > MAX_VALUES or _FORBIDDEN.search(source.text):
        return None
    return read_lines(source.text)


def _forbidden(source: Source, match: re.Match[str]) -> Diagnostic:
    character = f"U+{ord(match[0]):04X}"
    return Diagnostic(
        "unsupported-yaml",
        "The file holds a character that a manifest must not hold",
        f"{character} is invisible or not allowed in YAML, and readers disagree about what it means.",
        f'Remove it, or write it as an escape in double quotes: "\\u{ord(match[0]):04x}".',
        span=source.span_at(match.start()),
    )


def _read(text: str) -> Any:
    """The one loop that reads big files; kept flat, since every call here is paid half a million times."""
    get = event_source(text).get_event
    if get().__class__ is not StreamStartEvent:
        raise _Unusual
    start = get()
    if start.__class__ is StreamEndEvent:
        return None
    if start.__class__ is not DocumentStartEvent or start.version or start.tags:
        raise _Unusual
    names: dict[str, str] = {}
    anchors: dict[str, tuple[Any, int, int]] = {}
    open_anchors: list[list[Any]] = []
    stack: list[tuple[Any, Any]] = []
    top: list[Any] = []
    here: Any = top
    key: Any = _ABSENT
    in_map = False
    containers = expanded = texts = 0
    while True:
        event = get()
        kind = event.__class__
        if kind is ScalarEvent:
            value = event.value
            if event.tag is not None:
                raise _Unusual
            if in_map and key is _ABSENT:
                if value in here or (not event.style and (value in NULLS or value == "<<")) or event.anchor is not None:
                    raise _Unusual
                key = names.setdefault(value, value)
                continue
            if not event.style and value in NULLS:
                value = None
            texts += 1
            if texts + containers > MAX_VALUES:
                raise _Unusual
            if event.anchor is not None:
                if name_is_cut(text, event):
                    raise _Unusual
                anchors[event.anchor] = (value, 1, 0)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if (in_map and key is _ABSENT) or event.tag is not None or len(stack) >= MAX_DEPTH:
                raise _Unusual
            containers += 1
            if containers > MAX_CONTAINERS or texts + containers > MAX_VALUES:
                raise _Unusual
            value = {} if kind is MappingStartEvent else []
            if event.anchor is not None:
                if name_is_cut(text, event) or any(anchor[1] == event.anchor for anchor in open_anchors):
                    raise _Unusual
                anchors.pop(event.anchor, None)
                open_anchors.append([len(stack), event.anchor, containers + expanded, 0])
            stack.append((here, key))
            for anchor in open_anchors:
                anchor[3] = max(anchor[3], len(stack) - anchor[0])
            here, key, in_map = value, _ABSENT, kind is MappingStartEvent
            continue
        elif kind is AliasEvent:
            if (in_map and key is _ABSENT) or event.anchor not in anchors or name_is_cut(text, event):
                raise _Unusual
            value, size, height = anchors[event.anchor]
            expanded += size
            if expanded > alias_budget(containers) or len(stack) + height > MAX_DEPTH:
                raise _Unusual
            for anchor in open_anchors:
                anchor[3] = max(anchor[3], len(stack) + height - anchor[0])
        elif kind is DocumentEndEvent:
            break
        else:
            value = here
            here, key = stack.pop()
            in_map = here.__class__ is dict
            if open_anchors and open_anchors[-1][0] == len(stack):
                _, name, before, height = open_anchors.pop()
                anchors[name] = (value, 1 + containers + expanded - before, height)
        if in_map:
            here[key] = value
            key = _ABSENT
        else:
            here.append(value)
    if get().__class__ is not StreamEndEvent:
        raise _Unusual
    return top[0] if top else None
