"""Drift: how live differs from the manifest, by class."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostics, Path
from oauthdeploy.planning.changes import FieldChange
from oauthdeploy.planning.plan import Plan


class DriftClass(StrEnum):
    """The classes of drift; the last two are no drift and never count."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"
    SIDES_DISAGREE = "sides-disagree"
    CANNOT_COMPARE = "cannot-compare"
    UNREADABLE = "unreadable"

    @property
    def counts(self) -> bool:
        """True where the class is real drift."""
        return self not in (DriftClass.CANNOT_COMPARE, DriftClass.UNREADABLE)


@dataclass(frozen=True)
class DriftItem:
    """One difference. `fields` read before = live, after = manifest; `detail` says it in words."""

    kind: DriftClass
    address: Address
    detail: str
    fields: tuple[FieldChange, ...] = ()
    place: Path = ()


@dataclass(frozen=True)
class DriftReport:
    """All differences, by address; `plan` is what would repair them."""

    plan: Plan
    items: tuple[DriftItem, ...]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def drifted(self) -> bool:
        """True where live differs from the manifest."""
        return any(item.kind.counts for item in self.items)
