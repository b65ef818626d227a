"""Adds entries to a baseline file, with its comments preserved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from oauthdeploy.manifest.editing.change import Draft, Reference
from oauthdeploy.manifest.source import Source
from oauthdeploy.planning.drift.baseline import BaselineEntry, BaselineServer

NEW: Final = (
    "# Known drift: what `oauthdeploy drift --baseline` accepts, with owner, reason and last day.\nversion: 1\n"
)
FILL_IN: Final = "# fill in owner and reason; until then, the file is refused"


def with_entries(
    source: Source | None,
    entries: Sequence[BaselineEntry],
    servers: Mapping[str, BaselineServer] = MappingProxyType({}),
    environment: str | None = None,
) -> str:
    """The text of a baseline (None: a new one) with more entries at its end; existing comments and entries stay.

    With `servers`, it records which servers and which environment of the manifest it is about. A comment marks each empty owner
    or reason; the reader refuses such a file. The text is in canonical form. Raises NotChangeable.
    """
    draft = Draft(source or Source("baseline", NEW))
    if servers:
        if environment is not None:
            draft.put(("environment",), Reference(environment))
        else:
            draft.remove(("environment",))
        draft.put(
            ("servers",),
            {
                name: {word: Reference(text) for word, text in entry.model_dump().items() if text}
                for name, entry in servers.items()
            },
        )
    for entry in entries:
        note = () if entry.owner and entry.reason else (FILL_IN,)
        draft.append(("accepted",), _plain(entry), above=note)
    return draft.text()


def _references(texts: Mapping[str, str | None]) -> dict[str, Reference]:
    return {word: Reference(text) for word, text in texts.items() if text}


def _plain(entry: BaselineEntry) -> dict[str, Any]:
    """The entry as YAML. A baseline has no references, so `${` is not special in it."""
    fields: dict[str, Any] = {"address": Reference(entry.address), "class": entry.class_.value}
    if entry.fields:
        fields["fields"] = [Reference(path) for path in entry.fields]
    texts = {"owner": Reference(entry.owner), "reason": Reference(entry.reason)}
    return fields | texts | {"expires": entry.expires.isoformat()}
