"""Reads a server's JSON into plain values, without trusting it.

Null equals absent, and booleans and numbers may be strings. Everything else of a wrong type is Garbled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from oauthdeploy.core.secrets import MASK, Secret, names_secret
from oauthdeploy.model.fields import Model, Unparsed

M = TypeVar("M", bound=Model)


class Garbled(ValueError):
    """A server's JSON violates its API; the message names the field, `value` is the value found."""

    def __init__(self, message: str, value: Any = None) -> None:
        super().__init__(message)
        self.value = value


class NotReturned:
    """Marks a field that a server does not return."""


NOT_RETURNED: Final = NotReturned()

SHOWN: Final = 80
"""The number of characters shown of a value that cannot be parsed."""


def unparsed(value: Any) -> Unparsed:
    """The text shown for a value that cannot be parsed: its JSON on one line, limited, with masks for everything named a
    secret.
    """
    # Imported here because `validate` loads this module with a driver's field table but reads no response.
    from oauthdeploy.drivers.json_wire import clean, masked

    try:
        text = json.dumps(masked(_without_secrets(value)), sort_keys=True)
    except RecursionError:
        text = "(nested too deeply)"
    return Unparsed(clean(text, SHOWN))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): MASK if names_secret(str(key)) else _without_secrets(inner) for key, inner in value.items()}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


class FieldReader:
    """Reads the fields of one object one by one, so that a value that cannot be parsed affects only its own field.

    `values` are the fields that were read, by dotted path; `unparsed` the others.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unparsed: dict[str, Unparsed] = {}

    def take(self, path: str, read: Callable[..., Any], *source: Any) -> Any:
        """Read one field, from its `source`. Returns its value, or None if it cannot be parsed or is not returned."""
        try:
            value = read(*source)
        except Garbled as problem:
            self.unparsed[path] = unparsed(problem.value)
            return None
        if value is NOT_RETURNED:
            return None
        self.values[path] = value
        return value

    def build(self, model: type[M], needed: Mapping[str, Any] | None = None) -> M:
        """An object of the fields that could be read; a value that the model rejects counts as unparsed.

        `needed` are placeholders for required fields that could not be read; these count as unparsed.
        """
        while True:
            filled = {path: value for path, value in (needed or {}).items() if path not in self.values}
            for path in filled:
                self.unparsed.setdefault(path, unparsed(None))
            try:
                return model.model_validate(_nested({**self.values, **filled}))
            except ValidationError as problem:
                refused = {_path(self.values, error["loc"]) for error in problem.errors(include_input=False)} - {""}
                if not refused:
                    raise
                for path in refused:
                    self.unparsed[path] = unparsed(self.values.pop(path))


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in values.items():
        above, _, last = path.rpartition(".")
        (nested.setdefault(above, {}) if above else nested)[last] = value
    return nested


def _path(values: Mapping[str, Any], loc: Sequence[str | int]) -> str:
    """The dotted path of a field, from a location in the model."""
    steps = [str(step) for step in loc]
    return next((path for length in (2, 1) if (path := ".".join(steps[:length])) in values), "")


def an_object(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object without its nulls. Raises Garbled."""
    if not isinstance(value, Mapping):
        raise Garbled(f"{what} is not an object", value)
    return {key: inner for key, inner in value.items() if inner is not None} if None in value.values() else value


def a_list(body: Any, what: str) -> Sequence[Any]:
    """The list in a response: its only member that is an array. Raises Garbled.

    The documentation does not give the member's name, but by the pattern of the API it is the plural `what`. An empty array,
    or null, proves that there are no objects only under that name. If several members are arrays, the list cannot be
    identified.
    """
    if isinstance(body, list):
        return body
    if isinstance(body, Mapping):
        lists = {str(name): value for name, value in body.items() if isinstance(value, list)}
        if len(lists) > 1:
            raise Garbled(f"the answer holds {len(lists)} lists, and which of them is that of {what} is not known")
        for name, value in lists.items():
            if value or name.lower() == what:
                found: Sequence[Any] = value
                return found
        if not lists and any(str(name).lower() == what and value is None for name, value in body.items()):
            return ()
    raise Garbled(f"the answer holds no list of {what}")


def a_text(raw: Mapping[str, Any], key: str, default: str = "") -> str:
    """A text; absent is `default`. Raises Garbled."""
    value = raw.get(key, default)
    if not isinstance(value, str):
        raise Garbled(f"{key} is not a string", value)
    return value


def a_name(raw: Mapping[str, Any], key: str) -> str:
    """A required text that is not empty. Raises Garbled."""
    value = a_text(raw, key)
    if not value:
        raise Garbled(f"{key} is missing")
    return value


def an_id(raw: Mapping[str, Any], key: str) -> str:
    """A required text that can be a path segment, which a dot segment cannot. Raises Garbled."""
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
        raise Garbled(f"{key} is neither true nor false", value)
    return value


def a_number(raw: Mapping[str, Any], key: str, default: int, lowest: int) -> int:
    """A whole number from `lowest` up, or its text; absent is `default`. Raises Garbled."""
    value = raw.get(key, default)
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
            raise Garbled(f"{key} is not a whole number", value)
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise Garbled(f"{key} is not a whole number of at least {lowest}", value)
    return value


def some_texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts, each once; absent is empty. Raises Garbled."""
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Garbled(f"{key} is not a list of strings", value)
    return tuple(dict.fromkeys(value))


_PLAIN: Final = frozenset({str, bool, int})
"""The types of most values of a response: they are canonical as they are."""

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""Made once: a large realm has ten thousand clients."""


def fingerprint(raw: Any, without: Collection[str] = ()) -> str:
    """SHA-256 of a response in canonical form: without nulls and the keys in `without`, with sorted lists of texts.

    A Secret contributes only its presence.
    """

    def canonical(value: Any) -> Any:
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, Mapping):
            return {
                key: inner if inner.__class__ in _PLAIN else canonical(inner)
                for key, inner in value.items()
                if inner is not None and key not in without
            }
        if isinstance(value, list):
            values = [inner if inner.__class__ in _PLAIN else canonical(inner) for inner in value]
            return sorted(values) if all(isinstance(inner, str) for inner in values) else values
        return value

    try:
        text = _CANONICAL.encode(canonical(raw))
    except RecursionError:
        raise Garbled("the answer is nested too deeply") from None
    return hashlib.sha256(text.encode()).hexdigest()
