"""Completion in real shells: what the user types up to the tab, and what stands there afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from oauthdeploy.running.journal import journals_in
from tests.cli.conftest import Runner

MANIFEST = """\
version: 1
name: shop
servers:
  login:
    role: both
    driver: webmethods
    url: http://127.0.0.1:9
    credentials: {username: deployer, password: "${env:NOT_SET}"}
    authorization_server: login
scopes: {orders.read: {description: Read, resources: [orders.v1]}}
clients: {web-shop: {type: public, redirect_uris: ["https://shop.example/cb"]}}
associations: [{client: web-shop, scopes: [orders.read]}]
environments: {production: {}, test: {}}
"""
CASES = {
    "val": "validate",
    "plan --server lo": "login",
    "plan --env pr": "production",
    "plan --target client/we": "client/web-shop@login",
    "plan --target client/web-shop@l": "client/web-shop@login",
    "plan --target association/web-shop:or": "association/web-shop:orders.read@login",
    "revoke we": "web-shop",
    "tokens list --client we": "web-shop",
    "plan --ignore password-grant-on": "password-grant-on-public",
    "apply --allow too-many-del": "too-many-deletes",
    "plan -o mark": "markdown",
    "explain clients.redirect_u": "clients.redirect_uris",
    "explain client/we": "client/web-shop@login",
    "drivers keyc": "keycloak",
    "doctor lo": "login",
    "help environ": "environment",
}

BASH = r"""
source <(oauthdeploy completion bash)
compopt() { :; }
for typed; do
    COMP_LINE="oauthdeploy $typed"
    COMP_POINT=${#COMP_LINE}
    _oauthdeploy_completion oauthdeploy
    word=${COMP_LINE##* }
    printf '%s\n' "${word%"${word##*[@=:]}"}${COMPREPLY[*]}"
done
"""
"""The function as bash calls it: the reply replaces what comes after the last sign at which bash tears words."""

FISH = r"""
oauthdeploy completion fish | source
for typed in $argv
    complete --do-complete "oauthdeploy $typed" | string split -f 1 \t
end
"""

ZSH = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; autoload -Uz compinit; compinit -u -D; source <(oauthdeploy completion zsh); bindkey '^I' complete-word"
zpty -w z "unsetopt beep auto_list; echo rea''dy"
zpty -r -m z line '*ready*'
integer number=0
for typed; do
    number+=1
    zpty -w -n z "oauthdeploy $typed"$'\t'"END$number"$'\C-a'"echo "$'\n'
    # Once as it is typed, and once as the command repeats its own line.
    zpty -r -m z line "*END$number*"
    zpty -r -m z line "*END$number*"
    print -r -- "$line"
done
zpty -d z
"""
"""An interactive zsh in a terminal of its own; what is typed after the tab comes when the completion has ended."""


def ask(shell: str, typed: Iterable[str], folder: Path) -> str:
    path = shutil.which(shell)
    if path is None:
        message = f"{shell} is not installed; .ci/servers installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    program, begin = {"bash": (BASH, ["--norc"]), "zsh": (ZSH, ["-f"]), "fish": (FISH, ["--no-config"])}[shell]
    arguments = [*begin, "-c", program, *(["-"] if shell != "fish" else []), *typed]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [path, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    (folder / "oauthdeploy.yaml").write_text(MANIFEST)
    return folder


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_values_are_completed(shell: str, estate: Path) -> None:
    """Names and addresses, through the console script that the shell finds."""
    typed = (
        list(CASES)
        if shell == "bash"
        else ["val", "plan --server lo", "plan --target association/web-shop:or", "revoke we"]
    )
    found = ask(shell, typed, estate)
    if shell == "zsh":
        assert [each for each in typed if CASES[each] not in found] == [], found
    else:
        assert found.splitlines() == [CASES[each] for each in typed]


@pytest.mark.parametrize("typed", CASES)
def test_the_program_answers_for_every_kind_of_value(
    typed: str, oauthdeploy: Runner, estate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers, environments, addresses, clients, rules, formats, fields, drivers, topics."""
    monkeypatch.chdir(estate)
    monkeypatch.setenv("_OAUTHDEPLOY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", f"oauthdeploy {typed}")
    assert oauthdeploy().out == f"plain,{CASES[typed]}\n"


@pytest.mark.parametrize("typed", ["plan --server ", "plan --target ", "plan --env ", "revoke ", "rollback "])
def test_a_broken_or_missing_manifest_completes_nothing_and_says_nothing(
    typed: str, oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell would show an error in the middle of the line."""
    monkeypatch.setenv("_OAUTHDEPLOY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", f"oauthdeploy {typed}")
    for text in (None, "clients: [", "servers: 7\n"):
        if text is not None:
            (tmp_path / "oauthdeploy.yaml").write_text(text)
        found = oauthdeploy()
        assert (found.code, found.err) == (0, "")
        assert found.out.strip() in ("", "file,")


def test_journals_are_completed_last_first(
    oauthdeploy: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the folder of the manifest that the line names."""
    folder = tmp_path / "estate" / ".oauthdeploy" / "journal"
    folder.mkdir(parents=True)
    for name in ("shop-20260101T000000.000000Z-7.jsonl", "shop-20260102T000000.000000Z-7.jsonl"):
        (folder / name).touch()
    assert len(journals_in(folder)) == 2
    monkeypatch.setenv("_OAUTHDEPLOY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", "oauthdeploy rollback -f estate/oauthdeploy.yaml ")
    assert [line.rpartition("/")[2] for line in oauthdeploy().out.splitlines()] == [
        "shop-20260102T000000.000000Z-7.jsonl",
        "shop-20260101T000000.000000Z-7.jsonl",
    ]
