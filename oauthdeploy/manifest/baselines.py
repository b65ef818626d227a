"""Baseline files: read with the error messages of a manifest. `editing.baseline_entries` writes them."""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.manifest.input_files import read_text
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.problems import problems_of
from oauthdeploy.manifest.schema import DIALECT, own_schema
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.planning.drift.baseline import Baseline

SCHEMA_ID: Final = "urn:oauthdeploy:schema:baseline:v1"


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
