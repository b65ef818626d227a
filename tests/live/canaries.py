"""A keyring for planted secrets, and where they may not be."""

from __future__ import annotations

import html
import json
import types
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape


class MemoryKeyring(types.ModuleType):
    """The library keyring with entries that are kept here and nowhere else; `priority` is that of a backend that can store."""

    def __init__(self, entries: Mapping[tuple[str, str], str]) -> None:
        super().__init__("keyring")
        self.entries = dict(entries)

    def get_password(self, service: str, name: str) -> str | None:
        return self.entries.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        self.entries[service, name] = text

    def get_keyring(self) -> Any:
        return types.SimpleNamespace(priority=5)


def spellings(secret: str) -> set[str]:
    """How a secret may look in the formats: as it is, in JSON, in HTML and XML, in an address, in Basic authentication."""
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, html.escape(secret), escape(secret), quote(secret), quote_plus(secret), *in_json}


def found_in(folder: Path, printed: str, secrets: Mapping[str, str], but: Collection[str]) -> Iterator[str]:
    """Where secrets are, which are given by their names: in what was printed, and in the files but for some."""
    texts = {"the output": printed} | {
        path.name: path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in but
    }
    for name, secret in secrets.items():
        for place, text in texts.items():
            if any(spelling in text for spelling in spellings(secret)):
                yield f"{name} in {place}"
