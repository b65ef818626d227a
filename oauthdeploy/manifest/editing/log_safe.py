"""Escapes a manifest for the log of a build server: no line of it is a command there, and its meaning is unchanged.

YAML tokens (libyaml) are read only if the text contains such a mark. A value with a mark is written in double quotes with an
escape; in a comment, a space is inserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml

from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.manifest.scalars import quoted

_ESCAPED_HASH: Final = "\\x23"


def log_safe(text: str) -> str:
    """The text with every mark of `core/log_commands.py` broken; unchanged if it has none, or is not YAML.

    The YAML of the result has the same values. Raises nothing.
    """
    if disarmed(text) == text:
        return text
    try:
        spans = list(_marked_scalars(text))
    except yaml.YAMLError:
        return disarmed(text)
    parts: list[str] = []
    end = 0
    for start, stop, made in spans:
        # Between values there are keys without marks, indicators and comments.
        parts += (disarmed(text[end:start]), made)
        end = stop
    parts.append(disarmed(text[end:]))
    return disarmed("".join(parts), hash_sign=_ESCAPED_HASH)


def _marked_scalars(text: str) -> Iterator[tuple[int, int, str]]:
    """The positions of values with a mark, and how to write them; in order."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if not isinstance(token, yaml.ScalarToken):
            continue
        start, stop = token.start_mark.index, token.end_mark.index
        source = text[start:stop]
        # Also for marks at the start of a line: the value may start a line, which is not known here.
        line_start = text.rfind("\n", 0, start) + 1
        if disarmed(text[line_start:start] + source) == text[line_start:start] + source:
            continue
        made = quoted(token.value)
        made = re.sub(r"#(?=#\w*\[)", lambda _found: _ESCAPED_HASH, made)
        yield start, stop, made + ("\n" if source.endswith("\n") else "")
