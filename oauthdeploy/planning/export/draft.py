"""One export in the making: what was read and asked for, the names that have entries, and what is reported on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.objects import OPENS
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.values import ExportOptions, Left, OptionEdit
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import OPTIONS
from oauthdeploy.planning.omissions import Omission, lost_between, unheld

UNWRITABLE: Final = "it holds characters that YAML cannot represent"

_SUMMARIES: Final = {
    "export-unreadable": "A kind could not be read",
    "export-differs": "A field differs between servers",
    "export-gone": "An entry is removed",
    "export-only-on-target": "Only the target has an object",
}


class Draft:
    """`named` are the names of scopes and clients that have an entry, `external` those that other manifests own, `odd_scopes`
    the scopes that are left out because of their names.
    """

    def __init__(self, inventory: Inventory, options: ExportOptions, left: frozenset[Left]) -> None:
        self.inventory = inventory
        self.options = options
        self.left = left
        self.findings: list[Diagnostic] = []
        self.omissions: list[Omission] = []
        self.odd_scopes: set[str] = set()
        self.named: dict[Kind, set[str]] = {kind: set() for kind in (Kind.SCOPE, Kind.CLIENT)}
        for address in inventory.desired.objects:
            if address.kind in self.named:
                self.named[address.kind].add(address.name)
        self.external = {(address.kind, address.name) for address in inventory.desired.external}
        for kind, name in self.external:
            self.named[kind].add(name)

    @cached_property
    def words(self) -> Mapping[str, frozenset[str]]:
        """The scopes that clients have on servers that keep only their names: those servers, by name."""
        found: dict[str, set[str]] = defaultdict(set)
        for server in self.inventory.desired.words.keys() & set(self.inventory.read(Kind.ASSOCIATION)):
            for address in self.inventory.live.servers[server].objects:
                if address.kind is Kind.ASSOCIATION:
                    found[address.scope].add(server)
        return {name: frozenset(servers) for name, servers in found.items()}

    @cached_property
    def crosses(self) -> bool:
        """Whether this is a copy to a server of another kind."""
        source, target = self.options.source, self.options.target
        inventory = self.inventory
        return source is not None and target is not None and inventory.driver(source) is not inventory.driver(target)

    @cached_property
    def made_by_target(self) -> frozenset[str]:
        """The scopes that the target of a copy to another kind of server makes by itself; its new clients may get them."""
        there = self.inventory.live.servers[self.options.target or ""].objects if self.crosses else {}
        return frozenset(address.name for address, one in there.items() if address.kind is Kind.SCOPE and one.built_in)

    @cached_property
    def keeps_words(self) -> bool:
        """Whether the target of a copy to another kind of server keeps only the names of scopes, so that it can have any."""
        return self.crosses and self.options.target in self.inventory.desired.words

    def naming(self, kind: Kind, name: str) -> frozenset[str]:
        """The servers that keep only the name of a scope and that have it, by a client, the manifest or this copy."""
        if kind is not Kind.SCOPE:
            return frozenset()
        words = self.inventory.desired.words
        written = {server for server, names in words.items() if name in names or server == self.options.target}
        return self.words.get(name, frozenset()) | written

    def unheld(self, address: str, sides: Mapping[str, LiveObject]) -> None:
        """Record what a manifest cannot hold of an object, and what the target of a copy does not support."""
        source, target = self.options.source, self.options.target
        for server, there in sorted(sides.items()):
            # What a scope opens goes to the target of a copy, which may act on it.
            if there.unheld:
                kept = OPENS if target is not None else frozenset()
                self.omissions += (one for one in unheld(server, address, there) if one.field not in kept)
            if server == source and target is not None:
                self.omissions += lost_between(self.inventory, server, target, address, there)

    def unparsed(self, address: str, sides: Mapping[str, LiveObject]) -> Iterator[str]:
        """Report fields whose live value a manifest cannot express. A driver's options report their own."""
        found = {
            path: f"{server} holds {there.unparsed[path]}"
            for server, there in sorted(sides.items())
            for path in there.unparsed
            if not path.startswith(f"{OPTIONS}.")
        }
        for path in sorted(found):
            why = f"{found[path]}, which a manifest cannot write"
            self.omit(address, path, why, "Write the value that you want; apply sets it.")
            yield path

    def report_dropped_option(self, address: str, edit: OptionEdit) -> None:
        """Record an option that is removed."""
        self.omit(address, ".".join((OPTIONS, *edit.keys)), "a manifest cannot express its value, so it is removed")

    def omit(self, address: str, field: str, why: str, fix: str = "") -> None:
        """Record what is left out, and why."""
        self.omissions.append(Omission(address, field, why, fix=fix))

    def report(self, rule: str, address: str, detail: str, fix: str) -> None:
        """Add a warning."""
        self.findings.append(
            Diagnostic(rule, _SUMMARIES[rule], detail, fix, severity=Severity.WARNING, address=address)
        )
