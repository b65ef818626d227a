"""The two sides against each other, live: what one holds and the other doesn't is said, with both servers and the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from oauthdeploy.server import RunningServer
from tests.live.conftest import Pair, PairFactory

pytestmark = pytest.mark.live


def forbid(server: RunningServer, prefix: str) -> None:
    """Let the server answer 403 below a path from now on."""
    inner: Callable[[dict[str, Any], Any], Iterable[bytes]] = server.app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(prefix):
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [b'{"error": "not for you"}']
        return inner(environ, start_response)

    server.app.wsgi_app = outer  # type: ignore[method-assign]


def edit(pair: Pair, *changes: tuple[str, str]) -> None:
    manifest = pair.folder / "oauthdeploy.yaml"
    text = manifest.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    manifest.write_text(text)


def found(pair: Pair, rule: str, *command: str) -> list[dict[str, Any]]:
    result = pair.run(*(command or ("plan",)), "-o", "json")
    assert result.out, result.err
    return [item for item in result.json["diagnostics"] if item["rule"] == rule]


def test_what_nobody_wrote_is_compared_too(pair: Pair) -> None:
    """A scope of the AS alone, a client enabled on one side: all three commands say it, and no apply is stopped.

    To `drift` they are what the sides disagree about, and no findings besides.
    """
    assert pair.run("apply", "--yes").code == 0
    pair.admin(pair.login, "POST", "/admin/oauth/scope/", {"name": "stray", "FoldersAndServices": ["a"]})
    pair.admin(pair.orders, "PATCH", "/admin/oauth/client/web-shop", {"enabled": False})
    for command in ("plan", "validate --online"):
        (stray,) = found(pair, "scope-on-one-side", *command.split())
        assert stray["address"] == "scope/stray@orders"
        assert "login has the scope 'stray', and orders does not" in stray["detail"]
        assert stray["fix"]
        (enabled,) = found(pair, "client-enabled-on-one-side", *command.split())
        assert enabled["address"] == "client/web-shop@orders"
        assert "login" in enabled["detail"]
    assert "scope-on-one-side" in pair.run("validate", "--online").err
    drift = pair.run("drift", "-o", "json").json
    assert [(item["class"], item["address"]) for item in drift["items"] if item["class"] != "cannot-compare"] == [
        ("unexpected", "scope/stray@login"),
        ("sides-disagree", "scope/stray@orders"),
        ("sides-disagree", "client/web-shop@orders"),
    ]
    assert not any(item["rule"].endswith("-on-one-side") for item in drift["diagnostics"])
    assert pair.run("apply", "--yes").code == 0


def test_what_the_plan_itself_mends_is_no_finding(pair: Pair) -> None:
    """On two empty servers the sides will agree once the plan is done; whom the RS trusts until then is for the interested."""
    result = pair.run("plan", "-o", "json").json
    assert [item["rule"] for item in result["diagnostics"]] == ["trust-elsewhere"]
    assert result["diagnostics"][0]["severity"] == "info"
    online = pair.run("validate", "--online", "-o", "json")
    assert online.code == 0
    assert online.json["warnings"] == 0


def test_a_client_with_two_ids_is_said(pair: Pair) -> None:
    """A client that was made by hand on the RS is matched by its name; its id can't match a token of the AS."""
    body = {"client_id": "by-hand", "name": "Nightly Batch", "version": "1", "type": "Confidential"}
    pair.admin(pair.orders, "POST", "/admin/oauth/client/", body | {"redirect_uris": [], "scopes": []})
    assert pair.run("apply", "--yes").code == 0
    (one,) = found(pair, "client-id-differs")
    assert one["address"] == "client/nightly-batch@orders"
    assert "'by-hand' on orders and 'nightly-batch' on login" in one["detail"]


def test_accounts_must_be_on_both_sides(pair: Pair) -> None:
    """A resource owner and the account of a client that are nowhere are findings; a group counts; each list is one request."""
    edit(
        pair,
        ("[alice, bob, nightly-batch]", "[alice, carol, bob, nightly-batch, Administrators]"),
        ("  nightly-batch:\n", "  evening-batch:\n"),
        ("client: nightly-batch", "client: evening-batch"),
    )
    pair.seen.clear()
    result = pair.run("plan", "-o", "json").json
    asked = [(server, path) for server, _method, path in pair.seen if path.startswith(("/admin/user", "/admin/group"))]
    assert sorted(asked) == [
        (server, path) for server in ("login", "orders") for path in ("/admin/group/", "/admin/user/")
    ]
    people = [item for item in result["diagnostics"] if item["rule"] == "resource-owner-missing"]
    assert {item["detail"].partition(". ")[0] for item in people} == {
        "'carol' is no user or group of login",
        "'carol' is no user or group of orders",
    }
    assert {item["path"] for item in people} == {"resource_owners[1]"}
    assert all(item["line"] for item in people)
    # Registering the client makes its account; this server does not, which the next plan sees.
    assert not [item for item in result["diagnostics"] if item["rule"] == "client-account-missing"]
    assert pair.run("apply", "--yes").code == 0
    again = pair.run("plan", "-o", "json").json
    machines = [item["address"] for item in again["diagnostics"] if item["rule"] == "client-account-missing"]
    assert machines == ["client/evening-batch@login", "client/evening-batch@orders"]
    drift = pair.run("drift", "-o", "json").json
    assert any("carol" in item["detail"] for item in drift["items"] if item["class"] == "sides-disagree")


def test_accounts_are_not_read_where_nothing_needs_them(pair: Pair) -> None:
    """Without resource owners and client credentials no user is asked for."""
    edit(
        pair,
        ("resource_owners: [alice, bob, nightly-batch]", ""),
        ("grants: [client_credentials]", "grants: []"),
    )
    assert pair.run("plan").code == 0
    assert [path for _server, _method, path in pair.seen if "/admin/user" in path] == []


def test_few_accounts_are_asked_for_by_name(make_pair: PairFactory) -> None:
    """The list of users may be long; a strict server is asked by the paths of its own document."""
    pair = make_pair(strict=True)
    edit(pair, ("[alice, bob, nightly-batch]", "[alice]"), ("grants: [client_credentials]", "grants: []"))
    assert found(pair, "resource-owner-missing") == []
    asked = [path for server, _method, path in pair.seen if server == "orders" and "/admin/user" in path]
    assert asked == ["/admin/user/alice"]


def test_a_check_that_can_not_be_made_says_so(pair: Pair) -> None:
    """Users and scopes behind a 403 are findings with the server and the reason, and the plan ends with 8."""
    assert pair.run("apply", "--yes").code == 0
    forbid(pair.orders, "/admin/user")
    forbid(pair.orders, "/admin/oauth/scope")
    said = found(pair, "cross-side-unchecked")
    assert [(item["address"], item["severity"]) for item in said] == [
        ("scope/*@orders", "warning"),
        ("trust@orders", "warning"),
    ]
    assert "could not be read" in said[0]["detail"]
    assert "users of orders" in said[1]["detail"]
    assert "'alice', 'bob', 'nightly-batch'" in said[1]["detail"]
    assert pair.run("plan", "--detailed-exitcode").code == 8


def test_a_resource_server_that_trusts_a_stranger_is_said(pair: Pair) -> None:
    """Trust in a server that the manifest doesn't know: mended by the plan where it says whom, a warning where it doesn't."""
    assert pair.run("apply", "--yes").code == 0
    body = {"alias": "legacy", "host": "legacy.example", "port": 443, "user": "u", "password": "p", "ssl": "yes"}
    pair.admin(pair.orders, "POST", "/admin/remoteserver/", body)
    pair.admin(pair.orders, "PATCH", "/admin/oauth/globalsetting/", {"authServerAlias": "legacy"})
    (one,) = found(pair, "trust-unknown-server")
    assert (one["severity"], one["address"]) == ("info", "trust@orders")
    edit(pair, ("    authorization_server: login ", "    # authorization_server: login "))
    (one,) = found(pair, "trust-unknown-server")
    assert one["severity"] == "warning"
    assert "orders trusts 'legacy'" in one["detail"]


def test_findings_of_a_plan_obey_the_flags_for_severities(deployed: Pair) -> None:
    """--ignore, --warn and --error mean the same for what only live servers show as for what the manifest shows."""
    edit(deployed, ("resource_owners: [alice, bob, ", "resource_owners: [alice, bob, nobody-at-all, "))
    (rule,) = {
        item["rule"] for item in deployed.run("plan", "-o", "json").json["diagnostics"] if "nobody" in item["detail"]
    }
    ignored = deployed.run("plan", "-o", "json", "--ignore", rule)
    assert ignored.code == 0, ignored.err
    assert rule not in ignored.out
    raised = deployed.run("plan", "-o", "json", "--error", rule)
    assert {item["severity"] for item in raised.json["diagnostics"] if item["rule"] == rule} == {"error"}
