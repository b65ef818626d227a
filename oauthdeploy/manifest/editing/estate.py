"""An export into a manifest: what the servers hold is put into the text, and what is written there already stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.manifest.editing.change import Draft, Reference
from oauthdeploy.manifest.editing.names import variable_name
from oauthdeploy.manifest.nodes import Source
from oauthdeploy.model.fields import format_duration
from oauthdeploy.planning.exported import EntryEdit, Export

IGNORED: Final = "as it was on the server when it was exported"
"""The reason in a comment that ignores what a rule says about a live object."""

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Exported:
    """The text, whether it differs from what was there, and the environment variables that new entries read, with purpose."""

    text: str
    changed: bool
    variables: Mapping[str, str] = field(default_factory=dict)


def write_export(source: Source, found: Export, environment: str | None = None) -> Exported:
    """Put an export into a manifest. Values go into the overlay of `environment` where that writes them.

    Raises NotChangeable.
    """
    writer = _Writer(source, environment)
    for server, trusted in found.trusts.items():
        writer.put(("servers", server, "authorization_server"), trusted)
    for path, value in found.settings.items():
        writer.put(("settings", path), said(path, value))
    for server, fields in found.overrides.items():
        for path, value in fields.items():
            writer.put(("settings", "overrides", server, path), said(path, value))
        writer.tidy(("settings", "overrides", server))
    writer.tidy(("settings", "overrides"))
    for section, edits in (("scopes", found.scopes), ("clients", found.clients)):
        for edit in edits:
            writer.entry(section, edit)
    for client, scopes in found.associations.items():
        writer.associations(client, scopes)
    if not writer.draft.changed:
        return Exported(source.text, False)
    return Exported(writer.draft.text(), True, writer.variables)


class _Writer:
    """Makes the edits of a manifest's sections."""

    def __init__(self, source: Source, environment: str | None) -> None:
        self.draft = Draft(source)
        self.variables: dict[str, str] = {}
        self._taken = set(_VARIABLE.findall(source.text))
        self._overlay: Path = ("environments", environment) if environment is not None else ()

    def put(self, path: Path, value: Any) -> None:
        """Write a value, or take it out for None."""
        overlay = (*self._overlay, *path)
        if self._overlay and self.draft.has(overlay):
            path = overlay
        if value is not None:
            self.draft.put(path, value, braces=len(path) > 2)
        elif self.draft.has(path):
            self.draft.remove(path)

    def tidy(self, path: Path) -> None:
        """Take out a mapping in which nothing is left."""
        if self.draft.value(path) == {}:
            self.draft.remove(path)

    def entry(self, section: str, edit: EntryEdit) -> None:
        """One scope or client."""
        path: Path = (section, edit.name)
        if edit.gone:
            self.draft.remove(path)
            self.draft.remove((*self._overlay, *path)) if self._overlay else None
            return
        values: dict[str, Any] = {}
        for dotted, value in edit.values.items():
            _nest(values, dotted, said(dotted, value))
        if edit.absent:
            values["state"] = "absent"
        if edit.secret:
            values["secret"] = {"value": self._reference(edit.name)}
        if edit.on is not None:
            values["on"] = list(edit.on)
        if not self.draft.has(path):
            self.draft.put(path, values)
            return
        if not edit.absent:
            self.put((*path, "state"), None)
        if edit.everywhere:
            self.put((*path, "on"), None)
        for dotted in edit.dropped:
            self.put((*path, *dotted.split(".")), None)
            self.tidy((*path, dotted.split(".")[0]))
        for name, value in values.items():
            if isinstance(value, dict):
                for inner, each in value.items():
                    self.put((*path, name, inner), each)
            else:
                self.put((*path, name), value)

    def _reference(self, key: str) -> Reference:
        name = variable_name(f"{key}_secret", self._taken, what="CLIENT")
        self._taken.add(name)
        self.variables[name] = f"secret of the client {key}"
        return Reference(f"${{env:{name}}}")

    def associations(self, client: str, scopes: Iterable[str] | None) -> None:
        """The list of a client: where it has one, else at the end; lists from the scopes' end say it no more."""
        own = None
        entries = self.draft.value(("associations",)) or []
        for position in reversed(range(len(entries))):
            entry = entries[position] if isinstance(entries[position], dict) else {}
            if entry.get("client") == client:
                if own is not None:
                    self.draft.remove(("associations", own))
                own = position
            elif client in (entry.get("clients") or ()):
                names = entry["clients"]
                for place in reversed([place for place, name in enumerate(names) if name == client]):
                    self.draft.remove(("associations", position, "clients", place))
        if scopes is None:
            if own is not None:
                self.draft.remove(("associations", own))
        elif own is not None:
            self.draft.put(("associations", own, "scopes"), list(scopes))
        else:
            self.draft.append(("associations",), {"client": client, "scopes": list(scopes)}, braces=True)


def said(path: str, value: Any) -> Any:
    """A value of the model as a manifest says it: durations with their unit, words of the model as texts."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return [said("", inner) for inner in value]
    if path.endswith("lifetime") and isinstance(value, int) and not isinstance(value, bool):
        return format_duration(value)
    return value


def _nest(values: dict[str, Any], dotted: str, value: Any) -> None:
    head, dot, rest = dotted.partition(".")
    if dot:
        _nest(values.setdefault(head, {}), rest, value)
    else:
        values[head] = value


def with_ignores(text: str, findings: Iterable[Diagnostic]) -> str:
    """The text with a comment above each line that findings speak of, which ignores their rules there."""
    by_line: dict[int, set[str]] = {}
    for item in findings:
        if item.span is not None:
            by_line.setdefault(item.span.line, set()).add(item.rule)
    lines = text.split("\n")
    for number in sorted(by_line, reverse=True):
        line = lines[number - 1]
        indent = line[: len(line) - len(line.lstrip(" "))]
        lines.insert(number - 1, f"{indent}# oauthdeploy: ignore[{', '.join(sorted(by_line[number]))}] {IGNORED}")
    return "\n".join(lines)
