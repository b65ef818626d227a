"""Canonical forms: what two spellings of the same wish have in common, run on both sides before they are compared.

- A set-like list is sorted and holds each entry once.
- A field that was not written is left out: it is not managed.
- null asks for the server's default; where the driver's table knows that default, it stands in for null on both sides, so
  that a default never shows as a difference.
- A server has no way to tell an empty list or an empty text from none: seen live, none counts as empty.
- Redirect URIs are left as they are. Two URIs that a browser takes for the same are two URIs to an authorization server:
  exact comparison is what keeps codes from leaking (RFC 6749 section 3.1.2.3, RFC 9700 section 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from oauthdeploy.model.fields import Model, SetLike, WriteOnly, managed, marked

OPTIONS: Final = "options"
"""The field that holds what the model lacks, by driver; compared apart, key by key."""

INSTRUCTIONS: Final = frozenset({"secret.generate", "secret.deliver_to", "secret.revision"})
"""Written fields that tell the tool what to do and are no state of a server."""


def is_instruction(path: str) -> bool:
    """Whether the dotted path is an instruction, or lies inside one."""
    return path in INSTRUCTIONS or path.startswith("secret.deliver_to.")


def canonical_set(values: Iterable[Any]) -> tuple[Any, ...]:
    """Sorted, each entry once."""
    return tuple(sorted(set(values)))


def flatten(value: Model) -> dict[str, Any]:
    """The written fields of an object as dotted path -> canonical value. `options` is left out."""
    sets = set_like(type(value))
    found: dict[str, Any] = {}
    for path, inner in managed(value):
        if path == OPTIONS:
            continue
        found[path] = canonical_set(inner) if inner is not None and path in sets else inner
    return found


def wanted_fields(value: Model) -> dict[str, Any]:
    """Like `flatten`, for the manifest's side: null on a group of fields (`tokens: null`) asks for null in each of them."""
    found = flatten(value)
    groups = _groups(type(value))
    if not any(inner is None and path in groups for path, inner in found.items()):
        return found
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
    """A live value in canonical form: what the server leaves out is its default where that is known."""
    if value is None:
        value = canonical_default(model, path, defaults.get(path))
    if value is None and path in set_like(model):
        return ()
    return value


def same(before: Any, after: Any) -> bool:
    """Whether a live value fulfils a wanted one, both canonical. Secrets compare in constant time by their own equality."""
    return bool(before == after) or (before is None and after == "")


def unsaid(have: Mapping[str, Any], path: str) -> bool:
    """Whether the live side says nothing about a dotted path: neither a value nor that there is none."""
    if path in have:
        return False
    while "." in path:
        path = path.rpartition(".")[0]
        if path in have:
            return False
    return True


@cache
def set_like(model: type[Model]) -> frozenset[str]:
    """The dotted paths of a model whose order means nothing."""
    return marked(model, SetLike)


@cache
def write_only(model: type[Model]) -> frozenset[str]:
    """The dotted paths of a model that servers may never give back."""
    return marked(model, WriteOnly)


@cache
def _groups(model: type[Model]) -> Mapping[str, tuple[str, ...]]:
    """Each field that holds a model, with the dotted paths of what is inside."""
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
