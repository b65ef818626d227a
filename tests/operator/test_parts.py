"""The parts of the operator by themselves: conditions, due times, the agenda, the resource definition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import Unreachable
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.operator.agenda import Agenda
from oauthdeploy.operator.cluster import Stored, shown
from oauthdeploy.operator.conditions import MEANINGS, Again, ConditionType
from oauthdeploy.operator.crd import definition
from oauthdeploy.operator.inputs import gather
from oauthdeploy.operator.resource import APPROVE, FINALIZER, MOST_FINDINGS, RUN, EstateSpec, Input, spec_of
from oauthdeploy.operator.run import Result, failed
from oauthdeploy.operator.status import Ran, after, backed_off, due, suspended
from tests.operator.conftest import SHIPPED
from tests.reports.test_log_commands import commands_in

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


def body(status: Any = None, **metadata: Any) -> dict[str, Any]:
    about = {"name": "shop", "namespace": "a", "uid": "u", "generation": 3, "resourceVersion": "1", **metadata}
    made: dict[str, Any] = {"metadata": about, "spec": {"manifest": {"inline": "version: 1"}}}
    if status is not None:
        made["status"] = status.model_dump(mode="json", by_alias=True)
    return made


def ran(result: Result, **more: Any) -> Ran:
    return Ran(NOW, 1.0, (Input(kind="Secret", name="login", resource_version="7"),), ("main",), result, **more)


def settled(result: Result, before: dict[str, Any] | None = None) -> Any:
    return after(before or body(), spec_of(body()), ran(result), jitter=lambda _low, _high: 1.0)


def test_every_exit_code_has_one_meaning_and_every_meaning_its_own_reason() -> None:
    """Whoever knows the exit code knows the conditions, and the reason tells the exit code."""
    assert set(MEANINGS) == set(ExitCode)
    assert len({meaning.reason for meaning in MEANINGS.values()}) == len(ExitCode)
    for code in ExitCode:
        status = settled(Result(code, "words"))
        assert [item.type for item in status.conditions] == [kind.value for kind in ConditionType]
        assert {item.reason for item in status.conditions} == {MEANINGS[code].reason}
        assert {item.observed_generation for item in status.conditions} == {3}


def test_the_page_on_exit_codes_shows_the_conditions() -> None:
    """docs/exit-codes.md has the table of this module."""
    page = (Path(__file__).parents[2] / "docs/exit-codes.md").read_text(encoding="utf-8")
    for code, meaning in MEANINGS.items():
        assert f"| {int(code)} | `{meaning.reason}` |" in page


def test_the_shipped_definition_is_that_of_the_models() -> None:
    """`python docs/reference.py` writes it."""
    for name in ("base/crd.yaml", "chart/crds/crd.yaml"):
        assert yaml.safe_load((SHIPPED / name).read_text(encoding="utf-8")) == definition()


def test_a_failure_waits_longer_each_time_and_the_wait_is_kept_in_the_status() -> None:
    """So that a restarted operator does not begin at the shortest wait again."""
    down = failed(Unreachable("No answer", server="main"))
    first = settled(down)
    second = settled(down, body(first))
    assert (first.failures, second.failures) == (1, 2)
    assert second.next_run - first.next_run == timedelta(seconds=backed_off(2) - backed_off(1))
    assert settled(Result(ExitCode.DONE, ""), body(second)).failures == 0
    many = body(second.model_copy(update={"failures": 500}))
    assert settled(down, many).next_run == NOW + timedelta(seconds=601), "never later than the interval"


def test_the_time_of_a_condition_changes_with_its_status_alone() -> None:
    """lastTransitionTime, by the conventions of the Kubernetes API."""
    first = settled(Result(ExitCode.DONE, "one"))
    later = after(
        body(first), spec_of(body()), Ran(NOW + timedelta(hours=1), 1.0, (), (), Result(ExitCode.CHANGES, "two"))
    )
    times = {item.type: item.last_transition_time for item in later.conditions}
    assert times["Ready"] == first.conditions[0].last_transition_time
    assert times["InSync"] > first.conditions[1].last_transition_time


def test_findings_are_bounded_in_number_and_length_and_name_no_private_folder(tmp_path: Path) -> None:
    """A status is small whatever was found."""
    found = tuple(Diagnostic("rule", f"{tmp_path}/manifest/a.yaml " + "x" * 5000) for _ in range(50))
    status = after(body(), None, ran(Result(ExitCode.ERROR, "words", found), folder=tmp_path))
    assert len(status.findings) == MOST_FINDINGS
    assert status.findings_left_out == 40
    assert all(len(item.message) <= 300 and str(tmp_path) not in item.message for item in status.findings)


def test_what_a_server_says_commands_neither_a_terminal_nor_a_build_server() -> None:
    """A status is printed by kubectl, and that by pipelines."""
    text = shown("::add-path::x\n::set-output y ##[group] ##vso[z] \x1b[31mred\u202e", 200)
    assert commands_in(text) == []
    assert text.isprintable()
    assert "add-path" in text


def test_an_estate_is_due_when_anything_changed() -> None:
    """Generation, annotations, inputs, and the time; a deleted one with our finalizer; a suspended one never."""
    status = settled(Result(ExitCode.DONE, ""))
    assert due(body(), NOW) == NOW
    assert due(body(status), NOW) == status.next_run
    assert due(body(status, generation=4), NOW) == NOW
    for name in (RUN, APPROVE):
        assert due(body(status, annotations={name: "x"}), NOW) == NOW
    assert due(body(status), NOW, {("Secret", "login"): "7"}) == status.next_run
    assert due(body(status), NOW, {("Secret", "login"): "8"}) == NOW
    assert due(body(status, deletionTimestamp="t"), NOW) is None
    assert due(body(status, deletionTimestamp="t", finalizers=[FINALIZER]), NOW) == NOW
    stopped = body(status)
    stopped["spec"]["suspend"] = True
    assert due(stopped, NOW) == NOW, "once, to say so"
    told = suspended(stopped, NOW)
    assert told is not None
    stopped = body(told)
    stopped["spec"]["suspend"] = True
    assert due(stopped, NOW) is None


def test_the_agenda_is_fair_and_bounded() -> None:
    """The namespace with the fewest runs goes first, then who waits longest; no namespace and no server has too many."""
    agenda = Agenda(workers=3, per_namespace=2, per_server=1)
    for number in range(4):
        agenda.note(("a", str(number)), float(number), {})
    agenda.note(("b", "0"), 9.0, {})
    assert [agenda.take(10.0) for _ in range(4)] == [("a", "0"), ("b", "0"), ("a", "1"), None]
    agenda.done(("a", "0"), 10.0, 10.0, ["https://x"])
    agenda.done(("a", "1"), 10.0, 20.0, ["https://x"])
    for number in (2, 3):
        assert agenda.take(10.0) == ("a", str(number))
        agenda.done(("a", str(number)), 10.0, None)
    assert agenda.take(20.0) == ("a", "0")
    assert agenda.take(20.0) is None, "a/1 has the server of a/0"
    agenda.done(("a", "0"), 20.0, None, gone=True)
    assert agenda.take(20.0) == ("a", "1")


def test_what_becomes_known_during_a_run_counts_after_it() -> None:
    """An event of the run itself does not start another; a changed input does."""
    agenda = Agenda(workers=1, per_namespace=1, per_server=1)
    key = ("a", "0")
    agenda.note(key, 0.0, {("Secret", "s"): "1"})
    assert agenda.take(1.0) == key
    agenda.note(key, 50.0, {("Secret", "s"): "1"})
    agenda.done(key, 2.0, 40.0)
    assert agenda.next_due(2.0) == 50.0
    assert agenda.outdated("a", ("Secret", "s"), "1") == []
    assert agenda.outdated("b", ("Secret", "s"), "2") == []
    assert agenda.outdated("a", ("Secret", "s"), "2") == [key]
    assert agenda.take(60.0) == key
    agenda.hurry(key, 61.0)
    agenda.done(key, 62.0, 100.0)
    assert agenda.take(62.0) == key


def test_an_estate_that_waits_for_its_server_keeps_its_place() -> None:
    """Others that became due later do not overtake it each time that the server was busy."""
    agenda = Agenda(workers=1, per_namespace=1, per_server=1)
    agenda.note(("a", "first"), 0.0, {})
    agenda.note(("a", "second"), 5.0, {})
    assert agenda.take(10.0) == ("a", "first")
    agenda.wait_for("s", 11.0, ("a", "first"), ["s"])
    assert agenda.take(10.5) == ("a", "second")
    agenda.done(("a", "second"), 10.6, 10.7, ["s"])
    assert agenda.take(10.9) is None
    assert agenda.take(11.0) == ("a", "first")


def test_values_of_secrets_reach_the_environment_of_the_request_and_private_files(tmp_path: Path) -> None:
    """Files are readable by this account alone; a missing key is a problem unless it is optional."""
    spec = EstateSpec.model_validate(
        {
            "manifest": {"inline": "version: 1", "configMaps": [{"name": "m", "keys": ["*.yaml"]}]},
            "env": [
                {"name": "A", "value": "plain"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
            ],
            "files": [{"path": "certs", "secret": "s", "keys": ["*.pem"]}],
        }
    )
    found = {
        ("ConfigMap", "m"): Stored({"b.yaml": b"b", "a.yaml": b"a", "c.txt": b"c"}, "1"),
        ("Secret", "s"): Stored({"k": b"secret-value\n", "ca.pem": b"pem"}, "2"),
    }
    inputs = gather(spec, lambda kind, name: found.get((kind, name)), tmp_path)
    assert inputs.request is not None
    assert dict(inputs.request.environ) == {"A": "plain", "B": "secret-value"}
    assert [Path(file).name for file in inputs.request.files] == ["inline.yaml", "m.a.yaml", "m.b.yaml"]
    assert inputs.request.confined
    assert not inputs.request.allow_commands
    assert (tmp_path / "certs/ca.pem").stat().st_mode & 0o777 == 0o600
    assert {(item.name, item.resource_version) for item in inputs.versions} == {("m", "1"), ("s", "2")}
    assert "secret-value" not in repr(found)
    (tmp_path / "again").mkdir()
    gone = gather(spec, lambda kind, name: None, tmp_path / "again")
    assert gone.problem is not None
    assert "does not exist" in gone.problem.detail


@pytest.mark.parametrize("meaning", MEANINGS.values(), ids=lambda meaning: meaning.reason)
def test_stalled_waits_for_a_change_and_degraded_is_tried_again(meaning: Any) -> None:
    """What nobody can mend by waiting is Stalled; what may mend itself is tried again soon."""
    assert (meaning.stalled.value == "True") == (meaning.again is Again.CHANGE)
    if meaning.degraded.value == "True":
        assert meaning.again is Again.BACK_OFF
