"""Every example runs as its README says, and plans empty afterwards. Examples are found by looking, so none escapes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.nodes import Source
from tests.examples.estate import EXAMPLES, estate, manifests, shell_environment

NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "pipelines")
"""All but the pipelines, which hold no manifest and have tests of their own."""
OWN_COMMANDS = {"opa": ["oauthdeploy apply --yes", "oauthdeploy apply --yes -f oauthdeploy.yaml -f incident.yaml"]}
"""What is run where a README also starts servers that run until they are stopped."""
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)


def commands(example: str) -> list[str]:
    """The shell blocks of the README, in their order."""
    return _BLOCK.findall((EXAMPLES / example / "README.md").read_text(encoding="utf-8"))


def selections(blocks: list[str]) -> list[tuple[str, ...]]:
    """The flags that say which manifest is applied, for each `apply` of the README that names a manifest."""
    found: list[tuple[str, ...]] = []
    for line in "\n".join(blocks).splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["oauthdeploy", "apply"] and not any(word.endswith(".json") for word in words):
            found.append(tuple(word for word in words[2:] if word != "--yes"))
        if words[:2] == ["oauthdeploy", "plan"] and "--out" in words:
            kept = words[2:]
            del kept[kept.index("--out") : kept.index("--out") + 2]
            found.append(tuple(kept))
    return found


def test_each_example_is_in_the_list() -> None:
    """The overview names every folder, with its README."""
    overview = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.iterdir():
        if path.is_dir():
            assert f"]({path.name})" in overview, path.name
            assert (path / "README.md").is_file(), path.name


@pytest.mark.parametrize("example", NAMES)
def test_an_example_is_in_canonical_form(example: str) -> None:
    """`fmt --check` finds nothing to do."""
    for path in manifests(EXAMPLES / example):
        text = path.read_text(encoding="utf-8")
        assert format_source(Source(path.name, text)).text == text, path.name


@pytest.mark.live
@pytest.mark.parametrize("example", NAMES)
def test_an_example_runs_as_its_readme_says_and_plans_empty_afterwards(
    example: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The README's commands are run by a shell, in order, against live servers; then each manifest has nothing left to do."""
    blocks = OWN_COMMANDS.get(example) or commands(example)
    readme = "".join(commands(example))
    assert all(command.partition("#")[0].strip() in readme for command in OWN_COMMANDS.get(example, []))
    applied = selections(blocks)
    assert applied, f"the README of {example} applies nothing"
    with estate(example, tmp_path, request) as made:
        env = shell_environment(os.environ, made.environment, Path(sys.executable).parent)

        def shell(script: str) -> str:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=made.folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
            return done.stdout + done.stderr

        printed = shell("\n".join(blocks))
        for flags in applied:
            shell(shlex.join(["oauthdeploy", "plan", "--detailed-exitcode", *flags]))
        for name, value in made.environment.items():
            if name.endswith(("_SECRET", "_PASSWORD")):
                assert value not in printed
