"""The plan: one frozen value for review, saved file, apply and every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.planning.changes import Action, Change, Risk


def _none() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class ServerSummary:
    """One server in a plan: who it is, what reading it took and what writing will take, in requests."""

    name: str
    role: str
    driver: str
    url: str
    product: str = ""
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True)
class Plan:
    """What will be done, in stable order: equal input gives an equal plan and equal bytes.

    `diagnostics` are findings about the plan (cross-side, unsupported, unreadable kinds, what can't be compared);
    `stops` are the safety rules that it trips: `plan` shows them, `apply` refuses until each rule is named in `--allow`.
    `blind` lists what can't be compared, as `(address, dotted field)`; it is never drift. `fingerprints` are those of the
    live objects that the plan was made from, by written address; "" where none stood. `manifest_digest` is that of the
    manifest. `kept` are live objects that the manifest doesn't name and that stay, by server and kind: a count.
    """

    name: str
    changes: tuple[Change, ...]
    servers: tuple[ServerSummary, ...] = ()
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    stops: Diagnostics = field(default_factory=Diagnostics)
    blind: tuple[tuple[Address, str], ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=_none)
    manifest_digest: str = ""
    kept: Mapping[tuple[str, str], int] = field(default_factory=_none)

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to do."""
        return not self.changes

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many changes of each action."""
        found = Counter(change.action for change in self.changes)
        return {action: found.get(action, 0) for action in Action}

    @property
    def risk(self) -> Risk:
        """The greatest risk of any change."""
        return max((change.risk for change in self.changes), default=Risk.NONE)
