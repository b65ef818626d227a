"""The files of examples/kubernetes, as the real API server, helm, kustomize and Argo CD's Lua take them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.operator.conditions import MEANINGS, ConditionType
from oauthdeploy.operator.crd import definition
from oauthdeploy.operator.resource import status_of
from tests.operator.conftest import SHIPPED
from tests.servers import helm, kustomize, lua
from tests.servers.kubernetes import VERSION as KUBERNETES
from tests.servers.kubernetes import Kubernetes
from tests.servers.plugin import usable

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
        if path.relative_to(SHIPPED).parts[0] != "chart"
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
    """The same, and the Leases of the operator's own namespace are the same rights there."""
    rules = {path.relative_to(SHIPPED).parts[0]: item["rules"] for path, item in documents() if "rules" in item}
    assert rules["cluster"] == rules["namespaced"]
    assert all(rule in rules["cluster"] for rule in rules["base"])


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


CHART = SHIPPED / "chart"
Documents = dict[tuple[str, str, str], dict[str, Any]]


def run_program(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def by_name(text: str) -> Documents:
    """Documents by kind, namespace and name."""
    found = [document for document in yaml.safe_load_all(text) if document]
    return {(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in found}


def chart(*values: str, program: Path | None = None) -> Documents:
    """What helm makes of the chart with some values, as `--set-json` takes them."""
    given = [word for value in values for word in ("--set-json", value)]
    return by_name(
        run_program(
            program or usable(helm.obtain),
            *("template", "oauthdeploy-operator", CHART, "--namespace", "oauthdeploy", "--include-crds"),
            *("--kube-version", KUBERNETES, *given),
        )
    )


def overlay(name: str) -> Documents:
    """What kustomize makes of an overlay, without the Namespace, which helm makes by itself."""
    found = by_name(run_program(usable(kustomize.obtain), "build", SHIPPED / name))
    assert found.pop(("Namespace", "", "oauthdeploy"))
    return found


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    """Nor with values that its schema allows; others are refused with the name of the value."""
    program = usable(helm.obtain)
    told = run_program(program, "lint", "--strict", "--kube-version", KUBERNETES, CHART)
    assert "0 chart(s) failed" in told
    done = subprocess.run(
        [
            program,
            "lint",
            "--kube-version",
            KUBERNETES,
            CHART,
            "--set",
            "replica=3",
            "--set-json",
            'allowServers=["shop"]',
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "replica" in done.stdout
    assert "allowServers" in done.stdout


@pytest.mark.parametrize(
    ("name", "values"), [("cluster", ()), ("namespaced", ('namespaces=["shop"]',))], ids=["cluster", "namespaced"]
)
def test_the_chart_makes_what_the_kustomizations_make(name: str, values: tuple[str, ...]) -> None:
    """The same objects, field by field: the facts are in both, and must not part."""
    made, wanted = chart(*values), overlay(name)
    assert made.keys() == wanted.keys()
    for key, document in wanted.items():
        assert made[key] == document, key
    assert wanted["CustomResourceDefinition", "", definition()["metadata"]["name"]] == definition()


def test_values_of_the_chart_reach_the_objects(cluster: Kubernetes) -> None:
    """And the API server takes the result, with strict checks of fields."""
    digest = f"sha256:{'0' * 64}"
    made = chart(
        'namespaces=["shop","billing"]',
        'allowServers=["https://login.example.com","https://orders.example.com:8443"]',
        f'image={{"repository":"registry.example.com/x","digest":"{digest}"}}',
        'imagePullSecrets=[{"name":"pull"}]',
        "replicas=3",
        'extraArgs=["--workers","8"]',
        'resources={"limits":{"memory":"2Gi"}}',
        'networkPolicy={"enabled":false}',
    )
    kinds = [kind for kind, _, _ in made]
    assert "ClusterRole" not in kinds
    assert "NetworkPolicy" not in kinds
    assert {space for kind, space, _ in made if kind == "Role"} == {"shop", "billing", "oauthdeploy"}
    deployment = made["Deployment", "oauthdeploy", "oauthdeploy-operator"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    variables = {item["name"]: item["value"].split() for item in container["env"]}
    assert variables == {
        "OAUTHDEPLOY_OPERATOR_ALLOW_SERVER": ["https://login.example.com", "https://orders.example.com:8443"],
        "OAUTHDEPLOY_OPERATOR_NAMESPACE": ["shop", "billing"],
    }
    assert container["image"] == f"registry.example.com/x@{digest}"
    assert container["args"][-2:] == ["--workers", "8"]
    assert container["resources"] == {"limits": {"memory": "2Gi"}, "requests": {"cpu": "200m", "memory": "256Mi"}}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    assert deployment["replicas"] == 3
    for name in ("oauthdeploy", "shop", "billing"):
        cluster.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for (kind, space, name), document in made.items():
        if kind != "CustomResourceDefinition":
            group, plural = PLACES[kind]
            answer = cluster.call(
                "PATCH",
                f"{group}/namespaces/{space}/{plural}/{name}?fieldManager=tests&force=true&dryRun=All&fieldValidation=Strict",
                document,
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            assert answer.ok, (kind, name, answer.text)


# -- the image ---------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, without comments and with continued lines joined."""
    text = (SHIPPED / "Containerfile").read_text(encoding="utf-8")
    lines = "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))
    joined = lines.replace("\\\n", " ").splitlines()
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in joined if line.strip())
    ]


def test_the_containerfile_makes_an_unprivileged_image_from_a_pinned_base() -> None:
    """Every base is pinned by digest, stages are copied from that exist, and the command runs as another user than root."""
    found = instructions()
    assert {word for word, _ in found} <= {"ARG", "FROM", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    (pinned,) = (rest for word, rest in found if word == "ARG")
    assert re.fullmatch(r"PYTHON=\S+@sha256:[0-9a-f]{64}", pinned)
    bases = [rest.split() for word, rest in found if word == "FROM"]
    assert [base[0] for base in bases] == ["${PYTHON}", "${PYTHON}"]
    stages = {base[2] for base in bases if len(base) > 2}
    copied = [rest for word, rest in found if word == "COPY" and rest.startswith("--from=")]
    assert [rest.split()[0].removeprefix("--from=") for rest in copied] == sorted(stages)
    (user,) = (rest for word, rest in found if word == "USER")
    pod = next(item for _, item in documents() if item["kind"] == "Deployment")["spec"]["template"]["spec"]
    context = pod["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    started = [json.loads(rest) for word, rest in found if word in ("ENTRYPOINT", "CMD")]
    assert started == [["oauthdeploy"], ["operator"]]
    assert pod["containers"][0]["args"][0] == "operator"


def test_the_commands_of_the_containerfile_are_shell_and_install_the_extra() -> None:
    """They end at the first failure, and try what they have installed."""
    (command,) = (rest for word, rest in instructions() if word == "RUN")
    assert subprocess.run(["sh", "-n", "-c", command], check=False, timeout=20).returncode == 0
    steps = [step.strip() for step in command.split("&&")]
    assert steps[0] == "python -m venv /opt/oauthdeploy"
    assert "[operator]" in steps[1]
    assert steps[2].startswith("/opt/oauthdeploy/bin/oauthdeploy help operator")


# -- what other programs read from the conditions ---------------------------------------------------------------------


def estates() -> Iterator[tuple[ExitCode, bool, dict[str, Any]]]:
    """An estate after each exit code, with and without a plan that waits."""
    for (code, meaning), pending in product(MEANINGS.items(), (False, True)):
        conditions = [
            {"type": kind.value, "status": meaning.status(kind, pending=pending).value, "reason": meaning.reason,
             "message": f"It is {meaning.reason}."}
            for kind in ConditionType
        ]  # fmt: skip
        yield (
            code,
            pending,
            {
                "metadata": {"generation": 3},
                "status": {"observedGeneration": 3, "conditions": conditions},
            },
        )


def in_lua(value: Any) -> str:
    """A value as Lua writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(key)}] = {in_lua(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(in_lua, value)) + "}"
    return json.dumps(value)


def argo_health(bodies: list[dict[str, Any]], folder: Path) -> list[tuple[str, str]]:
    """What the health check of Argo CD says of each: status and message."""
    check = (SHIPPED / "argocd-health.lua").read_text(encoding="utf-8")
    script = folder / "check.lua"
    script.write_text(
        f"local function check(obj)\n{check}\nend\n"
        f"for _, obj in ipairs({in_lua(bodies)}) do\n"
        '  local health = check(obj)\n  print(health.status .. "\\t" .. health.message)\nend\n',
        encoding="utf-8",
    )
    lines = run_program(usable(lua.obtain), script).splitlines()
    return [(status, message) for status, _, message in (line.partition("\t") for line in lines)]


def test_argo_cd_shows_the_health_of_every_condition(tmp_path: Path) -> None:
    """A plan that waits is Suspended, as a pause of Argo Rollouts; whatever is not as the manifest says is Degraded."""
    cases = list(estates())
    healths = argo_health([body for _, _, body in cases], tmp_path)
    assert len(healths) == len(cases)
    for (code, pending, _), (status, message) in zip(cases, healths, strict=True):
        meaning = MEANINGS[code]
        assert message == f"It is {meaning.reason}."
        if "True" in (meaning.stalled.value, meaning.degraded.value):
            wanted = "Degraded"
        elif pending:
            wanted = "Suspended"
        else:
            wanted = {ExitCode.DONE: "Healthy", ExitCode.CHANGES: "Degraded"}.get(code, "Progressing")
        assert status == wanted, (code, pending)


def test_argo_cd_waits_for_a_run_with_the_spec_as_it_is(tmp_path: Path) -> None:
    """Before the first run, and after a change of the spec; an estate that is suspended is shown as that."""
    old = {"metadata": {"generation": 4}, "status": next(body for code, _, body in estates())["status"]}
    ready = {"type": "Ready", "status": "False", "reason": "Suspended", "message": "spec.suspend is true."}
    asleep = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [ready]}}
    found = argo_health([{"metadata": {"generation": 1}}, old, asleep], tmp_path)
    assert [status for status, _ in found] == ["Progressing", "Progressing", "Suspended"]


def kstatus(body: dict[str, Any]) -> str:
    """The status that kstatus computes for a custom resource (cli-utils, pkg/kstatus: "The Standard"), which Flux waits for.

    A generation that was not observed, or Reconciling, is in progress; Stalled is a failure; Ready counts if it is there.
    """
    status = body.get("status", {})
    if status.get("observedGeneration", body["metadata"]["generation"]) != body["metadata"]["generation"]:
        return "InProgress"
    known = {item["type"]: item["status"] for item in status.get("conditions", [])}
    if known.get("Reconciling") == "True":
        return "InProgress"
    if known.get("Stalled") == "True":
        return "Failed"
    return "InProgress" if known.get("Ready", "True") != "True" else "Current"


def test_flux_understands_the_conditions_of_every_exit_code() -> None:
    """What nobody can mend by waiting fails a health check at once; what may mend itself keeps it waiting."""
    for code, _, body in estates():
        meaning = MEANINGS[code]
        wanted = {"True": "Current"}.get(
            meaning.ready.value, "Failed" if meaning.stalled.value == "True" else "InProgress"
        )
        assert kstatus(body) == wanted, code
        body["metadata"]["generation"] = 4
        assert kstatus(body) == "InProgress", code


def test_an_estate_that_has_not_run_is_not_ready(cluster: Kubernetes) -> None:
    """Neither to Flux, which takes an object for ready that has no observedGeneration."""
    cluster.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    group, plural = PLACES["OAuthEstate"]
    (estate,) = (item for _, item in documents() if item["kind"] == "OAuthEstate")
    cluster.apply(f"{group}/namespaces/shop/{plural}", {**estate, "metadata": {"name": "new"}})
    made = cluster.get(f"{group}/namespaces/shop/{plural}/new")
    assert kstatus(made) == "InProgress"
    assert status_of(made).observed_generation == -1
