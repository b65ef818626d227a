"""Look at how one server answers, compare that with what its driver expects, and with an earlier record."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from oauthdeploy.core.errors import OAuthDeployError, UsageError
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.core.version import __version__
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, WriteProbe, differences, flat
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.options import RunOptions

FORMAT = "oauthdeploy/record"
UNCOMPARED = ("oauthdeploy", "judgements", "format_version")
"""Parts of a record that say nothing of the server itself."""


class RecordUnusable(OAuthDeployError):
    """A file is not a record of `doctor`."""

    rule = "record-unusable"


class Diagnosis(Struct, frozen=True):
    """What came of an examination of `server`: the `record` as JSON, and its `judgements`.

    `changes` are the differences from an earlier record: the place, and both values in words; None where there was none to
    compare with. `left` is what a trial of writing could not remove; `interrupted`: `stop` ended it early.
    """

    server: str
    record: Mapping[str, Any]
    judgements: tuple[Judgement, ...]
    changes: tuple[tuple[str, str, str], ...] | None = None
    left: tuple[str, ...] = ()
    interrupted: bool = False


def diagnose(
    request: ManifestRequest,
    name: str | None = None,
    options: RunOptions | None = None,
    *,
    write: Callable[[str], bool] | None = None,
    earlier: Mapping[str, Any] | None = None,
    stop: threading.Event | None = None,
) -> Diagnosis:
    """Examine the server called `name`, or the only one of the manifest.

    `write` is asked, with the server's name, before throw-away objects are made; without it nothing is written. `earlier` is a
    record to compare with. Setting `stop` ends a trial of writing after the request in flight; what it made is removed.

    Raises ManifestInvalid, UsageError and ServerError.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:
        chosen = _chosen(name, sorted(drivers))
        found = drivers[chosen].examine()
    entry = manifest.desired.servers[chosen]
    tried: WriteProbe | None = None
    stop = stop or threading.Event()
    if write is not None and write(chosen):
        with connected(manifest, options, read_only=False) as drivers:
            drivers[chosen].set_stop_event(stop)
            tried = drivers[chosen].try_writing(secrets.token_hex(4))
    record = _record(entry.driver, entry.role.value, found, tried)
    changes = None if earlier is None else tuple(differences(_compared(earlier), _compared(record)))
    judgements = (*found.judgements, *(tried.judgements if tried else ()))
    return Diagnosis(chosen, record, judgements, changes, tried.left if tried else (), stop.is_set())


def read_record(path: Path) -> Mapping[str, Any]:
    """The record in a file. Raises RecordUnusable."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordUnusable(
            "The record cannot be read",
            detail=f"{path}: {type(error).__name__}.",
            fix="Write it with doctor -o json=FILE.",
        ) from None
    problem = shape_problem("record", document)
    if problem:
        raise RecordUnusable(
            "The file is not a record", detail=f"{path}: {problem}", fix="Write it with doctor -o json=FILE."
        )
    made: Mapping[str, Any] = document
    return made


def _chosen(name: str | None, known: list[str]) -> str:
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        what = f"No server '{name}' in the manifest can be examined" if name else "The manifest has several servers"
        raise UsageError(what, fix=f"Name one of: {', '.join(known)}.")
    return str(name)


def _record(driver: str, role: str, found: Examination, tried: WriteProbe | None) -> Mapping[str, Any]:
    observations = (*found.observations, *(tried.observations if tried else ()))
    return {
        "format": FORMAT,
        "format_version": "1.0",
        "oauthdeploy": __version__,
        "driver": driver,
        "role": role,
        "product": dict(found.product),
        "document_digest": found.digest or None,
        "written": tried is not None,
        "facts": {**found.facts, **(tried.facts if tried else {})},
        "judgements": [
            {"subject": one.subject, "verdict": one.verdict, "detail": one.detail}
            for one in (*found.judgements, *(tried.judgements if tried else ()))
        ],
        "observations": [_observation(one) for one in observations],
    }


def _observation(one: Observation) -> Mapping[str, Any]:
    return {"name": one.name, "method": one.method, "path": one.path, "status": one.status, "shape": _flat(one)}


def _flat(one: Observation) -> Mapping[str, str] | None:
    return None if one.shape is None else flat(one.shape)


def _compared(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a record that two records are compared by, observations by their names."""
    kept = {key: value for key, value in record.items() if key not in UNCOMPARED}
    seen: dict[str, Any] = {}
    for one in record["observations"]:
        # A trial reads its client several times: the last time counts.
        seen[one["name"]] = {key: one[key] for key in ("method", "path", "status", "shape")}
    return {**kept, "observations": seen}
