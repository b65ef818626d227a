"""Writes a cut-off that was made into the manifest, so that the next run does not undo it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing.change import raw_of
from oauthdeploy.manifest.editing.insert import Entry, NotInserted, block_lines, insert_entry
from oauthdeploy.manifest.input_files import STDIN, read_sources
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.fields import parse_time
from oauthdeploy.model.objects import IssuedBefore, Revocation

_SECTION = "revocations"


class Addition(Struct, frozen=True):
    """The new content of a file: `after` in place of `before`, with the revocation under `key`.

    `already` names the entry that says all of it already; then nothing is written.
    """

    file: str
    before: bytes
    after: bytes
    key: str
    already: str = ""


class _File(Struct, frozen=True):
    source: Source
    tree: dict[str, Any]

    def at(self, path: Path) -> Any:
        found: Any = self.tree
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def add_revocation(request: ManifestRequest, key: str, revocation: Revocation) -> Addition:
    """Find the file and the place for a revocation, and return the file's text with it; writes nothing.

    The place is the list of the environment if it has its own, else the last file with revocations, else the file that has the
    client, else the first one. `key` gets a number if another entry has it. Raises NotInserted.
    """
    files = list(_read(request))
    path, file = _place(request, files, revocation.client)
    entries = [entry for each in files for entry in _entries(each.at(path)) if isinstance(entry, dict)]
    before = FilePath(file.source.name).read_bytes()
    for entry in entries:
        if _covers(entry, revocation):
            return Addition(file.source.name, before, before, key, already=str(entry.get("id", "")))
    free = _free(key, {str(entry.get("id")) for entry in entries})
    text = insert_entry(file.source, path, entry_of(free, revocation))
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    return Addition(file.source.name, before, mark + text.encode("utf-8"), free)


def entry_of(key: str, revocation: Revocation) -> Entry:
    """The entry as in a manifest, in the order of the reference."""
    found: dict[str, Any] = {"id": key, "client": revocation.client}
    if revocation.reason:
        found["reason"] = " ".join(revocation.reason.split())
    if isinstance(revocation.tokens, IssuedBefore):
        found["tokens"] = {"issued_before": _time(revocation.tokens.issued_before)}
    elif revocation.tokens is not None:
        found["tokens"] = revocation.tokens
    for name in ("owner", "scope"):
        if (value := getattr(revocation, name)) is not None:
            found[name] = value
    if revocation.handles is not None:
        found["handles"] = list(revocation.handles)
    if revocation.block:
        found["block"] = [side.value for side in revocation.block]
    return found


def entry_text(key: str, revocation: Revocation) -> str:
    """The entry as YAML, for people who insert it by hand."""
    return "\n".join(block_lines(entry_of(key, revocation), 2))


def _read(request: ManifestRequest) -> Iterator[_File]:
    if STDIN in request.files:
        raise NotInserted(
            "An entry cannot be added to the manifest",
            detail="The manifest came from standard input.",
            fix="Name its files with -f.",
        )
    sources, problems = read_sources(request)
    for source in sources:
        tree, found = read_tree(source)
        problems += found
        if isinstance(tree, dict):
            yield _File(source, tree)
    if problems:
        raise NotInserted("The manifest cannot be read again", detail=problems[0].detail, fix=problems[0].fix)


def _place(request: ManifestRequest, files: Sequence[_File], client: str) -> tuple[Path, _File]:
    own: Path = ("environments", request.environment or "", _SECTION)
    for file in files:
        if request.environment is not None and file.at(own) is not None:
            return own, file
    path: Path = (_SECTION,)
    for having in (path, ("clients", client)):
        for file in reversed(files):
            if file.at(having) is not None:
                return path, file
    return path, files[0]


def _entries(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _covers(entry: dict[str, Any], revocation: Revocation) -> bool:
    """Whether an entry of the manifest covers all of the revocation; values from references do not count."""
    same = entry.get("client") == raw_of(revocation.client) and all(
        entry.get(name) == raw_of(value) for name, value in (("owner", revocation.owner), ("scope", revocation.scope))
    )
    same = same and entry.get("handles") == (None if revocation.handles is None else list(revocation.handles))
    blocked = entry.get("block")
    sides = {side.value for side in revocation.block or ()}
    return same and sides <= set(blocked if isinstance(blocked, list) else ()) and _covers_tokens(entry, revocation)


def _covers_tokens(entry: dict[str, Any], revocation: Revocation) -> bool:
    if revocation.tokens is None or entry.get("tokens") == "all":
        return True
    bound = entry["tokens"].get("issued_before") if isinstance(entry.get("tokens"), dict) else None
    if not isinstance(bound, str) or not isinstance(revocation.tokens, IssuedBefore):
        return False
    try:
        return parse_time(bound) >= revocation.tokens.issued_before
    except ValueError:
        return False


def _free(key: str, used: set[str]) -> str:
    number = 1
    found = key
    while raw_of(found) in used:
        number += 1
        found = f"{key}-{number}"
    return found


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
