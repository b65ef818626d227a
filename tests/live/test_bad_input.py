"""What a user does wrong, through the command line: every mistake is named with its place and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.conftest import Pair

pytestmark = pytest.mark.live

TWENTY = Path(__file__).parent / "twenty_mistakes.yaml"


def test_a_typo_in_a_key_gives_its_line_column_and_a_suggestion(pair: Pair) -> None:
    """An unknown key is exit 3 with file:line:column and the key that was meant."""
    manifest = pair.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("require_pkce:", "require_pkc:"))
    line = next(i for i, text in enumerate(manifest.read_text().splitlines(), 1) if "require_pkc:" in text)
    result = pair.run("validate")
    assert result.code == 3
    assert f"oauthdeploy.yaml:{line}:3" in result.err
    assert "unknown-key" in result.err
    assert "require_pkce" in result.err


def test_twenty_mistakes_are_reported_in_one_run(pair: Pair) -> None:
    """A manifest with 20 different mistakes reports all 20 in one run, each with rule id and place."""
    (pair.folder / "oauthdeploy.yaml").write_bytes(TWENTY.read_bytes())
    result = pair.run("validate", "-o", "json")
    assert result.code == 3
    found = [item for item in result.json["diagnostics"] if item["severity"] == "error"]
    lines = {item["line"] for item in found}
    assert len(found) >= 20
    expected = {4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 18, 20, 21, 22, 23, 25, 26, 28}
    assert expected - lines == set()
    assert all(item["rule"] and item["fix"] for item in found)


@pytest.mark.parametrize("command", ["validate", "plan", "apply", "drift", "ping"])
def test_a_missing_manifest_is_an_invalid_manifest_for_every_command(pair: Pair, command: str) -> None:
    """No file: exit 3, the name that was looked for, no traceback."""
    (pair.folder / "oauthdeploy.yaml").unlink()
    result = pair.run(command)
    assert result.code == 3
    assert "oauthdeploy.yaml" in result.err
    assert "Traceback" not in result.err


def test_an_unknown_flag_is_wrong_usage(pair: Pair) -> None:
    """Unknown flags are errors with exit 64, never 2."""
    result = pair.run("plan", "--detailed-exitcodes")
    assert result.code == 64
    assert "--detailed-exitcode" in result.err


def test_apply_without_a_terminal_needs_yes(pair: Pair) -> None:
    """Nobody can answer the question: exit 64 and nothing written."""
    result = pair.run("apply")
    assert result.code == 64
    assert "--yes" in result.err
    assert pair.writes() == []


def test_machine_output_alone_is_on_stdout(pair: Pair) -> None:
    """`-o json` leaves one JSON document on stdout; all talk is on stderr."""
    for command in (("validate",), ("plan",), ("apply", "--yes"), ("drift",), ("ping",), ("version",)):
        result = pair.run(*command, "-o", "json")
        assert isinstance(result.json, dict), command
