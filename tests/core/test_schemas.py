"""Published schemas: found where the project runs from, and used to check what is read back."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oauthdeploy.core import schemas
from oauthdeploy.core.schemas import SCHEMAS, SchemaMissing, schema_text, shape_problem

ROOT = Path(__file__).parents[2]


def test_a_checkout_and_an_installation_have_the_same_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package has them inside, a checkout beside it; without any, the error says what to do."""
    text = (ROOT / "schemas" / "journal.v1.schema.json").read_text(encoding="utf-8")
    assert schema_text("journal") == text
    package = tmp_path / "site" / "oauthdeploy"
    monkeypatch.setattr(schemas, "files", lambda _name: package)
    with pytest.raises(SchemaMissing) as caught:
        schema_text("journal")
    assert caught.value.fix
    (package / "schemas").mkdir(parents=True)
    (package / "schemas" / SCHEMAS["journal"]).write_text(text, encoding="utf-8")
    assert schema_text("journal") == text


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "description": "A name."},
        "short": {"type": "string", "maxLength": 1},
        "count": {"type": "integer"},
        "least": {"type": "integer", "minimum": 1},
        "on": {"type": "boolean"},
        "none": {"type": "null"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "word": {"enum": ["a", "b"]},
        "any": True,
        "never": False,
        "below": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
    },
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(0, 2) | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), VALUES, max_size=4))
def test_the_quick_check_of_plain_values_changes_no_answer(document: dict[str, Any]) -> None:
    """What jsonschema alone refuses is refused, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas, "schema_text", lambda _name: json.dumps(SCHEMA))
        patch.setattr(schemas, "_validator", cache(schemas._validator.__wrapped__))
        problem = shape_problem("it", document)
        assert (problem == "") == Draft202012Validator(SCHEMA).is_valid(document), problem
        if set(document) <= {"other", *SCHEMA["properties"]} and shape_problem("it", document, True):
            assert problem


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "$: the key name is missing"),
        ({"name": "hunter2", "hunter": "hunter2"}, "$: the key hunter is not known"),
        ({"name": ["hunter2"]}, "$.name: must be string"),
        ({"name": "x", "short": "hunter2"}, "$.short: breaks maxLength of its schema"),
        ({"name": "x", "least": -2}, "$.least: must be at least 1"),
        ({"name": "x", "word": "hunter2"}, "$.word: must be one of a, b"),
        ({"name": "x", "either": "hunter2"}, "$.either: must be "),
        ({"name": "x", "below": {"name": {"hunter2": 1}}}, "$.below.name: must be string"),
    ],
)
def test_a_problem_names_the_place_and_quotes_no_value(
    monkeypatch: pytest.MonkeyPatch, document: dict[str, Any], problem: str
) -> None:
    """The JSON path and the words of the schema: a value may be a secret that somebody put there."""
    monkeypatch.setattr(schemas, "schema_text", lambda _name: json.dumps(SCHEMA))
    monkeypatch.setattr(schemas, "_validator", cache(schemas._validator.__wrapped__))
    found = shape_problem("it", document)
    assert found.startswith(problem)
    assert "hunter2" not in found


def test_validating_a_manifest_does_not_import_jsonschema(tmp_path: Path) -> None:
    """Only a command that reads a document back pays for it."""
    (tmp_path / "oauthdeploy.yaml").write_text(
        (ROOT / "examples" / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    code = (
        "import sys; from oauthdeploy.cli.entrypoint import run; run(('validate', '-q')); "
        "print('jsonschema' in sys.modules, 'oauthdeploy.manifest.load' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False True"
