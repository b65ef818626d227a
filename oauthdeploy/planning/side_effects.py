"""Effects of a change beyond its fields, as the driver declares them: permanent deletions and interruptions."""

from __future__ import annotations

from collections.abc import Sequence

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.capabilities import DriverFacts, SideEffect
from oauthdeploy.planning.changes import Action, FieldChange


def lost_with(facts: DriverFacts, kind: Kind, action: Action, fields: Sequence[FieldChange]) -> tuple[str, ...]:
    """What the change permanently deletes beyond the object's fields, in words."""
    return tuple(
        effect.what for effect in facts.side_effects if effect.kind is kind and _has_effect(effect, action, fields)
    )


def in_words(lost: Sequence[str]) -> str:
    """The sentence in a plan; "" if nothing is lost."""
    return f"Also deletes permanently: {'; '.join(lost)}." if lost else ""


def interrupted_by(facts: DriverFacts, kind: Kind, action: Action, fields: Sequence[FieldChange]) -> tuple[str, ...]:
    """What the change interrupts for a moment, in sentences."""
    if action is not Action.UPDATE:
        return ()
    paths = {change.path for change in fields}
    return tuple(dict.fromkeys(one.what for one in facts.interruptions if one.kind is kind and one.field in paths))


def _has_effect(effect: SideEffect, action: Action, fields: Sequence[FieldChange]) -> bool:
    if not effect.field:
        return action in (Action.DELETE, Action.REPLACE)
    return action is Action.UPDATE and any(
        change.path == effect.field and effect.gone in change.removed for change in fields
    )
