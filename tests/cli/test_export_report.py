"""The document of `export -o json`: what it leaves out, by its published schema."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.omissions import Omission, findings_of
from oauthdeploy.reports.json import export_document

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "export.v1.schema.json").read_text(encoding="utf-8"))


def test_the_document_of_an_export_follows_its_schema() -> None:
    """Each omission with its object, field, reason and risk."""
    omissions = [Omission("client/a", "x", "no field for it"), Omission("client/b", "", "SAML", Risk.HIGH)]
    found = Diagnostics.of(findings_of(omissions))
    made = export_document({"a.yaml": True}, {"A_SECRET": "secret of the client a"}, omissions, "users", (), found)
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(made)))
    assert [(one["address"], one["field"], one["risk"]) for one in made["left_out"]] == [
        ("client/a", "x", "low"),
        ("client/b", "", "high"),
    ]
