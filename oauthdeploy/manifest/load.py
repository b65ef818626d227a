"""The single entry point for reading manifests: from a request to a manifest and every finding, in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from pathlib import Path as FilePath
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path
from oauthdeploy.core.garbage_collector import paused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.build import Built, build_document
from oauthdeploy.manifest.compose import apply_environment, merge_files, server_sections
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.driver_sections import DriverParts, check_driver_parts, misplaced_secrets, shown_and_secret
from oauthdeploy.manifest.held_part import held_part
from oauthdeploy.manifest.identities import who_is_who
from oauthdeploy.manifest.input_files import STDIN, base_folder, read_sources
from oauthdeploy.manifest.interpolate import Resolver, interpolate
from oauthdeploy.manifest.key_limit import too_wide
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.overlays import check_overlays
from oauthdeploy.manifest.placement import place_objects
from oauthdeploy.manifest.problems import address_of
from oauthdeploy.manifest.rules import CATALOGUE, RuleContext, check_all
from oauthdeploy.manifest.rules.revocations import EXPIRED
from oauthdeploy.manifest.secret_paths import is_secret_path
from oauthdeploy.manifest.severities import Comments, apply_severities
from oauthdeploy.manifest.source import BIG, Source
from oauthdeploy.manifest.value_trace import Tracer
from oauthdeploy.manifest.variables import collect_variables, declared_variables
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.capabilities import DriverFacts

SUPPORTED_VERSION: Final = "1"
_NOT_INTERPOLATED: Final = frozenset({"variables", "environments", "version"})


def load_manifest(
    request: ManifestRequest,
    drivers: Mapping[str, DriverFacts],
    texts: tuple[Source, ...] | None = None,
    trees: list[Any] | None = None,
) -> tuple[Manifest | None, Diagnostics]:
    """Read, compose, check and place a manifest. `drivers` are the known drivers by name; `texts`, if given, replace the files
    of the request. `trees` are what was read from them already, None for a file that was not read; they are used up.

    Returns the manifest (None if there are errors) and all findings of all files, sorted by place. Never raises: every problem
    with the input is a finding.
    """
    sources, problems = (texts, ()) if texts is not None else read_sources(request)
    with paused(sum(len(source.text) for source in sources) > BIG):
        return _load(request, drivers, sources, list(problems), trees or [])


def _load(
    request: ManifestRequest,
    drivers: Mapping[str, DriverFacts],
    sources: tuple[Source, ...],
    problems: list[Diagnostic],
    read: list[Any],
) -> tuple[Manifest | None, Diagnostics]:
    trees, found, hopeless = _read_all(sources, read)
    locator = Locator([source for source in sources if source.name not in hopeless])
    problems += found
    if not sources or len(trees) < len(sources):
        # A broken file may contain what seems to be missing, so nothing missing is reported.
        return None, _finish(problems, request, locator, sources, drivers)
    composition, found = merge_files(trees, locator)
    problems += found
    locator = locator.composed(composition.origins if len(sources) > 1 else None, request.environment)
    if version_problem := _version_problem(composition.tree):
        return None, _finish([*problems, version_problem], request, locator, sources, drivers)
    composed = server_sections(composition.tree)
    tree, found = apply_environment(composition.tree, request.environment)
    problems += found
    if request.who_only:
        tree = who_is_who(tree)
    else:
        problems += check_overlays(composition.tree, request.environment)
    base = FilePath(base_folder(request))
    variables, found = collect_variables(request, declared_variables(tree.get("variables")))
    problems += found
    resolver = Resolver(
        request.environ,
        base,
        variables.value,
        request.allow_commands,
        request.unset_env,
        request.allow_env,
        tuple(FilePath(folder) for folder in request.allow_files),
        tuple(source.text for source in sources),
        confined=request.confined,
    )
    tree = dict(tree)
    secrets: list[tuple[Path, str]] = []
    public: list[tuple[Path, str]] = []
    if any("${" in source.text for source in sources):
        found, secrets, public = interpolate(tree, resolver, skip=_NOT_INTERPOLATED)
        problems += found
    _guard(tree)
    built = build_document(tree)
    problems += built.problems
    written = {name: list(section) for name, section in tree.items() if isinstance(section, dict)}
    # What is valid in them is in the document now, and they take as much memory.
    del trees, composition, tree
    manifest: Manifest | None = None
    if built.document is not None:
        parts = check_driver_parts(built.document, drivers)
        parts.problems += misplaced_secrets(parts.document, secrets)
        parts.problems += shown_and_secret(parts.document, public)
        del secrets, public
        if not request.allow_commands:
            parts.problems += _commands(parts.document)
        bounds = _bounds(request, sources, base, resolver, parts.document)
        parts.problems += _deliveries(parts.document, bounds)
        manifest, found = _finish_manifest(
            parts, built, written, drivers, base, sources, locator, composed=composed, today=request.today
        )
        manifest = replace(
            manifest,
            trace=Tracer(locator, variables, request.environ, request.environment),
            environment=request.environment,
            severities=request.severities,
            bounds=bounds,
        )
        problems += found
    diagnostics = _finish(problems, request, locator, sources, drivers)
    if diagnostics.errors or manifest is None:
        return None, diagnostics
    void = Diagnostics.of(item for item in diagnostics if item.rule in CATALOGUE and CATALOGUE[item.rule].void)
    return replace(manifest, void=void, is_ignored=Comments(sources).ignore), diagnostics


def _read_all(sources: Iterable[Source], read: list[Any]) -> tuple[list[dict[str, Any]], list[Diagnostic], set[str]]:
    """The trees, the findings, and the names of the unreadable files, whose one finding has its place already. Takes those that
    were read before out of `read`, which would keep them in memory.
    """
    trees: list[dict[str, Any]] = []
    problems: list[Diagnostic] = []
    hopeless: set[str] = set()
    for source in sources:
        known = read.pop(0) if read else None
        data, found = read_tree(source) if known is None else (known, ())
        problems += found
        if data is None and not found:
            detail, fix = f"{source.name} is empty.", "Start with version: 1 and name:."
            problems.append(Diagnostic("missing-key", "The manifest is empty", detail, fix, span=source.span(1, 1)))
        elif (wide := too_wide(data, source)) is not None:
            problems.append(wide)
            if not found:
                hopeless.add(source.name)
        elif isinstance(data, dict):
            trees.append(data)
        elif data is not None:
            problems.append(_not_a_mapping(source))
    return trees, problems, hopeless


def _not_a_mapping(source: Source) -> Diagnostic:
    detail = f"{source.name} is not a mapping of sections."
    fix = "Start with version: 1, name: and servers:."
    return Diagnostic("wrong-value", "A value is not valid", detail, fix, span=source.span(1, 1))


def _commands(document: Document) -> Iterator[Diagnostic]:
    """Sinks that would run a command: whoever can edit a manifest must not be able to run programs where it is applied."""
    for key, client in (document.clients or {}).items():
        target = client.secret.deliver_to if client.secret is not None else None
        if target is not None and target.command is not None:
            yield Diagnostic(
                "command-not-allowed",
                "Commands are not allowed",
                "deliver_to.command runs a program when a secret is delivered.",
                "Run with --allow-commands if you trust the manifest, or deliver to a file.",
                address=object_address(Kind.CLIENT, key),
                path=("clients", key, "secret", "deliver_to", "command"),
            )


def _bounds(
    request: ManifestRequest, sources: Iterable[Source], base: FilePath, resolver: Resolver, document: Document
) -> DeliveryBounds:
    """Which files may receive secrets: none that the manifest consists of or reads."""
    tls = [entry.tls for entry in document.servers.values()]
    read = [name for one in tls for name in (one.ca_file, one.client_cert, one.client_key) if name]
    written = [*(source.name for source in sources), *request.files, *request.var_files]
    return DeliveryBounds(
        base,
        tuple(FilePath(folder) for folder in request.allow_delivery),
        tuple(dict.fromkeys([*map(FilePath, written), *(base / name for name in read), *sorted(resolver.files)])),
        sources=tuple(name for name in request.files if name != STDIN),
    )


def _deliveries(document: Document, bounds: DeliveryBounds) -> Iterator[Diagnostic]:
    """Delivery files that may not be written; a check before the run finds later changes."""
    for key, client in (document.clients or {}).items():
        target = client.secret.deliver_to if client.secret is not None else None
        refusal = bounds.refusal(target.file) if target is not None and target.file is not None else None
        if target is not None and refusal is not None:
            rule = CATALOGUE[refusal.rule]
            yield Diagnostic(
                rule.id,
                rule.title,
                f"{target.file}: {refusal.reason}.",
                rule.fix,
                address=object_address(Kind.CLIENT, key),
                path=("clients", key, "secret", "deliver_to", "file"),
            )


def _version_problem(tree: dict[str, Any]) -> Diagnostic | None:
    version = tree.get("version", SUPPORTED_VERSION)
    if version == SUPPORTED_VERSION or not isinstance(version, str):
        return None
    later = re.fullmatch("0*([1-9][0-9]{0,8})", version)
    if later and int(later[1]) > int(SUPPORTED_VERSION):
        fix = f"Install the release of oauthdeploy that reads version {later[1]}, or write version: 1."
    else:
        fix = "Write version: 1."
    return Diagnostic(
        "unsupported-version",
        "The version of the manifest is not supported",
        f"This release of oauthdeploy (0.x and 1.x) reads version 1 of the manifest, and this is version '{version[:20]}'.",
        fix,
        path=("version",),
    )


def _guard(tree: dict[str, Any]) -> None:
    """Turn secrets that no model describes into Secrets, so that no representation of the document shows them."""
    variables = tree.get("variables")
    if isinstance(variables, dict):
        tree["variables"] = {name: _guarded_variable(name, entry) for name, entry in variables.items()}
    if isinstance(tree.get("environments"), dict):
        tree["environments"] = _guarded(tree["environments"], ("environments",))


def _guarded_variable(name: str, entry: Any) -> Any:
    """The declaration, without values if it is sensitive."""
    if not isinstance(entry, dict) or entry.get("sensitive") not in ("true", "True", "TRUE"):
        return entry
    guarded = dict(entry)
    if isinstance(entry.get("default"), str):
        guarded["default"] = Secret.guessed(entry["default"], f"variable {name}")
    allowed = entry.get("allowed")
    if isinstance(allowed, list) and all(isinstance(value, str) for value in allowed):
        del guarded["allowed"]
    return guarded


def _guarded(value: Any, path: tuple[str | int, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _guarded(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_guarded(inner, (*path, index)) for index, inner in enumerate(value)]
    return Secret.guessed(value, "manifest") if isinstance(value, str) and is_secret_path(path) else value


def _finish_manifest(
    parts: DriverParts,
    built: Built,
    written: Mapping[str, Sequence[str]],
    drivers: Mapping[str, DriverFacts],
    base: FilePath,
    sources: Iterable[Source],
    locator: Locator,
    *,
    composed: Mapping[str, Any],
    today: date,
) -> tuple[Manifest, list[Diagnostic]]:
    document = parts.document
    desired, found = place_objects(document, drivers, parts.options, written, today=today)
    rules = check_all(RuleContext(document, desired, drivers, composed, today))
    problems = [
        item
        for item in (_moved(item, built) for item in chain(parts.problems, found, rules))
        if not built.damaged or not built.is_damaged(item.path)
    ]
    manifest = Manifest(
        document=document,
        desired=held_part(desired, drivers),
        base=str(base),
        files=tuple(source.name for source in sources),
        locate=locator.locate,
        credentials=parts.credentials,
        options=parts.options,
    )
    return manifest, problems


def _moved(item: Diagnostic, built: Built) -> Diagnostic:
    """The finding with its path in the composed tree."""
    path = built.original(item.path)
    if path == item.path:
        return item
    return Diagnostic(item.rule, item.summary, item.detail, item.fix, item.severity, item.address, path, item.span)


def _finish(
    problems: Iterable[Diagnostic],
    request: ManifestRequest,
    locator: Locator,
    sources: Iterable[Source],
    drivers: Mapping[str, DriverFacts],
) -> Diagnostics:
    """Set severities and places, drop what comments ignore, sort, and cap the number."""
    weighed = apply_severities(problems, request.severities, drivers)
    placed = [locator.point(item) for item in weighed]
    placed = [_with_lines(item, locator) for item in placed]
    found = Diagnostics.of(_titled(item) for item in Comments(sources).applied(placed, drivers)).sorted().first()
    return replace(found, items=tuple(locator.quote(item) for item in found))


def _with_lines(item: Diagnostic, locator: Locator) -> Diagnostic:
    """The finding with the lines to remove, if it requires that."""
    lines = locator.lines(item.path) if item.rule == EXPIRED else ""
    return replace(item, detail=f"{item.detail} Remove {lines}.") if lines else item


def _titled(item: Diagnostic) -> Diagnostic:
    """The finding with its rule's title and its object's address: one rule has one summary, whatever raises it."""
    rule = CATALOGUE.get(item.rule)
    summary = item.summary if rule is None else rule.title
    address = item.address or address_of(item.path)
    if (summary, address) == (item.summary, item.address):
        return item
    return replace(item, summary=summary, address=address)
