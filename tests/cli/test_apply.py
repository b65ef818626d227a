"""`apply`: the question, the signals, the streams, the exit codes; the engine is played by the test."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy import workflow
from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import SafetyStop
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unread import Unread
from tests.cli.conftest import Runner
from tests.reports import samples

Confirm = Callable[[Plan], bool]
ROOT = Path(__file__).parents[2]


def play(monkeypatch: pytest.MonkeyPatch, report: ApplyReport) -> list[Any]:
    """An engine that asks, tells two events and gives the report; gives the options it was called with."""
    called: list[Any] = []

    def run_plan(
        request: Any, options: Any, *, confirm: Confirm, on_event: Callable[[Event], None], stop: threading.Event
    ) -> ApplyReport | None:
        called.extend([request, options])
        if report.plan.is_empty:
            return report
        if not confirm(report.plan):
            return None
        if any(item.rule not in options.allow for item in report.plan.stops):
            raise SafetyStop("A safety rule stops this plan")
        total = len(report.plan.changes)
        on_event(Event(EventType.STARTED, "Applying 8 changes.", total=total))
        change = report.plan.changes[0]
        on_event(Event(EventType.CHANGE_DONE, f"Created {change.address}.", change.address, done=1, total=total))
        assert not stop.is_set()
        return report

    monkeypatch.setattr(workflow, "run_plan", run_plan)
    return called


def test_the_plan_is_shown_then_what_happens_then_what_happened(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan and summary on standard output, events on standard error, in plain lines where no terminal is."""
    play(monkeypatch, samples.done_report())
    found = oauthdeploy("apply", "--yes")
    assert found.code == 0
    assert found.out.index("Plan: 7 to create") < found.out.index("Applied: 7 created")
    assert found.err == "Applying 8 changes.\n[1/8] Created trust@orders.\n"
    assert oauthdeploy("apply", "--yes", "-q").err == ""


def test_without_a_terminal_and_without_yes_nobody_is_asked(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is shown, nothing is written, and the flag that was missing is named."""
    play(monkeypatch, samples.done_report())
    for flags in ([], ["--no-input"], ["--input=false"]):
        found = oauthdeploy("apply", *flags)
        assert found.code == 64
        assert "--yes" in found.err
        assert "Plan: 7 to create" in found.out
        assert "Applied" not in found.out


def test_nothing_to_do_needs_no_yes(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that applies an empty plan is fine."""
    play(monkeypatch, ApplyReport(samples.empty_plan(), ()))
    found = oauthdeploy("apply")
    assert (found.code, found.err) == (0, "")
    assert found.out.endswith("No changes. Both sides match the manifest.\n")


def test_a_part_that_failed_is_4_after_the_report(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is complete on standard output and in every file before the process ends."""
    play(monkeypatch, samples.partial_report())
    found = oauthdeploy("apply", "--yes", "-o", "text", "-o", "json=report.json")
    assert found.code == 4
    assert "[permission-denied]" in found.out
    assert "[partial-apply]" in found.err
    assert json.loads(Path("report.json").read_text())["counts"]["failed"] == 1


def test_a_finding_of_the_second_look_is_4(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the servers don't hold was not deployed, whatever they answered."""
    unkept = samples.partial_report().verification
    play(monkeypatch, replace(samples.done_report(), verification=unkept))
    found = oauthdeploy("apply", "--yes")
    assert found.code == 4
    assert "do not hold everything that was applied" in found.err
    play(monkeypatch, replace(samples.done_report(), verification=Diagnostics((samples.WARNING,))))
    assert oauthdeploy("apply", "--yes").code == 0


def test_machine_output_stands_alone_on_stdout(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `-o json` standard output is one document; the plan and the events are talk."""
    play(monkeypatch, samples.done_report())
    found = oauthdeploy("apply", "--yes", "-o", "json")
    assert json.loads(found.out)["complete"] is True
    assert "Plan: 7 to create" in found.err


def test_a_safety_stop_is_5_and_is_not_asked_about(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan names the rule and how to lift it; without a terminal too."""
    called = play(monkeypatch, replace(samples.done_report(), plan=samples.second_plan()))
    found = oauthdeploy("apply")
    assert found.code == 5
    assert "--allow too-many-deletes" in found.out
    found = oauthdeploy("apply", "--yes", "--allow", "too-many-deletes")
    assert found.code == 0
    assert "Lifted by --allow" in found.out
    assert called[-1].allow == ("too-many-deletes",)


RULE = "redirect-uri-not-https"


def test_flags_and_variables_reach_the_engine(oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every flag has its effect, and the command line wins over the environment."""
    called = play(monkeypatch, ApplyReport(samples.empty_plan(), ()))
    monkeypatch.setenv("OAUTHDEPLOY_PARALLELISM", "3")
    monkeypatch.setenv("OAUTHDEPLOY_MAX_DELETES", "10%")
    monkeypatch.setenv("OAUTHDEPLOY_FILE", "a.yaml\nb.yaml")
    monkeypatch.setenv("OAUTHDEPLOY_VERIFY", "false")
    arguments = "--server login --target client/* --exclude scope/x --max-deletes 5 --lock-timeout 2m --env prod"
    found = oauthdeploy(
        "apply", *arguments.split(), "--var", "tier=a=b", "--warn", RULE, "--ignore", "client-account-missing"
    )
    assert found.code == 0
    request, options = called
    assert (options.servers, options.targets, options.excludes) == (("login",), ("client/*",), ("scope/x",))
    assert (options.parallelism, options.max_deletes, options.lock_timeout, options.verify) == (3, "5", 120, False)
    assert request.files == ("a.yaml", "b.yaml")
    assert (request.environment, dict(request.variables)) == ("prod", {"tier": "a=b"})
    assert dict(request.severities) == {RULE: "warning", "client-account-missing": "ignore"}
    assert request.allow_commands is False


ENGINE = """
    import sys, time, threading
    from oauthdeploy import workflow
    from oauthdeploy.planning.outcome import Event, EventType
    from tests.reports import samples

    def run_plan(request, options, *, confirm, on_event, stop):
        if not confirm(samples.first_plan()):
            return None
        on = sys.argv.pop()
        print("READY", file=sys.stderr, flush=True)
        if on == "before":
            time.sleep(30)
        change = samples.first_plan().changes[0]
        on_event(Event(EventType.STARTED, "Applying 8 changes.", total=8))
        on_event(Event(EventType.CHANGE_DONE, "Created trust@orders.", change.address, done=1, total=8))
        if on == "through":
            return samples.done_report()
        print("WRITING", file=sys.stderr, flush=True)
        stop.wait(30)
        if on == "twice":
            time.sleep(30)
        return samples.partial_report()

    workflow.run_plan = run_plan
    from oauthdeploy.cli import main
    main(sys.argv[1:-1] if sys.argv[-1] in ("before", "during", "twice", "through") else None)
"""


def start(how: str, **streams: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENGINE), "apply", *(() if "stdin" in streams else ("--yes",)), how],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        **streams,
    )


def wait_for(process: subprocess.Popen[bytes], word: bytes) -> bytes:
    assert process.stderr is not None
    seen = b""
    while word not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    return seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_write_ends_at_once(number: signal.Signals) -> None:
    """Nothing was written: 130, no report."""
    with start("before", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(process, b"READY")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Interrupted." in err
    assert b"Applied" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_writing_finishes_reports_and_is_4(number: signal.Signals) -> None:
    """Requests in flight finish; the report says what happened."""
    with start("during", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(process, b"WRITING")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 4
    assert b"Stopping: requests in flight finish" in err
    assert b"Interrupted: 3 created" in out
    assert b"Interrupted" not in err, "the report says it once"


def test_a_second_signal_ends_without_a_report() -> None:
    """Somebody is in a hurry; the exit code still says that a part was done."""
    with start("twice", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(process, b"WRITING")
        process.send_signal(signal.SIGINT)
        wait_for(process, b"Stopping")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 4
    assert b"Stopped in the middle of an apply" in err


def on_terminal(answer: bytes, how: str = "through") -> tuple[int, str]:
    """Run an apply on a terminal, answer its question, and give the exit code and all that was shown."""
    leader, follower = pty.openpty()
    # Its own session, with the terminal as the one that Ctrl-C comes from.
    streams = {"stdin": follower, "stdout": follower, "stderr": follower}
    with start(how, **streams, preexec_fn=lambda: os.login_tty(0)) as process:
        os.close(follower)
        shown = b""
        answered = False
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            shown += part
            if not answered and b"Only 'yes' is accepted" in shown:
                answered = True
                os.write(leader, answer)
        process.wait(timeout=20)
    os.close(leader)
    return process.returncode, shown.decode()


def test_on_a_terminal_yes_goes_on() -> None:
    """The question names the servers; a bar shows the progress; the summary is last."""
    code, shown = on_terminal(b"yes\n")
    assert code == 0
    assert "Apply these changes to login and orders? Only 'yes' is accepted: " in shown
    assert "[1/8] Created trust@orders." in shown
    assert shown.index("Only 'yes'") < shown.index("Applied: 7 created")


@pytest.mark.parametrize("answer", [b"y\n", b"no\n", b"\n", b"\x04", b"yes please\n"])
def test_on_a_terminal_anything_else_changes_nothing(answer: bytes) -> None:
    """Only 'yes' is yes; the end of input is not."""
    code, shown = on_terminal(answer)
    assert code == 1
    assert "Nothing was changed." in shown
    assert "Applied" not in shown


def test_ctrl_c_at_the_question_is_130() -> None:
    """Nothing was written."""
    code, shown = on_terminal(b"\x03")
    assert code == 130
    assert "Interrupted." in shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {
                "verified": False,
                "verification": Diagnostics.of([Diagnostic("not-verified", "Unseen", severity=Severity.WARNING)]),
            },
            "not all could be verified",
        ),
        (
            {"plan": replace(samples.done_report().plan, unread=(Unread("login", Kind.SETTINGS, "403 Forbidden"),))},
            "Not known: settings on login (403 Forbidden).",
        ),
    ],
)
def test_what_nobody_could_look_at_is_not_called_done(
    oauthdeploy: Runner, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], said: str
) -> None:
    """All changes were made; a second look that failed, or a kind that could not be read before, is still exit code 4."""
    play(monkeypatch, replace(samples.done_report(), **changed))
    found = oauthdeploy("apply", "--yes")
    assert found.code == 4
    assert said in found.err
    play(monkeypatch, replace(samples.done_report(), verified=False))
    assert oauthdeploy("apply", "--yes", "--no-verify").code == 0
