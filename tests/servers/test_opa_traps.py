"""What OPA's REST API really does, where its documentation is silent or a reader would guess wrong.

The driver stands on these rules; `docs/servers.md` tells them in words. Each test talks plain HTTP to a real server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.servers.opa import Opa

PATCH = {"Content-Type": "application/json-patch+json"}
POLICY = "package oauth.decide\n\nallow if input.client == data.oauth.login.client\n"


def put(
    opa: Opa, path: str, body: Any, *, status: int = 204, headers: Mapping[str, str] | None = None
) -> requests.Response:
    answer = opa.call("PUT", f"/v1/data/{path}", body, headers=headers or {})
    assert answer.status_code == status, f"PUT {path}: {answer.status_code} {answer.text}"
    return answer


def patch(opa: Opa, path: str, *steps: dict[str, Any], status: int = 204) -> requests.Response:
    answer = opa.call("PATCH", f"/v1/data/{path}", list(steps), headers=PATCH)
    assert answer.status_code == status, f"PATCH {path}: {answer.status_code} {answer.text}"
    return answer


def step(op: str, path: str, value: Any = None) -> dict[str, Any]:
    return {"op": op, "path": path} | ({} if op == "remove" else {"value": value})


class TestReading:
    """Absent, null and computed documents."""

    def test_absent_is_200_without_a_result(self, opa: Opa) -> None:
        """`{}`, while a document that is empty or null has a `result`."""
        answer = opa.call("GET", "/v1/data/oauth/login")
        assert (answer.status_code, answer.json()) == (200, {})
        put(opa, "oauth/login", {})
        assert opa.call("GET", "/v1/data/oauth/login").json() == {"result": {}}
        null = requests.put(f"{opa.url}/v1/data/oauth/login", data="null", timeout=10)
        assert null.status_code == 204
        assert opa.call("GET", "/v1/data/oauth/login").json() == {"result": None}

    def test_values_of_rules_are_mixed_into_a_document(self, opa: Opa) -> None:
        """A GET gives data and rules of packages below the path alike: a document must not share its path with a policy."""
        put(opa, "oauth/login", {"client": "shop"})
        policy = "package oauth.login.extra\n\nnumber := 7\n"
        assert requests.put(f"{opa.url}/v1/policies/p.rego", data=policy, timeout=10).status_code == 200
        assert opa.data("oauth/login") == {"client": "shop", "extra": {"number": 7}}

    def test_numbers_and_odd_keys_come_back_as_they_were(self, opa: Opa) -> None:
        """No rounding; keys with slash, tilde, quote and beyond ASCII."""
        body = {"big": 12345678901234567890, "a/b": 1, "~": 2, '"': 3, "ü": {"": 4}}
        put(opa, "oauth/login", body)
        assert opa.data("oauth/login") == body

    def test_a_slash_in_a_key_is_written_as_percent_2f_in_a_path(self, opa: Opa) -> None:
        """One key, not two."""
        put(opa, "oauth/a%2Fb", {"k": 1})
        assert opa.data("oauth") == {"a/b": {"k": 1}}


class TestWriting:
    """PUT, PATCH and DELETE of documents."""

    def test_put_makes_the_way_to_a_document_and_replaces_all_below_it(self, opa: Opa) -> None:
        """Nothing of the former document stays; what is beside it stays."""
        put(opa, "a/b/c", {"old": 1})
        put(opa, "a/b/d", {"beside": 1})
        put(opa, "a/b/c", {"new": 1})
        assert opa.data("a") == {"b": {"c": {"new": 1}, "d": {"beside": 1}}}

    def test_put_of_a_parent_takes_everything_below_it(self, opa: Opa) -> None:
        """And PUT of `/v1/data` takes all data of the server."""
        put(opa, "oauth/login", {"a": 1})
        put(opa, "other", {"a": 1})
        put(opa, "oauth", {"orders": {}})
        assert opa.data() == {"oauth": {"orders": {}}, "other": {"a": 1}}
        assert opa.call("PUT", "/v1/data", {"only": 1}).status_code == 204
        assert opa.data() == {"only": 1}

    def test_a_document_is_made_only_when_absent_on_request(self, opa: Opa) -> None:
        """`If-None-Match: *`: 204 for the first, 304 for whoever comes later: enough for a lock."""
        put(opa, "oauth/lock", {"by": "one"}, headers={"If-None-Match": "*"})
        put(opa, "oauth/lock", {"by": "two"}, status=304, headers={"If-None-Match": "*"})
        assert opa.data("oauth/lock") == {"by": "one"}

    def test_there_is_no_condition_on_what_a_document_was(self, opa: Opa) -> None:
        """No ETag, `If-Match` is ignored, and the `test` of JSON Patch is refused: no compare and set."""
        put(opa, "oauth/login", {"a": 1})
        assert "ETag" not in opa.call("GET", "/v1/data/oauth/login").headers
        put(opa, "oauth/login", {"a": 2}, headers={"If-Match": '"other"'})
        assert "bad patch operation: test" in patch(opa, "oauth/login", step("test", "/a", 2), status=400).text

    @pytest.mark.parametrize("op", ["move", "copy"])
    def test_patch_knows_add_remove_and_replace_only(self, op: str, opa: Opa) -> None:
        """The other operations of RFC 6902 are 400."""
        put(opa, "oauth/login", {"a": 1})
        answer = opa.call("PATCH", "/v1/data/oauth/login", [{"op": op, "from": "/a", "path": "/b"}], headers=PATCH)
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        "bad", [step("remove", "/nope"), step("replace", "/nope", 1), step("add", "/deep/er", 1), step("test", "/a", 1)]
    )
    def test_a_patch_is_done_whole_or_not_at_all(self, bad: dict[str, Any], opa: Opa) -> None:
        """One step that can't be done leaves the document as it was."""
        put(opa, "oauth/login", {"a": 1})
        answer = opa.call("PATCH", "/v1/data/oauth/login", [step("add", "/b", 2), bad], headers=PATCH)
        assert answer.status_code in (400, 404)
        assert opa.data("oauth/login") == {"a": 1}

    def test_steps_of_a_patch_see_what_earlier_ones_did_except_a_removal(self, opa: Opa) -> None:
        """An `add` below what the same patch added works; a `remove` of it is 404, and nothing is done."""
        put(opa, "oauth/login", {"a": 1})
        patch(opa, "oauth/login", step("add", "/x", {}), step("add", "/x/y", 1))
        patch(opa, "oauth/login", step("remove", "/x"), step("add", "/x", {"z": 1}))
        patch(opa, "oauth/login", step("add", "/b", 1), step("remove", "/b"), status=404)
        assert opa.data("oauth/login") == {"a": 1, "x": {"z": 1}}

    def test_a_patch_of_the_root_replaces_the_document(self, opa: Opa) -> None:
        """The path `""` as in RFC 6901, and `/`, which there would be the key `""`."""
        put(opa, "oauth/login", {"a": 1})
        patch(opa, "oauth/login", step("replace", "", {"b": 1}))
        assert opa.data("oauth/login") == {"b": 1}
        patch(opa, "oauth/login", step("replace", "/", {"c": 1}))
        assert opa.data("oauth/login") == {"c": 1}

    def test_a_patch_needs_the_document(self, opa: Opa) -> None:
        """404 where the document is absent, unless it adds the whole document under an existing parent."""
        answer = patch(opa, "oauth/login", step("add", "/a", 1), status=404)
        assert answer.json()["code"] == "resource_not_found"
        put(opa, "oauth", {})
        patch(opa, "oauth/login", step("add", "", {"a": 1}))
        assert opa.data("oauth/login") == {"a": 1}

    def test_deleting_what_is_absent_is_404(self, opa: Opa) -> None:
        """And 204 where it was there."""
        put(opa, "oauth/login", {})
        assert opa.call("DELETE", "/v1/data/oauth/login").status_code == 204
        assert opa.call("DELETE", "/v1/data/oauth/login").status_code == 404
        assert opa.data("oauth") == {}

    def test_a_document_below_a_plain_value_is_a_conflict_told_as_404(self, opa: Opa) -> None:
        """The code in the answer tells it from absence."""
        put(opa, "oauth/login", 5)
        assert put(opa, "oauth/login/below", {}, status=404).json()["code"] == "resource_conflict"

    def test_where_a_rule_is_no_data_can_be(self, opa: Opa) -> None:
        """400 with the file of the rule; beside the rule, in the same package, data is let in."""
        assert requests.put(f"{opa.url}/v1/policies/p.rego", data=POLICY, timeout=10).status_code == 200
        assert "rego_compile_error" in put(opa, "oauth/decide/allow", True, status=400).text
        put(opa, "oauth/decide/other", True)

    def test_policies_and_decisions_follow_the_data_at_once(self, opa: Opa) -> None:
        """A decision after the answer to a write sees what was written; an undefined decision is `{}`."""
        assert requests.put(f"{opa.url}/v1/policies/p.rego", data=POLICY, timeout=10).status_code == 200
        asked = {"input": {"client": "shop"}}
        assert opa.call("POST", "/v1/data/oauth/decide/allow", asked).json() == {}
        for client in ("shop", "other", "shop"):
            put(opa, "oauth/login", {"client": client})
            told = opa.call("POST", "/v1/data/oauth/decide/allow", asked).json()
            assert told == ({"result": True} if client == "shop" else {})

    def test_a_policy_that_does_not_compile_is_refused_and_the_former_stays(self, opa: Opa) -> None:
        """400 with rows and columns."""
        url = f"{opa.url}/v1/policies/p.rego"
        assert requests.put(url, data=POLICY, timeout=10).json() == {}
        refused = requests.put(url, data="package oauth.decide\n\nallow if {", timeout=10)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["location"]["row"] == 3
        assert requests.get(url, timeout=10).json()["result"]["raw"] == POLICY

    def test_data_is_gone_with_the_process(self, start_opa: Callable[..., Opa]) -> None:
        """Memory only: what was written by the API isn't there after a restart."""
        first = start_opa()
        put(first, "oauth/login", {"a": 1})
        first.process.stop()
        assert start_opa().call("GET", "/v1/data/oauth/login").json() == {}


class TestBundles:
    """What a bundle owns can't be written."""

    @pytest.fixture
    def bundled(self, start_opa: Callable[..., Opa], tmp_path: Path) -> Opa:
        """An OPA with a bundle that owns `oauth/login`."""
        document = tmp_path / "bundle/oauth/login/data.json"
        document.parent.mkdir(parents=True)
        document.write_text(json.dumps({"a": 1}))
        (tmp_path / "bundle/.manifest").write_text(json.dumps({"revision": "r7", "roots": ["oauth/login"]}))
        return start_opa(bundle=tmp_path / "bundle")

    @pytest.mark.parametrize("path", ["oauth/login", "oauth/login/a", "oauth"])
    def test_a_path_in_above_or_below_its_roots_is_refused(self, path: str, bundled: Opa) -> None:
        """400 for PUT, PATCH and DELETE, with the name of the bundle in words."""
        inside = "/login/b" if path == "oauth" else "/b"
        for method, body in (("PUT", {}), ("PATCH", [step("add", inside, 1)]), ("DELETE", None)):
            answer = bundled.call(method, f"/v1/data/{path}", body)
            assert answer.status_code == 400
            assert "is owned by bundle" in answer.text
        assert bundled.data("oauth/login") == {"a": 1}

    def test_a_path_beside_its_roots_is_open(self, bundled: Opa) -> None:
        """For a patch the paths of its steps count; the root of all data is closed."""
        put(bundled, "oauth/orders", {"x": 1})
        patch(bundled, "oauth", step("add", "/other", 1))
        patch(bundled, "oauth", step("remove", "/other"))
        assert bundled.data("oauth") == {"login": {"a": 1}, "orders": {"x": 1}}
        assert bundled.call("PUT", "/v1/data", {}).status_code == 400

    def test_the_server_tells_its_bundles_and_their_roots(self, bundled: Opa) -> None:
        """Before a write, at `data.system.bundles`."""
        (found,) = bundled.data("system/bundles").values()
        assert found["manifest"] == {"revision": "r7", "roots": ["oauth/login"]}

    def test_a_bundle_without_roots_owns_everything(self, start_opa: Callable[..., Opa], tmp_path: Path) -> None:
        """The default of the format; the words of the refusal are others."""
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle/data.json").write_text('{"a": 1}')
        opa = start_opa(bundle=tmp_path / "bundle")
        assert "all paths owned by bundle" in put(opa, "oauth/login", {}, status=400).text


class TestAccess:
    """Bearer tokens with a policy, and client certificates."""

    def test_unknown_and_not_allowed_are_both_401(self, start_opa: Callable[..., Opa]) -> None:
        """No 403 and no `WWW-Authenticate`: a token that may only read looks like a wrong one."""
        opa = start_opa(bearer=True)
        reader = {"Authorization": f"Bearer {opa.token}-reader"}
        nobody = requests.get(f"{opa.url}/v1/data", timeout=10)
        forbidden = opa.call("PUT", "/v1/data/a", {}, headers=reader)
        assert nobody.status_code == forbidden.status_code == 401
        assert nobody.json() == forbidden.json()
        assert "WWW-Authenticate" not in nobody.headers
        assert opa.call("GET", "/v1/data", headers=reader).status_code == 200
        put(opa, "a", {"x": 1})

    def test_who_may_read_policies_sees_what_is_written_in_them(self, start_opa: Callable[..., Opa]) -> None:
        """Tokens in the text of `system.authz` among it; its values are data as any other."""
        opa = start_opa(bearer=True)
        reader = {"Authorization": f"Bearer {opa.token}-reader"}
        assert opa.token in opa.call("GET", "/v1/policies", headers=reader).text
        assert opa.data("system/authz") == {"allow": False}

    def test_the_health_of_a_closed_server_is_asked_without_a_token_if_its_policy_says_so(
        self, start_opa: Callable[..., Opa]
    ) -> None:
        """`/health` goes through the same policy."""
        opa = start_opa(bearer=True)
        assert requests.get(f"{opa.url}/health", timeout=10).json() == {}
        assert requests.get(f"{opa.url}/health?bundles", timeout=10).status_code == 200

    def test_without_a_client_certificate_there_is_no_connection(self, start_opa: Callable[..., Opa]) -> None:
        """With `--authentication=tls` TLS itself refuses, `/health` too."""
        opa = start_opa(mtls=True)
        put(opa, "a", {"x": 1})
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(f"{opa.url}/health", verify=str(opa.ca_file), timeout=10)

    def test_the_version_is_told_with_the_configuration(self, opa: Opa) -> None:
        """At `/v1/config`, in `labels`."""
        assert opa.call("GET", "/v1/config").json()["result"]["labels"]["version"] == "1.22.2"
