"""The audit trail of cut-offs: who cut off whom, why, what was found and what was done, one JSON document per line.

A record is appended and synced before anything is written to a server, and a second one at the end; both have the same `id`. A
first record without a second is a cut-off that was killed. Records are never changed or removed, and contain no token and no
secret.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.files import make_folder, sync_folder, write_all
from oauthdeploy.core.schemas import shape_problem, without_nulls
from oauthdeploy.model.objects import Revocation
from oauthdeploy.planning.recorded_cut_offs import RecordedCutOff

if TYPE_CHECKING:
    from oauthdeploy.planning.revocation.audit_schema import AuditRecord

if sys.platform != "win32":
    import fcntl

SCHEMA_ID: Final = "urn:oauthdeploy:schema:audit:v1"
FILE_NAME: Final = "audit.jsonl"


class AuditFailed(OAuthDeployError):
    """The audit record cannot be written. Before the first write to a server, this means that nothing was done."""

    rule = "audit-not-written"


def audit_document(record: AuditRecord) -> dict[str, Any]:
    """The record as JSON; unknown values are left out."""
    return record.model_dump(mode="json", exclude_none=True)


def require_writable(path: Path) -> None:
    """Check that records can be appended to `path`; creates no file. Raises AuditFailed."""
    try:
        new = not path.exists()
        os.close(_opened(path))
        if new:
            path.unlink()
    except OSError as error:
        raise _failed(path, error, "Nothing was done. Name a writable file with --audit FILE.") from None


def append(path: Path, record: AuditRecord) -> None:
    """Append a record; it is on disk when this returns. Raises AuditFailed."""
    line = KNOWN.json_line(audit_document(record), ensure_ascii=True) + "\n"
    try:
        descriptor = _opened(path)
        try:
            if sys.platform != "win32":
                # Two processes that append at the same time take turns, so that no line is torn.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            write_all(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        raise _failed(path, error, "Keep what was printed: it is the same record.") from None


def recorded_cut_offs(path: Path, *, named: bool = False) -> tuple[tuple[RecordedCutOff, ...], Diagnostics]:
    """The clients that are disabled according to the trail, the latest record last, and a warning for each unreadable line.

    Several releases write one audit file, and it must never block a plan, so a line may have keys that this release does not
    know. A missing file is a warning only if the user `named` it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return (), Diagnostics((_unread(path, "There is no such file"),) if named else ())
    except OSError as error:
        return (), Diagnostics((_unread(path, error.strerror or "It cannot be read"),))
    in_force: dict[tuple[str, str, str], RecordedCutOff] = {}
    problems: list[Diagnostic] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            problem = shape_problem("audit", record, additions=True)
        except (ValueError, RecursionError):
            problem = "not a JSON document"
        if problem:
            problems.append(_unread(path, f"line {number} is not an audit record ({problem})", number))
            continue
        for cut in _cut_offs_of(record):
            key = (cut.server, cut.client, cut.name)
            if record["type"] == "lifted":
                in_force = {k: one for k, one in in_force.items() if not _is_lifted(one, cut)}
            elif cut.blocks or key not in in_force or not in_force[key].blocks:
                # The tokens of a repeated cut-off; its block is recorded already.
                in_force.pop(key, None)
                in_force[key] = cut
    return tuple(in_force.values()), Diagnostics.of(problems)


def _is_lifted(one: RecordedCutOff, by: RecordedCutOff) -> bool:
    same = one.client == by.client or bool(one.identity and one.identity == by.identity)
    return one.server == by.server and same


def _unread(path: Path, why: str, line: int | None = None) -> Diagnostic:
    return Diagnostic(
        "audit-unread",
        "The audit file could not be read",
        detail=f"{path}: {why}. The plan was not checked for undoing the cut-offs recorded there.",
        fix="Restore the file as it was, or name another with --audit FILE.",
        severity=Severity.WARNING,
        span=SourceSpan(str(path), line, 1) if line is not None else None,
    )


def _cut_offs_of(record: Mapping[str, Any]) -> Iterator[RecordedCutOff]:
    """The cut-offs of clients that were made or lifted according to a record (which follows the schema)."""
    if record["type"] == "started":
        return
    requested = {item["id"]: item for item in record["asked"]}
    for server in record.get("servers", ()):
        name = server["revocation"]
        if name in requested and server["state"] in ("cut-off", "nothing-to-do", "lifted"):
            item = requested[name]
            identity = server.get("found", {}).get("identity", "")
            label = f"{record.get('ticket') or name}, {record['at'][:10]}"
            blocks, tokens = bool(item.get("block")), _tokens_of(item, record["at"])
            if blocks or tokens is not None:
                yield RecordedCutOff(
                    server["server"], item["client"], identity, label, name, blocks=blocks, tokens=tokens
                )


def _tokens_of(item: Mapping[str, Any], at: str) -> Revocation | None:
    """The tokens that the cut-off ended, as those issued before the record was made; None if there were none."""
    if not item.get("tokens") or item.get("handles"):
        return None
    selection = {key: item[key] for key in ("owner", "scope") if item.get(key)}
    moment = {"issued_before": item.get("issued_before") or at}
    return Revocation.model_validate({"client": item["client"], "tokens": moment, **selection})


def _opened(path: Path) -> int:
    make_folder(path.parent)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _failed(path: Path, error: OSError, fix: str) -> AuditFailed:
    return AuditFailed("The audit record cannot be written", detail=f"{path}: {error.strerror or error}.", fix=fix)


def audit_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a line of the trail; the file in `schemas/` is equal to it."""
    from oauthdeploy.planning.revocation.audit_schema import AuditRecord

    schema = AuditRecord.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    definitions = {name: without_nulls(part) for name, part in sorted(schema.pop("$defs").items())}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **without_nulls(schema),
        "title": "oauthdeploy audit record, version 1",
        "description": "One line of the audit trail of `revoke` and `tokens delete`, and what they print with `-o json`.",
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is committed and printed."""
    return json.dumps(audit_schema(), indent=2, ensure_ascii=False) + "\n"
