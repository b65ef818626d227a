"""The digest of a manifest, to which a saved plan is bound. Equal meaning gives equal digests; secrets count by origin only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.manifest.document import Document
from oauthdeploy.model.fields import Model

_BIG = ("clients", "scopes")
_NO_MEANING = ("variables", "environments")
"""Sections that no longer exist after composition: their values are where they are used."""


def manifest_digest(document: Document, credentials: Mapping[str, Model], options: Mapping[str, Model]) -> str:
    """SHA-256 (hex) over the digests of the parts."""
    return _sha256(part_digests(document, credentials, options))


def part_digests(
    document: Document, credentials: Mapping[str, Model], options: Mapping[str, Model]
) -> Mapping[str, str]:
    """SHA-256 (hex) of each written section, and of each server entry as `servers.NAME`.

    Computed from canonical JSON: sorted keys, written fields only, secrets as their origin. The large sections are added entry
    by entry, to avoid a second copy of them.
    """
    found: dict[str, str] = {}
    for name in sorted(document.model_fields_set.difference(_BIG, _NO_MEANING, {"servers"})):
        found[name] = _sha256(_plain(getattr(document, name)))
    for name, server in document.servers.items():
        parts = (server, credentials.get(name), options.get(name))
        found[f"servers.{name}"] = _sha256([_plain(part) for part in parts])
    for name in _BIG:
        if name in document.model_fields_set:
            found[name] = _entries_digest(getattr(document, name))
    return dict(sorted(found.items()))


def _entries_digest(entries: Mapping[str, Model] | None) -> str:
    digest = hashlib.sha256(("-" if entries is None else str(len(entries))).encode())
    for name in sorted(entries or {}):
        entry = (entries or {})[name]
        digest.update(json.dumps(name).encode())
        if getattr(entry, "options", None):
            digest.update(json.dumps(_plain(entry), sort_keys=True).encode())
        else:
            digest.update(entry.__pydantic_serializer__.to_json(entry, exclude_unset=True))
    return digest.hexdigest()


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON data, without secrets."""
    if isinstance(value, Secret):
        return {"secret": value.origin}
    if isinstance(value, SourcedText):
        return {"secret": value.origin} if value.sensitive else str.__str__(value)
    if isinstance(value, Model):
        return {name: _plain(getattr(value, name)) for name in sorted(value.model_fields_set)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, frozenset | set):
        return sorted(_plain(inner) for inner in value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
