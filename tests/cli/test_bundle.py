"""`oauthdeploy bundle`: which server, where to, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.conftest import Runner

HEAD = """\
version: 1
name: payments
servers:
  idp: {role: authorization, driver: external, issuer: "https://idp", jwks_uri: "https://idp/keys"}
"""
ONE = (
    HEAD
    + "  orders: {role: resource, driver: opa, url: 'https://o', options: {path: a/b}, authorization_server: idp}\n"
)
TWO = ONE + "  stock: {role: resource, driver: opa, url: 'https://s', options: {path: c}, authorization_server: idp}\n"
REST = "scopes: {r: {description: Read, resources: [x], on: [orders]}}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "oauthdeploy.yaml"


def files_of(data: bytes) -> dict[str, object]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {one.name: json.loads(archive.extractfile(one).read()) for one in archive}  # type: ignore[union-attr]


def test_the_only_server_needs_no_name(oauthdeploy: Runner, manifest: Path, tmp_path: Path) -> None:
    """The document stands below the root that the archive claims; what is said goes to standard error."""
    manifest.write_text(ONE + REST)
    found = oauthdeploy("bundle", "--out", "o.tar.gz")
    assert (found.code, found.out) == (0, "")
    assert "Wrote the bundle of orders to o.tar.gz" in found.err
    files = files_of((tmp_path / "o.tar.gz").read_bytes())
    assert files.keys() == {".manifest", "a/b/data.json"}
    assert files[".manifest"]["roots"] == ["a/b"]  # type: ignore[index]
    assert files["a/b/data.json"]["scopes"] == {  # type: ignore[index]
        "r": {"owner": "payments", "description": "Read", "resources": ["x"]}
    }


def test_each_server_has_its_own(oauthdeploy: Runner, manifest: Path, tmp_path: Path) -> None:
    """Another path, and what the manifest puts there."""
    manifest.write_text(TWO + REST)
    assert oauthdeploy("bundle", "stock", "--out", "s.tar.gz").code == 0
    files = files_of((tmp_path / "s.tar.gz").read_bytes())
    assert files["c/data.json"]["scopes"] == {}  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "arguments", "code", "said"),
    [
        (TWO, (), 64, "Those that do are: orders, stock."),
        (TWO, ("idp",), 64, "'idp' loads no bundles"),
        (TWO, ("ordres",), 64, "Servers are: idp, orders, stock."),
        (HEAD, (), 64, "No server of this manifest does."),
        (ONE + "scopes: {r: {on: [nowhere]}}\n", (), 3, "unknown-reference"),
        (
            ONE + "clients: {c: {type: public}}\nrevocations: [{id: I, client: c, tokens: all}]\n",
            (),
            3,
            "bundle-needs-a-moment",
        ),
    ],
)
def test_what_can_not_be_is_said(
    oauthdeploy: Runner, manifest: Path, text: str, arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    """With the servers that could, or the place in the manifest; no file is left."""
    manifest.write_text(text)
    found = oauthdeploy("bundle", *arguments, "--out", "x.tar.gz")
    assert found.code == code
    assert said in found.err
    assert not (tmp_path / "x.tar.gz").exists()
