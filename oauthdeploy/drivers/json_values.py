"""A server's JSON read into plain values; trusting in nothing that a server says.

Null equals absent, and booleans and numbers may come as texts. What is none of that is Garbled.
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
    """A server's JSON is not what its API promises; the message names the field, `value` is what stands there."""

    def __init__(self, message: str, value: Any = None) -> None:
        super().__init__(message)
        self.value = value


class NotReturned:
    """Stands for a field of which a server says nothing."""


NOT_RETURNED: Final = NotReturned()

SHOWN: Final = 80
"""So many characters of a value that can't be parsed are shown."""


def unparsed(value: Any) -> Unparsed:
    """What stands for a value that can't be parsed: its JSON on one line, bounded, with a mask for all that is named a secret."""
    # Imported late: `validate` loads this module with a driver's table of fields, and reads no answer.
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
    """Reads the fields of one object one by one, so that a value that can't be parsed spoils its own field and no other.

    `values` are the fields that were read, by dotted path; `unparsed` the others.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unparsed: dict[str, Unparsed] = {}

    def take(self, path: str, read: Callable[[], Any]) -> Any:
        """Read one field. Gives its value, None where it cannot be parsed or the server says nothing of it."""
        try:
            value = read()
        except Garbled as problem:
            self.unparsed[path] = unparsed(problem.value)
            return None
        if value is NOT_RETURNED:
            return None
        self.values[path] = value
        return value

    def build(self, model: type[M], needed: Mapping[str, Any] | None = None) -> M:
        """An object of the fields that could be read; a value that the model refuses joins those that can't be parsed.

        `needed` fill in for fields without which there is not an object; they count as unparsed.
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
    made: dict[str, Any] = {}
    for path, value in values.items():
        above, _, last = path.rpartition(".")
        (made.setdefault(above, {}) if above else made)[last] = value
    return made


def _path(values: Mapping[str, Any], loc: Sequence[str | int]) -> str:
    """The dotted path of a field, from the place that a model names."""
    steps = [str(step) for step in loc]
    return next((path for length in (2, 1) if (path := ".".join(steps[:length])) in values), "")


def an_object(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object without its nulls. Raises Garbled."""
    if not isinstance(value, Mapping):
        raise Garbled(f"{what} is not an object", value)
    return {key: inner for key, inner in value.items() if inner is not None}


def a_list(body: Any, what: str) -> Sequence[Any]:
    """The list in an answer: its only member that is an array. Raises Garbled.

    The name of that member is not public, but by the pattern of the API it is `what`, the plural: an empty array proves that
    there is nothing only under that name, as null does there. Where several members are arrays, nobody can say which is the
    list.
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
