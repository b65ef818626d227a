"""Secrecy follows the origin of a value, not the field where it lands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from tests.manifest.support import DRIVERS, HEAD

VALUE = "hunter2-from-outside"


def read(text: str, folder: Path, **more: Any) -> tuple[Manifest | None, list[str]]:
    file = folder / "oauthdeploy.yaml"
    file.write_text(HEAD + text)
    (folder / "value.txt").write_text(VALUE)
    request = ManifestRequest(files=(str(file),), environ={"P": "p", "X": VALUE}, **more)
    manifest, found = load_manifest(request, DRIVERS)
    assert VALUE not in repr(found)
    return manifest, [f"{item.rule} {'.'.join(map(str, item.path))}" for item in found.errors]


SHOWN = [
    ("scopes: {s: {description: '@'}}", "scopes.s.description"),
    ("scopes: {s: {resources: ['@']}}", "scopes.s.resources.0"),
    ("clients: {c: {name: 'x @'}}", "clients.c.name"),
    ("clients: {c: {redirect_uris: ['https://@/cb']}}", "clients.c.redirect_uris.0"),
    ("resource_owners: ['@']", "resource_owners.0"),
    ("revocations: [{id: i, client: c, reason: '@', tokens: all}]", "revocations.0.reason"),
]


@pytest.mark.parametrize("source", ["env:X", "file:value.txt", "command:echo x", "env:NOT_SET:-from-the-manifest"])
@pytest.mark.parametrize(("text", "path"), SHOWN)
def test_a_value_from_outside_is_refused_where_it_would_be_shown(
    text: str, path: str, source: str, tmp_path: Path
) -> None:
    """One line of a manifest must not publish an environment variable, a file or what a program prints."""
    _, errors = read(text.replace("@", f"${{{source}}}") + "\n", tmp_path, allow_commands=True)
    assert f"secret-in-plain-field {path}" in errors


@pytest.mark.parametrize("field", ["driver", "role", "authorization_server"])
def test_what_a_server_is_may_not_come_from_outside(field: str, tmp_path: Path) -> None:
    """An error about such a field would show the value."""
    entry = {"role": "resource", "driver": "acme", "authorization_server": "login", field: "${env:X}"}
    text = "".join(f'    {key}: "{value}"\n' for key, value in entry.items())
    _, errors = read(f"  more:\n{text}", tmp_path)
    assert errors


def test_a_declared_variable_may_bring_it(tmp_path: Path) -> None:
    """`sensitive: false` is the word that a reviewer sees."""
    manifest, errors = read(
        "variables: {words: {sensitive: false, default: '${env:X}'}}\nscopes: {s: {description: '${var:words}'}}\n",
        tmp_path,
    )
    assert errors == []
    assert manifest is not None
    assert manifest.document.scopes is not None
    assert manifest.document.scopes["s"].description == VALUE


def test_a_default_with_a_reference_needs_the_word(tmp_path: Path) -> None:
    """A variable whose declaration doesn't say whether it may be shown doesn't carry a value in from outside."""
    _, errors = read("variables: {w: {default: '${env:X}'}}\nscopes: {s: {description: '${var:w}'}}\n", tmp_path)
    assert errors == ["wrong-value scopes.s.description"]
    _, errors = read(
        "variables: {w: {sensitive: true, default: '${env:X}'}}\nscopes: {s: {description: '${var:w}'}}\n", tmp_path
    )
    assert errors == ["secret-in-plain-field scopes.s.description"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("{sensitive: false}", {"public-variable-is-secret", "secret-in-plain-field"}),
        ("{}", {"secret-in-plain-field"}),
    ],
)
def test_a_variable_is_not_both_shown_and_secret(declared: str, expected: set[str], tmp_path: Path) -> None:
    """What feeds a secret field is secret wherever the variable is used."""
    _, errors = read(
        f"variables: {{v: {declared}}}\nscopes: {{s: {{description: '${{var:v}}'}}}}\n"
        "clients: {c: {type: confidential, secret: {value: '${var:v}'}}}\n",
        tmp_path,
        variables={"v": VALUE},
    )
    assert {error.split()[0] for error in errors} == expected


def test_the_connection_may_come_from_outside_and_is_shown_as_its_reference(tmp_path: Path) -> None:
    """The address is used; outputs say where it came from."""
    KNOWN.forget()
    file = tmp_path / "oauthdeploy.yaml"
    file.write_text(HEAD.replace('"https://login.example.com"', '"${env:LOGIN_URL}"'))
    environ = {"P": "p", "LOGIN_URL": "https://secret-host.example:5543/"}
    manifest, found = load_manifest(ManifestRequest(files=(str(file),), environ=environ), DRIVERS)
    assert found.errors == ()
    assert manifest is not None
    assert manifest.desired.servers["login"].url == "https://secret-host.example:5543/"
    clean, hits = KNOWN.clean("login (https://secret-host.example:5543) refused secret-host.example:5543")
    assert (clean, hits) == ("login (${env:LOGIN_URL}) refused ${env:LOGIN_URL}", 0)


def test_a_file_outside_the_folder_is_for_secrets_only(tmp_path: Path) -> None:
    """Mounted secrets lie anywhere; an address from any file would tell what is in it."""
    folder, mounted = tmp_path / "m", tmp_path / "run"
    folder.mkdir()
    mounted.mkdir()
    (mounted / "x").write_text("https://a.example")
    text = HEAD.replace('"https://login.example.com"', f'"${{file:{mounted / "x"}}}"')
    (folder / "oauthdeploy.yaml").write_text(text)
    request = ManifestRequest(files=(str(folder / "oauthdeploy.yaml"),), environ={"P": "p"})
    _, found = load_manifest(request, DRIVERS)
    assert [item.rule for item in found.errors] == ["file-not-allowed"]
    allowed = ManifestRequest(files=request.files, environ=request.environ, allow_files=(str(mounted),))
    assert load_manifest(allowed, DRIVERS)[1].errors == ()
    secret = HEAD + f"clients: {{c: {{type: confidential, secret: {{value: '${{file:{mounted / 'x'}}}'}}}}}}\n"
    (folder / "oauthdeploy.yaml").write_text(secret)
    manifest, found = load_manifest(request, DRIVERS)
    assert found.errors == ()
    assert manifest is not None
    assert manifest.document.clients is not None
    given = manifest.document.clients["c"].secret
    assert given is not None
    assert isinstance(given.value, Secret)


def test_a_value_that_the_manifest_writes_itself_is_not_replaced(tmp_path: Path) -> None:
    """A realm by the manifest's own name must not turn every address in the output into a reference."""
    KNOWN.forget()
    file = tmp_path / "oauthdeploy.yaml"
    file.write_text(HEAD.replace("username: u", 'username: "${env:ACCOUNT}"'))
    request = ManifestRequest(files=(str(file),), environ={"P": "p", "ACCOUNT": "payments"})
    assert load_manifest(request, DRIVERS)[1].errors == ()
    assert KNOWN.clean("Plan for payments") == ("Plan for payments", 0)
