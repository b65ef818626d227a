"""Published schemas: found where the project runs from, and used to check what is read back."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
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


PLAIN: dict[str, Any] = {**SCHEMA, "properties": {k: v for k, v in SCHEMA["properties"].items() if k != "short"}}
CONDITIONAL: dict[str, Any] = {
    "required": ["count"],
    "propertyNames": {"pattern": "^[a-z]+$"},
    "additionalProperties": {"type": ["number", "string"]},
    "properties": {"name": {"type": "array", "items": {"enum": [1, "a", None, True]}}},
    "allOf": [
        {
            "if": {"properties": {"count": {"const": 1}}},
            "then": {"required": ["word"]},
            "else": {"properties": {"word": {"type": "integer", "maximum": 1}}},
        },
        {"if": {"properties": {"on": {"type": "integer"}}}, "then": {"properties": {"on": {"minimum": 1}}}},
    ],
}


def problem_in(schema: dict[str, Any], document: Any, *, additions: bool = False) -> str:
    """What is wrong with a document of this schema."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas, "schema_text", lambda _name: json.dumps(schema))
        for cached in ("_schema", "_quick"):
            patch.setattr(schemas, cached, cache(getattr(schemas, cached).__wrapped__))
        return shape_problem("it", document, additions)


@pytest.mark.parametrize("schema", [SCHEMA, PLAIN, CONDITIONAL], ids=["not quick", "plain", "conditional"])
@given(
    document=st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other", "Other"]), VALUES, max_size=4) | VALUES
)
@example(document={"count": 1.0})
@example(document={"count": True})
@example(document={"count": 2, "on": 0.0})
@example(document={"count": 2, "on": False})
def test_the_quick_check_changes_no_answer(schema: dict[str, Any], document: Any) -> None:
    """What jsonschema alone refuses is refused, and nothing else."""
    problem = problem_in(schema, document)
    assert (problem == "") == Draft202012Validator(schema).is_valid(document), problem
    if problem_in(schema, document, additions=True):
        assert problem


@pytest.mark.parametrize("name", ["plan", "journal", "audit", "record"])
def test_what_is_read_back_is_checked_quickly(name: str) -> None:
    """A keyword that the quick check does not know would leave every part of a large document to jsonschema."""
    assert schemas._quick(name, False) is not None
    assert schemas._quick("manifest", False) is None, "that one has keywords that it does not know"


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
def test_a_problem_names_the_place_and_quotes_no_value(document: dict[str, Any], problem: str) -> None:
    """The JSON path and the words of the schema: a value may be a secret that somebody put there."""
    found = problem_in(SCHEMA, document)
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
