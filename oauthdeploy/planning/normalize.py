"""Canonical forms of values, computed on both sides before they are compared.

- A set-like list is sorted and holds each entry once.
- A field that is not written is left out, because it is not managed.
- null requests the server's default. If the driver's table has the default, it replaces null on both sides, so that a
  default never counts as a difference.
- A server cannot distinguish an empty list or text from an absent one: a live value that is absent counts as empty.
- Redirect URIs are unchanged. An authorization server compares them character by character, although a browser treats some
  as equal: only exact comparison keeps codes from leaking (RFC 6749 section 3.1.2.3, RFC 9700 section 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from oauthdeploy.model.fields import Instruction, Model, SetLike, Transient, WriteOnly, marked
from oauthdeploy.model.objects import Client

OPTIONS: Final = "options"
"""The field for what the model lacks, by driver; compared separately, key by key."""

INSTRUCTIONS: Final = marked(Client, Instruction)
"""Fields of a client that are instructions to this tool and not state of a server."""

_INSIDE: Final = tuple(f"{path}." for path in INSTRUCTIONS)


def is_instruction(path: str) -> bool:
    """Whether the dotted path is an instruction, or lies inside one."""
    return path in INSTRUCTIONS or path.startswith(_INSIDE)


def canonical_set(values: Iterable[Any]) -> tuple[Any, ...]:
    """Sorted, each entry once."""
    given = tuple(values)
    if len(given) < 2:
        return given
    canonical = tuple(sorted(set(given)))
    return given if given == canonical else canonical


def flatten(value: Model, leave: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The written fields of an object as dotted path -> canonical value. `options` is left out, and so are the fields in
    `leave`.
    """
    found: dict[str, Any] = {}
    _flatten_into(found, value, "", value.model_fields_set - leave)
    return found


def _flatten_into(found: dict[str, Any], value: Model, prefix: str, written: set[str]) -> None:
    values = value.__dict__
    for name, path, inside, is_set in _fields(type(value), prefix):
        if name not in written:
            continue
        inner = values[name]
        if isinstance(inner, Model):
            _flatten_into(found, inner, inside, inner.model_fields_set)
        elif is_set and inner is not None:
            found[path] = canonical_set(inner)
        elif name != OPTIONS:
            found[path] = inner


def surely_fulfilled(wanted: Model, live: Model, skip: frozenset[str]) -> bool:
    """A quick check: True only if every written field of `wanted` has the same value in `live`.

    False says nothing. Most objects of most plans are as they should be, and are told here at a tenth of the cost.
    """
    values, live_values = wanted.__dict__, live.__dict__
    for name in wanted.model_fields_set:
        value, have = values[name], live_values.get(name)
        if value == have or name in skip:
            continue
        if isinstance(value, Model) and isinstance(have, Model) and surely_fulfilled(value, have, _NOTHING):
            continue
        if not isinstance(value, tuple) or not isinstance(have, tuple) or name not in set_like(type(wanted)):
            return False
        if set(value) != set(have):
            return False
    return True


_NOTHING: Final[frozenset[str]] = frozenset()


def settled(wanted: Model, live: Model, besides: frozenset[str] = _NOTHING) -> frozenset[str]:
    """The fields of `wanted`, besides some, that need no closer look: written on both sides, not null, and equal."""
    shared = (wanted.model_fields_set & live.model_fields_set) - besides
    sets = set_like(type(wanted))
    values, live_values = wanted.__dict__, live.__dict__
    return frozenset([name for name in shared if _is_settled(values[name], live_values[name], is_set=name in sets)])


def _is_settled(value: Any, have: Any, *, is_set: bool) -> bool:
    if isinstance(value, Model):
        return isinstance(have, Model) and settled(value, have) == value.model_fields_set
    if is_set and isinstance(value, tuple) and isinstance(have, tuple):
        return value == have or set(value) == set(have)
    return value is not None and bool(value == have)


def wanted_fields(value: Model, leave: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Like `flatten`, for the manifest's side: null for a group of fields (`tokens: null`) requests null for each of them."""
    found = flatten(value, leave)
    if None not in found.values():
        return found
    groups = _groups(type(value))
    spread: dict[str, Any] = {}
    for path, inner in found.items():
        if inner is None and path in groups:
            spread.update(dict.fromkeys(groups[path]))
        else:
            spread[path] = inner
    return spread


def canonical_default(model: type[Model], path: str, value: Any) -> Any:
    """A default from a driver's table in canonical form."""
    return canonical_set(value) if value is not None and path in set_like(model) else value


def live_value(model: type[Model], path: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    """A live value in canonical form: a value that the server leaves out is its default, if that is known."""
    if value is None:
        value = canonical_default(model, path, defaults.get(path))
    if value is None and path in set_like(model):
        return ()
    return value


def same(before: Any, after: Any) -> bool:
    """Whether a live value fulfils a desired one, both canonical. Secrets compare in constant time."""
    return bool(before == after) or (before is None and after == "")


def is_unreported(have: Mapping[str, Any], path: str) -> bool:
    """Whether the live object has neither a value nor null at a dotted path."""
    if path in have:
        return False
    while "." in path:
        path = path.rpartition(".")[0]
        if path in have:
            return False
    return True


@cache
def set_like(model: type[Model]) -> frozenset[str]:
    """The dotted paths of a model's sets, whose order does not count."""
    return marked(model, SetLike)


@cache
def _fields(model: type[Model], prefix: str) -> tuple[tuple[str, str, str, bool], ...]:
    """The names of a model's fields, with the dotted path below `prefix`, the prefix of what is inside, and whether it is a
    set. A plan has millions of paths, so each is one string.
    """
    sets = set_like(model)
    return tuple((name, f"{prefix}{name}", f"{prefix}{name}.", name in sets) for name in model.model_fields)


@cache
def transient(model: type[Model]) -> frozenset[str]:
    """The fields of a model that no manifest writes (`Transient`)."""
    return marked(model, Transient)


@cache
def write_only(model: type[Model]) -> frozenset[str]:
    """The dotted paths of a model that servers may never return."""
    return marked(model, WriteOnly)


@cache
def closely_compared(model: type[Model]) -> frozenset[str]:
    """The fields of a model with a part that servers may never return, for which equal values are no proof."""
    return frozenset(path.partition(".")[0] for path in write_only(model)) | {OPTIONS}


@cache
def _groups(model: type[Model]) -> Mapping[str, tuple[str, ...]]:
    """Each field that holds a model, with the dotted paths of that model."""
    found: dict[str, tuple[str, ...]] = {}
    for name, info in model.model_fields.items():
        for inner in _models_of(info.annotation):
            nested = _groups(inner)
            paths = [f"{name}.{path}" for field in inner.model_fields for path in nested.get(field, (field,))]
            found[name] = tuple(paths)
            found.update({f"{name}.{path}": tuple(f"{name}.{leaf}" for leaf in into) for path, into in nested.items()})
    return found


def _models_of(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_of(argument)]
