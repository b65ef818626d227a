"""What is exported is the same server again, on any driver: export, plan, apply to an empty server, and changes by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.objects import Object
from oauthdeploy.planning.drift.classification import DriftClass
from oauthdeploy.planning.export.values import ExportOptions
from oauthdeploy.workflow import (
    ManifestRequest,
    RunOptions,
    detect_drift,
    export_manifest,
    make_plan,
    run_plan,
    validate,
)

Contents = Mapping[str, Any]
"""All that a server holds, by the names of its objects, without what it makes itself."""


@dataclass(frozen=True)
class Hand:
    """One change by hand: how it is made, and the objects and fields of which drift must speak ("": all of the object)."""

    make: Callable[[], None]
    told: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class End:
    """A server: its entry in a manifest, what it holds by its own API, and entries of servers that it trusts."""

    entry: Mapping[str, Any]
    contents: Callable[[], Contents]
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def differences(one: Contents, other: Contents) -> list[tuple[str, Any, Any]]:
    """The names at which two servers hold something else, with both."""
    names = sorted(one.keys() | other.keys())
    return [(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]


@dataclass
class Copy:
    """A folder with a manifest of one server, named `one`, and what exports left out, by object and field."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    omitted: set[tuple[str, str]] = field(default_factory=set)

    def request(self, text: str) -> ManifestRequest:
        path = self.folder / "oauthdeploy.yaml"
        path.write_text(text)
        return ManifestRequest(files=(str(path),), environ=self.environ)

    def entry(self, end: End) -> str:
        return json.dumps({"version": 1, "name": "copy", "servers": {"one": end.entry, **end.others}})

    def options(self) -> RunOptions:
        return RunOptions(
            state_dir=self.folder / "state", allow=("adopt", "too-many-updates", "too-many-deletes", "self-lockout")
        )

    def exported(self, text: str, *, full: bool = False) -> str:
        """The text of an export into a manifest, which is valid, plans empty, and gives the same bytes when it is made again."""
        report = export_manifest(self.request(text), wanted=ExportOptions(full=full))
        made = report.files[0].text
        self.omitted |= {(one.address, one.field) for one in report.omissions}
        self.environ |= dict.fromkeys(report.variables, "not-set")
        assert not validate(self.request(made))[1].errors
        self.require_rest(made)
        again = export_manifest(self.request(made), wanted=ExportOptions(full=full))
        assert again.files[0].text == made
        return made

    def require_rest(self, text: str) -> Mapping[Address, Object]:
        plan, manifest = make_plan(self.request(text))
        assert not plan.changes, plan.changes
        return manifest.desired.objects

    def applied(self, text: str) -> None:
        report = run_plan(self.request(text), self.options())
        assert report is not None
        assert report.complete, report.outcomes
        assert not report.verification, report.verification

    def round_trip(self, source: End, target: End) -> str:
        """Copy one server to an empty one; gives the manifest of the copy with all defaults, which plans empty there."""
        text = self.exported(self.entry(source))
        moved = text.replace(str(source.entry["url"]), str(target.entry["url"]))
        self.applied(moved)
        self.require_rest(moved)
        assert not (found := differences(source.contents(), target.contents())), found
        return self.exported(moved, full=True)

    def hand_changes(self, text: str, target: End, hands: Callable[[Mapping[Address, Object]], Sequence[Hand]]) -> None:
        """Changes by hand are found, exactly, and repaired, with everything else as it was."""
        objects = self.require_rest(text)
        before = target.contents()
        made = hands(objects)
        for hand in made:
            hand.make()
        drift, _manifest = detect_drift(self.request(text))
        found = {
            (item.address.without_server, path)
            for item in drift.items
            for path in ([one.path for one in item.fields] if item.kind is DriftClass.CHANGED else [""])
            if item.counts
        }
        told = {one for hand in made for one in hand.told}
        assert found == told, (found - told, told - found)
        self.applied(text)
        assert not (left := differences(before, target.contents())), left
