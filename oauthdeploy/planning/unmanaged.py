"""Live objects that the manifest does not name and that stay: their owner, and whether they count as drift.

    orphaned     has this manifest's mark: the manifest created it and no longer names it
    unexpected   has no mark, and is of a kind that the manifest manages on that server, or in a list that it writes
    others       has another manifest's mark, or is of a kind that the manifest does not manage there; never drift

Orphaned objects count in plans and in drift reports. Unexpected objects count only in drift reports, which are meant to find
objects created by hand; plans only name them, unless `--warn unexpected` makes them count there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.state import DesiredState, LiveState, Ownership
from oauthdeploy.planning.pruning import is_listed

ORPHANED: Final = "orphaned"
UNEXPECTED: Final = "unexpected"
RULES: Final = frozenset({ORPHANED, UNEXPECTED})
"""The rules of the findings about them; to ignore a rule is to ignore its objects."""

_SEVERITIES: Final = {ORPHANED: Severity.WARNING, UNEXPECTED: Severity.INFO}

SHOWN: Final = 20
"""The number of names in a finding."""


class Kept(Struct, frozen=True):
    """One such object. `owner` is the manifest in its mark, or "". `unexpected` is true if it counts as drift. `severity` is
    that of its rule; None if no rule applies or the rule is ignored, so that the object does not count.
    """

    address: Address
    ownership: Ownership = Ownership.UNMARKED
    owner: str = ""
    unexpected: bool = False
    severity: Severity | None = None

    @property
    def orphaned(self) -> bool:
        """True if this manifest created it."""
        return self.ownership is Ownership.OURS and self.unexpected

    @property
    def weighs(self) -> bool:
        """True if it counts as drift."""
        return self.severity is not None

    @property
    def silenced(self) -> bool:
        """True if its rule is ignored."""
        return self.unexpected and self.severity is None

    @property
    def rule(self) -> str:
        """The rule of its finding; "" if there is none."""
        return "" if not self.unexpected else ORPHANED if self.orphaned else UNEXPECTED


def kept_objects(addresses: Iterable[Address], desired: DesiredState, live: LiveState) -> tuple[Kept, ...]:
    """The live objects at `addresses`, by address. Empty for a desired state that is only part of a manifest: an object that
    it does not name may still be wanted.
    """
    if not desired.whole:
        return ()
    managed = {(address.server, address.kind) for address in (*desired.objects, *desired.absent)}

    def kept(address: Address) -> Kept:
        live_object = live.servers[address.server].objects.get(address)
        ownership = live_object.ownership if live_object is not None else Ownership.UNMARKED
        if address.kind is Kind.ASSOCIATION:
            counts = is_listed(desired, address)
        else:
            counts = (address.server, address.kind) in managed or ownership is Ownership.OURS
        owner = live_object.owner if live_object is not None else ""
        item = Kept(address, ownership, owner, counts and ownership is not Ownership.FOREIGN)
        return replace(item, severity=_SEVERITIES.get(item.rule))

    return tuple(kept(address) for address in sorted(set(addresses), key=lambda address: address.sort_key))


def counted(kept: Iterable[Kept]) -> tuple[Kept, ...]:
    """Those that count as drift."""
    return tuple(item for item in kept if item.weighs)


def weighed_kept(kept: Iterable[Kept], findings: Iterable[Diagnostic]) -> tuple[Kept, ...]:
    """The same, with the severities of their `findings`."""
    severities = {item.rule: item.severity for item in findings if item.rule in RULES}
    return tuple(replace(item, severity=severities.get(item.rule)) for item in kept)


def kept_findings(kept: Sequence[Kept]) -> Iterator[Diagnostic]:
    """One finding for each server, kind and rule, with up to 20 names."""
    for (server, _kind, rule), group in groupby(
        sorted((item for item in kept if item.rule), key=_group), key=lambda item: _group(item)[:3]
    ):
        items = list(group)
        names = _names([item.address for item in items])
        only = str(items[0].address) if len(items) == 1 else ""
        yield _orphaned(names, only) if rule == ORPHANED else _unexpected(names, server, only)


def _group(item: Kept) -> tuple[str, str, str, Any]:
    return item.address.server, item.address.kind.value, item.rule, item.address.sort_key


def _names(addresses: Sequence[Address]) -> str:
    more = f" and {len(addresses) - SHOWN:,} more" if len(addresses) > SHOWN else ""
    return ", ".join(str(address) for address in addresses[:SHOWN]) + more


def _orphaned(names: str, address: str) -> Diagnostic:
    them = "it" if address else "them"
    return Diagnostic(
        ORPHANED,
        "The manifest made something that it no longer names",
        detail=f"This manifest's mark is on {names}, and the manifest does not name {them}. An apply leaves {them} alone.",
        fix="To delete one, write it with `state: absent`; to delete all, set policy.prune to managed. To keep one, write it "
        "into the manifest again.",
        severity=_SEVERITIES[ORPHANED],
        address=address,
    )


def _unexpected(names: str, server: str, address: str) -> Diagnostic:
    them = "it" if address else "them"
    return Diagnostic(
        UNEXPECTED,
        "A server has something that the manifest does not name",
        detail=f"{server} has {names}, and the manifest does not name {them}. An apply leaves {them} alone.",
        fix="To delete one, write it with `state: absent`. To keep one, write it into the manifest, with `external: true` if "
        "somebody else manages it. To ignore all of them, use `--ignore unexpected`.",
        severity=_SEVERITIES[UNEXPECTED],
        address=address,
    )


def kept_documents(kept: Iterable[Kept]) -> Iterator[dict[str, Any]]:
    """For the JSON of plans and reports: by server and kind, with a count and all names."""
    for (server, kind), group in groupby(
        sorted(kept, key=lambda item: (item.address.server, item.address.kind.value, item.address.sort_key)),
        key=lambda item: (item.address.server, item.address.kind.value),
    ):
        objects = [
            {
                "address": str(item.address),
                "ownership": item.ownership.value,
                "owner": item.owner,
                "unexpected": item.unexpected,
                "severity": item.severity.value if item.severity is not None else None,
            }
            for item in group
        ]
        yield {"server": server, "kind": kind, "count": len(objects), "objects": objects}
