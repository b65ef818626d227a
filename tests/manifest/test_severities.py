"""Severities and ignores: what users may change, and how a slip in doing so is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.manifest.severities import Comments, apply_severities
from oauthdeploy.manifest.source import Source
from tests.manifest.support import HEAD, QUIET, bad, load, places

RULE = "redirect-uri-not-https"
HEARD = {rule: word for rule, word in QUIET.items() if rule != RULE}
"""All rules silent but the one that these tests are about."""
INSECURE = HEAD + "clients:\n  c:\n    redirect_uris:\n      - http://shop.example.com/cb\n"


def found(text: str, folder: Path, **changes: object) -> list[Diagnostic]:
    return [item for item in load(text, folder, **{"severities": HEARD, **changes})[1] if item.rule == RULE]


@pytest.mark.parametrize(("word", "severity"), [("error", Severity.ERROR), ("warning", Severity.WARNING)])
def test_severities_are_set(word: str, severity: Severity, tmp_path: Path) -> None:
    """--error and --warn set what a finding weighs."""
    (item,) = found(INSECURE, tmp_path, severities={RULE: word})
    assert item.severity is severity


def test_ignored_rules_are_silent(tmp_path: Path) -> None:
    """--ignore leaves the findings of a rule out."""
    assert found(INSECURE, tmp_path) != []
    assert found(INSECURE, tmp_path, severities={RULE: "ignore"}) == []


@pytest.mark.parametrize(
    ("severities", "rule", "part"),
    [
        ({"redirect-uri-not-http": "ignore"}, "unknown-reference", "Did you mean 'redirect-uri-not-https'?"),
        ({RULE: "warn"}, "not-allowed-value", "Did you mean 'warning'?"),
        ({"unknown-key": "ignore"}, "not-allowed-value", "Correct"),
    ],
)
def test_slips_in_severities_are_errors(severities: dict[str, str], rule: str, part: str, tmp_path: Path) -> None:
    """An unknown rule, an unknown severity and a rule that cannot be changed are findings."""
    items = [item for item in bad(HEAD, tmp_path, severities=severities) if item.rule == rule]
    assert len(items) == 1
    assert part in items[0].fix


def test_structural_errors_stay(tmp_path: Path) -> None:
    """Asking to ignore a structural rule doesn't ignore its findings."""
    items = bad(HEAD + "setings: {}\n", tmp_path, severities={"unknown-key": "ignore"})
    assert "unknown-key" in {item.rule for item in items}


@pytest.mark.parametrize(
    "text",
    [
        INSECURE.replace("/cb\n", f"/cb # oauthdeploy: ignore[{RULE}] test system\n"),
        INSECURE.replace("      - http", f"      # oauthdeploy: ignore[{RULE}] test system\n      - http"),
        INSECURE.replace(
            "      - http", f"      # oauthdeploy: ignore[{RULE}] test system\n      # more\n      - http"
        ),
    ],
)
def test_a_comment_with_a_reason_ignores(text: str, tmp_path: Path) -> None:
    """A comment beside the line, or alone above it, leaves the finding out."""
    items = list(load(text, tmp_path, severities=HEARD)[1])
    assert not {RULE, "unused-ignore", "ignore-without-reason"} & {item.rule for item in items}


@pytest.mark.parametrize(
    ("comment", "rule", "severity"),
    [
        (f"# oauthdeploy: ignore[{RULE}]", "ignore-without-reason", Severity.ERROR),
        (f"# oauthdeploy: ignore[{RULE}]  -- ", "ignore-without-reason", Severity.ERROR),
        ("# oauthdeploy: ignore everything here", "ignore-without-reason", Severity.ERROR),
        ("# oauthdeploy: ignore[] because", "ignore-without-reason", Severity.ERROR),
        ("# oauthdeploy: ignore[redirect-uri-not-htps] typo", "unused-ignore", Severity.WARNING),
        ("# oauthdeploy: ignore[unknown-key] structural", "unused-ignore", Severity.WARNING),
    ],
)
def test_comments_that_ignore_nothing_are_findings(comment: str, rule: str, severity: Severity, tmp_path: Path) -> None:
    """No reason is an error; an unknown, structural or unused rule a warning; the finding itself stays."""
    text = INSECURE.replace("/cb\n", f"/cb {comment}\n")
    items = list(load(text, tmp_path, severities=HEARD)[1])
    assert [item.severity for item in items if item.rule == rule] == [severity]
    assert RULE in {item.rule for item in items}


def test_an_ignore_that_nothing_needs_any_more_is_a_warning(tmp_path: Path) -> None:
    """A comment that outlives its finding is reported with its place."""
    items = list(
        load(
            INSECURE.replace("http://", "https://").replace("/cb\n", f"/cb # oauthdeploy: ignore[{RULE}] x\n"), tmp_path
        )[1]
    )
    assert [place for place in places(items) if place[0] == "unused-ignore"] == [("unused-ignore", 10, 37)]


@pytest.mark.parametrize(
    "text",
    [
        f'a: "# oauthdeploy: ignore[{RULE}] x"\n',
        f"a: |\n  # oauthdeploy: ignore[{RULE}] x\n",
        f"a: x#oauthdeploy: ignore[{RULE}] x\n",
    ],
)
def test_a_text_is_no_comment(text: str) -> None:
    """The same words inside a text are no comment, so they ignore nothing and are not reported."""
    assert Comments([Source("x.yaml", text)]).applied([]) == []


def test_a_broken_file_has_no_comments_to_speak_of() -> None:
    """Where the YAML is broken, comments don't add findings or tracebacks of their own."""
    source = Source("x.yaml", f"a: [ # oauthdeploy: ignore[{RULE}] x\n")
    items: Sequence[Diagnostic] = [Diagnostic("yaml-syntax", "s")]
    assert [item.rule for item in Comments([source]).applied(items)] == ["yaml-syntax"]


def test_nothing_set_changes_nothing() -> None:
    """Without wishes and comments the findings come back as they are."""
    items = [Diagnostic("a", "b"), Diagnostic("c", "d", severity=Severity.INFO)]
    assert Comments([Source("x", "a: b")]).applied(apply_severities(items, {})) == items


@pytest.mark.parametrize(
    ("rule", "fix"),
    [
        ("client-id-differs", None),
        ("trust-elsewhere", None),
        ("undoes-cut-off", "--allow undoes-cut-off"),
        ("client-id-difers", "Did you mean 'client-id-differs'?"),
    ],
)
def test_a_comment_may_be_for_a_finding_of_plans(rule: str, fix: str | None, tmp_path: Path) -> None:
    """Whether it is of use is not known without servers; a safety stop can't be ignored, and a slip is told."""
    text = HEAD + f"clients:\n  c: {{type: public}} # oauthdeploy: ignore[{rule}] known\n"
    unused = [item for item in load(text, tmp_path, severities=QUIET)[1] if item.rule == "unused-ignore"]
    assert len(unused) == (0 if fix is None else 1)
    assert all(fix is not None and fix in item.fix for item in unused)


def test_many_comments_above_each_other_take_time_by_their_number() -> None:
    """Each line is looked at once or twice, however many comments stand above it."""

    class Counted(Source, frozen=True):
        looks = 0

        def line(self, number: int) -> str:
            Counted.looks += 1
            return super().line(number)

    comments = 3000
    source = Counted("x.yaml", f"# oauthdeploy: ignore[{RULE}] x\n" * comments + "a: b\n")
    assert len(Comments([source]).applied([])) == comments
    assert Counted.looks < 10 * comments
