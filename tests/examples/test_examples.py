"""Every example runs as its README says, and plans empty afterwards. Examples are found by looking, so none escapes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.source import Source
from tests.examples.estate import EXAMPLES, Estate, estate, manifests, secrets_of, shell_environment

NAMES = sorted(
    path.name
    for path in EXAMPLES.iterdir()
    if path.is_dir() and path.name not in ("kubernetes", "pipelines", "driver-template")
)
"""All but the pipelines and the template of a driver, which have tests of their own."""
OWN_COMMANDS = {"opa": ["oauthdeploy apply --yes", "oauthdeploy apply --yes -f oauthdeploy.yaml -f incident.yaml"]}
"""What is run where a README also starts servers that run until they are stopped."""
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
_TOUR = re.compile(r"^# The tour.*?(?=^## )", re.M | re.S)
README = EXAMPLES.parent / "README.md"
TOUR = EXAMPLES.parent / "docs" / "tour.md"


def commands(example: str) -> list[str]:
    """The shell blocks of the README, in their order."""
    return _BLOCK.findall((EXAMPLES / example / "README.md").read_text(encoding="utf-8"))


def run_in(made: Estate, script: str) -> str:
    """Run a script as a shell would, in the folder of an example; gives what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=made.folder,
        env=shell_environment(os.environ, made.environment, Path(sys.executable).parent),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


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
        printed = run_in(made, "\n".join(blocks))
        for flags in applied:
            run_in(made, shlex.join(["oauthdeploy", "plan", "--detailed-exitcode", *flags]))
        for name, value in made.environment.items():
            if name.endswith(("_SECRET", "_PASSWORD")):
                assert value not in printed


@pytest.mark.live
def test_the_tour_runs_as_it_stands(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each command of the ten minutes is run by a shell, in order, and leaves the reports that it speaks of."""
    tour = _TOUR.search(TOUR.read_text(encoding="utf-8"))
    assert tour is not None
    with estate("quickstart", tmp_path, request) as made:
        run_in(made, "\n".join(_BLOCK.findall(tour[0])))
        for name in ("change.plan.json", "comment.md", "plan.sarif", "plan.html", "drift.xml"):
            assert (made.folder / name).stat().st_size > 100, name
        manifest = (made.folder / "oauthdeploy.yaml").read_text(encoding="utf-8")
        assert "INC-2041" in manifest
        assert "# Which client may request which scope." in manifest


def test_the_manifests_of_readme_and_tour_are_valid(tmp_path: Path) -> None:
    """Whoever copies one gets no finding; the five lines of the README go below the servers of the tour."""
    of_readme, of_tour = (
        re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S) for page in (README, TOUR)
    )
    (five,), (whole,) = of_readme, of_tour
    assert five.count("\n") == 5
    for text in (whole, whole[: whole.index("scopes:\n")] + five):
        (tmp_path / "oauthdeploy.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "oauthdeploy", "validate", "-f", str(tmp_path / "oauthdeploy.yaml"), "-o", "json"],
            env={"PATH": os.environ["PATH"], "LOGIN_SECRET": "s", "ORDERS_TOKEN": "t"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["diagnostics"] == [], done.stdout


def test_the_typo_of_the_tour_is_told_as_it_says(tmp_path: Path) -> None:
    """What the page shows is what the program prints."""
    shown = re.search(r"^\$ oauthdeploy validate\n(.*?)^```$", TOUR.read_text(encoding="utf-8"), re.M | re.S)
    assert shown is not None
    manifest = (EXAMPLES / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8")
    (tmp_path / "oauthdeploy.yaml").write_text(manifest.replace("redirect_uris:", "redirect_uri:", 1), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "oauthdeploy", "validate"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **dict.fromkeys(secrets_of(EXAMPLES / "quickstart"), "x")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert shown[1] in done.stdout + done.stderr
