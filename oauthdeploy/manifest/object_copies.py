"""Objects from the entries of a manifest, and copies of them with some fields changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

from oauthdeploy.model.fields import Model, one_set
from oauthdeploy.model.objects import Client, Revocation, Scope, ScopeContents, Settings

_set: Final = object.__setattr__
_Placeable = TypeVar("_Placeable", Settings, Scope, Client, Revocation)


@cache
def fields_in(model: type[Model]) -> frozenset[str]:
    """The names of the fields of a model."""
    return frozenset(model.model_fields)


def recast(model: type[_Placeable], written: set[str], values: dict[str, Any]) -> _Placeable:
    """A `model` with all its `values`, which are valid already, and the names of those that are written.

    Does the same as `model_construct` in a fifth of the time and a third of the memory, since it is called for every client on
    every server: attributes that are set one by one have one table of their names in all objects of the model.
    """
    copy = model.__new__(model)
    for name, value in values.items():
        _set(copy, name, value)
    _set(copy, "__pydantic_fields_set__", written)
    _set(copy, "__pydantic_extra__", None)
    _set(copy, "__pydantic_private__", None)
    return copy


def plain_object(model: type[_Placeable], entry: Model) -> _Placeable:
    """The object in an entry of the manifest, without what the entry says about where it belongs."""
    fields = fields_in(model)
    values = {name: value for name, value in entry.__dict__.items() if name in fields}
    return recast(model, one_set(name for name in entry.model_fields_set if name in fields), values)


def overlaid(scope: Scope, own: ScopeContents) -> Scope:
    """The scope with the values of one server in place of the general ones."""
    written = {name: getattr(own, name) for name in own.model_fields_set}
    return recast(Scope, scope.model_fields_set | written.keys(), {**scope.__dict__, **written})


def without(value: _Placeable, *names: str) -> _Placeable:
    """The same object without some fields."""
    written = one_set(name for name in value.model_fields_set if name not in names)
    return recast(type(value), written, {**value.__dict__, **dict.fromkeys(names)})


def joined_options(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an override, merged key by key into those of the settings that it overrides."""
    common, options = base.get("options"), own.get("options")
    if not common or not options:
        return {}
    return {"options": {**common, **{driver: {**common.get(driver, {}), **some} for driver, some in options.items()}}}
