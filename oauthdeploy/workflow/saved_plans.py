"""Saved plans: from a plan to its file, and from the file to an apply or to what has changed since."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import NotKnown, OAuthDeployError, StalePlan, UsageError
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.core.version import __version__
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import driver_versions
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.origins import secret_sources, variable_sources
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.planfile.binding import Asked, Binding, DriverUse, Selection
from oauthdeploy.planning.planfile.plan_file import MAX_PLAN_BYTES, SavedPlan, binding_of, read_saved, saved_document
from oauthdeploy.planning.planfile.staleness import (
    Comparison,
    StaleItem,
    addresses_moved,
    compare_plans,
    manifest_moved,
)
from oauthdeploy.planning.unread import not_known
from oauthdeploy.workflow.connections import connected, environment, narrowed, validate
from oauthdeploy.workflow.execution import Confirm, Listener, run_job
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job, planned
from oauthdeploy.workflow.planner import known_unkept, plan_now

STDIN: Final = "-"
_MOST_LINES: Final = 200
_FIX: Final = "Nothing was written. Make a new plan and review it."


class PlanUnreadable(OAuthDeployError):
    """The file of a saved plan cannot be read."""

    rule = "plan-unreadable"


# -- to a file and back -----------------------------------------------------------------------------------------------


def save_plan(
    plan: Plan, manifest: Manifest, request: ManifestRequest, options: RunOptions, file: Path
) -> dict[str, Any]:
    """The document of a plan for `file`, bound to the options that made it. Writes nothing.

    `plan` and `manifest` are the result of `make_plan` for `request` and `options`; relative names in them start from the
    working folder. Raises nothing.
    """
    here = os.path.realpath(os.curdir)
    folder = os.path.realpath(file.parent)
    relative = replace(
        request,
        files=tuple(_from(here, name) for name in request.files),
        var_files=tuple(_from(here, name) for name in request.var_files),
    )
    wanted = {server.driver for server in manifest.desired.servers.values()}
    binding = Binding(
        tool=__version__,
        drivers=tuple(
            DriverUse(name=used.name, package=used.package, version=used.version, api_version=used.api_version)
            for used in driver_versions(wanted)
        ),
        request=Asked(
            base=_from(folder, here),
            files=relative.files,
            environment=relative.environment,
            variables=variable_sources(manifest, relative),
            var_files=relative.var_files,
            severities=dict(sorted(relative.severities.items())),
        ),
        selection=Selection(servers=options.servers, targets=options.targets, excludes=options.excludes),
        secrets=secret_sources(manifest, request.environ),
        parts=dict(manifest.part_digests),
    )
    placed = replace(plan, diagnostics=_placed(plan.diagnostics, here), stops=_placed(plan.stops, here))
    return saved_document(placed, binding)


def _placed(found: Diagnostics, here: str) -> Diagnostics:
    """The findings with file names relative to the plan, so that the document names no folder of this machine."""
    return Diagnostics.of(
        item.at(replace(item.span, file=_from(here, item.span.file))) if item.span is not None else item
        for item in found
    )


def read_plan(file: Path) -> SavedPlan:
    """Read a saved plan. Raises PlanUnreadable, NotAPlan, and PlanEdited if it is not as saved."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_PLAN_BYTES + 1)
    except OSError as error:
        raise PlanUnreadable(
            "The plan file cannot be read", detail=f"{file}: {error.strerror}.", fix="Check its name and permissions."
        ) from None
    return read_saved(data, partial(shape_problem, "plan"), str(file))


def _from(start: str, name: str) -> str:
    """The relative path from the folder `start` to `name`, with `/`; unchanged for standard input and for another drive."""
    if name == STDIN:
        return name
    try:
        path = os.path.relpath(name, start)
    except ValueError:
        path = name
    return path.replace(os.sep, "/")


# -- the same manifest again ------------------------------------------------------------------------------------------


def request_again(saved: SavedPlan, file: Path, given: ManifestRequest) -> ManifestRequest:
    """The request that the plan was made for.

    `given` provides what a plan does not contain: the environment, standard input, the permission to run commands, values of
    sensitive variables, and `files` if the manifest has moved. Raises UsageError for options that would make another plan.
    """
    saved_request = binding_of(saved).request
    if given.environment not in (None, saved_request.environment):
        raise _other("--env")
    if given.severities and dict(given.severities) != saved_request.severities:
        raise _other("--error, --warn and --ignore")
    base = os.path.normpath(os.path.join(os.path.realpath(file.parent), saved_request.base))

    def here(name: str) -> str:
        return name if name == STDIN else _from(os.path.realpath(os.curdir), os.path.join(base, name))

    files = given.files or tuple(here(name) for name in saved_request.files)
    if STDIN in files and given.stdin is None:
        raise UsageError("The plan's manifest came from standard input", fix="Give it again, with -f -.")
    return ManifestRequest(
        files=files,
        stdin=given.stdin,
        environment=saved_request.environment,
        variables={item.name: item.value for item in saved_request.variables if item.value is not None}
        | dict(given.variables),
        var_files=(*(here(name) for name in saved_request.var_files), *given.var_files),
        environ=given.environ,
        allow_commands=given.allow_commands,
        allow_env=given.allow_env,
        allow_files=given.allow_files,
        allow_delivery=given.allow_delivery,
        severities=saved_request.severities,
    )


def _options_again(saved: SavedPlan, options: RunOptions) -> RunOptions:
    """The options with the saved selection. Raises UsageError for another selection."""
    selection = binding_of(saved).selection
    for flag, given, former in (
        ("--server", options.servers, selection.servers),
        ("--target", options.targets, selection.targets),
        ("--exclude", options.excludes, selection.excludes),
    ):
        if given and given != former:
            raise _other(flag)
    return replace(options, servers=selection.servers, targets=selection.targets, excludes=selection.excludes)


def _other(flags: str) -> UsageError:
    return UsageError(
        f"{flags} would make another plan",
        detail="A saved plan is applied unchanged.",
        fix=f"Leave {flags} out, or make a new plan with it.",
    )


def _manifest_again(
    saved: SavedPlan, request: ManifestRequest, options: RunOptions
) -> tuple[Manifest, tuple[StaleItem, ...]]:
    """The current manifest, and what has changed in it. Raises StalePlan if it can no longer be read."""
    binding = binding_of(saved)
    manifest, diagnostics = validate(request)
    if manifest is None:
        raise _unreadable(diagnostics)
    recorded = dict(zip(request.var_files, binding.request.var_files, strict=False))
    sources = {item.name: recorded.get(item.source, item.source) for item in variable_sources(manifest, request)}
    secrets = secret_sources(manifest, request.environ)
    elsewhere = addresses_moved(saved, {name: entry.url or "" for name, entry in manifest.desired.servers.items()})
    reported = {item.subject for item in elsewhere}
    changed = manifest_moved(binding, manifest.part_digests, secrets, sources)
    moved = (*elsewhere, *(item for item in changed if item.subject not in reported))
    if not moved and manifest.digest != saved.plan.manifest_digest:
        moved = (StaleItem("manifest", "has changed since the plan was made."),)
    try:
        manifest = narrowed(manifest, options)
    except UsageError as error:
        raise stale([StaleItem("manifest", error.summary)]) from None
    if options.on_manifest is not None:
        options.on_manifest(manifest)
    return manifest, moved


# -- what has moved ---------------------------------------------------------------------------------------------------


def check_saved(
    saved: SavedPlan, file: Path, given: ManifestRequest | None = None, options: RunOptions | None = None
) -> Comparison:
    """What has changed since the plan was made. Reads the servers and writes nothing.

    Servers are not read if their URLs in the manifest have changed. Raises what `make_plan` raises, NotAPlan, and StalePlan
    if the manifest can no longer be read.
    """
    request = request_again(saved, file, given or _nothing_given())
    options = _options_again(saved, options or RunOptions())
    manifest, moved = _manifest_again(saved, request, options)
    if any(item.subject.startswith("manifest, servers.") for item in moved):
        return Comparison(moved)
    with connected(manifest, options, read_only=True) as drivers:
        plan, live, _reports = plan_now(manifest, drivers, options, unkept=known_unkept(manifest, options))
    found = compare_plans(saved, plan, live)
    return Comparison((*moved, *found.moved), found.in_place, plan.unread)


def run_saved(
    saved: SavedPlan,
    file: Path,
    given: ManifestRequest | None = None,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Apply a saved plan if making it again gives the same plan; otherwise StalePlan says what has changed.

    Changes that were already made are skipped and named in the report. `file` is the plan's file, from which the manifest's
    files are found. `given` is as for `request_again`; default: the process environment. The rest is as for `run_plan`.
    Raises what that raises, and NotAPlan.
    """
    request = request_again(saved, file, given or _nothing_given())
    options = _options_again(saved, options or RunOptions())
    manifest, moved = _manifest_again(saved, request, options)
    if moved:
        raise stale((*moved, *_objects_moved(saved, file, given, options, moved)))

    def make(readers: Mapping[str, Driver]) -> Job:
        job = planned(manifest, readers, options)
        found = compare_plans(saved, job.plan, job.live)
        if found.stale and job.plan.unread:
            raise NotKnown(
                "The saved plan cannot be checked, because not all servers could be read",
                detail=not_known(job.plan.unread),
                fix="Nothing was written. Let oauthdeploy read what the plan is about, then apply it again.",
            )
        if found.stale:
            raise stale(found.moved)
        return replace(job, in_place=found.in_place, reviewed=True)

    return run_job(manifest, options, make, confirm=confirm, on_event=on_event, stop=stop)


def _objects_moved(
    saved: SavedPlan, file: Path, given: ManifestRequest | None, options: RunOptions, known: tuple[StaleItem, ...]
) -> Iterable[StaleItem]:
    """The effect of a changed manifest on the plan, object by object, if the servers can be read."""
    try:
        return [item for item in check_saved(saved, file, given, options).moved if item not in known]
    except OAuthDeployError:
        # The plan is known to be stale without these.
        return ()


def stale(moved: Iterable[StaleItem]) -> StalePlan:
    """The error that lists what has changed."""
    lines = [str(item) for item in moved]
    more = [f"... and {len(lines) - _MOST_LINES} more."] if len(lines) > _MOST_LINES else []
    return StalePlan("The plan is stale", detail="\n".join([*lines[:_MOST_LINES], *more]), fix=_FIX)


def _unreadable(diagnostics: Diagnostics) -> StalePlan:
    lines = []
    for item in diagnostics.errors:
        place = f"{item.span}: " if item.span else ""
        lines.append(f"{place}{item.detail or item.summary} [{item.rule}] {item.fix}".strip())
    return StalePlan(
        "The plan is stale: its manifest can no longer be read", detail="\n".join(lines[:_MOST_LINES]), fix=_FIX
    )


def _nothing_given() -> ManifestRequest:
    return ManifestRequest(files=(), environ=environment())
