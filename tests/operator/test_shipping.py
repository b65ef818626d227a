"""The files of examples/kubernetes, as the real API server takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operator.conftest import SHIPPED
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.live

PLACES = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "OAuthEstate": ("/apis/oauthdeploy.example.com/v1alpha1", "oauthestates"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
}


def documents() -> list[tuple[Path, dict[str, Any]]]:
    return [
        (path, document)
        for path in sorted(SHIPPED.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document["kind"] not in ("Kustomization", "CustomResourceDefinition", "Namespace")
    ]


def test_the_api_server_takes_every_file(cluster: Kubernetes) -> None:
    """With strict checks of fields; and the pod of the Deployment meets the Pod Security Standard that its namespace enforces."""
    home = yaml.safe_load((SHIPPED / "base/namespace.yaml").read_text(encoding="utf-8"))
    assert home["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    cluster.apply("/api/v1/namespaces", home)
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    cluster.apply("/api/v1/namespaces", shop)
    found = set()
    for path, document in documents():
        kind, name = document["kind"], document["metadata"]["name"]
        group, plural = PLACES[kind]
        namespace = document["metadata"].get("namespace", "shop")
        scope = "" if kind.startswith("Cluster") else f"/namespaces/{namespace}"
        if kind == "ServiceAccount":
            cluster.apply(f"{group}{scope}/{plural}", document)
        answer = cluster.call(
            "PATCH",
            f"{group}{scope}/{plural}/{name}?fieldManager=tests&force=true&dryRun=All&fieldValidation=Strict",
            document,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.ok, (path.name, answer.text)
        assert "would violate PodSecurity" not in answer.headers.get("Warning", ""), answer.headers["Warning"]
        found.add(kind)
    assert found == PLACES.keys()
    (deployment,) = (item for _, item in documents() if item["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": template["spec"]}
    answer = cluster.call("POST", "/api/v1/namespaces/oauthdeploy/pods?dryRun=All", pod)
    assert answer.status_code == 201, answer.text
    pod["spec"] = {**template["spec"], "hostNetwork": True}
    assert cluster.call("POST", "/api/v1/namespaces/oauthdeploy/pods?dryRun=All", pod).status_code == 403


def test_the_rights_for_the_cluster_are_those_for_one_namespace() -> None:
    """The tests run with the namespaced role; the other one grants the same."""
    rules = {item["kind"]: item["rules"] for _, item in documents() if "rules" in item}
    assert rules["ClusterRole"] == rules["Role"]


def test_every_file_of_a_kustomization_is_there() -> None:
    """kubectl apply -k finds what they name."""
    found = sorted(SHIPPED.rglob("kustomization.yaml"))
    assert len(found) == 3
    for path in found:
        for resource in yaml.safe_load(path.read_text(encoding="utf-8"))["resources"]:
            assert (path.parent / resource).exists(), (path, resource)


def test_the_flags_of_the_deployment_are_flags_of_the_command() -> None:
    """And so are its variables."""
    from oauthdeploy.cli.operator import operator

    options = {word for param in operator.params for word in param.opts}
    variables = {str(getattr(param, "envvar", "")) for param in operator.params}
    (deployment,) = (item for _, item in documents() if item["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {word for word in container["args"] if word.startswith("--")} <= options
    assert {item["name"] for item in container["env"]} <= variables
    patches = (SHIPPED / "namespaced/kustomization.yaml").read_text(encoding="utf-8")
    assert "OAUTHDEPLOY_OPERATOR_NAMESPACE" in patches
    assert "OAUTHDEPLOY_OPERATOR_NAMESPACE" in variables
