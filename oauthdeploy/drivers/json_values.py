"""A server's JSON read into plain values; trusting in nothing that a server says.

Null equals absent, and booleans and numbers may come as texts. What is none of that is Garbled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from oauthdeploy.core.secrets import MASK, Secret


class Garbled(ValueError):
    """A server's JSON is not what its API promises; the message names the field and holds no value."""


def an_object(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object without its nulls. Raises Garbled."""
    if not isinstance(value, Mapping):
        raise Garbled(f"{what} is no object")
    return {key: inner for key, inner in value.items() if inner is not None}


def a_list(body: Any, what: str) -> Sequence[Any]:
    """The list in an answer: the first member that is an array; the name of that member is not public. Raises Garbled.

    An object whose members are all null holds no list, which is an empty one.
    """
    if isinstance(body, list):
        return body
    if isinstance(body, Mapping):
        for value in body.values():
            if isinstance(value, list):
                return value
        if all(value is None for value in body.values()):
            return ()
    raise Garbled(f"the answer holds no list of {what}")


def a_text(raw: Mapping[str, Any], key: str, default: str = "") -> str:
    """A text; absent is `default`. Raises Garbled."""
    value = raw.get(key, default)
    if not isinstance(value, str):
        raise Garbled(f"{key} is no text")
    return value


def a_name(raw: Mapping[str, Any], key: str) -> str:
    """A text that is there and not empty. Raises Garbled."""
    value = a_text(raw, key)
    if not value:
        raise Garbled(f"{key} is missing")
    return value


def an_id(raw: Mapping[str, Any], key: str) -> str:
    """A text that can stand in a path: there, and no dot segment. Raises Garbled."""
    value = a_name(raw, key)
    if value in (".", ".."):
        raise Garbled(f"{key} is missing")
    return value


def a_flag(raw: Mapping[str, Any], key: str, default: bool) -> bool:
    """A boolean, or its text; absent is `default`. Raises Garbled."""
    value = raw.get(key, default)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise Garbled(f"{key} is neither true nor false")
    return value


def a_number(raw: Mapping[str, Any], key: str, default: int, lowest: int) -> int:
    """A whole number from `lowest` up, or its text; absent is `default`. Raises Garbled."""
    value = raw.get(key, default)
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
            raise Garbled(f"{key} is no whole number")
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise Garbled(f"{key} is no whole number from {lowest} up")
    return value


def some_texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts, each once; absent is empty. Raises Garbled."""
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Garbled(f"{key} is no list of texts")
    return tuple(dict.fromkeys(value))


def fingerprint(raw: Any, without: Collection[str] = ()) -> str:
    """SHA-256 of what a server said, in canonical form: nulls and `without` left out, lists of texts sorted.

    Of a Secret only that it is there.
    """

    def canonical(value: Any) -> Any:
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, Mapping):
            return {key: canonical(inner) for key, inner in value.items() if inner is not None and key not in without}
        if isinstance(value, list):
            made = [canonical(inner) for inner in value]
            return sorted(made) if all(isinstance(inner, str) for inner in made) else made
        return value

    try:
        text = json.dumps(canonical(raw), sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise Garbled("the answer is nested too deeply") from None
    return hashlib.sha256(text.encode()).hexdigest()
