"""SARIF: what a forge reads, where it shows a finding, and by what it knows it again."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.manifest.explaining.rules import all_rules
from oauthdeploy.planning.unread import Unread
from oauthdeploy.reports.json import to_text
from oauthdeploy.reports.sarif import FINGERPRINT, sarif_document
from tests.reports import published
from tests.servers.plugin import usable

RULES = all_rules()
ERROR = Diagnostic(
    "redirect-uri-not-https",
    "Redirect URI is not secure",
    '"http://shop.example/cb" sends authorization codes in clear text.',
    "Use https.",
    address="client/web-shop",
    path=("clients", "web-shop", "redirect_uris", 0),
    span=SourceSpan("deploy/shop.yaml", 41, 21, '    redirect_uris: ["http://shop.example/cb"]'),
)


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_TEXT: Final = _object(["text"], text={"type": "string", "minLength": 1}, markdown={"type": "string", "minLength": 1})
_LEVEL: Final = {"enum": ["error", "warning", "note"]}
_PART: Final = _object(
    ["$schema", "version", "runs"],
    **{"$schema": {"type": "string"}, "version": {"const": "2.1.0"}},
    runs={
        "type": "array",
        "minItems": 1,
        "maxItems": 1,
        "items": _object(
            ["tool", "results"],
            tool=_object(
                ["driver"],
                driver=_object(
                    ["name", "rules"],
                    name={"const": "oauthdeploy"},
                    semanticVersion={"type": "string"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": _object(
                            ["id", "shortDescription", "help"],
                            id={"type": "string", "minLength": 1},
                            name={"type": "string", "pattern": "^([A-Z0-9][a-z0-9]*)+$"},
                            shortDescription=_TEXT,
                            fullDescription=_TEXT,
                            help=_TEXT,
                            helpUri={"type": "string", "pattern": "^https://"},
                            defaultConfiguration=_object(["level"], level=_LEVEL),
                            properties={"type": "object"},
                        ),
                    },
                ),
            ),
            automationDetails=_object(["id"], id={"type": "string"}),
            columnKind={"const": "unicodeCodePoints"},
            invocations={"type": "array"},
            results={
                "type": "array",
                "items": _object(
                    ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
                    ruleId={"type": "string"},
                    ruleIndex={"type": "integer", "minimum": 0},
                    level=_LEVEL,
                    message=_TEXT,
                    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
                    locations={
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": _object(
                            ["physicalLocation"],
                            physicalLocation=_object(
                                ["artifactLocation", "region"],
                                artifactLocation=_object(
                                    ["uri"],
                                    uri={"type": "string", "pattern": "^[A-Za-z0-9%._~:/@!$&'()*+,;=-]+$"},
                                    uriBaseId={"const": "%SRCROOT%"},
                                ),
                                region=_object(
                                    ["startLine", "startColumn"],
                                    startLine={"type": "integer", "minimum": 1},
                                    startColumn={"type": "integer", "minimum": 1},
                                ),
                            ),
                            logicalLocations={"type": "array", "items": {"type": "object"}},
                        ),
                    },
                ),
            },
        ),
    },
)
"""The part of SARIF 2.1.0 that is written here, more strictly than the standard asks."""


def log(*items: Diagnostic, **more: Any) -> Any:
    made = sarif_document(Diagnostics(items), RULES, command="validate", version="1.2.3", **more)
    Draft202012Validator(_PART).validate(made)
    return made["runs"][0]


def fingerprint(item: Diagnostic, *others: Diagnostic) -> str:
    results = log(*others, item)["results"]
    return str(
        next(r for r in results if r["message"]["text"].startswith(item.summary))["partialFingerprints"][FINGERPRINT]
    )


def test_a_finding_is_at_its_place_with_its_rule_explained() -> None:
    """File, line, column, level, what to do; the rule brings its reason, its source and both examples."""
    run = log(ERROR)
    (result,) = run["results"]
    (rule,) = run["tool"]["driver"]["rules"]
    place = result["locations"][0]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "deploy/shop.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["physicalLocation"]["region"] == {"startLine": 41, "startColumn": 21}
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "client/web-shop, clients.web-shop.redirect_uris[0]"
    assert result["message"]["text"].splitlines() == ["Redirect URI is not secure.", ERROR.detail, "Use https."]
    assert (result["level"], result["ruleIndex"], rule["id"]) == ("error", 0, ERROR.rule)
    facts = RULES[ERROR.rule]
    assert rule["helpUri"] == facts.links[0] == "https://www.rfc-editor.org/rfc/rfc9700#section-2.6"
    for text in (rule["help"]["text"], rule["help"]["markdown"]):
        assert facts.reason in text
        assert facts.bad in text
        assert facts.good in text


@pytest.mark.parametrize(("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "note")])
def test_the_level_is_the_severity_of_the_run(severity: str, level: str) -> None:
    """--warn and --error change the finding; the rule keeps its own default."""
    run = log(replace(ERROR, severity=Severity(severity)))
    assert run["results"][0]["level"] == level
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"] == "error"


def test_every_rule_of_the_catalogue_can_be_written() -> None:
    """No rule has a text that the format refuses, and each finding points at its own rule."""
    run = log(*(Diagnostic(name, facts.title, "x", "y") for name, facts in RULES.items()))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(RULES)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_a_rule_without_a_page_and_a_finding_without_a_place_are_shown_all_the_same() -> None:
    """A driver of others has rules of its own; a forge refuses a finding without a file."""
    run = log(Diagnostic("acme-special", "It is special", severity=Severity.WARNING), files=["a.yaml"])
    assert run["tool"]["driver"]["rules"][0]["shortDescription"] == {"text": "It is special"}
    assert run["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 1, "startColumn": 1},
    }
    assert log()["results"] == []


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b#1.yaml", "deploy/a%20b%231.yaml"),
        ("../top.yaml", "top.yaml"),
        ("./x/../y.yaml", "deploy/y.yaml"),
        ("/repo/z.yaml", "z.yaml"),
        ("/elsewhere/z.yaml", "file:///elsewhere/z.yaml"),
        ("../../out.yaml", "file:///out.yaml"),
        ("pr\u00fcfung.yaml", "deploy/pr%C3%BCfung.yaml"),
        ("-", "stdin"),
    ],
)
def test_files_are_named_from_the_root_of_the_repository(file: str, uri: str) -> None:
    """The forge looks there, wherever in the repository the command ran."""
    item = replace(ERROR, span=SourceSpan(file, 1, 1))
    run = log(item, base="/repo/deploy", root="/repo")
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


@settings(deadline=None)
@given(st.integers(1, 9999), st.integers(1, 200), st.text(" \t", max_size=8))
def test_a_finding_is_known_again_after_its_lines_moved(line: int, column: int, indent: str) -> None:
    """Its line, column, indentation and place in a list don't count."""
    assert ERROR.span is not None
    span = SourceSpan(ERROR.span.file, line, column, indent + ERROR.span.text.strip())
    moved = replace(ERROR, span=span, path=("clients", "web-shop", "redirect_uris", line))
    assert fingerprint(moved) == fingerprint(ERROR)


@pytest.mark.parametrize(
    "other",
    [
        replace(ERROR, rule="redirect-uri-fragment"),
        replace(ERROR, address="client/other"),
        replace(ERROR, span=SourceSpan("other.yaml", 41, 21, "    redirect_uris: [x]")),
        replace(ERROR, span=SourceSpan("deploy/shop.yaml", 41, 21, "    redirect_uris: [x]")),
    ],
)
def test_another_finding_has_another_fingerprint(other: Diagnostic) -> None:
    """Rule, object, file and the words of the line tell findings apart."""
    assert fingerprint(other) != fingerprint(ERROR)


def test_equal_findings_are_counted() -> None:
    """Two equal lines are two findings, in their order."""
    assert ERROR.span is not None
    twin = replace(ERROR, span=replace(ERROR.span, line=50))
    marks = [result["partialFingerprints"][FINGERPRINT] for result in log(twin, ERROR)["results"]]
    assert [mark.rpartition(":")[2] for mark in marks] == ["1", "2"]
    assert len({mark.rpartition(":")[0] for mark in marks}) == 1


@settings(deadline=None)
@given(st.text(), st.text(), st.text(min_size=1))
def test_any_text_can_be_written(summary: str, detail: str, file: str) -> None:
    """Control characters and lone surrogates are escaped, and what is read back is valid."""
    item = Diagnostic("x", summary, detail, span=SourceSpan(file, 1, 1, detail))
    text = to_text(sarif_document(Diagnostics((item,)), RULES, command="validate", version="1", base="/r", root="/r"))
    text.encode()
    assert json.loads(text)["runs"][0]["results"][0]["message"]["text"].startswith(summary)


def test_the_official_schema_accepts_every_rule_and_finding() -> None:
    """What we think of SARIF is what OASIS says of it."""
    from jsonschema.validators import validator_for

    schema = json.loads(usable(published.sarif_schema).read_text("utf-8"))
    items = [Diagnostic(name, facts.title, "x", "y", span=ERROR.span) for name, facts in RULES.items()]
    made = sarif_document(Diagnostics.of([*items, ERROR]), RULES, command="validate", version="1.2.3")
    assert [error.message for error in validator_for(schema)(schema).iter_errors(made)] == []


def test_what_could_not_be_read_makes_the_run_unsuccessful_and_is_notified() -> None:
    """SARIF 2.1.0, 3.20: results that are not all there may be are told from none; with the reason for each kind."""
    unread = (Unread("login", Kind.SCOPE, "403 Forbidden"), Unread("orders", Kind.CLIENT, "500 Internal Server Error"))
    made = log(unread=unread)
    (invocation,) = made["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == [
        "Not known: scopes on login (403 Forbidden).",
        "Not known: clients on orders (500 Internal Server Error).",
    ]
    assert log()["invocations"] == [{"executionSuccessful": True}]
