"""The kill switch on two live servers: `revoke`, its audit trail, what it writes into the manifest, and `tokens`."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker
from ruamel.yaml import YAML

from oauthdeploy.running.lock import lock
from tests.live.conftest import PASSWORD, SECRET, Pair, PairFactory

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "audit.v1.schema.json").read_text())
CHECK = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def token(pair: Pair, client: str = "nightly-batch", **more: str) -> str:
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/getToken",
        data={"grant_type": "client_credentials", **more},
        auth=(client, SECRET),
        verify=str(pair.login.ca_file),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def call(pair: Pair, bearer: str) -> int:
    return requests.get(
        f"{pair.orders.url}/invoke/reports/daily",
        headers={"Authorization": f"Bearer {bearer}"},
        verify=str(pair.orders.ca_file),
        timeout=10,
    ).status_code


def active(pair: Pair, bearer: str) -> bool:
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/introspectToken",
        data={"token": bearer},
        auth=("orders-rs", PASSWORD),
        verify=str(pair.login.ca_file),
        timeout=10,
    )
    return answer.json()["active"] in (True, "true")


def trail(pair: Pair) -> list[dict[str, Any]]:
    """Every record of the audit file; each fits the published schema."""
    path = pair.folder / ".oauthdeploy" / "audit.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        CHECK.validate(record)
    return records


def states(record: dict[str, Any]) -> dict[str, str]:
    return {item["server"]: item["state"] for item in record["servers"]}


def test_a_client_is_cut_off_on_every_server_and_the_record_says_so(deployed: Pair) -> None:
    """Blocked on the RS first, then blocked and tokens deleted on the AS; refused and inactive; recorded; once."""
    bearers = [token(deployed) for _ in range(3)]
    assert {call(deployed, bearer) for bearer in bearers} == {200}
    deployed.writes()
    result = deployed.run(
        "revoke", "nightly-batch", "--yes", "--ticket", "INC-7", "--reason", "key leaked", "--who", "alice"
    )
    assert result.code == 0, result.out + result.err
    assert [server for server, _method, _path in deployed.writes()][:2] == ["orders", "login"]
    assert {call(deployed, bearer) for bearer in bearers} == {401}
    assert not any(active(deployed, bearer) for bearer in bearers)
    started, finished = trail(deployed)
    assert (started["type"], finished["type"]) == ("started", "finished")
    assert started["id"] == finished["id"]
    assert {finished[name] for name in ("who", "ticket", "reason")} == {"alice", "INC-7", "key leaked"}
    assert states(finished) == {"login": "cut-off", "orders": "cut-off"}
    assert finished["result"] == "done"
    found = {item["server"]: item["found"] for item in finished["servers"]}
    assert found["login"]["active_tokens"] == 3
    assert found["login"]["enabled"] is True
    for item in finished["servers"]:
        assert item["verified"] is True
        assert 0 < item["seconds"] <= finished["seconds"]
    assert "3 tokens deleted." in result.out
    assert (deployed.folder / ".oauthdeploy" / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    deployed.writes()
    again = deployed.run("revoke", "nightly-batch", "--yes", "-o", "json")
    assert again.code == 0
    assert states(again.json) == {"login": "nothing-to-do", "orders": "nothing-to-do"}
    assert deployed.writes() == []
    assert again.json == trail(deployed)[-1]
    for bearer in bearers:
        assert bearer not in result.out + result.err + json.dumps(trail(deployed))


def test_a_server_that_is_down_does_not_keep_the_other_from_being_cut_off(deployed: Pair) -> None:
    """The AS is cut off, the dead RS is named, exit 4; with both dead, exit 8 and no claim that anything was done."""
    bearer = token(deployed)
    deployed.orders.stop()
    result = deployed.run("revoke", "nightly-batch", "--yes")
    assert result.code == 4, result.out + result.err
    assert "orders" in result.err
    assert "UNREACHABLE" in result.out
    assert not active(deployed, bearer)
    assert states(trail(deployed)[-1]) == {"login": "cut-off", "orders": "unreachable"}
    assert trail(deployed)[-1]["result"] == "partial"
    deployed.login.stop()
    dead = deployed.run("revoke", "nightly-batch", "--yes")
    assert dead.code == 8
    assert len(trail(deployed)) == 2


def edit(pair: Pair, *, cut_off: bool) -> None:
    """Change a client's description in the manifest, and declare its cut-off."""
    path = pair.folder / "oauthdeploy.yaml"
    yaml = YAML()
    manifest = yaml.load(path)
    manifest["clients"]["nightly-batch"]["description"] = "Edited"
    if cut_off:
        manifest["revocations"] = [
            {"id": "INC-7", "client": "nightly-batch", "tokens": "all", "block": ["authorization", "resource"]}
        ]
    yaml.dump(manifest, path)


def test_an_apply_cuts_off_where_servers_respond_and_does_nothing_else(deployed: Pair) -> None:
    """A leaked secret does not wait for a server that is down: exit 4, the server is named, and a later apply does the rest."""
    bearer = token(deployed)
    edit(deployed, cut_off=True)
    deployed.orders.stop()
    deployed.writes()
    result = deployed.run("apply", "--yes")
    assert result.code == 4, result.out + result.err
    assert "server-left-out" in result.out
    assert "Only the cut-offs were made" in result.err
    assert "orders" in result.err
    assert not active(deployed, bearer)
    (client,) = [
        one
        for one in deployed.admin(deployed.login, "GET", "/admin/oauth/client?expand=true")["clients"]
        if one["name"] == "Nightly Batch"
    ]
    assert client["enabled"] is False
    assert client["description"] != "Edited"
    record = trail(deployed)[-1]
    assert (record["command"], record["type"], states(record)) == ("apply", "finished", {"login": "cut-off"})
    again = deployed.run("apply", "--yes")
    assert again.code == 8, "nothing is left to cut off, so the server that is down is the error: " + again.err


def test_an_apply_without_a_cut_off_waits_for_every_server(deployed: Pair) -> None:
    """The order of work needs both sides, so nothing else is written while one is down."""
    edit(deployed, cut_off=False)
    deployed.orders.stop()
    deployed.writes()
    result = deployed.run("apply", "--yes")
    assert result.code == 8
    assert deployed.writes() == []


def test_a_name_that_no_server_knows_is_an_error_and_not_a_success(deployed: Pair) -> None:
    """A slip of the pen must not look like a cut-off."""
    result = deployed.run("revoke", "nightly-bach", "--yes")
    assert result.code == 1
    assert "client-not-there" in result.err
    assert "nightly-batch" in result.err
    assert deployed.writes() == []


def test_a_client_that_the_manifest_does_not_name_can_be_cut_off(deployed: Pair) -> None:
    """By its name on the server, or by its id; a server that has no such client is no obstacle."""
    body = {
        "name": "By Hand",
        "version": 1,
        "type": "Confidential",
        "redirect_uris": [],
        "clientCredentialsGrant": True,
    }
    made = deployed.admin(deployed.login, "POST", "/admin/oauth/client", body)
    result = deployed.run("revoke", "By Hand", "--yes", "-o", "json")
    assert result.code == 0, result.out + result.err
    assert states(result.json) == {"login": "cut-off", "orders": "client-not-there"}
    assert deployed.admin(deployed.login, "GET", f"/admin/oauth/client/{made['client_id']}")["enabled"] is False


def test_clients_are_found_by_their_natural_key_where_servers_make_ids(make_pair: PairFactory) -> None:
    """The manifest's key is no id there: the client's name and version lead to it."""
    pair = make_pair(accept_client_id=False)
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    manifest.write_text(manifest.read_text().replace(given, "secret: {generate: true, deliver_to: {file: out/x.env}}"))
    assert pair.run("apply", "--yes").code == 0
    result = pair.run("revoke", "web-shop", "--yes", "-o", "json")
    assert states(result.json) == {"login": "cut-off", "orders": "cut-off"}
    clients = pair.admin(pair.orders, "GET", "/admin/oauth/client?expand=true")["clients"]
    assert {client["name"]: client["enabled"] for client in clients} == {"Web Shop": False, "Nightly Batch": True}


def test_it_asks_and_a_dry_run_writes_nothing(deployed: Pair) -> None:
    """Without --yes and without a terminal it is wrong usage; --dry-run shows the plan; neither leaves a record."""
    asked = deployed.run("revoke", "nightly-batch")
    assert asked.code == 64
    assert "revoke needs your confirmation" in asked.err
    shown = deployed.run("revoke", "nightly-batch", "--dry-run", "--ticket", "INC-7", "-o", "json")
    assert shown.code == 0
    assert {change["address"] for change in shown.json["changes"]} == {
        "revocation/INC-7@login",
        "revocation/INC-7@orders",
    }
    assert deployed.writes() == []
    assert not (deployed.folder / ".oauthdeploy" / "audit.jsonl").exists()


def test_it_needs_no_secret_but_those_of_the_servers_and_no_flawless_manifest(deployed: Pair) -> None:
    """An unset client secret, or a slip in another section, does not stand in the way of an incident."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("type: public", "type: publik"))
    assert deployed.run("plan").code == 3
    result = deployed.run("revoke", "web-shop", "--yes", env={"NIGHTLY_BATCH_SECRET": ""})
    assert result.code == 0, result.out + result.err


def test_it_waits_for_no_lock_and_names_who_holds_it(deployed: Pair) -> None:
    """An incident must not wait for a long apply."""
    targets = [deployed.login.url, deployed.orders.url]
    with lock(deployed.folder / ".oauthdeploy", "quickstart", targets):
        result = deployed.run("revoke", "nightly-batch", "--yes")
    assert result.code == 0, result.out + result.err
    assert "is applying this manifest" in result.out


def test_a_token_that_is_out_proves_the_cut_off(deployed: Pair) -> None:
    """It introspects as inactive and the RS refuses it; the token is in no output and no record. One that lives on is exit 4."""
    bearer = token(deployed)
    (deployed.folder / "leaked.txt").write_text(bearer + "\n")
    url = f"{deployed.orders.url}/invoke/reports/daily"
    flags = ("--proof-token", "file:leaked.txt", "--proof-url", url)
    spared = deployed.run("revoke", "nightly-batch", "--yes", "--block", "resource", "--server", "orders", *flags)
    assert spared.code == 0, spared.out + spared.err
    result = deployed.run("revoke", "nightly-batch", "--yes", *flags, "-o", "json")
    assert result.code == 0, result.out + result.err
    proved = {item["server"]: item["proved"] for item in result.json["servers"]}
    assert "login no longer calls the token active." in proved["login"]
    for text in (spared.out, spared.err, result.out, result.err, json.dumps(trail(deployed))):
        assert bearer not in text
    typed = deployed.run("revoke", "x", "--yes", "--proof-token", bearer)
    assert typed.code == 64
    assert bearer not in typed.err


def test_a_token_that_lives_on_is_no_success(deployed: Pair) -> None:
    """Also where the selection met no token and so there was nothing to do."""
    (deployed.folder / "leaked.txt").write_text(token(deployed))
    url = f"{deployed.orders.url}/invoke/reports/daily"
    flags = ("--scope", "orders.read", "--proof-token", "file:leaked.txt", "--proof-url", url)
    result = deployed.run("revoke", "nightly-batch", "--yes", *flags, "-o", "json")
    assert result.code == 4, result.out + result.err
    assert states(result.json) == {"login": "failed"}
    rules = {problem["rule"] for item in result.json["servers"] for problem in item["problems"]}
    assert rules == {"cut-off-incomplete"}
    assert result.json["result"] == "failed"


def test_selected_tokens_end_and_the_client_goes_on(deployed: Pair) -> None:
    """With a selection nothing is blocked; what is older than the bound ends, what is issued later lives."""
    old = token(deployed)
    bound = (datetime.now(UTC) + timedelta(seconds=2)).isoformat(timespec="seconds")
    result = deployed.run("revoke", "nightly-batch", "--yes", "--issued-before", bound, "--owner", "nightly-batch")
    assert result.code == 0, result.out + result.err
    assert call(deployed, old) == 401
    assert call(deployed, token(deployed)) == 200
    assert deployed.run("revoke", "nightly-batch", "--yes", "--scope", "orders.read").code == 0
    assert deployed.run("revoke", "nightly-batch", "--yes", "--block", "nobody").code == 64


def test_all_tokens_end_once(deployed: Pair) -> None:
    """A client that is not blocked has new tokens at once: the apply is verified, and later ones leave these alone."""
    old = token(deployed)
    manifest = deployed.folder / "oauthdeploy.yaml"
    manifest.write_text(f"{manifest.read_text()}\nrevocations: [{{id: INC-8, client: nightly-batch, tokens: all}}]\n")
    applied = deployed.run("apply", "--yes", "-o", "json")
    assert (applied.code, applied.json["verification"]) == (0, [])
    assert call(deployed, old) == 401
    new = token(deployed)
    again = deployed.run("plan", "--detailed-exitcode", "-o", "json")
    assert (again.code, again.json["changes"]) == (0, [])
    assert deployed.run("drift").code == 0
    assert call(deployed, new) == 200
    # Nobody knows of it without the journal; and `revoke` cuts off whatever was cut off before.
    assert deployed.run("revoke", "nightly-batch", "--yes", "--block", "none", "--ticket", "INC-8").code == 0
    assert call(deployed, new) == 401
    token(deployed)
    shutil.rmtree(deployed.folder / ".oauthdeploy")
    assert deployed.run("plan", "--detailed-exitcode").code == 2


@pytest.mark.parametrize("more", [(), ("--block", "resource"), ("--block", "none")], ids=lambda more: "-".join(more))
def test_written_into_the_manifest_no_run_undoes_it(deployed: Pair, more: tuple[str, ...]) -> None:
    """The entry is there with all comments kept, the next plan is empty, and a second --write adds nothing."""
    token(deployed)
    manifest = deployed.folder / "oauthdeploy.yaml"
    before = manifest.read_text()
    command = (
        "revoke",
        "nightly-batch",
        "--yes",
        "--write",
        "--ticket",
        "INC-7",
        "--reason",
        "leaked: ${env:X}",
        *more,
    )
    result = deployed.run(*command)
    assert result.code == 0, result.out + result.err
    after = manifest.read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert "  - id: INC-7\n    client: nightly-batch\n" in after
    plan = deployed.run("plan", "--detailed-exitcode", "-o", "json")
    assert plan.code == 0, plan.out + plan.err
    assert plan.json["changes"] == []
    again = deployed.run(*command)
    assert again.code == 0, again.err
    if more != ("--block", "none"):
        assert "The manifest already has this revocation: INC-7" in again.out
        assert manifest.read_text() == after


def test_what_is_not_proved_is_not_claimed(make_pair: PairFactory) -> None:
    """A block that may have no effect, since the client has another id there, is made and not called verified: exit code 4."""
    pair = make_pair(accept_client_id=False)
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    manifest.write_text(manifest.read_text().replace(given, "secret: {generate: true, deliver_to: {file: out/x.env}}"))
    assert pair.run("apply", "--yes").code == 0
    assert "client-id-differs" in pair.run("plan").out
    for _ in range(2):
        found = pair.run("revoke", "web-shop", "--yes")
        assert found.code == 4, found.out + found.err
        assert "not verified, in" in found.out
        assert "[client-id-differs]" in found.out
        assert "could not be verified" in found.err


def test_a_block_on_a_resource_server_alone_is_not_called_verified(deployed: Pair) -> None:
    """Nobody documents that an Integration Server refuses tokens of its own disabled clients; the authorization server's deleted
    tokens do prove it, and so does a token.
    """
    found = deployed.run("revoke", "web-shop", "--yes", "--no-write", "--server", "orders")
    assert found.code == 4, found.out + found.err
    assert "[cut-off-unproved]" in found.out
    assert "--proof-token" in found.out
    whole = deployed.run("revoke", "web-shop", "--yes", "--no-write", "-o", "json")
    assert whole.code == 0, whole.err
    assert {item["server"]: item["verified"] for item in whole.json["servers"]} == {"login": True, "orders": True}


def test_without_writing_it_the_next_plan_stops_at_what_it_would_undo(deployed: Pair) -> None:
    """A client that the manifest enables would be enabled again: that is said last, and the plan is of high risk and stops."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("    type: public\n", "    type: public\n    enabled: true\n"))
    revoked = deployed.run("revoke", "web-shop", "--yes", "--no-write", "--ticket", "INC-6")
    assert revoked.code == 0
    assert " ".join(revoked.out.split()).endswith("write the revocation, or enabled: false, by hand.")
    plan = deployed.run("plan", "-o", "json", "--detailed-exitcode")
    assert plan.code == 5
    undone = plan.json["changes"]
    assert [change["address"] for change in undone] == ["client/web-shop@orders", "client/web-shop@login"]
    assert {change["risk"] for change in undone} == {"high"}
    assert {stop["rule"] for stop in plan.json["stops"]} == {"undoes-cut-off"}
    assert "INC-6" in plan.json["stops"][0]["detail"]
    assert deployed.run("apply", "--yes").code == 5
    assert deployed.admin(deployed.orders, "GET", "/admin/oauth/client/web-shop")["enabled"] is False
    assert deployed.run("plan", "--detailed-exitcode", "--allow", "undoes-cut-off").code == 2
    written = deployed.run("revoke", "web-shop", "--yes")
    assert written.code == 0
    assert "Written to oauthdeploy.yaml" in written.out
    assert deployed.run("plan", "--detailed-exitcode").code == 0


ENABLED = ("    type: public\n", "    type: public\n    enabled: true\n")
ENTRY = "revocations: [{id: INC-9, client: web-shop, reason: lost, tokens: all, block: [resource, authorization]}]\n"


def stops_of(pair: Pair, *flags: str) -> list[str]:
    """The rules at which the next apply would stop."""
    found = pair.run("plan", "-o", "json", *flags)
    assert found.code == 0, found.err
    return [stop["rule"] for stop in found.json["stops"]]


def test_an_entry_that_is_taken_out_again_undoes_no_cut_off_unnoticed(deployed: Pair) -> None:
    """An apply records the cut-offs that it makes, as `revoke` does; once somebody has lifted one, it is over."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    before = manifest.read_text()
    manifest.write_text(before + ENTRY)
    assert deployed.run("apply", "--yes").code == 0
    trail = deployed.folder / ".oauthdeploy" / "audit.jsonl"
    records = [json.loads(line) for line in trail.read_text().splitlines()]
    assert [(one["type"], one["command"]) for one in records] == [("started", "apply"), ("finished", "apply")]
    assert records[1]["result"] == "done"
    assert {(one["server"], one["state"]) for one in records[1]["servers"]} == {
        ("login", "cut-off"),
        ("orders", "cut-off"),
    }
    manifest.write_text(before.replace(*ENABLED))
    assert stops_of(deployed) == ["undoes-cut-off"]
    assert stops_of(deployed, "--exclude", "client/web-shop") == []
    assert deployed.run("apply", "--yes").code == 5
    lifted = deployed.run("apply", "--yes", "--allow", "undoes-cut-off")
    assert lifted.code == 0, lifted.err
    assert json.loads(trail.read_text().splitlines()[-1])["type"] == "lifted"
    deployed.admin(deployed.orders, "PATCH", "/admin/oauth/client/web-shop", {"enabled": False})
    assert stops_of(deployed) == []
    assert deployed.run("apply", "--yes").code == 0


def test_a_cut_off_that_is_recorded_elsewhere_counts_there(deployed: Pair, tmp_path: Path) -> None:
    """`--audit FILE`, or its variable, is read by every plan; one that cannot be read is said, and stops no plan."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace(*ENABLED))
    trail = tmp_path / "volume" / "cut-offs.jsonl"
    assert deployed.run("revoke", "web-shop", "--yes", "--no-write", "--audit", str(trail)).code == 0
    assert stops_of(deployed) == []
    assert stops_of(deployed, "--audit", str(trail)) == ["undoes-cut-off"]
    assert deployed.run("apply", "--yes", env={"OAUTHDEPLOY_AUDIT": str(trail)}).code == 5
    assert deployed.run("drift", "--audit", str(trail), "--fail-on", "high").code == 5
    with trail.open("a") as lines:
        lines.write("{\n")
    torn = deployed.run("plan", "--audit", str(trail))
    assert "[audit-unread]" in torn.out
    assert "undoes-cut-off" in torn.out
    lost = deployed.run("plan", "--audit", str(tmp_path / "none.jsonl"))
    assert lost.code == 0
    assert "There is no such file" in lost.out
    assert "audit-unread" not in deployed.run("plan").out


def test_a_rollback_of_a_cut_off_says_that_the_manifest_cuts_off_again(deployed: Pair) -> None:
    """`revoke` has written the entry; without taking it out, the rollback lasts until the next apply."""
    assert deployed.run("revoke", "web-shop", "--yes", "--ticket", "INC-3").code == 0
    (journal,) = (deployed.folder / ".oauthdeploy" / "revocations").iterdir()
    back = deployed.run("rollback", str(journal), "--yes", "--allow", "undoes-cut-off")
    assert back.code == 0, back.err
    assert "[rollback-not-lasting]" in back.out
    assert "client/web-shop@login" in back.out
    again = deployed.run("plan", "-o", "json")
    assert {change["kind"] for change in again.json["changes"]} == {"revocation"}


def test_an_entry_that_can_not_be_written_is_said_after_the_cut_off(deployed: Pair) -> None:
    """The cut-off comes first; then the exit code and the entry to put in by hand."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    manifest.write_text(json.dumps(YAML(typ="safe", pure=True).load(manifest.read_text())))
    before = manifest.read_bytes()
    unasked = deployed.run("revoke", "web-shop", "--yes", "--ticket", "INC-8")
    assert unasked.code == 0, unasked.err
    assert "warning: " in unasked.out
    result = deployed.run("revoke", "web-shop", "--yes", "--write", "--ticket", "INC-8")
    assert result.code == 1
    assert "file-not-edited" in result.err
    assert "- id: INC-8" in result.err
    assert manifest.read_bytes() == before
    assert deployed.admin(deployed.orders, "GET", "/admin/oauth/client/web-shop")["enabled"] is False


def test_an_audit_file_that_can_not_be_written_stops_before_anything_is_done(deployed: Pair) -> None:
    """No cut-off without a record; the flag names another place."""
    result = deployed.run("revoke", "web-shop", "--yes", "--audit", "oauthdeploy.yaml/audit.jsonl")
    assert result.code == 1
    assert "audit-not-written" in result.err
    assert deployed.writes() == []
    assert deployed.run("revoke", "web-shop", "--yes", "--audit", "records/cut.jsonl").code == 0
    assert len((deployed.folder / "records" / "cut.jsonl").read_text().splitlines()) == 2


def test_the_tool_does_not_shut_out_itself(deployed: Pair) -> None:
    """The safety rule holds here too, until it is lifted by name."""
    body = {
        "name": "deployer",
        "version": 1,
        "type": "Confidential",
        "redirect_uris": [],
        "clientCredentialsGrant": True,
    }
    deployed.admin(deployed.login, "POST", "/admin/oauth/client", body)
    stopped = deployed.run("revoke", "deployer", "--yes")
    assert stopped.code == 5
    assert "self-lockout" in stopped.err
    assert deployed.run("revoke", "deployer", "--yes", "--allow", "self-lockout").code == 0


def test_the_journal_of_a_cut_off_is_not_taken_for_that_of_an_apply(deployed: Pair) -> None:
    """`apply --resume` goes on with applies; `rollback` takes the block back from the cut-off's own journal."""
    assert deployed.run("revoke", "web-shop", "--yes", "--block", "resource", "--no-write").code == 0
    assert deployed.run("apply", "--resume", "--yes").code == 0
    (journal,) = (deployed.folder / ".oauthdeploy" / "revocations").iterdir()
    assert deployed.run("rollback", str(journal), "--yes").code == 5
    result = deployed.run("rollback", str(journal), "--yes", "--allow", "undoes-cut-off")
    assert result.code == 0, result.out + result.err
    assert deployed.admin(deployed.orders, "GET", "/admin/oauth/client/web-shop")["enabled"] is True


# -- tokens -------------------------------------------------------------------------------------------------------------


def test_tokens_are_listed_in_pages_and_never_shown(deployed: Pair) -> None:
    """Handles, clients by the manifest's names, owners, scopes and times; no token value, no id of the server."""
    bearers = [token(deployed) for _ in range(5)]
    ids = [
        row["accessTokenId"]
        for row in deployed.admin(deployed.login, "GET", "/admin/oauth/token?expand=true")["tokens"]
    ]
    first = deployed.run("tokens", "list", "--limit", "2", "-o", "json")
    assert first.code == 0, first.err
    assert (first.json["total"], first.json["page"], first.json["pages"]) == (5, 1, 3)
    pages = [
        deployed.run("tokens", "list", "--limit", "2", "--page", str(n), "-o", "json").json["tokens"] for n in (1, 2, 3)
    ]
    handles = [row["handle"] for page in pages for row in page]
    assert len(set(handles)) == 5
    assert {row["client"] for page in pages for row in page} == {"nightly-batch"}
    text = deployed.run("tokens", "list").out
    assert "5 live tokens of 1 client" in text
    for value in (*bearers, *ids):
        assert value not in text + first.out


def test_a_client_is_meant_by_any_name_and_a_slip_is_no_empty_list(deployed: Pair) -> None:
    """By its key, label and name; a client that nobody knows is an error, and a selection without tokens is no cut-off."""
    token(deployed)
    for word in ("nightly-batch", "Nightly Batch (1)", "Nightly Batch"):
        listed = deployed.run("tokens", "list", "--client", word, "-o", "json")
        assert listed.code == 0, listed.err
        assert len(listed.json["tokens"]) == 1, word
    wrong = deployed.run("tokens", "list", "--client", "nightly-bach")
    assert wrong.code == 1
    assert "[client-not-there]" in wrong.err
    gone = deployed.run("tokens", "delete", "--client", "Nightly Batch (1)", "--yes")
    assert gone.code == 0, gone.err
    assert deployed.run("tokens", "list", "--client", "nightly-batch", "-o", "json").json["tokens"] == []
    for selected in (("--owner", "nobody"), ("--scope", "no.scope")):
        none = deployed.run("revoke", "nightly-batch", *selected, "--yes", "--no-write")
        assert none.code == 0
        assert "no such tokens" in none.out
        assert "cut off" not in none.out


def test_tokens_are_selected(deployed: Pair) -> None:
    """Each filter narrows the list, and the deletion to the same tokens; the client can get new ones at once."""
    cases = {
        ("--client", "web-shop"): 0,
        ("--owner", "alice"): 0,
        ("--scope", "orders.read"): 0,
        ("--issued-before", "2020-01-01T00:00:00Z"): 0,
        ("--client", "nightly-batch"): 2,
        ("--owner", "nightly-batch"): 2,
        ("--scope", "reports.read"): 2,
        ("--issued-before", "2099-01-01T00:00:00Z"): 2,
    }
    for flags, number in cases.items():
        while deployed.run("tokens", "list", "-o", "json").json["total"] < 2:
            token(deployed)
        assert deployed.run("tokens", "list", *flags, "-o", "json").json["total"] == number, flags
        result = deployed.run("tokens", "delete", *flags, "--yes")
        assert result.code == 0, result.out + result.err
        assert deployed.run("tokens", "list", "-o", "json").json["total"] == 2 - number, flags
    assert call(deployed, token(deployed)) == 200


def test_one_token_is_deleted_by_its_handle(deployed: Pair) -> None:
    """It and no other of the client; the record names the handle; a handle that no server lists is an error, not a success."""
    first = token(deployed)
    (row,) = deployed.run("tokens", "list", "-o", "json").json["tokens"]
    second = token(deployed)
    (listed,) = deployed.run("tokens", "list", "--handle", row["handle"], "-o", "json").json["tokens"]
    assert listed == row
    for wrong in (("--handle", "000000000000"), ("--handle", row["handle"], "--handle", "000000000000")):
        result = deployed.run("tokens", "delete", *wrong, "--yes")
        assert (result.code, "token-not-there" in result.err) == (1, True), result.err
    assert deployed.run("tokens", "delete", "--handle", row["handle"], "--client", "web-shop", "--yes").code == 1
    assert active(deployed, first)
    result = deployed.run("tokens", "delete", "--handle", row["handle"], "--yes")
    assert result.code == 0, result.out + result.err
    assert f"with handle {row['handle']}" in " ".join(result.out.split())
    assert (active(deployed, first), active(deployed, second)) == (False, True)
    assert trail(deployed)[-1]["asked"][0]["handles"] == [row["handle"]]
    assert deployed.run("tokens", "delete", "--handle", row["handle"], "--yes").code == 1


def test_tokens_are_deleted_only_when_somebody_says_which_and_yes(deployed: Pair) -> None:
    """No selection is wrong usage, and so is nobody to ask; --all means all, and is recorded."""
    token(deployed)
    deployed.writes()
    assert deployed.run("tokens", "delete", "--yes").code == 64
    assert deployed.run("tokens", "delete", "--all").code == 64
    assert deployed.writes() == []
    result = deployed.run("tokens", "delete", "--all", "--yes", "--reason", "drill")
    assert result.code == 0, result.out + result.err
    assert deployed.run("tokens", "list", "-o", "json").json["total"] == 0
    record = trail(deployed)[-1]
    assert (record["command"], record["reason"], record["result"]) == ("tokens delete", "drill", "done")
    assert deployed.run("tokens", "delete", "--all", "--yes").code == 0


def test_a_list_that_can_not_be_had_is_not_an_empty_one(deployed: Pair) -> None:
    """A dead authorization server is exit 8."""
    deployed.login.stop()
    assert deployed.run("tokens", "list").code == 8
