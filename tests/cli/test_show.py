"""`show`, `schema`, `--fail-on` and `-o ndjson` on the command line; servers and engine are played by the test."""

from __future__ import annotations

import json
import os
import threading
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from oauthdeploy import workflow
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import LockBusy, StalePlan
from oauthdeploy.core.schemas import SCHEMAS as PUBLISHED
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.drift.classification import DriftReport
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType, Status
from oauthdeploy.planning.plan import plan_document
from oauthdeploy.planning.planfile.plan_file import saved_document
from oauthdeploy.planning.planfile.staleness import Comparison, StaleItem
from oauthdeploy.planning.safety import RISK_RULE
from oauthdeploy.reports.json import to_text
from oauthdeploy.running import apply_findings
from tests.cli.conftest import Runner
from tests.planning.test_plan_file import BINDING
from tests.reports import samples

SCHEMAS = Path(__file__).parents[2] / "schemas"
EVENT = Draft202012Validator(json.loads((SCHEMAS / "event.v1.schema.json").read_text(encoding="utf-8")))


@pytest.fixture
def planfile(tmp_path: Path) -> str:
    """A saved plan, in a folder that holds nothing else."""
    (tmp_path / "plan.json").write_text(to_text(saved_document(samples.second_plan(), BINDING)), encoding="utf-8")
    return "plan.json"


# -- show -------------------------------------------------------------------------------------------------------------


def test_a_plan_is_shown_from_its_file_alone(
    oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither manifest nor servers are there; the report says how the plan was asked for, and where secrets come from."""
    monkeypatch.setattr(workflow, "check_saved", None)
    shown = oauthdeploy("show", planfile)
    assert shown.code == 0
    words = " ".join(shown.out.split())
    assert words.startswith("Plan for ")
    assert "from a.yaml, b/*.yaml, environment prod." in words
    assert "Selected by --target client/*." in words
    assert "Variables: tier (--var), pw (--var)." in words
    assert "Secrets are read again when the plan is applied: ${env:S}, ${var:pw}." in words
    assert "Driver fake: fakes 1.2, interface 1." in oauthdeploy("show", "-v", planfile).out
    assert samples.CANARY not in shown.out
    as_json = oauthdeploy("show", planfile, "-o", "json")
    assert json.loads(as_json.out) == json.loads(Path(planfile).read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", ["markdown", "html", "junit", "sarif"])
def test_a_plan_is_shown_in_every_format(oauthdeploy: Runner, planfile: str, form: str) -> None:
    """From its file alone, with every object of the plan and no secret; to a file as to standard output."""
    shown = oauthdeploy("show", planfile, "-o", form)
    assert shown.code == 0, shown.err
    assert oauthdeploy("show", planfile, "-o", f"{form}=there").code == 0
    assert Path("there").read_text(encoding="utf-8") == shown.out
    assert samples.CANARY not in shown.out
    assert all(change.address.name in unescape(shown.out) for change in samples.second_plan().changes)


def test_a_file_that_is_not_there_is_named(oauthdeploy: Runner) -> None:
    """With what to do about it."""
    for command in ("show", "apply"):
        found = oauthdeploy(command, "nowhere.json")
        assert found.code == 1
        assert "[plan-unreadable]" in found.err
        assert "nowhere.json" in found.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(oauthdeploy: Runner, planfile: str) -> None:
    """The system's own reason is told."""
    Path(planfile).chmod(0)
    assert "Permission denied" in oauthdeploy("show", planfile).err


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (Comparison(), 0, "Nothing has changed: the plan can be applied."),
        (Comparison((StaleItem("client/x@login", "it is gone."),)), 6, "client/x@login: it is gone."),
        (Comparison((), tuple(c.address for c in samples.second_plan().changes)), 0, "is already in place."),
        (Comparison((), (samples.second_plan().changes[0].address,)), 0, "of the saved plan is already in place."),
    ],
)
def test_a_check_says_what_has_moved_and_6_is_stale(
    oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch, found: Comparison, code: int, said: str
) -> None:
    """After the plan, in words and as a document."""
    monkeypatch.setattr(workflow, "check_saved", lambda *_: found)
    shown = oauthdeploy("show", "--check", planfile)
    assert shown.code == code
    assert said in " ".join(shown.out.split())
    assert shown.out.startswith("Plan for ")
    document = json.loads(oauthdeploy("show", "--check", planfile, "-o", "json").out)
    assert document["stale"] == (code == 6)
    assert len(document["moved"]) == len(found.moved)
    assert len(document["in_place"]) == len(found.in_place)


# -- apply PLANFILE ---------------------------------------------------------------------------------------------------


def play(monkeypatch: pytest.MonkeyPatch, report: ApplyReport | Exception) -> list[Any]:
    """An engine that gives the report, or raises; gives what it was called with."""
    called: list[Any] = []

    def run_saved(saved: Any, file: Path, given: Any, options: Any, *, confirm: Any, on_event: Any, stop: Any) -> Any:
        called.extend([saved, file, given, options])
        assert isinstance(stop, threading.Event)
        if isinstance(report, Exception):
            raise report
        if not report.outcomes:
            return report
        assert confirm(report.plan)
        change = report.plan.changes[0]
        on_event(Event(EventType.STARTED, "Applying.", total=1))
        on_event(Event(EventType.CHANGE_DONE, "Made.", change.address, change.action, done=1, total=1))
        return report

    monkeypatch.setattr(workflow, "run_saved", run_saved)
    return called


def test_a_saved_plan_is_not_asked_about(oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was reviewed; without a terminal it needs no --yes. Only what was typed is handed on, not the default manifest."""
    called = play(monkeypatch, samples.done_report())
    found = oauthdeploy("apply", planfile)
    assert found.code == 0, found.err
    assert found.out.index("Plan: 7 to create") < found.out.index("Applied: 7 created")
    saved, file, given, options = called
    assert (saved.binding, file, given.files) == (BINDING, Path(planfile), ())
    assert options.targets == ()


def test_a_plan_that_is_in_place_says_so(oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to do is 0."""
    in_place = tuple(change.address for change in samples.first_plan().changes)
    play(monkeypatch, ApplyReport(samples.empty_plan(), (), in_place=in_place))
    found = oauthdeploy("apply", planfile)
    assert found.code == 0
    assert found.out.strip() == "Every change of the saved plan is already in place. Nothing was changed."


def test_a_stale_object_is_6_where_nothing_was_written_and_4_elsewhere(
    oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is written before; the objects are named."""
    done = samples.done_report()
    moved = [
        replace(outcome, status=Status.FAILED, because=apply_findings.stale(outcome.change, "it is gone"))
        for outcome in done.outcomes
    ]
    for outcomes, code in ((moved, 6), ([done.outcomes[0], *moved[1:]], 4)):
        play(monkeypatch, replace(done, outcomes=tuple(outcomes)))
        found = oauthdeploy("apply", planfile, "-o", "text", "-o", "json=report.json")
        assert found.code == code
        assert "It is gone." in found.out
        assert str(moved[1].change.address) in found.out
        assert json.loads(Path("report.json").read_text(encoding="utf-8"))["counts"]["failed"] >= 7
        assert ("[stale-plan]" in found.err) == (code == 6)


# -- events -----------------------------------------------------------------------------------------------------------


def lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        EVENT.validate(line)
    return found


def test_events_are_written_as_they_happen(oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version, events, summary on standard output; all talk on standard error; a file gets the same."""
    play(monkeypatch, samples.done_report())
    found = oauthdeploy("apply", planfile, "-o", "ndjson")
    assert [line["type"] for line in lines(found.out)] == ["version", "started", "change-done", "summary"]
    assert "Plan: 7 to create" in found.err
    assert oauthdeploy("apply", planfile, "-o", "ndjson=events.ndjson").out.startswith("Plan for ")
    assert [line["type"] for line in lines(Path("events.ndjson").read_text(encoding="utf-8"))][-1] == "summary"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (samples.partial_report(), 4),
        (StalePlan("The plan is stale", detail="client/x@login: it is gone."), 6),
        (LockBusy("Somebody else is applying"), 7),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_last_line_says_how_the_run_ended(
    oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch, end: Any, code: int
) -> None:
    """Whatever the end: a summary with the exit code that the command leaves with."""
    monkeypatch.setattr(workflow, "run_saved", lambda *_, **__: _raised(end))
    found = oauthdeploy("apply", planfile, "-o", "ndjson")
    assert found.code == code
    last = lines(found.out)[-1]
    assert (last["type"], last["exit_code"]) == ("summary", code)
    assert last.get("error", {}).get("rule") == (None if code == 130 else getattr(end, "rule", "partial-apply"))


def _raised(end: Any) -> Any:
    if isinstance(end, BaseException):
        raise end
    return end


def test_a_place_for_events_that_can_not_be_written_stops_before_anything_is_done(
    oauthdeploy: Runner, planfile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is not there: named, and the engine is not started."""
    called = play(monkeypatch, samples.done_report())
    found = oauthdeploy("apply", planfile, "-o", "ndjson=nowhere/events.ndjson")
    assert found.code == 1
    assert "[output-not-written]" in found.err
    assert called == []


# -- risk -------------------------------------------------------------------------------------------------------------


def test_fail_on_is_5_after_the_report(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """plan and drift write what they found first; the rule can be lifted by name; the limit reaches the engine."""
    stop = Diagnostic(RISK_RULE, "The risk of a change is too high")
    seen: list[Any] = []
    made = replace(samples.first_plan(), stops=Diagnostics((stop,)))

    def make_plan(_request: Any, options: Any) -> Any:
        seen.append(options.fail_on)
        return made, samples.MANIFEST

    monkeypatch.setattr(workflow, "make_plan", make_plan)
    monkeypatch.setattr(workflow, "detect_drift", lambda *_, **__: (DriftReport(made, ()), samples.MANIFEST))
    found = oauthdeploy("plan", "--fail-on", "medium", "--detailed-exitcode", "-o", "json=plan.json")
    assert found.code == 5
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8")) == plan_document(made)
    assert seen == [Risk.MEDIUM]
    assert oauthdeploy("plan", "--fail-on", "medium", "--allow", RISK_RULE).code == 0
    assert oauthdeploy("drift", "--fail-on", "low").code == 5
    assert oauthdeploy("plan", "--fail-on", "none").code == 64


# -- schemas ----------------------------------------------------------------------------------------------------------


NAMES = tuple(PUBLISHED)


@pytest.mark.parametrize("name", NAMES)
def test_each_published_schema_is_printed(oauthdeploy: Runner, name: str) -> None:
    """As it stands in the repository, and a schema by the metaschema."""
    found = oauthdeploy("schema", name)
    assert found.out == (SCHEMAS / PUBLISHED[name]).read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(found.out))
    assert set(PUBLISHED.values()) == {path.name for path in SCHEMAS.iterdir()}
