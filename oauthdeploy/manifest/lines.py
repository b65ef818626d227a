"""The express reader: manifests that are written plainly, line by line, as most big ones are.

libyaml reads a text in a sixth of the time that it takes to hand half a million events to Python. So a text whose every
line is one of a few forms with only one meaning in YAML is read here, without events, in less than half of the time:

    key:                      key: text                 key: "text"  or  key: 'text'
    - text                    - key: text               key: [a, b]  or  key: {a: b, c: [d]}

Plain texts hold nothing that could mean something else. Anything beyond that (an anchor, a tag, an escape, a text over several
lines, a tab, a repeated key, odd indentation) gives None, and libyaml decides what the text means and what is wrong with it. A
property test holds that both read the same.
"""

from __future__ import annotations

import re
from typing import Any, Final

from oauthdeploy.manifest.yaml_nodes import MAX_DEPTH, NULLS

MIN_SIZE: Final = 64 * 1024
"""Characters from which the express reader is worth a try."""

_KEY = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,250}"
# Nothing here backtracks far, since what repeats begins with what its inside can't hold; possessive quantifiers would say so,
# but Python before 3.11.4 mistakes them.
_PLAIN = r"[A-Za-z0-9_/.$+~(][^\s:#]*(?:(?::(?=\S)|(?<=\S)\#| (?=[^\s#:]))[^\s:#]*)*"
_QUOTED = r"\"[^\"\\\n]*\"|'[^'\n]*'"
_LINE = re.compile(
    rf"^(?:( *)(- )?(?:({_KEY}):)?(?:(?(3) )({_PLAIN}|{_QUOTED}|\[.*\]|\{{.*\}}))?(?: +\#.*)?|[ ]*\#.*|(.+))$",
    re.MULTILINE,
)
_ATOM = (
    r"[A-Za-z0-9_/.$+~(][^\s,\[\]{}\"'#:?]*"
    r"(?:(?::(?=[^\s,\[\]{}\"'])|(?<=\S)\#| (?=[A-Za-z0-9_/.$+(]))[^\s,\[\]{}\"'#:?]*)*"
)
_ITEM = rf"(?:{_ATOM}|{_QUOTED})"
_LIST = rf"\[(?:{_ITEM}(?:, {_ITEM})*)?\]"
_LIST_ONLY = re.compile(_LIST)
_MAP_ONLY = re.compile(rf"\{{(?:{_KEY}: (?:{_ITEM}|{_LIST})(?:, {_KEY}: (?:{_ITEM}|{_LIST}))*)?\}}")
_ITEMS = re.compile(_ITEM)
_PAIRS = re.compile(rf"({_KEY}): ({_ITEM}|{_LIST})")


def most_values(text: str) -> int:
    """A number that the values of a text in these forms (texts, lists, mappings) never exceed."""
    # One for each line, another for an entry that is a mapping, and those inside of flow values.
    return 2 + text.count("\n") + text.count("- ") + text.count(",") + text.count("[") + text.count("{")


class _Beyond(Exception):
    """The text holds something that this reader leaves to libyaml."""


def read_lines(text: str) -> dict[str, Any] | None:
    """Read a plainly written mapping to raw texts, None, lists and dicts; None for any other text.

    Equal flow values share one list or dict, as aliases do.
    """
    if "\t" in text or "\r" in text:
        return None
    try:
        return _read(text)
    except _Beyond:
        return None


def _read(text: str) -> dict[str, Any]:
    names: dict[str, str] = {}
    flows: dict[str, Any] = {}
    root: dict[str, Any] = {}
    here: Any = root
    level = 0
    stack: list[tuple[int, Any]] = []
    waiting: str | None = None  # the key of `here` whose value, if it has one, stands in the lines below
    for match in _LINE.finditer(text):
        spaces, dash, key, written, beyond = match.groups()
        if spaces is None:
            if beyond is not None:
                raise _Beyond
            continue
        if dash is None and key is None:
            if written is not None:
                raise _Beyond
            continue
        indent = len(spaces)
        if waiting is not None and (
            indent > level or (dash is not None and indent == level and here.__class__ is dict)
        ):
            below: Any = {} if dash is None else []
            here[waiting] = below
            stack.append((level, here))
            if len(stack) >= MAX_DEPTH:
                raise _Beyond
            here, level = below, indent
        else:
            while indent < level or (dash is None and indent == level and here.__class__ is list):
                if not stack:
                    raise _Beyond
                level, here = stack.pop()
            if indent != level:
                raise _Beyond
        waiting = None
        if dash is not None:
            if here.__class__ is not list:
                raise _Beyond
            if key is None:
                if written is None:
                    raise _Beyond
                here.append(_value(written, flows))
                continue
            entry: dict[str, Any] = {}
            here.append(entry)
            stack.append((level, here))
            here, level = entry, indent + 2
        elif here.__class__ is not dict:
            raise _Beyond
        if key in here or key in NULLS:
            raise _Beyond
        key = names.setdefault(key, key)
        if written is None:
            here[key] = None
            waiting = key
        else:
            here[key] = _value(written, flows)
    if not root:
        raise _Beyond
    return root


def _value(written: str, flows: dict[str, Any]) -> Any:
    first = written[0]
    if first in "\"'":
        return written[1:-1]
    if first not in "[{":
        return None if written in NULLS else written
    made = flows.get(written)
    if made is None:
        made = flows[written] = _flow(written)
    return made


def _flow(written: str) -> Any:
    if written[0] == "[":
        if not _LIST_ONLY.fullmatch(written):
            raise _Beyond
        return [_atom(item) for item in _ITEMS.findall(written)]
    if not _MAP_ONLY.fullmatch(written):
        raise _Beyond
    made: dict[str, Any] = {}
    for key, value in _PAIRS.findall(written):
        if key in made or key in NULLS:
            raise _Beyond
        made[key] = _flow(value) if value[0] == "[" else _atom(value)
    return made


def _atom(written: str) -> str | None:
    if written[0] in "\"'":
        return written[1:-1]
    return None if written in NULLS else written
