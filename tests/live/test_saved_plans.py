"""Saved plans on two live servers, through the command line: applied as reviewed, or stale with what has moved."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oauthdeploy import workflow
from oauthdeploy.cli.entrypoint import run
from oauthdeploy.core.addresses import Address
from oauthdeploy.planning.outcome import Event, EventType
from oauthdeploy.planning.planfile.plan_file import content_digest
from tests.live import test_main_job
from tests.live.conftest import PASSWORD, SECRET, Pair, PairFactory, Result

pytestmark = pytest.mark.live

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "plan.v2.schema.json").read_text())


def save(pair: Pair, *flags: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`plan --out saved.json`; gives the document."""
    made = pair.run("plan", "--out", "saved.json", *flags, env=env)
    assert made.code == 0, made.out + made.err
    document: dict[str, Any] = json.loads((pair.folder / "saved.json").read_text())
    pair.writes()
    return document


def apply_saved(pair: Pair, *flags: str, **more: Any) -> Result:
    return pair.run("apply", "saved.json", *flags, **more)


def edit(pair: Pair, old: str, new: str) -> None:
    manifest = pair.folder / "oauthdeploy.yaml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))


class InProcess(Pair):
    """The command line through its own entry, without the start of a process for each command."""

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
        out, err = io.StringIO(), io.StringIO()
        given = io.TextIOWrapper(io.BytesIO((stdin or "").encode()), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("OAUTHDEPLOY_")]:
                patched.delenv(name)
            for name, value in {**self.environment, "NO_COLOR": "1", **(env or {})}.items():
                patched.setenv(name, value)
            patched.setattr("sys.stdin", given)
            patched.chdir(self.folder)
            code = run(arguments)
        return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Hashing of passwords is slow on purpose, and each test starts two servers with users of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1")
        yield


@pytest.fixture
def pair(make_pair: PairFactory) -> Pair:
    """Both servers without TLS, to be quick about it."""
    made = make_pair(tls=False)
    edit(made, "require_https: true", "require_https: false")
    return InProcess(made.folder, made.login, made.orders, made.seen)


@pytest.fixture
def reviewed(pair: Pair) -> Pair:
    """Both servers hold the manifest; then it asks for an update, a delete and a create, and that plan is saved."""
    assert pair.run("apply", "--yes", "--no-verify").code == 0
    edit(pair, "description: Read orders", "description: Read all orders")
    edit(pair, "description: Books the day's orders", "description: Books all orders")
    edit(
        pair,
        "  reports.read:\n    description: Read reports\n    resources: [reports]\n",
        "  reports.read:\n    description: Read reports\n    resources: [reports]\n"
        "  orders.audit: {description: Audit orders, resources: [orders.v1]}\n",
    )
    edit(pair, "{client: web-shop, scopes: [orders.read, orders.write]}", "{client: web-shop, scopes: [orders.read]}")
    save(pair)
    return pair


def stale(pair: Pair, *said: str, flags: tuple[str, ...] = (), env: Mapping[str, str] | None = None) -> None:
    """The saved plan is refused with exit 6, says what moved, and writes nothing."""
    before = [pair.holdings(server) for server in (pair.login, pair.orders)]
    pair.writes()
    result = apply_saved(pair, *flags, env=env)
    assert result.code == 6, result.out + result.err
    assert "[stale-plan]" in result.err
    for words in said:
        assert words in result.err, result.err
    assert pair.writes() == []
    assert [pair.holdings(server) for server in (pair.login, pair.orders)] == before


# -- applied as reviewed ----------------------------------------------------------------------------------------------


def test_a_saved_plan_is_applied_without_a_question_and_the_second_time_writes_nothing(pair: Pair) -> None:
    """The first apply makes every change, the second finds them in place, says so, and is exit 0."""
    document = save(pair)
    first = apply_saved(pair, "-o", "json")
    assert first.code == 0, first.out + first.err
    assert first.json["counts"]["done"] == len(document["changes"])
    assert pair.writes() != []
    assert pair.run("plan", "--detailed-exitcode").code == 0
    pair.writes()
    second = apply_saved(pair)
    assert second.code == 0, second.out + second.err
    assert "Every change of the saved plan is already in place. Nothing was changed." in second.out
    assert pair.writes() == []
    assert apply_saved(pair, "-o", "json").json["in_place"] == sorted(
        (change["address"] for change in document["changes"]), key=_by_address
    )


def _by_address(text: str) -> Any:
    return Address.parse(text).sort_key


def test_updates_and_deletes_of_a_saved_plan_are_made(reviewed: Pair) -> None:
    """A plan of every action, looked at object by object before each write, does what was reviewed."""
    result = apply_saved(reviewed)
    assert result.code == 0, result.out + result.err
    assert reviewed.admin(reviewed.login, "GET", "/admin/oauth/client/web-shop")["scopes"] == ["orders.read"]
    assert reviewed.run("plan", "--detailed-exitcode").code == 0


def test_a_strict_server_that_makes_ids_itself_is_looked_at_by_its_own_ids(make_pair: PairFactory) -> None:
    """Saved plans of creates, and then of updates and deletes, on servers that do only what their document says."""
    made = make_pair(tls=False, strict=True, accept_client_id=False)
    pair = InProcess(made.folder, made.login, made.orders, made.seen)
    edit(pair, "require_https: true", "require_https: false")
    edit(
        pair,
        'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}',
        "secret: {generate: true, deliver_to: {file: out/batch.json, format: json}}",
    )
    save(pair)
    first = apply_saved(pair)
    assert first.code == 0, first.out + first.err
    edit(pair, "description: Books the day's orders", "description: Books all orders")
    edit(pair, "  - {client: nightly-batch, scopes: [reports.read]}\n", "  - {client: nightly-batch, scopes: []}\n")
    save(pair)
    second = apply_saved(pair, "-o", "json")
    assert second.code == 0, second.out + second.err
    assert {item["address"] for item in second.json["outcomes"]} == {
        "client/nightly-batch@login",
        "client/nightly-batch@orders",
        "association/nightly-batch:reports.read@login",
    }


def test_what_is_left_of_a_plan_that_was_applied_in_part_can_be_applied(reviewed: Pair) -> None:
    """Changes that are in place are left alone and counted; the rest is exactly what was reviewed, and is made."""
    part = reviewed.run("apply", "--yes", "--target", "scope/*")
    assert part.code == 0, part.out + part.err
    result = apply_saved(reviewed, "-o", "json")
    assert result.code == 0, result.out + result.err
    assert {address.split("/")[0] for address in result.json["in_place"]} == {"scope"}
    assert {item["address"].split("/")[0] for item in result.json["outcomes"]} == {"client", "association"}
    assert reviewed.run("plan", "--detailed-exitcode").code == 0


def test_a_plan_is_found_again_from_another_folder(pair: Pair, tmp_path: Path) -> None:
    """The manifest's files are found from the plan file, wherever the command is run; elsewhere -f names them."""
    (pair.folder / "out").mkdir()
    assert pair.run("plan", "--out", "out/saved.json").code == 0
    folder = tmp_path / "deep" / "elsewhere"
    folder.mkdir(parents=True)
    elsewhere = InProcess(folder, pair.login, pair.orders)
    found = elsewhere.run("show", "--check", str(pair.folder / "out" / "saved.json"))
    assert found.code == 0, found.out + found.err
    (folder / "moved.json").write_bytes((pair.folder / "out" / "saved.json").read_bytes())
    lost = elsewhere.run("apply", "moved.json")
    assert lost.code == 6
    assert "file-unreadable" in lost.err
    assert pair.writes() == []
    named = elsewhere.run("apply", "moved.json", "-f", str(pair.folder / "oauthdeploy.yaml"))
    assert named.code == 0, named.out + named.err


def test_the_selection_of_a_plan_is_kept(pair: Pair) -> None:
    """A plan of a part is applied as that part; another part is another plan."""
    document = save(pair, "--target", "scope/orders.read@orders")
    assert [change["address"] for change in document["changes"]] == ["trust@orders", "scope/orders.read@orders"]
    other = apply_saved(pair, "--target", "scope/*")
    assert other.code == 64
    assert "--target would make another plan" in other.err
    assert apply_saved(pair, "--target", "scope/orders.read@orders").code == 0
    assert {server for server, _, _ in pair.writes()} == {"orders"}


def test_a_revocation_does_not_wait_for_tokens_to_keep_still(pair: Pair) -> None:
    """Tokens come and go between plan and apply; the cut-off is made all the same."""
    assert pair.run("apply", "--yes").code == 0
    test_main_job._token(pair)
    both = ("-f", "oauthdeploy.yaml", "-f", "incident.yaml")
    save(pair, *both)
    test_main_job._token(pair)
    result = apply_saved(pair)
    assert result.code == 0, result.out + result.err
    assert pair.admin(pair.login, "GET", "/admin/oauth/token?expand=true")["tokens"] == []


# -- stale ------------------------------------------------------------------------------------------------------------


def _managed_field(pair: Pair) -> None:
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/orders.read", {"description": "by hand"})


def _other_managed_field(pair: Pair) -> None:
    pair.admin(pair.login, "PATCH", "/admin/oauth/client/nightly-batch", {"clientCredentialsGrant": False})


def _unmanaged_field(pair: Pair) -> None:
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/orders.read", {"urlTemplates": ["GET_x"]})


def _deleted(pair: Pair) -> None:
    pair.admin(pair.login, "DELETE", "/admin/oauth/client/nightly-batch")


def _created(pair: Pair) -> None:
    body = {"name": "orders.audit", "description": "by hand", "FoldersAndServices": ["payroll"]}
    pair.admin(pair.orders, "POST", "/admin/oauth/scope", body)


def _untouched_object(pair: Pair) -> None:
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/reports.read", {"FoldersAndServices": ["payroll"]})


@pytest.mark.parametrize(
    ("by_hand", "said"),
    [
        (_managed_field, ['scope/orders.read@orders: description was "Read orders", and is now "by hand"']),
        (_other_managed_field, ["client/nightly-batch@login: grants matched the manifest"]),
        (_unmanaged_field, ["scope/orders.read@orders: a field that the manifest does not manage has changed"]),
        (_deleted, ["client/nightly-batch@login: it no longer exists", "association/nightly-batch:reports.read@login"]),
        (_created, ["scope/orders.audit@orders: it now exists", "updated (description, resources)"]),
        (_untouched_object, ["scope/reports.read@orders: the plan does not change it, but now it would be updated"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_object_changed_by_hand_makes_the_plan_stale(
    reviewed: Pair, by_hand: Callable[[Pair], None], said: list[str]
) -> None:
    """Whatever moved on a server is named by address and field; nothing is written."""
    by_hand(reviewed)
    stale(reviewed, *said)
    checked = reviewed.run("show", "--check", "saved.json")
    assert checked.code == 6
    assert said[0] in " ".join(checked.out.split())


def test_an_edited_manifest_makes_the_plan_stale(reviewed: Pair) -> None:
    """The section is named, and what the edit does to the plan, object by object."""
    edit(reviewed, "description: Read all orders", "description: Read no orders")
    stale(
        reviewed,
        "manifest, scopes: has changed",
        'scope/orders.read@login: description was to become "Read all orders", and is now to become "Read no orders"',
    )


def test_a_comment_in_the_manifest_moves_nothing(reviewed: Pair) -> None:
    """What means the same is the same."""
    edit(reviewed, "# Clients, registered on both servers.", "# Who may ask.")
    assert apply_saved(reviewed).code == 0


def test_a_manifest_that_is_gone_or_broken_makes_the_plan_stale(reviewed: Pair) -> None:
    """That the plan's manifest cannot be read is told with the reason."""
    edit(reviewed, "version: 1", "version: 1\nwrong: 1")
    stale(reviewed, "can no longer be read", "unknown-key")
    (reviewed.folder / "oauthdeploy.yaml").unlink()
    stale(reviewed, "file-unreadable")


def test_another_value_from_the_environment_makes_the_plan_stale(reviewed: Pair) -> None:
    """A variable that leads to another server is named with its entry, and that server isn't asked."""
    reviewed.seen.clear()
    result = apply_saved(reviewed, env={"ORDERS_URL": reviewed.login.url})
    assert result.code == 6
    assert f"manifest, servers.orders: its address was {reviewed.orders.url}, and is " in result.err
    assert reviewed.seen == []


def test_a_secret_without_its_source_makes_the_plan_stale(reviewed: Pair) -> None:
    """A missing environment variable is named; nothing is asked of any server."""
    reviewed.seen.clear()
    for name in ("NIGHTLY_BATCH_SECRET", "LOGIN_PASSWORD", "INTROSPECTION_PASSWORD"):
        result = _without(reviewed, name)
        assert result.code == 6, result.out + result.err
        assert f"The environment variable {name} is not set" in result.err
    assert reviewed.seen == []


def _without(pair: Pair, name: str) -> Result:
    """Apply the saved plan where one variable isn't set."""

    class Poorer(InProcess):
        @property
        def environment(self) -> dict[str, str]:
            return {key: value for key, value in super().environment.items() if key != name}

    return apply_saved(Poorer(pair.folder, pair.login, pair.orders))


def test_a_secret_from_elsewhere_makes_the_plan_stale(reviewed: Pair) -> None:
    """Another source, or the default in the place of a variable, is another secret."""
    edit(reviewed, "${env:NIGHTLY_BATCH_SECRET}", "${env:OTHER_SECRET}")
    stale(
        reviewed,
        "clients.nightly-batch.secret.value: the secret came from ${env:NIGHTLY_BATCH_SECRET}, "
        "and now comes from ${env:OTHER_SECRET}",
        env={"OTHER_SECRET": SECRET},
    )


def test_a_default_in_the_place_of_a_secret_makes_the_plan_stale(pair: Pair) -> None:
    """Where a variable was set for the plan and isn't for the apply, its default would be another secret."""
    edit(pair, "${env:NIGHTLY_BATCH_SECRET}", "${env:NIGHTLY_BATCH_SECRET:-" + SECRET + "-default}")
    document = save(pair)
    assert SECRET not in json.dumps(document)
    result = _without(pair, "NIGHTLY_BATCH_SECRET")
    assert result.code == 6, result.out + result.err
    assert "NIGHTLY_BATCH_SECRET was set, and no longer is" in result.err
    assert SECRET not in result.out + result.err
    assert pair.writes() == []


def test_a_new_secret_from_the_same_source_is_not_stale(pair: Pair) -> None:
    """Secrets are looked up again: one that was rotated between plan and apply is what is sent."""
    save(pair)
    assert apply_saved(pair, env={"NIGHTLY_BATCH_SECRET": "rotated-" + SECRET}).code == 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(test_main_job, "SECRET", "rotated-" + SECRET)
        assert test_main_job._token(pair)


def test_a_sensitive_variable_is_given_again(pair: Pair) -> None:
    """Its value is not in the plan; without it, or from elsewhere, the plan is stale; with it, it is applied."""
    edit(
        pair,
        "name: quickstart\n",
        "name: quickstart\nvariables:\n  batch: {sensitive: true}\n  word: {default: Read}\n",
    )
    edit(pair, "${env:NIGHTLY_BATCH_SECRET}", "${var:batch}")
    edit(pair, "description: Read orders", 'description: "${var:word} orders"')
    document = save(pair, "--var", f"batch={SECRET}", "--var", "word=See")
    assert document["saved"]["request"]["variables"] == [
        {"name": "batch", "source": "--var", "value": None},
        {"name": "word", "source": "--var", "value": "See"},
    ]
    stale(pair, "The variable 'batch' has no value")
    stale(pair, "came from --var, and now comes from environment", env={"OAUTHDEPLOY_VAR_batch": SECRET})
    stale(pair, "manifest, scopes: has changed", flags=("--var", f"batch={SECRET}", "--var", "word=Look at"))
    result = apply_saved(pair, "--var", f"batch={SECRET}")
    assert result.code == 0, result.out + result.err
    assert pair.admin(pair.login, "GET", "/admin/oauth/scope/orders.read")["description"] == "See orders"


@pytest.mark.parametrize("empty", [False, True], ids=["with changes", "empty"])
def test_a_plan_of_other_servers_is_refused_there(make_pair: PairFactory, empty: bool) -> None:
    """A plan of one pair of servers isn't applied to another of the same names, though it would be the same plan: 6, also of an
    empty one, whose "no changes" is true of its own servers alone."""
    here, there = make_pair(), make_pair()
    if empty:
        assert [pair.run("apply", "--yes").code for pair in (here, there)] == [0, 0]
    save(here)
    there.writes()
    (there.folder / "saved.json").write_bytes((here.folder / "saved.json").read_bytes())
    for command in (["apply", "saved.json"], ["show", "--check", "saved.json"]):
        found = there.run(*command)
        assert found.code == 6, found.out + found.err
        said = " ".join((found.out + found.err).split())
        assert f"manifest, servers.login: its address was {here.login.url}, and is " in said
    assert there.writes() == []
    assert here.run("apply", "saved.json").code == 0


def test_another_product_makes_the_plan_stale(pair: Pair) -> None:
    """A server that calls itself something else is not the one that was planned for."""
    document = save(pair)
    document["servers"][0]["product"] = "Another Server 9"
    document["content_digest"] = content_digest(document)
    (pair.folder / "saved.json").write_text(json.dumps(document))
    stale(pair, "login: was Another Server 9, and is")


@pytest.mark.parametrize(("flags", "code"), [(("--target", "scope/orders.read@orders"), 6), ((), 4)])
def test_what_moves_in_the_middle_of_the_apply_is_not_written(
    reviewed: Pair, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], code: int
) -> None:
    """Each object is looked at just before its write: exit 6 where nothing was written, 4 where a part was."""
    save(reviewed, *flags)
    apply_now = workflow.run_saved

    def disturbed(*arguments: Any, on_event: Callable[[Event], None], **more: Any) -> Any:
        def listen(event: Event) -> None:
            if event.type is EventType.STARTED:
                _managed_field(reviewed)
                reviewed.writes()
            on_event(event)

        return apply_now(*arguments, on_event=listen, **more)

    monkeypatch.setattr(workflow, "run_saved", disturbed)
    result = apply_saved(reviewed)
    assert result.code == code, result.out + result.err
    assert "Description was Read orders, and is by hand now." in " ".join((result.out + result.err).split())
    assert reviewed.admin(reviewed.orders, "GET", "/admin/oauth/scope/orders.read")["description"] == "by hand"
    assert (reviewed.writes() == []) == (code == 6)


# -- the file ---------------------------------------------------------------------------------------------------------


def test_an_edited_plan_file_is_refused(pair: Pair) -> None:
    """A change of a single value is found, by apply and by show; another layout of the same content is not an edit."""
    document = save(pair)
    target = pair.folder / "saved.json"
    edited = json.loads(json.dumps(document))
    edited["changes"] = edited["changes"][1:]
    target.write_text(json.dumps(edited))
    for command in ("apply", "show"):
        result = pair.run(command, "saved.json")
        assert result.code == 1
        assert "[plan-edited]" in result.err
    assert pair.writes() == []
    target.write_text(json.dumps(document, indent=None, sort_keys=True))
    assert pair.run("show", "saved.json").code == 0


def test_a_truncated_plan_file_is_refused(pair: Pair) -> None:
    """A file that was cut short is no plan: exit 1, a named error, no request."""
    save(pair)
    target = pair.folder / "saved.json"
    data = target.read_bytes()
    pair.seen.clear()
    for share in (0, 0.3, 0.99):
        target.write_bytes(data[: int(len(data) * share)])
        result = apply_saved(pair)
        assert result.code == 1
        assert "[not-a-plan]" in result.err
    assert pair.seen == []


def test_a_plan_of_another_format_says_which_release_reads_it(pair: Pair) -> None:
    """The message names the release that saved the plan."""
    document = save(pair)
    for version, age in (("1.2", "older"), ("3.0", "newer")):
        document |= {"format_version": version, "saved": {**document["saved"], "tool": "7.7.7"}}
        (pair.folder / "saved.json").write_text(json.dumps(document))
        result = apply_saved(pair)
        assert result.code == 1
        assert f"{age} than 2.0" in result.err
        assert "oauthdeploy 7.7.7" in result.err


def test_equal_plans_are_equal_bytes_without_any_secret(pair: Pair) -> None:
    """Two runs give the same file, in the published shape, without a secret, a time or a place of this machine."""
    document = save(pair)
    first = (pair.folder / "saved.json").read_bytes()
    save(pair)
    assert (pair.folder / "saved.json").read_bytes() == first
    save(pair, "-f", str(pair.folder / "oauthdeploy.yaml"))
    assert (pair.folder / "saved.json").read_bytes() == first
    Draft202012Validator(SCHEMA).validate(document)
    text = first.decode()
    for hidden in (SECRET, PASSWORD, str(pair.folder)):
        assert hidden not in text
    sources = {item["path"]: item["origin"] for item in document["saved"]["secrets"]}
    assert sources["clients.nightly-batch.secret.value"] == "${env:NIGHTLY_BATCH_SECRET}"
    assert sources["servers.login.credentials.password"] == "${env:LOGIN_PASSWORD}"
    other = {"NIGHTLY_BATCH_SECRET": "another-secret", "INTROSPECTION_PASSWORD": "another-password"}
    save(pair, env=other)
    assert (pair.folder / "saved.json").read_bytes() == first


def test_findings_in_a_plan_file_name_no_folder_of_this_machine(make_pair: PairFactory) -> None:
    """However the manifest was named, its findings have the place that the plan has for it."""
    made = make_pair(tls=False, accept_client_id=False)
    pair = InProcess(made.folder, made.login, made.orders, made.seen)
    edit(pair, "require_https: true", "require_https: false")
    document = save(pair, "-f", str(pair.folder / "oauthdeploy.yaml"))
    assert "oauthdeploy.yaml" in {item["file"] for item in document["diagnostics"]}
    assert str(pair.folder) not in json.dumps(document)


def test_a_plan_that_is_printed_can_be_shown_and_not_applied(pair: Pair) -> None:
    """`plan -o json` doesn't say how its manifest was asked for."""
    assert pair.run("plan", "-o", "json=printed.json").code == 0
    assert pair.run("show", "printed.json").code == 0
    result = pair.run("apply", "printed.json")
    assert result.code == 1
    assert "plan --out PLANFILE" in result.err


def test_a_manifest_from_standard_input_is_given_again(pair: Pair) -> None:
    """There is no file to find again."""
    manifest = (pair.folder / "oauthdeploy.yaml").read_text()
    assert pair.run("plan", "-f", "-", "--out", "saved.json", stdin=manifest).code == 0
    assert apply_saved(pair).code == 64
    assert apply_saved(pair, "-f", "-", stdin=manifest).code == 0


# -- risk and events --------------------------------------------------------------------------------------------------


def test_fail_on_stops_a_plan_of_that_risk(pair: Pair) -> None:
    """plan and drift report first and are exit 5; apply writes nothing; the rule can be lifted; a higher limit lets it pass."""
    assert save(pair)["summary"]["risk"] == "high"
    for command in (("plan", "--detailed-exitcode"), ("drift",), ("apply", "--yes"), ("apply", "saved.json")):
        result = pair.run(*command, "--fail-on", "high")
        assert result.code == 5, command
        assert "risk-too-high" in result.out + result.err or command[0] == "drift"
        assert pair.writes() == []
    assert apply_saved(pair, "--fail-on", "low", "--allow", "risk-too-high").code == 0
    edit(pair, "description: Read orders", "description: Read all orders")
    assert pair.run("plan", "--fail-on", "high", "--detailed-exitcode").code == 2
    assert pair.run("apply", "--yes", "--fail-on", "high").code == 0


def test_events_are_lines_on_standard_output(pair: Pair) -> None:
    """A version line, the events, a summary; every line fits the published schema, and talk is on standard error."""
    validator = Draft202012Validator(json.loads((SCHEMA_FOLDER / "event.v1.schema.json").read_text()))
    document = save(pair)
    result = apply_saved(pair, "-o", "ndjson", "-o", "json=report.json")
    assert result.code == 0, result.err
    lines = [json.loads(line) for line in result.out.splitlines()]
    for line in lines:
        validator.validate(line)
    assert [lines[0]["type"], lines[1]["type"], lines[-2]["type"], lines[-1]["type"]] == [
        "version",
        "started",
        "finished",
        "summary",
    ]
    assert {line["address"] for line in lines if line["type"] == "change-done"} == {
        change["address"] for change in document["changes"]
    }
    assert (lines[-1]["exit_code"], lines[-1]["done"], lines[-1]["complete"]) == (0, len(document["changes"]), True)
    assert "Plan: " in result.err
    assert json.loads((pair.folder / "report.json").read_text())["complete"] is True


def test_a_run_that_is_refused_ends_its_events_with_the_reason(reviewed: Pair) -> None:
    """The summary holds the error and the exit code, in a file too."""
    _managed_field(reviewed)
    result = apply_saved(reviewed, "-o", "ndjson=events.ndjson")
    assert result.code == 6
    first, last = [json.loads(line) for line in (reviewed.folder / "events.ndjson").read_text().splitlines()]
    assert first["type"] == "version"
    assert (last["type"], last["exit_code"], last["error"]["rule"]) == ("summary", 6, "stale-plan")
    assert "scope/orders.read@orders" in last["error"]["detail"]


SCHEMA_FOLDER = Path(__file__).parents[2] / "schemas"
