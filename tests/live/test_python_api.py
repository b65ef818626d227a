"""The Python API beside the command line: the same servers, the same words, the same results."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy import (
    ManifestRequest,
    TokenSelection,
    adopt,
    list_tokens,
    make_bundle,
    ping,
    plan_revocation,
    probe,
    record_revocation,
    request_revocation,
    request_token_deletion,
    revoke,
    run_plan,
    validate,
)
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import Unreachable, UsageError
from oauthdeploy.planning.adoption import adoption_document
from oauthdeploy.planning.plan import Plan
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.json import document_of
from oauthdeploy.reports.tokens import TokenPage, tokens_document
from oauthdeploy.running import precondition
from oauthdeploy.running.audit import audit_document
from tests.live.conftest import Pair, PairFactory, run_command
from tests.live.test_revoke import token

pytestmark = pytest.mark.live


def test_what_a_plan_read_is_read_again_only_where_somebody_was_asked(
    make_pair: PairFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may take long. Without one the servers are read for the plan, and for the check of what was made."""
    monkeypatch.setattr(precondition, "GOOD_FOR", 600.0)

    def reads(pair: Pair) -> int:
        return sum(path.rstrip("/").endswith("/oauth/client") for _server, method, path in pair.seen if method == "GET")

    unasked, asked = make_pair(), make_pair()
    assert unasked.run("apply", "--yes").code == 0
    request = ManifestRequest(files=(str(asked.folder / "oauthdeploy.yaml"),), environ=asked.environment)
    assert run_plan(request, confirm=lambda _plan: True) is not None
    assert reads(asked) - reads(unasked) == 2, "one more list of the clients of each server"


TIMES = ("id", "at", "seconds", "journal")
"""What no two cut-offs have in common."""


@pytest.fixture
def request_of(deployed: Pair, monkeypatch: pytest.MonkeyPatch) -> ManifestRequest:
    """The same manifest and environment as the command line's."""
    monkeypatch.chdir(deployed.folder)
    return ManifestRequest(environ=deployed.environment)


def lasting(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what no two cut-offs have in common."""
    servers = [{name: value for name, value in server.items() if name != "seconds"} for server in record["servers"]]
    return {name: value for name, value in record.items() if name not in TIMES} | {"servers": servers}


def test_tokens_are_listed_as_the_command_line_lists_them(deployed: Pair, request_of: ManifestRequest) -> None:
    """The document of `tokens list` is made of what `list_tokens` gives, whatever is selected."""
    for _ in range(3):
        token(deployed)
    for flags, selection in (
        ((), None),
        (("--client", "nightly-batch"), TokenSelection(client="nightly-batch")),
        (("--scope", "orders.read"), TokenSelection(scope="orders.read")),
    ):
        found = list_tokens(request_of, selection)
        page = TokenPage(found.tokens, 1, 0, found.servers, found.silent, tuple(found.down))
        assert tokens_document(page) == deployed.run("tokens", "list", "--limit", "0", *flags, "-o", "json").json


def test_a_cut_off_is_planned_and_made_as_the_command_line_does(deployed: Pair, request_of: ManifestRequest) -> None:
    """Plan, record and manifest entry are the same but for the times."""
    flags = ("--block", "resource", "--reason", "leaked", "--ticket", "INC-1", "--who", "alice")
    order = request_revocation("web-shop", block=("resource",), reason="leaked", ticket="INC-1", who="alice")
    shown = deployed.run("revoke", "web-shop", *flags, "--dry-run", "-o", "json").json
    made = json.dumps(document_of(plan_report(plan_revocation(request_of, order).plan)))
    assert json.loads(KNOWN.clean(made)[0]) == shown  # the command line shows an address by its reference
    manifest = deployed.folder / "oauthdeploy.yaml"
    before = manifest.read_bytes()
    told = deployed.run("revoke", "web-shop", *flags, "--write", "--yes", "-o", "json").json
    written = manifest.read_bytes()
    manifest.write_bytes(before)
    [journal] = (deployed.folder / ".oauthdeploy" / "revocations").glob("*.jsonl")
    assert deployed.run("rollback", str(journal), "--yes", "--allow", "undoes-cut-off").code == 0
    done = revoke(request_of, order)
    assert done is not None
    assert lasting(audit_document(done.record)) == lasting(told)
    assert [Path(entry.file).name for entry in record_revocation(request_of, order, done)] == ["oauthdeploy.yaml"]
    assert manifest.read_bytes() == written


def test_selected_tokens_are_deleted_as_the_command_line_does(deployed: Pair, request_of: ManifestRequest) -> None:
    """By owner, through the list: the same record, and nothing is left."""
    token(deployed)
    told = deployed.run("tokens", "delete", "--owner", "nightly-batch", "--ticket", "T-1", "--yes", "-o", "json").json
    token(deployed)
    order, found = request_token_deletion(request_of, TokenSelection(owner="nightly-batch"), ticket="T-1")
    assert order is not None
    assert found is not None
    assert len(found.tokens) == 1
    done = revoke(request_of, order)
    assert done is not None
    assert lasting(audit_document(done.record)) == lasting(told)
    assert list_tokens(request_of).tokens == ()
    assert request_token_deletion(request_of, TokenSelection(owner="nightly-batch"))[0] is None


def test_who_answers_what_is_found_and_what_can_be_adopted_are_those_of_the_command_line(
    deployed: Pair, request_of: ManifestRequest
) -> None:
    """`ping`, `validate --online` and `adopt`, with a scope changed by hand and a server that doesn't answer."""
    told = deployed.run("ping", "-o", "json").json["servers"]
    answers = ping(request_of)
    assert [(answer.server, answer.driver, answer.role, KNOWN.clean(answer.url or "")[0]) for answer in answers] == [
        (item["name"], item["driver"], item["role"], item["url"]) for item in told
    ]
    assert all(answer.error is None and answer.report is not None for answer in answers)
    scope = {"name": "orders.read", "description": "by hand", "values": []}
    deployed.admin(deployed.login, "PUT", "/admin/oauth/scope/orders.read", scope)
    found = adopt(request_of, addresses=("scope/*",))
    assert found is not None
    shown = deployed.run("adopt", "scope/*", "-o", "json").json
    assert adoption_document(found.adoption, (), Diagnostics()) == shown
    checked = deployed.run("validate", "--online", "-o", "json").json["diagnostics"]
    manifest, findings = validate(request_of)
    assert manifest is not None
    assert [item.rule for item in (findings + probe(request_of)).sorted()] == [item["rule"] for item in checked]
    deployed.orders.stop()
    login, orders = ping(request_of)
    assert login.error is None
    assert isinstance(orders.error, Unreachable)


def test_a_bundle_is_that_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oauthdeploy.yaml").write_text(BUNDLED)
    result = run_command(tmp_path, "bundle", "--out", "opa.tar.gz", env={})
    assert result.code == 0, result.err
    assert make_bundle(ManifestRequest()) == ("opa", (tmp_path / "opa.tar.gz").read_bytes())


BUNDLED = """\
version: 1
name: policies
servers:
  login: {role: authorization, driver: external, issuer: "https://login.example.com", jwks_uri: "https://login.example.com/keys"}
  opa: {role: resource, driver: opa, url: "https://opa.example.com", options: {path: oauth}, authorization_server: login}
clients: {web-shop: {type: public}}
"""


def test_confirm_is_asked_and_no_changes_nothing(deployed: Pair, request_of: ManifestRequest) -> None:
    """As `run_plan`: it is handed the plan, and no means None and no record."""
    token(deployed)
    deployed.writes()
    asked: list[bool] = []

    def no(plan: Plan) -> bool:
        asked.append(plan.is_empty)
        return False

    order = request_revocation("nightly-batch")
    assert revoke(request_of, order, confirm=no) is None
    assert asked == [False]
    assert deployed.writes() == []
    assert not (deployed.folder / ".oauthdeploy" / "audit.jsonl").exists()


def test_what_is_blocked_follows_from_what_is_selected() -> None:
    """Everything: both sides; some tokens: nobody; and what is said counts. The id is the ticket."""
    [whole] = request_revocation("a").revocations.values()
    assert ([side.value for side in whole.block or ()], whole.tokens) == (["resource", "authorization"], "all")
    [some] = request_revocation("a", TokenSelection(owner="alice")).revocations.values()
    assert (some.block, some.owner) == (None, "alice")
    [old] = request_revocation("a", TokenSelection(issued_before=datetime(2026, 1, 1, tzinfo=UTC))).revocations.values()
    assert old.block is None
    [both] = request_revocation("a", TokenSelection(owner="alice"), block=("resource",)).revocations.values()
    assert [side.value for side in both.block or ()] == ["resource"]
    assert list(request_revocation("a", ticket="INC-1").revocations) == ["INC-1"]


@pytest.mark.parametrize(
    ("client", "selection", "block"),
    [(" ", None, None), ("a", None, ("login",)), ("a", TokenSelection(client="b"), None)],
)
def test_an_order_that_makes_no_sense_is_refused(
    client: str, selection: TokenSelection | None, block: tuple[str, ...] | None
) -> None:
    """No client, a side that isn't one, the tokens of another client: UsageError, before any server is asked."""
    with pytest.raises(UsageError):
        request_revocation(client, selection, block=block)
    with pytest.raises(UsageError):
        request_token_deletion(ManifestRequest(), TokenSelection())
