"""The published schema: equal to the models, valid, and of one mind with the reader about examples and rejected cases."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from oauthdeploy.manifest.schema import manifest_schema, schema_text
from tests.manifest.support import HEAD, bad, good

ROOT = Path(__file__).parent.parent.parent
COMMITTED = ROOT / "schemas" / "manifest.v1.schema.json"
EXAMPLES = sorted((ROOT / "examples").glob("*/*.yaml"))


def validator() -> Draft202012Validator:
    return Draft202012Validator(manifest_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def data(text: str) -> Any:
    """The document as an editor sees it, with YAML 1.2's types."""
    loaded = YAML(typ="safe", pure=True).load(io.StringIO(text))
    return json.loads(json.dumps(loaded, default=lambda moment: moment.isoformat()))


def errors(text: str) -> list[str]:
    return [error.json_path for error in validator().iter_errors(data(text))]


def test_the_committed_schema_is_the_generated_one() -> None:
    """Editors and pipelines get what the models say. `manifest.schema.schema_text()` is the new text."""
    assert COMMITTED.read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_a_schema() -> None:
    """It is valid against the metaschema of its dialect, and has an id."""
    schema = manifest_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"]


KEYWORDS = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "examples", "default", "type", "enum", "const", "anyOf", "oneOf",
    "properties", "patternProperties", "additionalProperties", "propertyNames", "required", "items", "uniqueItems", "minItems",
    "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum", "exclusiveMinimum", "pattern", "format",
}  # fmt: skip
BOUNDS = {
    "minimum": {"integer", "number"},
    "maximum": {"integer", "number"},
    "pattern": {"string"},
    "format": {"string"},
}


def schemas(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and every schema inside it."""
    yield node
    for key in ("properties", "patternProperties", "$defs"):
        for inner in node.get(key, {}).values():
            yield from schemas(inner)
    for inner in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
        yield from schemas(inner)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(key), dict):
            yield from schemas(node[key])


def test_schemastore_would_take_it() -> None:
    """What SchemaStore's gate asks: an id that is a web address, and Ajv's strict mode: known words, each schema of one type,
    bounds only where a type says that they mean something, and formats that validators know.
    """
    schema = manifest_schema()
    assert schema["$id"].startswith("https://")
    for part in schemas(schema):
        assert set(part) <= KEYWORDS
        assert isinstance(part.get("type", ""), str)
        assert part.get("format", "date") in ("date", "date-time")
        for word, kinds in BOUNDS.items():
            assert word not in part or part.get("type") in kinds, part
        assert set(part.get("required", ())) <= set(part.get("properties", ()))


def test_every_property_is_explained() -> None:
    """Each property has a description, its own or that of what it refers to, for editors to show."""
    schema = manifest_schema()

    def explained(node: Any) -> bool:
        if "description" in node:
            return True
        name = node.get("$ref", "").rpartition("/")[2]
        return "description" in schema["$defs"].get(name, {})

    for owner, node in [("manifest", schema), *schema["$defs"].items()]:
        for name, inner in node.get("properties", {}).items():
            assert explained(inner), f"{owner}.{name}"


def test_unset_is_not_null() -> None:
    """No field claims null as its default: null asks for the server's default, unset manages nothing."""
    assert '"default": null' not in schema_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_valid(path: Path) -> None:
    """Every example passes the schema that it names in its first line."""
    text = path.read_text(encoding="utf-8")
    assert errors(text) == []
    named = (path.parent / text.splitlines()[0].rpartition("=")[2]).resolve()
    assert named == COMMITTED.resolve()


GOOD = [
    "settings: {require_https: '${env:P}', access_token_lifetime: never, authorization_code_lifetime: 600}\n",
    "clients: {c: {version: 1, name: 007, enabled: true, tokens: {access_lifetime: inherit, refresh_count: 0}, type: null}}\n",
    "clients: {c: {grants: ['${env:P}'], type: '${env:P}', secret: {value: '${env:P}', revision: 3}}}\n",
    "clients: {c: {secret: {generate: true, deliver_to: {file: out/c.env}}}, d: {state: absent}}\n",
    "revocations: [{id: A, client: c, tokens: {issued_before: '2026-11-20T08:00:00Z'}, expires: '2027-01-31'}]\n",
    "policy: {limits: {max_deletes: 30%, max_updates: 5}, protect: [client/a-*], prune: {clients: full}}\n",
    "variables: {a: {type: integer, default: 3, allowed: [3, 4]}}\nenvironments: {prod: {settings: {require_pkce: null}}}\n",
    "scopes: {s: {resources: [], description: null}}\nresource_owners: [alice]\n",
]
REJECTED = [
    "setings: {}\n",
    "settings: {require_https: maybe}\n",
    "settings: {access_token_lifetime: soon}\n",
    "settings: {overrides: {'bad name': {}}}\n",
    "clients: {c: {type: confidental}}\n",
    "clients: {c: {redirect_uris: https://x}}\n",
    "clients: {c: {secret: text}}\n",
    "clients: {c: {tokens: {refresh_count: many}}}\n",
    "clients: [c]\n",
    "scopes: {s: {url_template: []}}\n",
    "associations: [{client: c}]\n",
    "associations: [{client: c, scopes: [s], scope: s}]\n",
    "revocations: [{client: c}]\n",
    "revocations: [{id: A, client: c, block: [resources]}]\n",
    "policy: {limits: {max_deletes: lots}}\n",
    "policy: {prune: {clients: some}}\n",
    "variables: {a: {type: float}}\n",
    "variables: {'a b': {}}\n",
]


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_the_reader_takes_the_schema_takes(text: str, tmp_path: Path) -> None:
    """A part that the reader accepts, numbers for texts and references for anything included, is valid."""
    environ = {"P": "true"}
    variables: dict[str, str] = {}
    if "require_https: '${env:P}'" in text:
        text = text.replace("'${env:P}'", "'${var:p}'") + "variables: {p: {sensitive: false}}\n"
        variables = {"p": "true"}
    if "grants" in text:
        text = text.replace("grants: ['${env:P}'], type: '${env:P}'", "grants: ['${var:g}'], type: '${var:t}'")
        text += "variables: {g: {sensitive: false}, t: {sensitive: false}}\n"
        variables = {"g": "password", "t": "public"}
    whole = HEAD + text + ("scopes: {}\n" if "scopes" not in text else "")
    assert good(whole, tmp_path, environ=environ, variables=variables).document.name == "payments"
    assert errors(whole) == []


@pytest.mark.parametrize("text", REJECTED, ids=range(len(REJECTED)))
def test_what_the_reader_refuses_the_schema_refuses(text: str, tmp_path: Path) -> None:
    """A part with a mistake of shape is refused by both."""
    assert bad(HEAD + text, tmp_path)
    assert errors(HEAD + text)


@pytest.mark.parametrize("text", [HEAD.replace("version: 1", "version: 2"), HEAD.replace("version: 1\n", "")])
def test_another_version_is_refused(text: str) -> None:
    """The schema is that of version 1."""
    assert errors(text) != []
