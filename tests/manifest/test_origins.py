"""Where the secrets and variables of a manifest come from, and which of its parts has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.origins import secret_sources, variable_sources
from tests.manifest.support import DRIVERS, HEAD, QUIET

CANARY = "canary-9d21"
TEXT = f"""{HEAD}\
variables:
  given: {{}}
  hidden: {{sensitive: true}}
  reaching: {{}}
  filed: {{}}
  around: {{}}
  fallback: {{default: f}}
  unused: {{}}
clients:
  a:
    description: "${{var:given}} ${{var:filed}} ${{var:around}} ${{var:fallback}}"
    secret: {{value: "${{var:hidden}}"}}
  b:
    secret: {{value: "x${{var:reaching}}"}}
    options: {{acme: {{key: "${{env:KEY:-{CANARY}}}"}}}}
  c:
    secret: {{value: {CANARY}}}
"""


def loaded(folder: Path, text: str = TEXT, **environ: str) -> tuple[Manifest, ManifestRequest]:
    (folder / "m.yaml").write_text(text, encoding="utf-8")
    (folder / "one.env").write_text("filed=1\n", encoding="utf-8")
    (folder / "two.json").write_text('{"filed": "2"}', encoding="utf-8")
    request = ManifestRequest(
        files=(str(folder / "m.yaml"),),
        variables={"given": "g", "hidden": CANARY, "reaching": CANARY},
        var_files=(str(folder / "one.env"), str(folder / "two.json")),
        environ={"P": CANARY, "OAUTHDEPLOY_VAR_around": "a", **environ},
        severities=QUIET,
    )
    manifest, found = load_manifest(request, DRIVERS)
    assert manifest is not None, [item.detail for item in found]
    return manifest, request


def test_every_secret_is_told_by_its_place_and_origin(tmp_path: Path) -> None:
    """References as they are written, without their defaults; a literal as `manifest`; and which variables aren't set."""
    manifest, request = loaded(tmp_path)
    found = {item.path: (item.origin, item.unset) for item in secret_sources(manifest, request.environ)}
    assert found == {
        "clients.a.secret.value": ("${var:hidden}", ()),
        "clients.b.options.acme.key": ("${env:KEY}", ("KEY",)),
        "clients.b.secret.value": ("${var:reaching}", ()),
        "clients.c.secret.value": ("manifest", ()),
        "servers.login.credentials.password": ("${env:P}", ()),
        "servers.orders.credentials.password": ("${env:P}", ()),
    }
    manifest, request = loaded(tmp_path, KEY="k")
    assert all(not item.unset for item in secret_sources(manifest, request.environ))


def test_every_variable_is_told_by_its_source_and_sensitive_values_never(tmp_path: Path) -> None:
    """--var with its value, unless it is sensitive or reaches a secret; the last file that gives it; environment; default."""
    manifest, request = loaded(tmp_path)
    found = variable_sources(manifest, request)
    assert [(item.name, item.source, item.value) for item in found] == [
        ("around", "environment", None),
        ("fallback", "default", None),
        ("filed", str(tmp_path / "two.json"), None),
        ("given", "--var", "g"),
        ("hidden", "--var", None),
        ("reaching", "--var", None),
    ]
    assert CANARY not in json.dumps([item.model_dump() for item in found])


def test_a_part_has_another_digest_where_its_meaning_changed(tmp_path: Path) -> None:
    """One part at a time; secrets' values and declarations of variables are in none."""

    def parts(old: str = "", new: str = "", **environ: str) -> Any:
        assert old in TEXT
        return dict(loaded(tmp_path, TEXT.replace(old, new) if old else TEXT, **environ)[0].part_digests)

    def changed(*edit: str, **environ: str) -> set[str]:
        other = parts(*edit, **environ)
        return {name for name in before.keys() | other.keys() if before.get(name) != other.get(name)}

    before = parts()
    assert set(before) == {"version", "name", "servers.login", "servers.orders", "clients"}
    assert changed() == set()
    assert changed("https://login.example.com", "https://other.example.com") == {"servers.login"}
    assert changed("fallback: {default: f}", "fallback: {default: g}") == {"clients"}
    assert changed("unused: {}", "unused: {default: u}") == set()
    assert changed(CANARY, "another-secret") == set()
    assert changed(P="another", KEY="k") == set()
    assert changed("${env:P}", "${env:KEY}", KEY="k") == {"servers.login", "servers.orders"}
    assert changed("variables:", "scopes: {s: {description: d}}\nvariables:") == {"scopes"}
    assert changed("name: payments", "name: other") == {"name"}
