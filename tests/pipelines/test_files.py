"""Each pipeline is what the tools of its kind accept, and keeps the promises of its README."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from oauthdeploy import __version__
from tests.servers import actionlint
from tests.servers.plugin import usable

ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / "examples" / "pipelines"
BIN = Path(sys.executable).parent
WORKFLOWS = sorted((PIPELINES / "github").glob("*.yaml"))
KUBERNETES = sorted([*(PIPELINES / "kubernetes").glob("*.yaml"), *(PIPELINES / "argocd").glob("*.yaml")])


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(io.StringIO(path.read_text(encoding="utf-8"))))


def tool(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a tool of the virtual environment, with shellcheck beside it; fails the test with what it says."""
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_file_is_in_the_list() -> None:
    """The README names each pipeline, and there is none that nothing checks."""
    text = (PIPELINES / "README.md").read_text(encoding="utf-8")
    checked = {*WORKFLOWS, *KUBERNETES, *(PIPELINES / name for name in OTHERS)}
    for path in PIPELINES.rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert f"]({path.relative_to(PIPELINES)})" in text, path
            assert path in checked, path


OTHERS = ("gitlab/.gitlab-ci.yml", "pre-commit/.pre-commit-config.yaml", "container/Containerfile")


def test_github_workflows_pass_actionlint() -> None:
    """With shellcheck for the scripts in them."""
    program = usable(actionlint.obtain)
    assert WORKFLOWS
    tool(program, "-shellcheck", BIN / "shellcheck", *WORKFLOWS)


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    """The check can fail: a misspelt context and an unquoted variable are found."""
    program = usable(actionlint.obtain)
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    env: {X: '${{ githob.sha }}'}\n    steps: [{run: 'rm $X'}]\n"
    )
    done = subprocess.run(
        [program, "-shellcheck", BIN / "shellcheck", bad], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "githob" in done.stdout
    assert "SC2086" in done.stdout


def test_gitlab_accepts_its_file() -> None:
    """By GitLab's own schema."""
    tool(BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", PIPELINES / "gitlab" / ".gitlab-ci.yml")


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_accepts_its_objects(path: Path) -> None:
    """By the schemas of a release of Kubernetes; unknown fields are refused."""
    tool(BIN / "kubernetes-validate", "--strict", path)


def test_pre_commit_accepts_the_hooks() -> None:
    """Both files, by pre-commit itself; the example uses hooks that there are."""
    tool(BIN / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml")
    config = PIPELINES / "pre-commit" / ".pre-commit-config.yaml"
    tool(BIN / "pre-commit", "validate-config", config)
    offered = {hook["id"] for hook in documents(ROOT / ".pre-commit-hooks.yaml")[0]}
    used = {hook["id"] for repository in documents(config)[0]["repos"] for hook in repository["hooks"]}
    assert used == offered


def test_the_container_file_passes_hadolint() -> None:
    """With its default rules, none of them silenced."""
    path = PIPELINES / "container" / "Containerfile"
    tool(BIN / "hadolint", path)
    assert "hadolint ignore" not in path.read_text(encoding="utf-8")


# -- the promises -------------------------------------------------------------------------------------------------------


def jobs() -> Iterator[tuple[str, Any, Any]]:
    for path in WORKFLOWS:
        (workflow,) = documents(path)
        for name, job in workflow["jobs"].items():
            yield f"{path.stem}/{name}", workflow, job


def test_nothing_floats() -> None:
    """Actions by commit, the base image by digest, packages by hash, the image of this release."""
    for name, _workflow, job in jobs():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), (name, step["uses"])
            if "pip install" in step.get("run", ""):
                assert "--require-hashes" in step["run"]
    text = (PIPELINES / "container" / "Containerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON=\S+@sha256:[0-9a-f]{64}$", text, re.M)
    assert "--require-hashes" in text
    for path in [*KUBERNETES, PIPELINES / "README.md", PIPELINES / "pre-commit" / ".pre-commit-config.yaml"]:
        for version in re.findall(r"oauthdeploy(?::|==)(\d+\.\d+\.\d+)|rev: v(\S+)", path.read_text(encoding="utf-8")):
            assert __version__ in version, path


def test_jobs_have_the_rights_that_they_use_and_no_more() -> None:
    """The workflow asks for none; only what has to write may; no text from outside becomes part of a script."""
    may_write = {}
    for name, workflow, job in jobs():
        assert workflow["permissions"] == {}
        assert job["timeout-minutes"]
        assert job["environment"]
        may_write[name] = {right for right, how in job["permissions"].items() if how == "write"}
        assert set(job["permissions"].values()) <= {"read", "write"}
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), (name, step)
            if "checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    assert may_write == {
        "oauthdeploy-plan/plan": {"pull-requests", "security-events"},
        "oauthdeploy-apply/apply": set(),
        "oauthdeploy-drift/drift": {"issues"},
    }


def test_the_account_that_may_write_is_in_the_apply_job_alone() -> None:
    """Plans of pull requests and drift reports use another environment, and forks get neither."""
    environments = {name: job["environment"] for name, _workflow, job in jobs()}
    assert environments == {
        "oauthdeploy-plan/plan": "oauthdeploy-plan",
        "oauthdeploy-apply/apply": "oauthdeploy-apply",
        "oauthdeploy-drift/drift": "oauthdeploy-plan",
    }
    plan = next(job for name, _workflow, job in jobs() if name == "oauthdeploy-plan/plan")
    assert plan["if"] == "github.event.pull_request.head.repo.full_name == github.repository"


def test_pods_run_as_nobody_and_can_change_nothing_but_their_volumes() -> None:
    """What the restricted profile of the Pod Security Standards asks for, and a root file system that can't be written."""
    pods = 0
    for path in KUBERNETES:
        for document in documents(path):
            if document["kind"] not in ("Job", "CronJob"):
                continue
            spec = document["spec"] if document["kind"] == "Job" else document["spec"]["jobTemplate"]["spec"]
            pod = spec["template"]["spec"]
            pods += 1
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for container in pod["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }
                assert container["resources"]["limits"]["memory"]
    assert pods == 3
