"""Baseline files: read with the error messages of a manifest, written with comments preserved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.manifest.editing.change import Draft, Reference
from oauthdeploy.manifest.input_files import read_text
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.problems import problems_of
from oauthdeploy.manifest.schema import DIALECT, own_schema
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.planning.drift.baseline import Baseline, BaselineEntry, BaselineServer

SCHEMA_ID: Final = "urn:oauthdeploy:schema:baseline:v1"
NEW: Final = (
    "# Known drift: what `oauthdeploy drift --baseline` accepts, with owner, reason and last day.\nversion: 1\n"
)
FILL_IN: Final = "# fill in owner and reason; until then, the file is refused"


class BaselineFile(Struct, frozen=True):
    """A baseline and its text."""

    source: Source
    baseline: Baseline

    def place(self, position: int) -> str:
        """The place of an entry, as `file:line`."""
        span = Locator((self.source,)).find(("accepted", position))
        return f"{span.file}:{span.line}" if span is not None else ""


def read_baseline(name: str) -> BaselineFile:
    """Read a file. Raises ManifestInvalid with every problem: file, line, column, and suggestion."""
    read = read_text(name)
    if isinstance(read, Diagnostic):
        raise ManifestInvalid(Diagnostics((read,)), what="baseline")
    return parse_baseline(read)


def parse_baseline(source: Source) -> BaselineFile:
    """The same from a string."""
    data, problems = read_tree(source)
    found = list(problems)
    if not found and not isinstance(data, dict):
        fix = "Start with version: 1 and accepted:, or create the file with `oauthdeploy drift --write-baseline`."
        found.append(
            Diagnostic(
                "wrong-value", "A value is not valid", f"{source.name} is not a mapping.", fix, span=source.span(1, 1)
            )
        )
    if not found:
        try:
            return BaselineFile(source, Baseline.model_validate(data))
        except ValidationError as error:
            found += problems_of(error, data, Baseline)
    locator = Locator((source,))
    placed = (locator.place(item) for item in found)
    # What is missing at the top level has no place.
    findings = [item if item.span is not None else item.at(source.span(1, 1)) for item in placed]
    raise ManifestInvalid(Diagnostics.of(findings).sorted(), what="baseline")


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


def baseline_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file, for editors."""
    raw = own_schema(Baseline)
    # null is not a valid value of these keys, and an editor must not offer it.
    for field in (raw["$defs"]["BaselineEntry"]["properties"]["fields"], raw["properties"]["servers"]):
        (given,) = (member for member in field.pop("anyOf") if member["type"] != "null")
        field.pop("default", None)
        field.update(given)
    raw["properties"]["version"] |= {"const": 1}
    return {"$schema": DIALECT, "$id": SCHEMA_ID, **raw, "title": "oauthdeploy baseline"}


def schema_text() -> str:
    """The schema as committed and printed."""
    return json.dumps(baseline_schema(), indent=2, ensure_ascii=False) + "\n"
