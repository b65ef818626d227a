"""Merges an export into a manifest: adds what the servers have, and leaves existing text as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.manifest.editing.change import Draft, Reference
from oauthdeploy.manifest.editing.drafts import Drafts
from oauthdeploy.manifest.editing.names import variable_name
from oauthdeploy.manifest.source import Source
from oauthdeploy.model.fields import format_duration
from oauthdeploy.model.objects import AS, AssignedAs
from oauthdeploy.planning.export.values import EntryEdit, Export, Keys, OptionEdit, Pairs, SettingsEdit
from oauthdeploy.planning.normalize import OPTIONS

IGNORED: Final = "as it was on the server when it was exported"
"""The reason in a comment that ignores a rule's finding about a live object."""

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)")


class Exported(Struct, frozen=True):
    """The resulting files, in their order, and the environment variables that new entries read, with their purpose. `trees` is
    what has been read from the files already, None for a file that was not changed; whoever loads the files uses it up.
    """

    files: tuple[Source, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    trees: list[Any] = field(default_factory=list)


def write_export(sources: Sequence[Source], found: Export, environment: str | None = None) -> Exported:
    """Merge an export into the files of a manifest. Values go into the overlay of `environment` if it sets them.

    Files that it does not concern are returned unchanged. Raises NotChangeable.
    """
    writer = _Writer(sources, environment)
    for server, trusted in found.trusts.items():
        writer.put(("servers", server, "authorization_server"), trusted)
    writer.settings(found.settings)
    for section, edits in (("scopes", found.scopes), ("clients", found.clients)):
        for edit in edits:
            writer.entry(section, edit)
    gone = {edit.name for edit in found.clients if edit.gone}
    for client, pairs in found.associations.items():
        if client in gone:
            continue
        writer.associations(client, pairs)
        for keys in found.listing:
            writer.take_out(("clients", client, OPTIONS), keys)
    made = writer.drafts.texts_and_data()
    return Exported(tuple(source for source, _tree in made), writer.variables, [tree for _source, tree in made])


class _Writer:
    """Makes the edits of a manifest's sections."""

    def __init__(self, sources: Sequence[Source], environment: str | None) -> None:
        self.drafts = Drafts(sources)
        self.variables: dict[str, str] = {}
        self._taken = {name for source in sources for name in _VARIABLE.findall(source.text)}
        self._overlay: Path = ("environments", environment) if environment is not None else ()

    def put(self, path: Path, value: Any) -> None:
        """Write a value, or remove it if it is None."""
        if value is not None:
            self._write(path, value)
        else:
            self.drafts.remove(self._where(path))

    def settings(self, edit: SettingsEdit) -> None:
        """The settings: what all servers share, then what is specific to one."""
        overrides: Path = ("settings", "overrides")
        for path, value in edit.common.items():
            self.put(("settings", path), written_value(path, value))
        for server, fields in edit.overrides.items():
            for path, value in fields.items():
                self.put((*overrides, server, path), written_value(path, value))
            self.drafts.tidy((*overrides, server))
        for option in edit.options:
            common: Path = ("settings", OPTIONS, *option.keys)
            for server, value in option.values.items():
                own: Path = (*overrides, server, OPTIONS, *option.keys)
                if option.gone:
                    self.take_out((*overrides, server, OPTIONS), option.keys)
                    self.take_out(("settings", OPTIONS), option.keys)
                elif option.alike and not self.drafts.has(self._where(own)):
                    self._write(common, written_value("", value))
                else:
                    self._write(own, written_value("", value))
        self.drafts.tidy(overrides)

    def _where(self, path: Path) -> Path:
        """The path in the overlay, if it sets the value."""
        overlay = (*self._overlay, *path)
        return overlay if self._overlay and self.drafts.has(overlay) else path

    def _write(self, path: Path, value: Any) -> None:
        self.drafts.put(self._where(path), value, braces=len(path) > 2)

    def entry(self, section: str, edit: EntryEdit) -> None:
        """One scope or client."""
        path: Path = (section, edit.name)
        if edit.gone:
            self._forget(section, edit.name)
            self.drafts.remove(path)
            if self._overlay:
                self.drafts.remove((*self._overlay, *path))
            return
        values = self._values(edit)
        if not self.drafts.has(path):
            for server, fields in edit.overrides.items():
                given = {name: written_value(name, value) for name, value in fields.items() if value is not None}
                if given:
                    values.setdefault("overrides", {})[server] = given
            for option in edit.options:
                if not option.gone:
                    _nest_keys(values, (OPTIONS, *option.keys), written_value("", next(iter(option.values.values()))))
            self.drafts.put(path, values)
        else:
            self._change(path, edit, values)

    def _forget(self, section: str, name: str) -> None:
        """Remove a client or scope that is deleted from the associations: a manifest may not name what it does not have."""
        if section == "clients":
            self.associations(name, None)
            return
        for draft, path, entry in list(self.drafts.entries("associations")):
            if isinstance(entry, dict) and entry.get("scope") == name:
                draft.remove(path)
            elif isinstance(entry, dict) and name in (scopes := entry.get("scopes") or ()):
                for place in reversed([place for place, scope in enumerate(scopes) if scope == name]):
                    draft.remove((*path, "scopes", place))

    def _values(self, edit: EntryEdit) -> dict[str, Any]:
        """What an edit writes, as a manifest has it."""
        values: dict[str, Any] = {}
        for dotted, value in edit.values.items():
            _nest(values, dotted, written_value(dotted, value))
        if edit.absent:
            values["state"] = "absent"
        if edit.secret:
            values["secret"] = {"value": self._reference(edit.name)}
        if edit.on is not None:
            values["on"] = list(edit.on)
        return values

    def _override(self, path: Path, edit: EntryEdit) -> None:
        """What an entry says of single servers."""
        for server, fields in edit.overrides.items():
            for name, value in fields.items():
                self.put((*path, server, name), written_value(name, value))
            self.drafts.tidy((*path, server))
        self.drafts.tidy(path)

    def _change(self, path: Path, edit: EntryEdit, values: Mapping[str, Any]) -> None:
        """Change an existing entry."""
        if not edit.absent:
            self.put((*path, "state"), None)
        if edit.everywhere:
            self.put((*path, "on"), None)
        for dotted in edit.dropped:
            self.put((*path, *dotted.split(".")), None)
            self.drafts.tidy((*path, dotted.split(".")[0]))
        for name, value in values.items():
            if isinstance(value, dict):
                for inner, each in value.items():
                    self.put((*path, name, inner), each)
            else:
                self.put((*path, name), value)
        self._override((*path, "overrides"), edit)
        for option in edit.options:
            self._option((*path, OPTIONS), option)

    def _option(self, path: Path, edit: OptionEdit) -> None:
        """One place in the options of an entry, with the same value for all of its servers."""
        if edit.gone:
            self.take_out(path, edit.keys)
        else:
            self._write((*path, *edit.keys), written_value("", next(iter(edit.values.values()))))

    def take_out(self, path: Path, keys: Keys) -> None:
        """Remove the value, and the mappings that then are empty."""
        where = self._where((*path, *keys))
        self.drafts.remove(where)
        for end in range(len(where) - 1, len(where) - len(keys) - 2, -1):
            self.drafts.tidy(where[:end])

    def _reference(self, key: str) -> Reference:
        name = variable_name(f"{key}_secret", self._taken, what="CLIENT")
        self._taken.add(name)
        self.variables[name] = f"secret of the client {key}"
        return Reference(f"${{env:{name}}}")

    def associations(self, client: str, pairs: Pairs | None) -> None:
        """The entries of a client: in place of its existing ones, else at the end; they are removed from entries by scope."""
        own: list[tuple[Draft, Path, Mapping[str, Any]]] = []
        for draft, path, entry in self.drafts.entries("associations") if client in self._associated else ():
            if not isinstance(entry, dict):
                continue
            if entry.get("client") == client:
                own.append((draft, path, entry))
            elif client in (entry.get("clients") or ()):
                names = entry["clients"]
                for place in reversed([place for place, name in enumerate(names) if name == client]):
                    draft.remove((*path, "clients", place))
        wanted = _by_way(pairs) if pairs is not None else {}
        taken: dict[int, str | None] = {}
        # The client's own first entry is kept, preferably one that already says the same.
        for match in (lambda entry, way: entry.get(AS) == way, lambda _entry, _way: True):
            for place in reversed(range(len(own))):
                left = [way for way in wanted if way not in taken.values() and match(own[place][2], way)]
                if place not in taken and left:
                    taken[place] = left[0]
        for place, (draft, path, entry) in enumerate(own):
            if place not in taken:
                draft.remove(path)
                continue
            way = taken[place]
            if set(entry.get("scopes") or ()) != set(wanted[way]) or entry.get("scopes") is None:
                draft.put((*path, "scopes"), wanted[way])
            if way is not None and entry.get(AS) != way:
                draft.put((*path, AS), way)
            elif way is None and AS in entry:
                draft.remove((*path, AS))
        for way in (way for way in wanted if way not in taken.values()):
            said_as = {AS: way} if way is not None else {}
            self.drafts.append(("associations",), {"client": client, "scopes": wanted[way], **said_as}, braces=True)

    @cached_property
    def _associated(self) -> frozenset[str]:
        """The clients that the entries of associations name; each new entry is about a client that is not edited again."""
        found = [entry for _draft, _path, entry in self.drafts.entries("associations") if isinstance(entry, dict)]
        return frozenset(name for one in found for name in (one.get("client"), *(one.get("clients") or ())) if name)


def _by_way(pairs: Pairs) -> dict[str | None, list[str]]:
    """The scopes of a client by how it has them; one empty list if it has none."""
    found: dict[str | None, list[str]] = {}
    for way in (*(str(way) for way in AssignedAs), None):
        if scopes := [scope for scope, value in pairs.items() if (None if value is None else str(value)) == way]:
            found[way] = scopes
    return found or {None: []}


def written_value(path: str, value: Any) -> Any:
    """A model value as a manifest has it: durations with their unit, keywords as strings."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return [written_value("", inner) for inner in value]
    if isinstance(value, Mapping):
        return {name: written_value("", inner) for name, inner in value.items()}
    if path.endswith("lifetime") and isinstance(value, int) and not isinstance(value, bool):
        return format_duration(value)
    return value


def _nest(values: dict[str, Any], dotted: str, value: Any) -> None:
    head, dot, rest = dotted.partition(".")
    if dot:
        _nest(values.setdefault(head, {}), rest, value)
    else:
        values[head] = value


def _nest_keys(values: dict[str, Any], keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value


def with_ignores(source: Source, findings: Iterable[Diagnostic]) -> Source:
    """The file with a comment above each line that has findings, to ignore their rules there."""
    by_line: dict[int, set[str]] = {}
    for item in findings:
        if item.span is not None and item.span.file == source.name:
            by_line.setdefault(item.span.line, set()).add(item.rule)
    if not by_line:
        return source
    lines = source.text.split("\n")
    for number in sorted(by_line, reverse=True):
        line = lines[number - 1]
        indent = line[: len(line) - len(line.lstrip(" "))]
        lines.insert(number - 1, f"{indent}# oauthdeploy: ignore[{', '.join(sorted(by_line[number]))}] {IGNORED}")
    return Source(source.name, "\n".join(lines))
