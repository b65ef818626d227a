"""Manifests as people write them, examples and others: valid, formatted without another meaning, accepted by editors, drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.source import Source
from oauthdeploy.reports.graph import NodeKind, build_graph
from oauthdeploy.reports.graph_dot import dot_text
from oauthdeploy.reports.graph_mermaid import mermaid_text
from oauthdeploy.reports.graph_svg import svg_text
from tests.examples.estate import EXAMPLES, secrets_of
from tests.manifest.test_schema import errors

HERE = Path(__file__).parent / "estates"


@dataclass(frozen=True)
class Estate:
    """What one manifest is, its files, the environment that is asked for, and the findings that it is to have."""

    what: str
    files: tuple[Path, ...]
    environment: str | None = None
    found: tuple[str, ...] = ()

    @property
    def request(self) -> ManifestRequest:
        """The request, with a value for every variable that the files read."""
        names = {name for path in self.files for name in secrets_of(path.parent)}
        environ = dict.fromkeys(names, "correct horse battery staple")
        return ManifestRequest(
            files=tuple(str(path) for path in self.files), environ=environ, environment=self.environment
        )


def _example(name: str, *files: str) -> tuple[Path, ...]:
    return tuple(EXAMPLES / name / file for file in files or ("oauthdeploy.yaml",))


NOT_YET = ("authorization-server-not-trusted", "resource-server-trusts-nobody")
ESTATES = (
    Estate("a small shop", _example("quickstart")),
    Estate("a small shop with an incident", _example("quickstart", "oauthdeploy.yaml", "incident.yaml")),
    Estate("a partner's identity provider", _example("external-authorization-server")),
    Estate("development", _example("environments")),
    Estate("test", _example("environments"), "test"),
    Estate("production", _example("environments"), "prod"),
    Estate("split by team", _example("teams", "platform.yaml", "shop.yaml", "warehouse.yaml")),
    Estate("Keycloak and OPA", _example("opa")),
    Estate("Keycloak and OPA with an incident", _example("opa", "oauthdeploy.yaml", "incident.yaml")),
    Estate("an incident with revocations", _example("incident-response")),
    Estate("two resource servers", _example("two-resource-servers"), found=("client-not-on-resource-server",)),
    Estate(
        "a migration's begin",
        _example("migration"),
        found=("authorization-server-not-trusted", "resource-server-trusts-nobody"),
    ),
    Estate("a single-page application with PKCE", (HERE / "spa.yaml",)),
    Estate("machines only", (HERE / "machines.yaml",)),
    Estate("a migration with moved_from and absent", (HERE / "moving.yaml",)),
    Estate(
        "unset, null and empty",
        (HERE / "three-ways.yaml",),
        found=(*("scope-description-missing",) * 3, "grants-empty"),
    ),
    Estate("every section", (HERE / "everything.yaml",), found=("client-not-on-resource-server",)),
    Estate("every section, in production", (HERE / "everything.yaml",), "prod"),
)
every_estate = pytest.mark.parametrize("estate", ESTATES, ids=lambda estate: estate.what)


def load(estate: Estate, texts: tuple[Source, ...] | None = None) -> Manifest:
    """The manifest; its findings must be the expected ones."""
    manifest, findings = load_manifest(estate.request, driver_facts(), texts)
    assert tuple(item.rule for item in findings) == estate.found, "\n".join(f"{i.span} {i.detail}" for i in findings)
    assert manifest is not None
    return manifest


@every_estate
def test_it_is_valid(estate: Estate) -> None:
    """With exactly the findings that its author would be told of."""
    load(estate)


@every_estate
def test_its_canonical_form_means_the_same(estate: Estate) -> None:
    """The same desired state, the same findings; and formatting that again changes nothing."""
    formatted = []
    for path in estate.files:
        done = format_source(Source(str(path), path.read_text(encoding="utf-8")))
        assert done.problems == ()
        again = format_source(Source(str(path), done.text))
        assert (again.text, again.problems) == (done.text, ())
        formatted.append(Source(str(path), done.text))
    before, after = load(estate), load(estate, tuple(formatted))
    assert before.desired.objects == after.desired.objects
    assert before.desired.absent == after.desired.absent
    assert before.document == after.document


@every_estate
def test_its_files_fit_the_schema(estate: Estate) -> None:
    """An editor underlines nothing."""
    for path in estate.files:
        assert errors(path.read_text(encoding="utf-8")) == [], path.name


@every_estate
def test_it_is_drawn(estate: Estate) -> None:
    """Every client, scope and server of the desired state is in each of the three forms."""
    manifest = load(estate)
    made = build_graph(manifest.desired)
    names = {(node.kind, node.name) for node in made.nodes}
    assert names >= {(NodeKind.SERVER, name) for name in manifest.desired.servers}
    assert names >= {(NodeKind.CLIENT, name) for name in manifest.document.clients or ()}
    assert names >= {(NodeKind.SCOPE, name) for name in manifest.document.scopes or ()}
    for text in (mermaid_text(made), dot_text(made), svg_text(made)):
        assert all(node.name in text for node in made.nodes)


def test_one_of_them_has_every_section() -> None:
    """A section that is added later must find its way into it."""
    document = load(ESTATES[-2]).document
    assert Document.model_fields.keys() - document.model_fields_set == set()


def test_none_of_ours_is_in_canonical_form() -> None:
    """They are written as people write; else formatting them would prove nothing."""
    for path in HERE.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert format_source(Source(path.name, text)).text != text, path.name
