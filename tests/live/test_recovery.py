"""Journals, going on, taking back and broken locks, with the command line on two live servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest

from oauthdeploy.cli.entrypoint import run as program
from oauthdeploy.running.journal import read_journal
from tests.live.conftest import PASSWORD, Pair, PairFactory, Result
from tests.live.test_sides import forbid

pytestmark = pytest.mark.live


Runner = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Pair], Runner]:
    """The command line in this process, in the folder and with the environment of a pair: a process each would be slow."""

    def of(pair: Pair) -> Runner:
        monkeypatch.chdir(pair.folder)
        for name, value in {**pair.environment, "NO_COLOR": "1", "OAUTHDEPLOY_NO_INPUT": "true"}.items():
            monkeypatch.setenv(name, value)

        def call(*arguments: str) -> Result:
            capsys.readouterr()
            code = program(arguments)
            streams = capsys.readouterr()
            return Result(code, streams.out, streams.err)

        return call

    return of


def journals(pair: Pair) -> list[Path]:
    return sorted((pair.folder / ".oauthdeploy" / "journal").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def held(pair: Pair) -> Any:
    """What both servers hold, without times and ids of their own."""
    return {
        name: {
            "clients": {
                client["name"]: {
                    key: value for key, value in client.items() if key not in ("client_id", "client_secret")
                }
                for client in pair.admin(server, "GET", "/admin/oauth/client?expand=true")["clients"]
            },
            "scopes": {
                scope["name"]: scope for scope in pair.admin(server, "GET", "/admin/oauth/scope?expand=true")["scopes"]
            },
            "settings": pair.admin(server, "GET", "/admin/oauth/globalsetting"),
        }
        for name, server in (("login", pair.login), ("orders", pair.orders))
    }


@pytest.mark.parametrize("accept_client_id", [True, False])
def test_a_rollback_of_a_first_apply_leaves_the_servers_as_they_were(
    make_pair: PairFactory, run: Callable[[Pair], Runner], accept_client_id: bool
) -> None:
    """Everything that was created goes, settings and trust go back; a second rollback has nothing to do."""
    pair = make_pair(accept_client_id=accept_client_id)
    oauthdeploy = run(pair)
    if not accept_client_id:
        manifest = pair.folder / "oauthdeploy.yaml"
        given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
        manifest.write_text(
            manifest.read_text().replace(given, "secret: {generate: true, deliver_to: {file: out/batch.env}}")
        )
    before = held(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    first = journals(pair)[-1]
    shown = oauthdeploy("rollback", str(first), "--plan")
    assert shown.code == 0, shown.err
    assert "to delete" in shown.out
    assert "[rollback-not-lasting]" in shown.out
    assert oauthdeploy("rollback", str(first), "--yes", "--max-deletes", "1").code == 5
    pair.writes()
    back = oauthdeploy("rollback", str(first), "--yes", "-o", "json")
    assert back.code == 0, back.out + back.err
    assert back.json["complete"]
    assert back.json["verification"] == []
    assert held(pair) == before
    assert read_journal(journals(pair)[-1]).records[0]["undoes"] == first.name
    pair.writes()
    again = oauthdeploy("rollback", str(first), "--yes")
    assert again.code == 0, again.err
    assert pair.writes() == []


def test_a_rollback_brings_back_what_was_changed_and_deleted(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """A deleted client comes back with its associations, a changed one gets its old fields, and what can't be is said."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    before = held(pair)
    manifest = pair.folder / "oauthdeploy.yaml"
    original = manifest.read_text()
    changed = original.replace("access_token_lifetime: 30m", "access_token_lifetime: 20m").replace(
        "description: Read orders", "description: Look at orders"
    )
    assert changed != original
    shop = changed[changed.index("  web-shop:") : changed.index("  nightly-batch:")]
    changed = changed.replace(shop, "  web-shop: {state: absent}\n")
    changed = changed.replace("  - {client: web-shop, scopes: [orders.read, orders.write]}\n", "")
    manifest.write_text(changed)
    narrowed = oauthdeploy("apply", "--yes")
    assert narrowed.code == 0, narrowed.err
    assert "web-shop" not in str(held(pair))
    result = oauthdeploy("rollback", "last", "--yes")
    assert result.code == 0, result.out + result.err
    assert "its tokens are lost" in result.out
    assert held(pair) == before
    manifest.write_text(original)
    assert oauthdeploy("plan", "--detailed-exitcode").code == 0


def test_a_rollback_is_asked_about(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """Without --yes and without a person nothing is written."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    pair.writes()
    result = oauthdeploy("rollback", str(journals(pair)[-1]), "--allow", "too-many-deletes")
    assert result.code == 64
    assert "rollback needs your confirmation" in result.err
    assert pair.writes() == []


def test_a_cut_off_run_is_gone_on_with(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """--resume makes what the last run had planned and didn't make, names that run, and has nothing to do afterwards."""
    oauthdeploy = run(pair)
    refused = {"left": 1000}

    def refuse() -> Any:
        if flask.request.method == "POST" and "client" in flask.request.path and refused["left"]:
            return flask.Response('{"error": "no"}', 400, content_type="application/json")
        return None

    pair.login.app.before_request(refuse)
    first = oauthdeploy("apply", "--yes")
    assert first.code == 4, first.err
    cut_off = journals(pair)[-1]
    told = oauthdeploy("journal", "-o", "json").json
    assert told["counts"]["failed"]
    assert told["counts"]["not-sent"]
    assert not told["complete"]
    refused["left"] = 0
    result = oauthdeploy("apply", "--resume", "--yes", "-o", "json")
    assert result.code == 0, result.out + result.err
    assert f"Resuming .oauthdeploy/journal/{cut_off.name}" in result.err
    assert "still to do" in result.err
    assert read_journal(journals(pair)[-1]).records[0]["resumes"] == cut_off.name
    assert oauthdeploy("plan", "--detailed-exitcode").code == 0
    pair.writes()
    done = oauthdeploy("apply", f"--resume={cut_off}", "--yes")
    assert done.code == 0, done.err
    assert "Nothing is left to do" in done.err
    assert "already in place" in done.err
    assert pair.writes() == []


def test_what_can_not_be_read_is_not_done_whichever_way_a_plan_is_carried_out(
    pair: Pair, run: Callable[[Pair], Runner]
) -> None:
    """Scopes behind a 403: apply, resume and apply again all say that the scopes are not known, and give 4."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    forbid(pair.login, "/admin/oauth/scope")
    for arguments in (["apply", "--yes"], ["apply", "--resume=last", "--yes"], ["apply", "--yes"]):
        found = oauthdeploy(*arguments)
        assert found.code == 4, (arguments, found.out, found.err)
        assert "scope" in found.err


def test_a_run_is_not_gone_on_with_by_another_manifest(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """The journal holds the manifest's digest; another one is refused by name of the rule, which can be lifted."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    manifest = pair.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("description: Read orders", "description: Look at orders"))
    pair.writes()
    refused = oauthdeploy("apply", "--resume", "--yes")
    assert refused.code == 5
    assert "manifest-changed" in refused.err
    assert pair.writes() == []
    lifted = oauthdeploy("apply", "--resume", "--yes", "--allow", "manifest-changed")
    assert lifted.code == 0, lifted.err


def test_a_journal_is_readable_by_people(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """When, who, each change with its end; a last line that was cut short is said; so is a change whose end is unknown."""
    oauthdeploy = run(pair)
    assert oauthdeploy("journal").code == 1
    assert oauthdeploy("apply", "--yes").code == 0
    path = journals(pair)[-1]
    text = oauthdeploy("journal")
    assert text.code == 0, text.err
    assert "started" in text.out
    assert "client/web-shop@login" in text.out
    assert "done" in text.out
    listed = oauthdeploy("journal", "--list", "-o", "json")
    assert [entry["complete"] for entry in listed.json["journals"]] == [True]
    lines = path.read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if json.loads(line)["type"] == "intent")
    torn = pair.folder / "torn.jsonl"
    torn.write_text("".join(lines[: place + 1]) + '{"v":1,"type":"outc')
    broken = oauthdeploy("journal", str(torn))
    assert broken.code == 0, broken.err
    assert "The last line is incomplete" in broken.out
    assert "sent, result unknown" in broken.out
    assert "not yet: the run was interrupted" in broken.out
    assert PASSWORD not in text.out + broken.out


def test_a_journal_of_other_servers_is_refused(make_pair: PairFactory, run: Callable[[Pair], Runner]) -> None:
    """What was made on one pair of servers is not taken back on another of the same names: 6, and nothing is written."""
    here, there = make_pair(), make_pair()
    for pair in (here, there):
        assert run(pair)("apply", "--yes").code == 0
    (journal,) = journals(here)
    oauthdeploy, before = run(there), held(there)
    there.writes()
    for command in (
        ["rollback", str(journal), "--plan"],
        ["rollback", str(journal), "--yes"],
        ["apply", f"--resume={journal}", "--yes"],
    ):
        found = oauthdeploy(*command)
        assert found.code == 6, found.out + found.err
        assert "[server-moved]" in found.err
        assert "its address was https://" in found.err
    assert (there.writes(), held(there)) == ([], before)
    moved = oauthdeploy("rollback", str(journal), "--plan", "--allow", "server-moved")
    assert moved.code == 0, moved.err


def test_a_journal_that_records_no_servers_is_refused(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """Of a journal that doesn't say where it was made nothing is taken back or gone on with, until somebody vouches for it."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    journal = pair.folder / "old.jsonl"
    records = [json.loads(line) for line in journals(pair)[-1].read_text().splitlines()]
    for word in ("servers", "environment"):
        records[0].pop(word, None)
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    pair.writes()
    for command in (["rollback", str(journal), "--yes"], ["apply", f"--resume={journal}", "--yes"]):
        found = oauthdeploy(*command)
        assert found.code == 6, found.out + found.err
        assert "[servers-not-recorded]" in found.err
    assert pair.writes() == []
    assert oauthdeploy("rollback", str(journal), "--plan", "--allow", "servers-not-recorded").code == 0


def test_a_journal_of_another_environment_is_refused(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """`rollback DEV_JOURNAL --env prod` names servers alike; what dev's journal made is none of prod's."""
    oauthdeploy = run(pair)
    with (pair.folder / "oauthdeploy.yaml").open("a") as manifest:
        manifest.write("\nenvironments: {dev: {}, prod: {}}\n")
    assert oauthdeploy("apply", "--yes", "--env", "dev").code == 0
    journal = journals(pair)[-1]
    found = oauthdeploy("rollback", str(journal), "--yes", "--env", "prod")
    assert found.code == 6
    assert "environment: it was dev, and is prod now." in found.err
    assert oauthdeploy("rollback", str(journal), "--plan", "--env", "dev").code == 0


def test_a_lock_can_be_taken_away(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """force-unlock shows whose it is and takes it away; LockBusy names the command; no lock is no error."""
    oauthdeploy = run(pair)
    assert oauthdeploy("force-unlock", "--yes").out.startswith("Nobody holds the lock")
    assert oauthdeploy("apply", "--yes").code == 0
    code = (
        "import time, oauthdeploy.workflow as w\n"
        "from oauthdeploy.workflow.locking import locked\n"
        "from oauthdeploy.workflow.connections import load\n"
        "request = w.ManifestRequest(environ=w.environment())\n"
        "with locked(load(request, w.RunOptions()), w.RunOptions()):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=pair.folder,
        env={**os.environ, **pair.environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        busy = oauthdeploy("apply", "--yes")
        assert busy.code == 7
        assert "oauthdeploy force-unlock" in busy.err
        asked = oauthdeploy("force-unlock")
        assert asked.code == 64
        assert f"process {other.pid}" in asked.err
        taken = oauthdeploy("force-unlock", "--yes", "-o", "json")
        assert taken.code == 0, taken.err
        assert taken.json["holder"]["pid"] == other.pid
        assert oauthdeploy("apply", "--yes").code == 0
    finally:
        other.kill()
        other.communicate()


def test_a_run_whose_lock_was_forced_stops(pair: Pair, run: Callable[[Pair], Runner]) -> None:
    """Exit 7: somebody else may be applying by now, so nothing more is written; the rest is applied by the next run."""
    oauthdeploy = run(pair)

    def force() -> None:
        """Take the lock away as the first write arrives."""
        if flask.request.method == "POST":
            for lock in (pair.folder / ".oauthdeploy").glob("*.lock"):
                lock.unlink()

    pair.orders.app.before_request(force)
    pair.login.app.before_request(force)
    pair.writes()
    lost = oauthdeploy("apply", "--yes")
    assert lost.code == 7, lost.out + lost.err
    assert "lock-lost" in lost.err
    written = pair.writes()
    assert 0 < len(written) < 8
    (journal,) = journals(pair)
    assert read_journal(journal).records[-1]["interrupted"] is True
    pair.orders.app.before_request_funcs[None].remove(force)
    pair.login.app.before_request_funcs[None].remove(force)
    assert oauthdeploy("apply", "--yes").code == 0
    assert oauthdeploy("plan", "--detailed-exitcode").code == 0


def test_a_delivered_secret_that_is_gone_is_a_finding_of_every_plan_unless_it_is_ignored(
    make_pair: PairFactory, run: Callable[[Pair], Runner]
) -> None:
    """By plan and by apply, with the line of the client; `--ignore` is for machines that do not keep the file."""
    pair = make_pair(accept_client_id=False)
    oauthdeploy = run(pair)
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    manifest.write_text(manifest.read_text().replace(given, "secret: {generate: true, deliver_to: {file: out/x.env}}"))
    assert oauthdeploy("apply", "--yes").code == 0
    assert "secret-not-there" not in oauthdeploy("plan").out
    (pair.folder / "out/x.env").unlink()
    for command in (["plan"], ["plan"], ["apply", "--yes", "-v"]):
        found = oauthdeploy(*command)
        assert "[secret-not-there]" in found.out
        assert "secret-not-there" not in oauthdeploy(*command, "--ignore", "secret-not-there").out
    assert "oauthdeploy.yaml:" in oauthdeploy("plan").out.partition("secret-not-there")[2]


def test_an_integration_server_keeps_no_mark_of_a_secret(
    pair: Pair, run: Callable[[Pair], Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the revision and the value: the secret counts as not comparable, and is never sent again."""
    oauthdeploy = run(pair)
    assert oauthdeploy("apply", "--yes").code == 0
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    text = manifest.read_text()
    assert given in text
    manifest.write_text(text.replace(given, 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}", revision: 7}'))
    monkeypatch.setenv("NIGHTLY_BATCH_SECRET", "quite-another-one")
    plan = oauthdeploy("plan", "--detailed-exitcode", "-o", "json")
    assert plan.code == 0, plan.out
    assert {"address": "client/nightly-batch@login", "path": "secret.value"} in plan.json["incomparable"]


def test_a_folder_that_can_not_be_written_is_named_with_the_way_around_it(
    pair: Pair, run: Callable[[Pair], Runner]
) -> None:
    """A mounted manifest is read-only: apply says so before anything is written, and --state-dir puts its files elsewhere."""
    oauthdeploy = run(pair)
    state = pair.folder / ".oauthdeploy"
    state.write_text("not a folder: nobody, root neither, can make files in it")
    pair.writes()
    found = oauthdeploy("apply", "--yes")
    assert (found.code, pair.writes()) == (1, [])
    assert "[state-not-writable]" in found.err
    assert "--state-dir" in found.err
    assert oauthdeploy("force-unlock", "--yes").out.startswith("Nobody holds the lock")
    elsewhere = pair.folder.parent / "state"
    assert oauthdeploy("apply", "--yes", "--state-dir", str(elsewhere)).code == 0
    (journal,) = (elsewhere / "journal").iterdir()
    assert oauthdeploy("journal", "--state-dir", str(elsewhere)).code == 0
    back = oauthdeploy("rollback", str(journal), "--yes", "--allow", "too-many-deletes", "--state-dir", str(elsewhere))
    assert back.code == 0, back.err
    assert state.is_file()
