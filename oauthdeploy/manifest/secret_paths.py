"""Which written values are secret, by their paths, so that a quoted source line or a message never shows one.

Before a manifest is valid there are no types to rely on, so names decide; in doubt, a value is secret.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.core.secrets import MASK, names_secret
from oauthdeploy.manifest.yaml_reader import Mapping, Node

_NAME = re.compile(
    r"pass|pwd|secret|credential|private_?key|client_?key$|api_?key|access_?key|bearer|token$", re.IGNORECASE
)
_LIKE: Final = ("secret", "password", "credentials", "client_secret", "token")
_HARMLESS: Final = frozenset(
    {"username", "client_id", "revision", "generate", "deliver_to", "tokens", "refresh_token", "client_key"}
)
_REFERENCE = re.compile(r"\$\{(?:env|var|file|keyring):[^{}:]*\}\Z")
_PAIR = re.compile(r"""(["']?)([A-Za-z_][A-Za-z0-9_.-]*)\1\s*:\s+(?=\S)""")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """True for a key whose value is probably secret, even if the key is misspelt."""
    if name in _HARMLESS:
        return False
    return (
        names_secret(name)
        or bool(_NAME.search(name))
        or bool(difflib.get_close_matches(name.lower(), _LIKE, n=1, cutoff=0.75))
    )


def is_secret_path(path: Path) -> bool:
    """True if a value written at the path may be secret."""
    last = next((part for part in reversed(path) if isinstance(part, str)), "")
    if last in _HARMLESS or (len(path) > 1 and path[0] == "clients" and path[2:3] == ("grants",)):
        return False
    if path[:1] == ("variables",):
        return last in ("default", "allowed")
    parts = (part for part in path[1:] if isinstance(part, str))
    return any(index != 0 and is_secret_name(part) for index, part in enumerate(parts))


def secret_nodes(node: Node, path: Path = (), seen: frozenset[int] = frozenset()) -> Iterator[Node]:
    """The literal scalars at secret paths. References are not secret and stay readable."""
    # Iterators, not lists: one list may have millions of entries, and each would have its own path in memory.
    stack: list[Iterator[tuple[Node, Path]]] = [iter([(node, path)])]
    visited: set[int] = set(seen)
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            continue
        here, way = following
        value = here.value
        if isinstance(value, str):
            if is_secret_path(way) and not _REFERENCE.match(value):
                yield here
            continue
        if value is None or id(here) in visited:
            continue
        visited.add(id(here))
        if isinstance(value, dict):
            stack.append(_below(way, ((key, child) for key, (_, _, child) in value.items())))
            if isinstance(here, Mapping):
                stack.append(_below(way, here.repeated))
        else:
            stack.append(_below(way, enumerate(value)))


def _below(way: Path, children: Iterable[tuple[str | int, Node]]) -> Iterator[tuple[Node, Path]]:
    return ((child, (*way, part)) for part, child in children)


def mask_columns(text: str, ranges: list[tuple[int, int]]) -> str:
    """Replace the given stretches of a line (columns from 1, the end exclusive)."""
    for start, end in sorted(ranges, reverse=True):
        text = text[: start - 1] + MASK + text[end - 1 :]
    return text


def mask_around(text: str, ranges: list[tuple[int, int]], column: int, around: int) -> tuple[str, int]:
    """The part of a line around a column, without the given stretches (as above, in order), and the column's position in it."""
    place = column - 1
    here, end = max(0, place - around), min(len(text), place + around)
    masked = ""
    caret = 0
    for start, past in ranges[max(0, bisect_left(ranges, (here + 1, 0)) - 1) :]:
        first, last = start - 1, past - 1
        if first >= end:
            break
        if last <= here:
            continue
        kept = text[here : max(here, first)]
        if not caret and place < last:
            caret = len(masked) + min(len(kept), place - here) + 1
        masked += kept + MASK
        here = last
    caret = caret or len(masked) + max(0, place - here) + 1
    return masked + text[here:end], caret


def mask_broken_line(lines: Sequence[str], number: int) -> str:
    """A line of a file that could not be parsed (number from 1), without what may be secret."""
    text = lines[number - 1] if 0 < number <= len(lines) else ""
    for match in _PAIR.finditer(text):
        if is_secret_name(match[2]):
            return text[: match.end()] + MASK
    if _inside_secret(lines, number):
        return MASK
    return text


def _inside_secret(lines: Sequence[str], number: int) -> bool:
    """True if a line without a key continues a value whose key names a secret."""
    text = lines[number - 1] if 0 < number <= len(lines) else ""
    if _PAIR.search(text) or text.rstrip().endswith(":"):
        return False
    for above in range(number - 2, max(-1, number - 200), -1):
        names = re.findall(r"([A-Za-z_][A-Za-z0-9_.-]*)[\"']?\s*:(?:\s|$)", lines[above])
        if names:
            return is_secret_name(names[-1])
    return False
