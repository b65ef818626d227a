"""Several files, overlays, and the places of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.compose import merge_files, merge_patch
from oauthdeploy.manifest.input_files import read_sources
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.locate import Locator
from tests.manifest.support import DRIVERS, HEAD, QUIET, bad, good, load, places, shown

VALUES = st.recursive(
    st.one_of(st.none(), st.sampled_from("abc")),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("klm"), inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("klm"), VALUES, max_size=3)


@given(VALUES, VALUES)
@settings(deadline=None)
def test_merge_patch_is_rfc_7396(target: Any, patch: Any) -> None:
    """The algorithm of RFC 7396 section 2, written a second time; arguments stay unchanged."""

    def reference(target: Any, patch: Any) -> Any:
        if isinstance(patch, dict):
            made = dict(target) if isinstance(target, dict) else {}
            for name, value in patch.items():
                if value is None:
                    made.pop(name, None)
                else:
                    made[name] = reference(made.get(name), value)
            return made
        return patch

    before = repr((target, patch))
    assert merge_patch(target, patch) == reference(target, patch)
    assert repr((target, patch)) == before


@given(OBJECTS, OBJECTS)
@settings(deadline=None)
def test_a_patch_twice_is_the_patch_once(target: Any, patch: Any) -> None:
    """Merge patches are idempotent, and the empty patch changes nothing."""
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert merge_patch(target, {}) == target


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "clients": st.dictionaries(st.sampled_from("abcd"), OBJECTS, max_size=3),
        "settings": OBJECTS,
        "associations": st.lists(OBJECTS, max_size=2),
    },
)


def renamed(part: Any, mark: str) -> Any:
    return {mark + key: value for key, value in part.items()} if isinstance(part, dict) else part


@given(st.lists(SECTIONS, min_size=1, max_size=3))
@settings(deadline=None)
def test_merging_files_loses_nothing_or_reports_a_conflict(trees: list[Any]) -> None:
    """Every object of every file is in the result, lists add up, and a file put together with itself is itself."""
    locator = Locator(())
    disjoint = [{name: renamed(part, str(n)) for name, part in tree.items()} for n, tree in enumerate(trees)]
    made, problems = merge_files(disjoint, locator)
    assert problems == []
    for tree in disjoint:
        for section, part in tree.items():
            if isinstance(part, dict):
                assert all(made.tree[section][key] == value for key, value in part.items())
            else:
                assert all(entry in made.tree[section] for entry in part)
    without_lists = {key: value for key, value in trees[0].items() if key != "associations"}
    same, problems = merge_files([without_lists, without_lists], locator)
    assert (same.tree, problems) == (without_lists, [])


def write(folder: Path, **texts: str) -> tuple[str, ...]:
    names = []
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
        names.append(str(path))
    return tuple(names)


def load_files(*files: str, **changes: Any) -> Any:
    return load_manifest(ManifestRequest(files=files, environ={"P": "pw"}, **changes), DRIVERS)


def test_files_add_up(tmp_path: Path) -> None:
    """Sections of several files come together, each thing with its place in its own file."""
    files = write(
        tmp_path,
        a=HEAD + "scopes: {r: {}}\nassociations:\n  - {client: c, scopes: [r]}\nresource_owners: [x]\n",
        b="version: 1\nname: payments\nclients:\n  c: {type: public}\nassociations:\n  - {scope: r, clients: [c]}\n",
    )
    manifest, diagnostics = load_files(*files)
    assert manifest is not None, shown(diagnostics)
    assert len(manifest.document.associations) == 2
    span = manifest.locate(("associations", 1, "clients", 0))
    assert span is not None
    assert (span.file, span.line) == (files[1], 6)
    assert str(manifest.locate(("clients", "c", "type"))).endswith("b.yaml:4:13")
    assert manifest.files == files
    assert manifest.base == str(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "line", "what"),
    [
        ("scopes:\n  r: {description: a}\n", "scopes:\n  r: {description: b}\n", 4, "scope 'r'"),
        ("clients:\n  c: {type: public}\n", "clients:\n  c: {}\n", 4, "client 'c'"),
        ("settings:\n  require_pkce: true\n", "settings:\n  require_pkce: false\n", 4, "settings.require_pkce"),
        (
            "settings:\n  overrides: {login: {require_pkce: true}}\n",
            "settings:\n  overrides: {login: {require_pkce: false}}\n",
            4,
            "settings.overrides.login.require_pkce",
        ),
        ("revocations:\n  - {id: A, client: x}\n", "revocations:\n  - {id: A, client: y}\n", 4, "revocation 'A'"),
        ("scopes: {}\n", "scopes: [a]\n", 3, "scopes"),
        ("resource_owners: [a]\n", "resource_owners: null\n", 3, "resource_owners"),
    ],
)  # fmt: skip
def test_two_definitions_of_one_address_name_both_places(
    first: str, second: str, line: int, what: str, tmp_path: Path
) -> None:
    """Two files that define one address differently: an error at the second that names the place of the first."""
    files = write(tmp_path, a=HEAD + first, b="version: 1\nname: payments\n" + second)
    manifest, diagnostics = load_files(*files)
    assert manifest is None
    found = [item for item in diagnostics if item.rule == "conflicting-definition"]
    assert len(found) == 1
    assert found[0].span is not None
    assert (found[0].span.file, found[0].span.line) == (files[1], line)
    assert what in found[0].detail
    assert f"{files[0]}:" in found[0].detail


def test_one_id_twice_in_a_file_is_a_conflict(tmp_path: Path) -> None:
    """Revocations are told apart by their id, also inside one file."""
    found = bad(HEAD + "revocations:\n  - {id: A, client: x}\n  - {id: A, client: x}\n", tmp_path)
    assert [item.rule for item in found] == ["conflicting-definition"]
    assert found[0].span is not None
    assert found[0].span.line == 9


def test_folders_globs_and_standard_input(tmp_path: Path) -> None:
    """A folder gives its YAML files in sorted order, a glob its matches, `-` the given text; no file is read twice."""
    write(tmp_path, a=HEAD, b="version: 1\nname: payments\nscopes: {r: {}}\n")
    (tmp_path / "notes.txt").write_text("not: [yaml")
    for files in (
        (str(tmp_path),),
        (str(tmp_path / "*.yaml"),),
        (str(tmp_path), str(tmp_path / "a.yaml")),
        (str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")),
    ):
        manifest, diagnostics = load_files(*files)
        assert manifest is not None, shown(diagnostics)
        assert manifest.base == str(tmp_path)
        assert len(manifest.files) == 2
    manifest, diagnostics = load_files("-", str(tmp_path / "b.yaml"), stdin="\ufeff" + HEAD)
    assert manifest is not None, shown(diagnostics)
    manifest, _ = load_files("-", stdin=HEAD)
    assert manifest is not None
    assert manifest.base == "."


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("none.yaml", None, "does not exist"),
        ("empty-*.yaml", None, "matches"),
        ("utf16.yaml", "a: 1".encode("utf-16"), "UTF-16"),
        ("utf16le.yaml", "a: 1".encode("utf-16-le"), "UTF-16"),
        ("utf16be.yaml", "a: 1".encode("utf-16-be"), "UTF-16"),
        ("utf32.yaml", "a: 1".encode("utf-32"), "UTF-32"),
        ("latin.yaml", b"a: 1\nb: \xe9\n", "Line 2"),
    ],
)
def test_unreadable_files_are_findings(name: str, data: bytes | None, part: str, tmp_path: Path) -> None:
    """Missing files, empty globs and other encodings are said as such."""
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    manifest, diagnostics = load_files(str(path))
    assert manifest is None
    assert [item.rule for item in diagnostics] == ["file-unreadable"]
    assert part in diagnostics.items[0].detail
    assert diagnostics.items[0].fix


def test_a_folder_gives_its_files_however_their_endings_are_written(tmp_path: Path) -> None:
    """With pruning, a file that is silently not read would have its objects deleted."""
    for name in ("one.yml", "Two.YAML", "three.Yaml", ".four.yaml", "five.yaml.bak"):
        (tmp_path / name).write_text("version: 1\n")
    sources, problems = read_sources(ManifestRequest(files=(str(tmp_path),)))
    assert problems == ()
    assert [Path(source.name).name for source in sources] == ["Two.YAML", "one.yml", "three.Yaml"]


def test_an_empty_folder_and_a_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without manifests and a file past the limit are findings."""
    (tmp_path / "empty").mkdir()
    _, diagnostics = load_files(str(tmp_path / "empty"))
    assert [item.rule for item in diagnostics] == ["file-unreadable"]
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    _, diagnostics = load_files(str(tmp_path / "huge.yaml"))
    assert [item.rule for item in diagnostics] == ["too-large"]


OVERLAY = HEAD + (
    "settings:\n  require_pkce: true\n  access_token_lifetime: null\n"
    "scopes:\n  a: {description: x}\n  b: {}\n"
    "environments:\n"
    "  prod:\n    settings: {require_pkce: false, access_token_lifetime: 15m}\n    scopes: {b: null, c: {resources: [z]}}\n"
    "  slim: {settings: {require_pkce: null}}\n"
)


def test_an_environment_is_a_merge_patch(tmp_path: Path) -> None:
    """--env lays its patch over the document: values replace, null removes, the rest stays."""
    plain = good(OVERLAY, tmp_path)
    prod = good(OVERLAY, tmp_path, environment="prod")
    slim = good(OVERLAY, tmp_path, environment="slim")
    assert plain.document.settings is not None
    assert plain.document.settings.access_token_lifetime is None
    assert "access_token_lifetime" in plain.document.settings.model_fields_set
    assert prod.document.settings is not None
    assert (prod.document.settings.require_pkce, prod.document.settings.access_token_lifetime) == (False, 900)
    assert list(prod.document.scopes or ()) == ["a", "c"]
    assert slim.document.settings is not None
    assert "require_pkce" not in slim.document.settings.model_fields_set


def test_places_in_an_overlay(tmp_path: Path) -> None:
    """What an overlay says is found in the overlay, the rest in the document."""
    prod = good(OVERLAY, tmp_path, environment="prod")
    assert str(prod.locate(("settings", "require_pkce"))).endswith(":15:30")
    assert str(prod.locate(("scopes", "c", "resources", 0))).endswith(":16:39")
    assert str(prod.locate(("scopes", "a", "description"))).endswith(":11:20")
    text = OVERLAY.replace("access_token_lifetime: 15m", "access_token_lifetime: soon")
    (found,) = bad(text, tmp_path, environment="prod")
    assert found.span is not None
    assert (found.span.line, found.span.column) == (15, 60)


def test_an_unknown_environment_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    """A slip in --env must not deploy the base."""
    (found,) = bad(OVERLAY, tmp_path, environment="prd")
    assert (found.rule, found.fix) == ("unknown-environment", "Did you mean 'prod'?")
    (found,) = bad(HEAD, tmp_path, environment="prod")
    assert found.rule == "unknown-environment"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (HEAD.replace("version: 1", "version: 2"), "reads version 2"),
        (HEAD.replace("version: 1", "version: one"), "version: 1"),
        ("version: 2\nnonsense: true\n", "reads version 2"),
        (f"version: {'9' * 5000}\n", "version: 1"),
    ],
)
def test_another_version_is_told_alone(text: str, part: str, tmp_path: Path) -> None:
    """A manifest of another version gives one finding that says which release reads it."""
    (found,) = bad(text, tmp_path)
    assert found.rule == "unsupported-version"
    assert part in found.fix
    assert found.span is not None
    assert found.span.line == 1


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ("{setings: {}}", [("unknown-key", 14, 10)]),
        ("{settings: {require_pkc: true}}", [("unknown-key", 14, 21)]),
        ("{settings: {require_pkce: maybe}}", [("wrong-value", 14, 35)]),
        ("{scopes: {a: {descripton: x}}}", [("unknown-key", 14, 23)]),
        ("{clients: {new: {type: publc}}}", [("not-allowed-value", 14, 32)]),
        ("{servers: {third: {driver: acme}}}", [("missing-key", 14, 20)]),
        ("{servers: {login: {role: null}}}", [("missing-key", 14, 28)]),
        ("{associations: [{client: x}]}", [("wrong-value", 14, 25)]),
        ("{version: 2}", [("unknown-key", 14, 10)]),
        ("{settings: {require_pkce: '${env:NOT_SET_HERE}', access_token_lifetime: null}, scopes: {a: null}}", []),
        ("{servers: {login: {url: 'https://x'}}}", []),
        ("{}", []),
        ("null", [("wrong-value", 14, 3)]),
    ],
)
def test_overlays_that_are_not_chosen_are_checked_too(
    patch: str, found: list[tuple[str, int, int]], tmp_path: Path
) -> None:
    """A slip in an overlay shows in every run, at its place; its references are left for the run that needs them."""
    text = (
        HEAD + f"settings:\n  require_pkce: true\nscopes:\n  a: {{}}\nclients: {{}}\nenvironments:\n\n  prod: {patch}\n"
    )
    items = load(text, tmp_path)[1].errors
    assert places(list(items)) == found


def test_the_owner_of_an_external_object_is_the_file_that_defines_it(tmp_path: Path) -> None:
    """In either order; two files that both define it are in conflict all the same."""
    head, owner, user = HEAD, "scopes: {s: {description: d}}\n", "scopes: {s: {external: true}}\n"
    for first, second in ((owner, user), (user, owner)):
        files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
        files[0].write_text(head + first)
        files[1].write_text("version: 1\nname: payments\n" + second)
        request = ManifestRequest(files=tuple(map(str, files)), environ={"P": "p"}, severities=QUIET)
        manifest, found = load_manifest(request, DRIVERS)
        assert manifest is not None, found
        assert not manifest.desired.external
