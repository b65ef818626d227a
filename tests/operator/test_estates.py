"""Estates on a real API server: report, apply, approve, and what makes a run begin."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from oauthdeploy.operator.resource import GROUP
from tests.operator.conftest import (
    MANIFEST,
    PASSWORD,
    SECRET,
    Namespace,
    Site,
    StartReplica,
    condition,
    env,
    in_sync,
)

pytestmark = pytest.mark.live


@pytest.fixture
def prepared(namespace: Namespace, site: Site) -> Callable[..., dict[str, Any]]:
    """Makes an estate whose manifest is in a ConfigMap and whose passwords are in a Secret."""

    def make(name: str = "shop", **spec: Any) -> dict[str, Any]:
        namespace.secret("login", password=PASSWORD, batch=SECRET)
        namespace.config_map(name, {"estate.yaml": MANIFEST.replace("NAME", name)})
        given = {"manifest": {"configMaps": [{"name": name}]}, "env": env(site), "interval": "2s", **spec}
        return namespace.estate(name, **given)

    return make


def test_report_finds_drift_and_writes_nothing(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """The differences are in status and Events, with the generation they are for; no secret is; the servers are not changed."""
    prepared(mode="report")
    start_replica(namespace)
    body = namespace.wait("shop", lambda status: condition(status, "InSync") == "False")
    status = body["status"]
    assert status["observedGeneration"] == body["metadata"]["generation"]
    assert condition(status, "Ready") == "True"
    assert condition(status, "Degraded") == condition(status, "Stalled") == condition(status, "PlanPending") == "False"
    assert status["counts"]["drift"] == 4
    assert {item["rule"] for item in status["findings"]} == {"drift-missing"}
    assert status["lastRun"]["exitCode"] == 2
    assert ("Differs", status["conditions"][0]["message"]) in namespace.events("shop")
    assert site.writes() == []
    everything = json.dumps([body, namespace.events("shop")])
    assert PASSWORD not in everything
    assert SECRET not in everything


def test_apply_repairs_a_change_by_hand_within_an_interval(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """What the manifest says is on the server soon, and again after somebody removed it; both are told as Events."""
    prepared(mode="apply")
    replica = start_replica(namespace)
    body = namespace.wait("shop", in_sync)
    assert body["status"]["lastApply"]["complete"] is True
    assert "orders.read" in site.scopes()
    site.remove_scope("spare")
    began = time.monotonic()
    while "spare" not in site.scopes():
        assert time.monotonic() - began < 2 + 5, "an interval of 2 s, and some seconds"
        time.sleep(0.1)
    while [reason for reason, _ in namespace.events("shop")].count("Applied") < 2:
        assert time.monotonic() - began < 15
        time.sleep(0.1)
    assert replica.stop() == 0
    assert SECRET not in replica.words()
    assert "Traceback" not in replica.words()


def test_approve_applies_exactly_the_plan_that_was_approved(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """A plan waits in a Secret; another digest applies nothing; a plan that is no longer true is made again, and then applied."""
    prepared(mode="approve")
    start_replica(namespace)
    first = namespace.wait("shop", lambda status: status.get("pendingPlan"))["status"]["pendingPlan"]
    stored = namespace.cluster.get(f"{namespace.path('secrets')}/{first['secret']}")
    assert stored["metadata"]["ownerReferences"][0]["kind"] == "OAuthEstate"
    namespace.annotate("shop", approve="0" * 64)
    namespace.wait("shop", lambda status: status.get("handledApproval") == "0" * 64)
    assert site.writes() == []
    assert "ApprovalUnknown" in [reason for reason, _ in namespace.events("shop")]

    namespace.config_map("shop", {"estate.yaml": MANIFEST.replace("NAME", "shop").replace("Read orders", "Orders")})
    second = namespace.wait("shop", lambda status: (status.get("pendingPlan") or first)["digest"] != first["digest"])
    namespace.annotate("shop", approve=first["digest"])
    namespace.wait("shop", lambda status: status.get("handledApproval") == first["digest"])
    assert site.writes() == []
    digest = second["status"]["pendingPlan"]["digest"]
    namespace.annotate("shop", approve=digest)
    done = namespace.wait("shop", in_sync)["status"]
    assert done["lastApply"]["digest"] == digest
    assert done.get("pendingPlan") is None
    assert condition(done, "PlanPending") == "False"


def test_a_changed_secret_or_config_map_makes_a_run_begin(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """The watch sees it, long before the interval is over; a Secret that is missing at first is waited for."""
    prepared(mode="apply", interval="1h", env=env(site, secret="later"))
    start_replica(namespace)
    stalled = namespace.wait("shop", lambda status: condition(status, "Stalled") == "True")["status"]
    assert stalled["lastRun"]["reason"] == "SpecInvalid"
    assert "later" in stalled["findings"][0]["message"]
    namespace.secret("later", password=PASSWORD, batch=SECRET)
    namespace.wait("shop", in_sync)
    text = MANIFEST.replace("NAME", "shop").replace("orders.read", "orders.list")
    namespace.config_map("shop", {"estate.yaml": text})
    namespace.wait("shop", lambda status: in_sync(status) and "orders.list" in site.scopes())
    namespace.secret("later", password="not-the-password", batch=SECRET)
    refused = namespace.wait("shop", lambda status: condition(status, "Degraded") == "True")["status"]
    assert refused["lastRun"]["exitCode"] == 8
    assert "not-the-password" not in json.dumps(refused)


def test_a_run_can_be_asked_for_and_suspended(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """Another value of the annotation means a run now; nothing is done while an estate is suspended."""
    prepared(mode="apply", interval="1h")
    start_replica(namespace)
    namespace.wait("shop", in_sync)
    site.remove_scope("spare")
    namespace.annotate("shop", run="now")
    namespace.wait("shop", lambda status: status.get("handledRun") == "now")
    assert "spare" in site.scopes()
    prepared(mode="apply", interval="1h", suspend=True)
    body = namespace.wait("shop", lambda status: condition(status, "Ready") == "False")
    assert body["status"]["conditions"][0]["reason"] == "Suspended"
    site.remove_scope("spare")
    namespace.annotate("shop", run="again")
    time.sleep(1.5)
    assert "spare" not in site.scopes()


def test_a_deleted_estate_leaves_the_servers_alone(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """orphan is the default, and needs no finalizer: the estate is gone at once, also without an operator."""
    prepared(mode="apply")
    replica = start_replica(namespace)
    body = namespace.wait("shop", in_sync)
    assert "finalizers" not in body["metadata"]
    replica.stop()
    assert namespace.cluster.call("DELETE", f"{namespace.estates}/shop").ok
    assert namespace.cluster.call("GET", f"{namespace.estates}/shop").status_code == 404
    assert "orders.read" in site.scopes()


def test_a_safety_stop_stalls_and_allow_lifts_it(
    namespace: Namespace, site: Site, prepared: Callable[..., dict[str, Any]], start_replica: StartReplica
) -> None:
    """What stops the command line stops the operator, until the spec allows it."""
    prepared(mode="apply")
    start_replica(namespace)
    namespace.wait("shop", in_sync)
    text = MANIFEST.replace("NAME", "shop").partition("associations:")[0]
    gone = text.replace("  orders.read: {description: Read orders}", "  orders.read: {state: absent}")
    gone = gone.partition("clients:")[0] + "clients:\n  batch: {name: shop-batch, version: '1', state: absent}\n"
    gone += 'policy: {limits: {max_deletes: "0"}}\n'
    namespace.config_map("shop", {"estate.yaml": gone})
    stalled = namespace.wait("shop", lambda status: condition(status, "Stalled") == "True")["status"]
    assert stalled["lastRun"]["exitCode"] == 5
    assert "orders.read" in site.scopes()
    prepared(mode="apply", allow=["too-many-deletes"])
    namespace.config_map("shop", {"estate.yaml": gone})
    namespace.wait("shop", lambda status: in_sync(status) and "orders.read" not in site.scopes())


def test_the_api_server_refuses_what_the_models_refuse(namespace: Namespace) -> None:
    """The schema and its rules are the API server's too, so that a mistake is told when it is made."""
    good: dict[str, Any] = {"manifest": {"inline": "version: 1\n"}}
    for spec, words in (
        ({}, "spec.manifest: Required"),
        ({"manifest": {}}, "write inline or configMaps"),
        ({**good, "mode": "destroy"}, "Unsupported value"),
        ({**good, "interval": "often"}, "spec.interval"),
        ({**good, "env": [{"name": "A"}]}, "write either value or valueFrom"),
        ({**good, "files": [{"path": "../up", "secret": "a"}]}, "spec.files[0].path"),
    ):
        body = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "OAuthEstate", "metadata": {"name": "bad"}, "spec": spec}
        answer = namespace.cluster.call("POST", namespace.estates, body)
        assert answer.status_code == 422, (spec, answer.text)
        assert words in answer.json()["message"], answer.json()["message"]
    made = namespace.estate("good", **good)
    assert made["spec"]["mode"] == "report"
    assert made["spec"]["interval"] == "10m"
    assert made["spec"]["deletionPolicy"] == "orphan"
