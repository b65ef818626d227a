"""Reports of real runs: every command in every form at once, with the line of the manifest beside each change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oauthdeploy.cli.reporting import FORMS
from tests.live.conftest import Pair
from tests.reports import published
from tests.reports.test_forms import check_junit, check_sarif

pytestmark = pytest.mark.live


def reported(pair: Pair, *arguments: str, code: int) -> dict[str, str]:
    """Run a command with all forms, check what has a schema, and give the texts."""
    result = pair.run(*arguments, *(f"--output={form}={form}.out" for form in FORMS))
    assert result.code == code, result.err
    texts = {form: Path(pair.folder, f"{form}.out").read_text(encoding="utf-8") for form in FORMS}
    document: dict[str, Any] = json.loads(texts["json"])
    Draft202012Validator(published.own(document["format"].removeprefix("oauthdeploy/"))).validate(document)
    lines = Draft202012Validator(published.own("event" if arguments[0] == "apply" else "line"))
    for line in texts["ndjson"].splitlines():
        lines.validate(json.loads(line))
    check_sarif(texts["sarif"])
    check_junit(texts["junit"])
    return texts


def line_of(pair: Pair, start: str) -> int:
    """The line of the manifest that begins so."""
    lines = (pair.folder / "oauthdeploy.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(start))


def test_every_command_reports_in_every_form(pair: Pair) -> None:
    """Validate, drift, plan and apply of a new estate, then of one that somebody changed by hand."""
    reported(pair, "validate", code=0)
    shop = f"oauthdeploy.yaml:{line_of(pair, 'web-shop:')}"
    for command, code in (("drift", 2), ("plan", 0), ("apply", 0)):
        texts = reported(pair, command, *(["--yes"] if command == "apply" else []), code=code)
        for form in ("text", "markdown", "html"):
            assert shop in texts[form], (command, form)
        assert f'line="{line_of(pair, "web-shop:")}"' in texts["junit"]
        assert "<svg" in texts["html"]
    name = next(
        each for each in pair.admin(pair.orders, "GET", "/admin/oauth/scope")["scopes"] if each["name"] == "orders.read"
    )
    pair.admin(pair.orders, "PUT", "/admin/oauth/scope/orders.read", {**name, "description": "by hand"})
    texts = reported(pair, "drift", code=2)
    (found,) = [
        result for result in json.loads(texts["sarif"])["runs"][0]["results"] if result["ruleId"] == "drift-changed"
    ]
    place = found["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert place == line_of(pair, "orders.read:")
    assert "by hand" in texts["markdown"]
    texts = reported(pair, "compare", "login", "orders", code=2)
    assert "by hand" in texts["html"]
    assert "Different: 1 different." in texts["text"]
