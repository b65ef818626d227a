"""What the target of a copy does not accept of its source's clients and scopes. Pure.

A copy never allows more than its source. Entries of a list that the target does not accept are taken out of it, and a client
that the target would store with more access than it has on the source is left out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.held_fields import declared, field_name
from oauthdeploy.model.objects import Client, Grant
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.requirements import GRANTS

ALLOWING: Final = frozenset({"enabled", "grants", "type"})
"""The fields of a client without which a server's default may allow more than the source did."""


class TargetLimits:
    """The rules of one server, the `target`."""

    def __init__(self, inventory: Inventory, target: str) -> None:
        self._target = target
        self._driver = inventory.driver(target)
        self._table = inventory.tables[target]
        self._fields = self._driver.fields.get(inventory.entry(target).role, {})

    def refusal(self, kind: Kind, name: str, there: LiveObject) -> str:
        """Why the target cannot have an object of the source under this name; "" if it can."""
        limit = self._driver.names.get(kind)
        if limit is not None and (breach := limit.breach(name)):
            return f"{self._target} does not accept its name: {breach}"
        value = there.value
        if not isinstance(value, Client):
            return ""
        support = self._table.get(field_name(Kind.CLIENT, "enabled"))
        if value.enabled is False and support is not None and not support:
            return f"it is disabled, and {self._target} would have it enabled: {support.note}"
        if value.grants and not self.accepted(kind, "grants", value.grants):
            why = "; ".join(self.refused_entries(kind, "grants", value.grants))
            return f"{self._target} offers none of its grants: {why}"
        return ""

    def accepted(self, kind: Kind, path: str, value: Any) -> Any:
        """The value without the entries of a list that the target does not accept."""
        if not isinstance(value, tuple):
            return value
        left = tuple(entry for entry in value if not self._breach(kind, path, entry))
        # A refresh token comes with a grant of users (RFC 6749 section 6).
        return () if path == "grants" and left == (Grant.REFRESH_TOKEN,) != value else left

    def refused_entries(self, kind: Kind, path: str, value: Any) -> Iterator[str]:
        """What the target says about each entry that it does not accept."""
        for entry in value if isinstance(value, tuple) else ():
            if breach := self._breach(kind, path, entry):
                yield breach

    def _breach(self, kind: Kind, path: str, entry: Any) -> str:
        if kind is Kind.CLIENT and path == "grants" and entry in GRANTS:
            support = self._table.get(GRANTS[entry])
            return f"{entry}: {support.note}" if support is not None and not support else ""
        limit = declared(self._fields, kind, path).limit
        return limit.breach(entry) if limit is not None else ""
