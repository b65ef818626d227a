"""Which files `secret.deliver_to` may name: known without any server, and before anything is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from tests.manifest.rules.helpers import ENVIRON, drivers

OUTSIDE, OWN, NO_FILE = "delivery-outside-folder", "delivery-over-own-file", "delivery-not-a-file"

MANIFEST = """
version: 1
name: shop
variables:
  words: {{sensitive: true}}
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    credentials: {{username: deployer, password: "${{file:passwords/login}}"}}
    tls: {{ca_file: ca.pem}}
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    secret: {{generate: true, deliver_to: {{file: "{file}"}}}}
"""


def found(folder: Path, file: str, *, name: str = "oauthdeploy.yaml", allowed: tuple[str, ...] = ()) -> set[str]:
    """The rules that a manifest in `folder` breaks that delivers to `file`; it is read by `name`."""
    (folder / "passwords").mkdir(exist_ok=True)
    (folder / "passwords/login").write_text("correct horse battery")
    (folder / "ca.pem").write_text("")
    (folder / "vars.env").write_text("words=battery staple\n")
    (folder / "oauthdeploy.yaml").write_text(MANIFEST.format(file=file))
    request = ManifestRequest(
        files=(str(folder / name) if name else str(folder),),
        var_files=(str(folder / "vars.env"),),
        environ=ENVIRON,
        allow_delivery=allowed,
    )
    _, diagnostics = load_manifest(request, drivers())
    return {item.rule for item in diagnostics if item.rule.startswith("delivery-")}


@pytest.mark.parametrize("file", ["out/batch.env", "batch.env", "./out/../x.env", "a/.b/c.env", "oauthdeploy.yaml.env"])
def test_a_new_file_in_the_folder_of_the_manifest_is_fine(tmp_path: Path, file: str) -> None:
    """However it is spelled; `validate` makes no folder."""
    assert found(tmp_path, file) == set()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "file",
    [
        "oauthdeploy.yaml",
        "./out/../oauthdeploy.yaml",
        "vars.env",
        "ca.pem",
        "passwords/login",
        ".oauthdeploy/shop.lock",
        ".oauthdeploy/journal/x.jsonl",
        ".OAuthDeploy/x",
        ".git/config",
        ".git",
        ".oauthdeploy",
        "sub/.git/hooks/pre-commit",
    ],
)
def test_what_the_manifest_consists_of_or_reads_is_refused(tmp_path: Path, file: str) -> None:
    """Its files, its variables, files of references, certificates, and the state of runs and of version control."""
    assert OWN in found(tmp_path, file)


@pytest.mark.parametrize("file", ["../x.env", "/etc/cron.d/x", "out/../../x.env", "~root/../../x.env"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, file: str) -> None:
    """By an absolute path or by parent folders."""
    (tmp_path / "m").mkdir()
    assert found(tmp_path / "m", file) == {OUTSIDE}


def test_another_folder_is_allowed_by_name(tmp_path: Path) -> None:
    """The folder and what is below it, and nothing beside it, also where its name begins alike."""
    (tmp_path / "m").mkdir()
    allowed = (str(tmp_path / "vault"),)
    assert found(tmp_path / "m", "../vault/sub/x.env", allowed=allowed) == set()
    assert found(tmp_path / "m", f"{tmp_path}/vault/x.env", allowed=allowed) == set()
    assert found(tmp_path / "m", "../vault2/x.env", allowed=allowed) == {OUTSIDE}
    assert found(tmp_path / "m", "../vault/../x.env", allowed=allowed) == {OUTSIDE}


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    """Neither out of the folder nor onto one of the manifest's files, as a symbolic or a hard link."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "away").symlink_to(tmp_path)
    assert found(folder, "away/x.env") == {OUTSIDE}
    (folder / "here").symlink_to(folder)
    assert found(folder, "here/oauthdeploy.yaml") == {OWN}
    (folder / "alias.env").symlink_to(folder / "oauthdeploy.yaml")
    assert found(folder, "alias.env") == {OWN}
    (folder / "dangling.env").symlink_to(folder / "nothing")
    assert found(folder, "dangling.env") == {NO_FILE}
    (folder / "hard.env").hardlink_to(folder / "oauthdeploy.yaml")
    assert found(folder, "hard.env") == {OWN}


def test_only_a_regular_file_takes_a_secret(tmp_path: Path) -> None:
    """A folder, a pipe, and a file with another name, which would keep the old secret."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "one").write_text("")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    for file in ("folder", "folder/", ".", "pipe", "two"):
        assert found(tmp_path, file) == {NO_FILE}, file


@pytest.mark.parametrize(
    ("name", "file"), [("", "extra.yaml"), ("", "extra.YML"), ("*.yaml", "extra.yaml"), ("**/*.yaml", "a/b.yaml")]
)
def test_a_file_that_would_become_a_part_of_the_manifest_is_refused(tmp_path: Path, name: str, file: str) -> None:
    """Where the manifest is a folder or a pattern, the next run would read the delivered file as well."""
    assert found(tmp_path, file, name=name) == {OWN}
    assert found(tmp_path, f"out/{file}x", name=name) == set()
    if "**" not in name:
        assert found(tmp_path, f"out/{file}", name=name) == set()
