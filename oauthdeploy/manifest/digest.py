"""The digest of a manifest: what a saved plan is bound to. Equal meaning gives equal digests; secrets count by origin only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.manifest.document import Document
from oauthdeploy.model.fields import Model

_BIG = ("clients", "scopes")


def manifest_digest(document: Document, credentials: Mapping[str, Model], options: Mapping[str, Model]) -> str:
    """SHA-256 (hex) over canonical JSON of the document: sorted keys, written fields only, secrets as their origin.

    The big sections are added entry by entry, so that no second copy of them is made.
    """
    digest = hashlib.sha256()
    head = document.model_dump(mode="python", exclude_unset=True, exclude={*_BIG, "environments"})
    parts = {
        "document": _plain(head),
        "credentials": {name: _plain(value) for name, value in credentials.items()},
        "options": {name: _plain(value) for name, value in options.items()},
    }
    digest.update(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode())
    for section in _BIG:
        entries: Mapping[str, Model] | None = getattr(document, section)
        digest.update(f"\n{section}:{'-' if entries is None else len(entries)}\n".encode())
        for name in sorted(entries or {}):
            entry = (entries or {})[name]
            digest.update(json.dumps(name).encode())
            if getattr(entry, "options", None):
                digest.update(json.dumps(_plain(entry), sort_keys=True).encode())
            else:
                digest.update(entry.__pydantic_serializer__.to_json(entry, exclude_unset=True))
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON data, without any secret's text."""
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
