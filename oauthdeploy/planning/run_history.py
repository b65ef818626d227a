"""The contents of a journal as values: who ran what and when, and the outcome of each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, AddressError
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.unkept import Unkept

FORMAT: Final = "oauthdeploy/journal"
FORMAT_VERSION: Final = "1.0"


class End(StrEnum):
    """How a change ended, according to a journal."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    OPEN = "open"
    NOT_SENT = "not-sent"


class Entry(Struct, frozen=True):
    """One change: when it was sent and when it ended (RFC 3339, "" if it was not), its outcome, and why it failed.

    `secret_gap` are the seconds from the renewal of a secret to its delivery; None if no record says so.
    """

    address: Address
    action: Action
    end: End = End.NOT_SENT
    reason: str = ""
    sent: str = ""
    ended: str = ""
    fields: tuple[str, ...] = ()
    because: Mapping[str, str] | None = None
    note: str = ""
    secret_gap: float | None = None


class RunHistory(Struct, frozen=True):
    """One run. `ended` is "" if the journal has no end; `torn` is true if its last line is incomplete.

    `resumes` and `undoes` name the journal of another run. `digest` is that of the manifest. `about` has the recorded
    environment and servers by name. `undelivered` are the addresses of clients whose secrets were lost before the run.
    `unkept` are fields that the servers had not stored as they were sent when it ended.
    """

    path: str
    manifest: str = ""
    digest: str = ""
    tool: str = ""
    by: str = ""
    host: str = ""
    pid: int = 0
    started: str = ""
    ended: str = ""
    interrupted: bool = False
    allowed: tuple[str, ...] = ()
    resumes: str = ""
    undoes: str = ""
    entries: tuple[Entry, ...] = ()
    torn: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    undelivered: tuple[str, ...] = ()
    unkept: tuple[Unkept, ...] = ()

    def of(self, *ends: End) -> tuple[Entry, ...]:
        """The changes with this status."""
        return tuple(entry for entry in self.entries if entry.end in ends)

    @property
    def complete(self) -> bool:
        """True if the run finished and every planned change was made."""
        return bool(self.ended) and all(entry.end is End.DONE for entry in self.entries)


def history_of(records: Iterable[Mapping[str, Any]], *, path: str = "", torn: bool = False) -> RunHistory:
    """Read a journal's records, which have been checked against the schema; `path` is the journal's path.

    Raises JournalFailed for a value that this release does not know.
    """
    run = RunHistory(path, torn=torn)
    entries: dict[tuple[str, str], Entry] = {}
    for record in records:
        try:
            match record["type"]:
                case "run":
                    run = _with_start(run, record)
                    entries = {(item["address"], item["action"]): _entry(item) for item in record["planned"]}
                case "intent":
                    key = (record["address"], record["action"])
                    fields = tuple(record["fields"])
                    sent = {"end": End.OPEN, "sent": record["at"], "reason": record["reason"], "fields": fields}
                    entries[key] = replace(entries.get(key) or _entry(record), **sent)
                case "outcome":
                    key = (record["address"], record["action"])
                    entries[key] = _with_end(entries.get(key) or _entry(record), record)
                case "end":
                    unkept = tuple(Unkept(**item) for item in record.get("unkept", ()))
                    run = replace(run, ended=record["at"], interrupted=record["interrupted"], unkept=unkept)
        except (ValueError, AddressError) as error:
            raise JournalFailed(
                "The journal could not be read",
                detail=f"{path}: a record '{record['type']}' holds a value that is not recognized ({type(error).__name__}).",
                fix="Use the release that wrote it, which its first line names.",
            ) from None
    return replace(run, entries=tuple(entries.values()))


def _with_start(run: RunHistory, record: Mapping[str, Any]) -> RunHistory:
    return replace(
        run,
        manifest=record["manifest"],
        digest=record["manifest_digest"],
        tool=record["tool"],
        by=record["by"],
        host=record["host"],
        pid=record["pid"],
        started=record["at"],
        allowed=tuple(record["allowed"]),
        resumes=record.get("resumes", ""),
        undoes=record.get("undoes", ""),
        undelivered=tuple(record.get("undelivered", ())),
        about={word: record[word] for word in ("environment", "servers") if word in record},
    )


def _entry(record: Mapping[str, Any]) -> Entry:
    return Entry(Address.parse(record["address"]), Action(record["action"]))


def _with_end(entry: Entry, record: Mapping[str, Any]) -> Entry:
    return replace(
        entry,
        end=End(record["status"]),
        ended=record["at"],
        because=record["because"] or None,
        note=record["note"],
        secret_gap=record.get("secret_gap"),
    )


def history_document(run: RunHistory) -> dict[str, Any]:
    """The run as JSON, for `journal -o json`."""
    counts = {end.value: len(run.of(end)) for end in End}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "path": run.path,
        "manifest": run.manifest,
        "manifest_digest": run.digest,
        "tool": run.tool,
        "by": run.by,
        "host": run.host,
        "pid": run.pid,
        "started": run.started,
        "ended": run.ended or None,
        "interrupted": run.interrupted,
        "complete": run.complete,
        "torn": run.torn,
        "allowed": list(run.allowed),
        "resumes": run.resumes or None,
        "undoes": run.undoes or None,
        "counts": counts,
        "changes": [
            {
                "address": str(entry.address),
                "action": entry.action.value,
                "end": entry.end.value,
                "reason": entry.reason or None,
                "sent": entry.sent or None,
                "ended": entry.ended or None,
                "fields": list(entry.fields),
                "because": dict(entry.because) if entry.because else None,
                "note": entry.note,
            }
            for entry in run.entries
        ],
    }
