"""Runs the steps of a pipeline's file as its host would: a shell for each, the environment resolved, conditions heeded.

What belongs to the host and not to the pipeline is stood in for: the steps that fetch the sources and Python, what stores
artifacts, and the program `gh`, which answers from a folder and writes down what it is asked for.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.examples.estate import Estate, shell_environment

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")

GH = """#!{python}
import json, pathlib, shutil, sys
host = pathlib.Path({host!r})
words = sys.argv[1:]
said = dict(words=words)
if "--body-file" in words:
    said["body"] = pathlib.Path(words[words.index("--body-file") + 1]).read_text()
with (host / "gh.jsonl").open("a") as log:
    log.write(json.dumps(said) + "\\n")
issue = host / "issue"
match words[:2]:
    case ["api", _]:
        print("headsha")
    case ["run", "list"]:
        print("42")
    case ["run", "download"]:
        for path in (host / "artifacts" / words[words.index("--name") + 1]).iterdir():
            shutil.copy(path, path.name)
    case ["issue", "list"]:
        print("7" if issue.exists() else "")
    case ["issue", "create"]:
        issue.touch()
    case ["issue", "close"]:
        issue.unlink()
"""
PYTHON = """#!/bin/sh
# The installation is the one under test: that what is installed is named by hash is all that is looked at.
case "$*" in
  "-m pip install "*--require-hashes*" -r oauthdeploy.lock") exit 0 ;;
  *) echo "not expected: python $*" >&2; exit 97 ;;
esac
"""


@dataclass
class Ran:
    """One step that was run: its name, exit code, and what it printed."""

    name: str
    code: int
    output: str


@dataclass
class Job:
    """What became of a job: its steps in order, the summary of the run, and whether it succeeded."""

    steps: list[Ran] = field(default_factory=list)
    summary: str = ""

    @property
    def ok(self) -> bool:
        return all(step.code == 0 for step in self.steps)

    @property
    def failed(self) -> Ran:
        return next(step for step in self.steps if step.code)

    @property
    def output(self) -> str:
        return "".join(step.output for step in self.steps)


class Host:
    """What a host of pipelines keeps from one run to the next: artifacts, issues, what was said to it."""

    def __init__(self, folder: Path, estate: Estate) -> None:
        self.folder = folder
        self.estate = estate
        self.uploaded: list[Path] = []
        bin_folder = folder / "bin"
        (folder / "artifacts").mkdir(parents=True)
        bin_folder.mkdir()
        for name, text in (("gh", GH.format(python=sys.executable, host=str(folder))), ("python", PYTHON)):
            (bin_folder / name).write_text(text)
            (bin_folder / name).chmod(0o755)
        self.env = shell_environment(os.environ, {}, Path(sys.executable).parent)
        self.env["PATH"] = f"{bin_folder}:{self.env['PATH']}"

    @property
    def said(self) -> list[dict[str, Any]]:
        """What `gh` was asked for, oldest first."""
        log = self.folder / "gh.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def shell(self, script: str, cwd: Path, env: Mapping[str, str], *options: str) -> tuple[int, str]:
        """Run a script and give its exit code and all that it printed."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", *options, "-c", script],
            cwd=cwd,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr


class GitHubJob:
    """A job of a workflow, run in a fresh copy of the sources."""

    def __init__(self, host: Host, job: Any, sources: Path, number: int) -> None:
        self.host = host
        self.job = job
        self.outputs: dict[str, str] = {}
        self.folder = host.folder / f"checkout-{number}"
        shutil.copytree(sources, self.folder)
        self.files = host.folder / f"runner-{number}"
        self.files.mkdir()

    def run(self) -> Job:
        """Run the steps; after one that failed, only those that ask for it."""
        made = Job()
        env = self._resolved(self.job["env"])
        for step in self.job["steps"]:
            if self._wanted(step.get("if"), made):
                made.steps.append(self._step(step, env))
        summary = self.files / "summary"
        made.summary = summary.read_text() if summary.exists() else ""
        return made

    def _step(self, step: Any, env: Mapping[str, str]) -> Ran:
        name = step.get("name") or step["uses"]
        if "uses" in step:
            return Ran(name, *self._use(step["uses"].partition("@")[0], step.get("with", {})))
        output = self.files / "output"
        output.write_text("")
        own = self._resolved(step.get("env", {}))
        own |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.files / "summary")}
        code, text = self.host.shell(step["run"], self.folder, {**env, **own}, "-e")
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{key}"] = value
        return Ran(name, code, text)

    def _use(self, action: str, given: Any) -> tuple[int, str]:
        match action:
            case "actions/checkout" | "actions/setup-python":
                return 0, ""
            case "github/codeql-action/upload-sarif":
                found = sorted((self.folder / given["sarif_file"]).glob("*.sarif"))
                self.host.uploaded += found
                return (0, "") if found else (1, "no SARIF")
            case "actions/upload-artifact":
                kept = self.host.folder / "artifacts" / self._text(given["name"])
                kept.mkdir(exist_ok=True)
                for path in given["path"].split():
                    source = self.folder / path
                    if source.is_dir():
                        shutil.copytree(source, kept / source.name, dirs_exist_ok=True)
                    elif source.exists():
                        shutil.copy(source, kept)
                return 0, ""
        raise AssertionError(f"an action that the test doesn't know: {action}")

    def _wanted(self, condition: str | None, made: Job) -> bool:
        """Evaluate the few forms of condition that the workflows use."""
        if not made.ok and "always()" not in (condition or ""):
            return False
        if condition is None:
            return True
        text = condition.replace("&&", "and")
        text = re.sub(r"steps\.\w+\.outputs\.\w+", lambda match: repr(self.outputs.get(match[0], "")), text)
        return bool(eval(text, {"__builtins__": {}}, {"always": lambda: True, "hashFiles": self._has}))

    def _has(self, pattern: str) -> str:
        return "x" if any(fnmatch.fnmatch(path.name, pattern) for path in self.folder.iterdir()) else ""

    def _resolved(self, env: Mapping[str, str]) -> dict[str, str]:
        return {name: self._text(value) for name, value in env.items()}

    def _text(self, text: str) -> str:
        return _EXPRESSION.sub(lambda match: self._value(match[1]), text)

    def _value(self, expression: str) -> str:
        source, _, name = expression.partition(".")
        if source in ("vars", "secrets"):
            return self.host.estate.environment[name]
        return {
            "github.token": "token-of-the-run",
            "github.repository": "example/shop",
            "github.event.pull_request.number": "12",
            "github.sha": "mergesha",
            "github.run_attempt": "1",
        }[expression]
