"""The pipelines' own steps, in order, in a real shell, against live servers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.examples.estate import EXAMPLES, PASSWORD, Estate, estate
from tests.pipelines.runner import GitHubJob, Host, Job
from tests.pipelines.test_files import BIN, PIPELINES, ROOT, documents

pytestmark = pytest.mark.live


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Estate]:
    """The quick start's folder as a repository, and its servers."""
    with estate("quickstart", tmp_path) as made:
        (made.folder / "oauthdeploy.lock").write_text("oauthdeploy==0.1.0 --hash=sha256:00\n")
        yield made


@pytest.fixture
def host(shop: Estate, tmp_path: Path) -> Host:
    return Host(tmp_path / "host", shop)


def github(host: Host, name: str) -> Job:
    """Run the one job of a workflow on the sources as they are now."""
    (workflow,) = documents(PIPELINES / "github" / f"oauthdeploy-{name}.yaml")
    (job,) = workflow["jobs"].values()
    return GitHubJob(host, job, host.estate.folder, len(list(host.folder.iterdir()))).run()


def meddle(shop: Estate, words: str = "changed by hand") -> None:
    """Somebody changes a scope by hand."""
    server = shop.servers["ORDERS"]
    answer = requests.patch(
        f"{server.url}/admin/oauth/scope/reports.read",
        json={"description": words},
        auth=("deployer", PASSWORD),
        verify=str(server.ca_file),
        timeout=10,
    )
    assert answer.ok, answer.text


def test_github_plans_applies_and_looks_for_drift(host: Host, shop: Estate) -> None:
    """Comment, findings and saved plan; then the plan that was saved, and nothing else; then no drift, and no issue.

    Drift opens an issue, is added to it the next night, and closes it when it is gone. What was reviewed before somebody
    changed a server is not applied.
    """
    planned = github(host, "plan")
    assert planned.ok, planned.output
    (comment,) = host.said
    assert comment["words"][:3] == ["pr", "comment", "12"]
    assert comment["body"] == planned.summary
    assert "client/web-shop" in comment["body"]
    assert len(comment["body"]) <= 65_536
    assert {path.name for path in host.uploaded} == {"validate.sarif", "plan.sarif"}
    for path in host.uploaded:
        assert json.loads(path.read_text())["version"] == "2.1.0"
    applied = github(host, "apply")
    assert applied.ok, applied.output
    assert applied.summary
    kept = host.folder / "artifacts" / "apply-1"
    assert json.loads((kept / "apply.json").read_text())["complete"] is True
    assert list((kept / "journal").iterdir())
    quiet = github(host, "drift")
    assert quiet.ok, quiet.output
    assert [said["words"][:2] for said in host.said[-1:]] == [["issue", "list"]]
    meddle(shop)
    for words in ("create", "comment"):
        night = github(host, "drift")
        assert night.ok, night.output
        assert host.said[-1]["words"][:2] == ["issue", words]
        assert "scope/reports.read" in host.said[-1]["body"]
    assert github(host, "plan").ok
    meddle(shop, "changed again")
    late = github(host, "apply")
    assert late.failed.name == "Check that the plan is current"
    assert late.failed.code == 6
    assert "scope/reports.read@orders" in late.output
    assert github(host, "plan").ok
    assert github(host, "apply").ok
    assert github(host, "drift").ok
    assert host.said[-1]["words"][:2] == ["issue", "close"]
    shop.servers["LOGIN"].stop()
    assert github(host, "drift").failed.code == 8
    everything = planned.output + applied.output + quiet.output + json.dumps(host.said)
    for name, value in host.estate.environment.items():
        if name.endswith(("_SECRET", "_PASSWORD")):
            assert value not in everything


def test_github_stops_a_pull_request_with_a_mistake_and_shows_where(host: Host, shop: Estate) -> None:
    """The findings are uploaded for the changed lines, though the job fails; there is no plan and no comment."""
    manifest = shop.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("type: public", "type: publik"))
    job = github(host, "plan")
    assert job.failed.name == "Validate"
    (sarif,) = host.uploaded
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["not-allowed-value"]
    assert host.said == []
    assert not (host.folder / "artifacts" / "plan").exists()


# -- GitLab -------------------------------------------------------------------------------------------------------------


def _holds(rule: dict[str, Any], variables: dict[str, str]) -> bool:
    text = rule["if"].replace("&&", "and")
    return bool(eval(re.sub(r"\$(\w+)", lambda match: repr(variables.get(match[1], "")), text), {"__builtins__": {}}))


def gitlab(host: Host, shop: Estate, **variables: str) -> dict[str, int]:
    """Run the pipeline of an event: each job whose rules hold, stage by stage; gives their exit codes."""
    (file,) = documents(PIPELINES / "gitlab" / ".gitlab-ci.yml")
    variables = {"CI_DEFAULT_BRANCH": "main", **variables}
    assert any(_holds(rule, variables) for rule in file["workflow"]["rules"])
    codes: dict[str, int] = {}
    for stage in file["stages"]:
        for name, job in file.items():
            if not isinstance(job, dict) or job.get("stage") != stage:
                continue
            if any(_holds(rule, variables) for rule in job["rules"]):
                script = "\n".join(job["script"])
                codes[name], output = host.shell(script, shop.folder, shop.environment, "-e", "-o", "pipefail")
                for path in job["artifacts"].get("paths", []):
                    assert codes[name] or (shop.folder / path).exists(), (name, path, output)
                if codes[name]:
                    return codes
    return codes


def test_gitlab_plans_applies_and_looks_for_drift(host: Host, shop: Estate) -> None:
    """A merge request is planned, the default branch planned and applied, the schedule fails on drift."""
    request = gitlab(host, shop, CI_PIPELINE_SOURCE="merge_request_event", CI_COMMIT_BRANCH="")
    assert request == {"validate": 0, "plan": 0}
    merged = gitlab(host, shop, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="main")
    assert merged == {"validate": 0, "plan": 0, "apply": 0}
    assert gitlab(host, shop, CI_PIPELINE_SOURCE="schedule", CI_COMMIT_BRANCH="main") == {"drift": 0}
    meddle(shop)
    assert gitlab(host, shop, CI_PIPELINE_SOURCE="schedule", CI_COMMIT_BRANCH="main") == {"drift": 2}


# -- Kubernetes and Argo CD -----------------------------------------------------------------------------------------------


def pod(host: Host, shop: Estate, spec: Any, folder: Path) -> tuple[int, str]:
    """Run a pod's container: the image's entry point with the pod's arguments, its volumes laid out in a folder."""
    (container,) = spec["containers"]
    text = (PIPELINES / "container" / "Containerfile").read_text(encoding="utf-8")
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.M)[-1])
    work = container["workingDir"]
    for mount in container["volumeMounts"]:
        place = folder / os.path.relpath(mount["mountPath"], work)
        if mount["name"] == "manifest":
            target = place if "subPath" in mount else place / "oauthdeploy.yaml"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((shop.folder / "oauthdeploy.yaml").read_bytes())
        else:
            place.mkdir(parents=True, exist_ok=True)
    assert container["envFrom"]
    command = shlex.join([*entry, *container["args"]])
    return host.shell(command, folder, shop.environment)


def test_kubernetes_applies_and_looks_for_drift(host: Host, shop: Estate, tmp_path: Path) -> None:
    """The Job applies and leaves its journal on the volume; the CronJob fails on drift, with the code that ends it."""
    job = next(item for item in documents(PIPELINES / "kubernetes" / "job.yaml") if item["kind"] == "Job")
    (cron,) = documents(PIPELINES / "kubernetes" / "cronjob.yaml")
    nightly = cron["spec"]["jobTemplate"]["spec"]
    code, output = pod(host, shop, job["spec"]["template"]["spec"], tmp_path / "apply")
    assert code == 0, output
    assert list((tmp_path / "apply" / ".oauthdeploy" / "journal").iterdir())
    code, output = pod(host, shop, nightly["template"]["spec"], tmp_path / "drift")
    assert code == 0, output
    assert sorted(path.name for path in (tmp_path / "drift").iterdir()) == ["oauthdeploy.yaml"]
    meddle(shop)
    code, output = pod(host, shop, nightly["template"]["spec"], tmp_path / "drift")
    (rule,) = nightly["podFailurePolicy"]["rules"]
    assert code in rule["onExitCodes"]["values"], output


def test_argo_cd_applies_within_a_sync(host: Host, shop: Estate, tmp_path: Path) -> None:
    """The hook is a Job that applies what was merged; a change of high risk, such as whom a server trusts, is left to people."""
    (hook,) = documents(PIPELINES / "argocd" / "sync-hook.yaml")
    assert hook["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "Sync"
    spec = hook["spec"]["template"]["spec"]
    code, output = pod(host, shop, spec, tmp_path / "first")
    assert code == 5, output
    assert "trust@orders (high)" in output
    assert host.shell("oauthdeploy apply --yes", shop.folder, shop.environment)[0] == 0
    manifest = shop.folder / "oauthdeploy.yaml"
    manifest.write_text(manifest.read_text().replace("Read reports", "Read all reports"))
    for number in range(2):
        code, output = pod(host, shop, spec, tmp_path / f"sync-{number}")
        assert code == 0, output
    assert host.shell("oauthdeploy plan --detailed-exitcode", shop.folder, shop.environment)[0] == 0


# -- pre-commit ---------------------------------------------------------------------------------------------------------


def test_pre_commit_formats_and_validates_every_manifest_of_a_repository(tmp_path: Path) -> None:
    """pre-commit runs the hooks of this repository on a commit, without any secret, in a repository with two manifests in folders
    of their own: each is found and checked by itself, a file out of form is written anew, and a mistake is refused.
    """
    hooks = [{**hook, "language": "system"} for hook in documents(ROOT / ".pre-commit-hooks.yaml")[0]]
    (tmp_path / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": hooks}]}))
    manifests = [tmp_path / "shop" / "oauthdeploy.yaml", tmp_path / "teams" / "bank" / "oauthdeploy.yml"]
    for manifest in manifests:
        manifest.parent.mkdir(parents=True)
    good = (EXAMPLES / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8")
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    env = {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}

    def commit(*texts: str) -> tuple[int, str]:
        for manifest, text in zip(manifests, texts, strict=True):
            manifest.write_text(text, encoding="utf-8")
        subprocess.run(["git", "add", "-A"], cwd=tmp_path, env=env, check=True)
        done = subprocess.run(
            [BIN / "pre-commit", "run"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False
        )
        return done.returncode, done.stdout + done.stderr

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=env, check=True)
    other = good.replace("\nname: ", "\nname: bank-")
    code, output = commit(good, other)
    assert code == 0, output
    assert output.count("Passed") == 2, output
    code, output = commit(good, other.replace("  require_https: true", "  require_https:    true"))
    assert code == 1
    assert "oauthdeploy fmt" in output
    assert manifests[1].read_text(encoding="utf-8") == other
    code, output = commit(good.replace("type: public", "type: publik"), other.replace("grants:", "grantz:"))
    assert code == 1
    assert "shop/oauthdeploy.yaml" in output
    assert "not-allowed-value" in output
    assert "teams/bank/oauthdeploy.yml" in output
    assert "unknown-key" in output
