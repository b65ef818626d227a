"""What stands on a server once a change is made, by the plan alone: what tests hold a second comparison against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Object
from oauthdeploy.planning.changes import Action, Change

_M = TypeVar("_M", bound=Model)


def planned_state(change: Change) -> Object | None:
    """The object that stands at the address once the change is made; None where none does.

    Written fields are as the manifest says, with defaults in the place of null where they are known; what is not managed is
    as it was live.
    """
    if change.action is Action.DELETE:
        return None
    if change.desired is None or change.live is None or change.action is not Action.UPDATE:
        return change.desired
    defaults = {item.path: item.after for item in change.fields}
    return _overlay(change.live.value, change.desired, defaults, "")


def _overlay(below: _M, above: _M, known: Mapping[str, Any], prefix: str) -> _M:
    values: dict[str, Any] = {}
    for name in above.model_fields_set:
        under, over, path = getattr(below, name), getattr(above, name), f"{prefix}{name}"
        if isinstance(under, Model) and over is None:
            inside = {
                inner: known[f"{path}.{inner}"] for inner in type(under).model_fields if f"{path}.{inner}" in known
            }
            values[name] = under.model_copy(update=inside)
        elif isinstance(under, Model):
            values[name] = _overlay(under, over, known, f"{path}.")
        elif isinstance(under, Mapping) and isinstance(over, Mapping):
            values[name] = _merge(under, over)
        else:
            values[name] = known.get(path, under) if over is None else over
    return below.model_copy(update=values)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Options: written keys over live ones, at every depth."""
    found = dict(below)
    for key, value in above.items():
        under = found.get(key)
        found[key] = _merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return found
