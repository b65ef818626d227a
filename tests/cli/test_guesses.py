"""A person who comes from another tool is told what there is here in place of what they typed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from oauthdeploy.cli import guesses
from oauthdeploy.cli.app import ALIASES, COMMANDS, app
from tests.cli.conftest import Runner


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("import", ["`adopt`", "`export`"]),
        ("sync", ["`plan`", "`apply`"]),
        ("destroy", ["state: absent", "policy.prune"]),
        ("refresh", ["no state file", "`drift`"]),
        ("state list", ["no state file", "`export`"]),
        ("plan -target client/web", ["write --target instead of -target"]),
        ("plan -out change.json", ["write --out instead of -out"]),
        ("plan -out=change.json", ["write --out instead of -out"]),
        ("apply -auto-approve", ["write --auto-approve instead of -auto-approve"]),
        ("plan -var a=b", ["write --var instead of -var"]),
        ("plan -json", ["-o json"]),
        ("plan --json", ["-o json"]),
        ("apply --dry-run", ["`plan` shows"]),
        ("plan -refresh-only", ["`drift`"]),
        ("lint", ["`validate`"]),
    ],
)
def test_words_of_other_tools_are_answered(typed: str, said: list[str], oauthdeploy: Runner) -> None:
    """Wrong usage, with what is right."""
    result = oauthdeploy(*typed.split())
    assert result.code == 64
    assert all(text in result.err for text in said), result.err


@pytest.mark.parametrize(
    "typed", ["validate -qv", "plan -vq --target=a", "tokens list --json --yes", "validate -f -out"]
)
def test_what_is_right_here_is_not_taken_for_a_guess(typed: str, oauthdeploy: Runner) -> None:
    """Short flags together, values that begin with a hyphen, and flags of commands in a group."""
    assert "hyphens" not in oauthdeploy(*typed.split()).err


def test_no_guess_hides_a_command_and_each_names_one() -> None:
    """A word in the table is no command; commands that it speaks of exist."""
    assert guesses.COMMANDS.keys() & {*COMMANDS, *ALIASES} == set()
    context = click.Context(app)
    for text in (*guesses.COMMANDS.values(), *guesses.FLAGS.values()):
        for quoted in text.split("`")[1::2]:
            word = quoted.split()[0]
            assert word in COMMANDS or word in ("state:", "help"), quoted
            if word in COMMANDS:
                assert app.get_command(context, word) is not None


def test_without_a_manifest_what_lies_there_is_named(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` where there is nothing, `-f .` where YAML lies in the folder, and the manifest of a folder above."""
    found = oauthdeploy("validate").err
    assert "`oauthdeploy init`" in found
    assert "-f . reads" not in found
    (tmp_path / "prod.yml").write_text("version: 1\n")
    assert "prod.yml: -f . reads" in oauthdeploy("validate").err
    (tmp_path / "prod.yml").rename(tmp_path / "oauthdeploy.yaml")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert "-f ../oauthdeploy.yaml" in oauthdeploy("validate").err
    assert "`oauthdeploy init`" not in oauthdeploy("validate", "-f", "other.yaml").err


def test_an_unset_variable_says_how_to_check_without_it(oauthdeploy: Runner, tmp_path: Path) -> None:
    """A default, and the flag that needs no secret."""
    (tmp_path / "oauthdeploy.yaml").write_text(
        "version: 1\nname: x\nservers: {l: {role: resource, driver: opa, url: 'http://127.0.0.1:1', "
        "credentials: {token: '${env:NOT_SET}'}, options: {path: a}}}\n"
    )
    found = oauthdeploy("validate").err
    assert "${env:NOT_SET:-...}" in found
    assert "--allow-unset" in found
