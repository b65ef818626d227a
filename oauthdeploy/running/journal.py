"""The journal of an apply: what was about to be sent, on disk before it is sent, and what came of it.

One JSON document per line (`schemas/journal.v1.schema.json`), appended: a `run` record first, an `intent` before each write, an
`outcome` after each response, and an `end` if the run was not killed. An intent without an outcome is a change whose outcome
is unknown. Therefore an outcome is not synced on its own: the next intent or the end syncs it too, and if the power fails
before that, reading the server settles the outcome. Secrets are recorded by their origin, never by their value.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import asdict

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.core.files import make_folder, sync_folder, write_all
from oauthdeploy.core.processes import account_name
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.core.version import __version__
from oauthdeploy.model.fields import Model, Unparsed
from oauthdeploy.model.objects import AssignedAs
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.outcome import Outcome
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import RunHistory, history_of
from oauthdeploy.planning.unkept import Unkept

VERSION: Final = 1
"""The version of the records; a reader refuses a higher one."""

JOURNALS: Final = "journal"
"""The folder of journals in the state folder."""
SECRET_LOST: Final = "secret-lost"
"""The rule id of the finding about a client whose secret a run did not deliver."""

_NAME: Final = re.compile(r"(?P<name>.+)-(?P<time>\d{8}T\d{6}\.\d{6}Z)-(?P<pid>\d+)\.jsonl\Z")

TakenScopes = Mapping[str, AssignedAs | None]
"""The scopes of a client, and how it has each, if the server says so."""

NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


def _undelivered(plan: Plan) -> Mapping[str, Any]:
    """The clients whose secrets earlier runs lost, for the next run."""
    found = sorted(item.address for item in plan.diagnostics if item.rule == SECRET_LOST and item.address)
    return {"undelivered": found} if found else {}


class Journal:
    """An open journal; a context manager. Methods may be called from several threads."""

    def __init__(
        self,
        path: Path,
        descriptor: int,
        now: Callable[[], datetime],
        *,
        resumes: str = "",
        undoes: str = "",
        about: Mapping[str, Any] = NOTHING,
    ) -> None:
        self.path = path
        self._former = {"resumes": resumes, "undoes": undoes}
        self._about = about
        self._descriptor = descriptor
        self._now = now
        self._write_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._written = 0
        self._synced = 0
        self._broken = False

    @classmethod
    def create(
        cls,
        folder: Path,
        name: str,
        *,
        now: Callable[[], datetime],
        pid: int | None = None,
        resumes: str = "",
        undoes: str = "",
        about: Mapping[str, Any] = NOTHING,
    ) -> Self:
        """Start the journal `<name>-<time>-<pid>.jsonl` in `folder`, which is created if it does not exist.

        `resumes` and `undoes` name the journal of the run that this one continues or undoes; `about` names its `environment`
        and `servers`. Raises JournalFailed.
        """
        time = now().astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = folder / f"{quote(name, safe='')}-{time}-{os.getpid() if pid is None else pid}.jsonl"
        try:
            make_folder(folder)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            # fsync of a file does not sync its name in the folder (fsync(2)).
            sync_folder(folder)
        except OSError as error:
            raise _not_written(path, error) from None
        return cls(path, descriptor, now, resumes=resumes, undoes=undoes, about=about)

    def begin(self, plan: Plan, *, allowed: Iterable[str] = ()) -> None:
        """Record who is about to apply what. Raises JournalFailed, as the other records do."""
        self._append(
            {
                "type": "run",
                "tool": f"oauthdeploy {__version__}",
                "by": account_name(),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                **{word: name for word, name in self._former.items() if name},
                "manifest": plan.name,
                **self._servers(plan),
                "manifest_digest": plan.manifest_digest,
                "changes": len(plan.changes),
                "planned": [{"address": str(c.address), "action": c.action.value} for c in plan.changes],
                "allowed": sorted(allowed),
                **_undelivered(plan),
            }
        )

    def _servers(self, plan: Plan) -> Mapping[str, Any]:
        products = {server.name: server.product for server in plan.servers}
        known = self._about.get("servers", NOTHING)
        servers = {name: {**entry, "product": products.get(name, "")} for name, entry in known.items()}
        return {**self._about, **({"servers": servers} if servers else {})}

    def intent(self, changes: Sequence[Change], lost_scopes: Mapping[Address, TakenScopes] = NOTHING) -> None:
        """Record that these changes are sent next, with each object as it was and the fields to write.

        `lost_scopes` are the scopes of clients that lose their associations with the change without being in the plan.
        """
        self._append(*(_intent(change, lost_scopes.get(change.live_address, NOTHING)) for change in changes))

    def outcome(
        self,
        outcomes: Sequence[Outcome],
        live: Mapping[Address, Model | None] = NOTHING,
        cut_at: Mapping[Address, float | None] = NOTHING,
        gaps: Mapping[Address, float | None] = NOTHING,
    ) -> None:
        """Record the outcomes of changes. `live` is what each server then had, if its response contained it; `cut_at` is the
        time of a cut-off by the server's clock; `gaps` are the seconds from the renewal of a secret to its delivery.
        """
        addresses = [outcome.change.address for outcome in outcomes]
        known = [{"cut_at": cut_at.get(address), "secret_gap": gaps.get(address)} for address in addresses]
        self._append(
            *(
                _outcome(outcome, live.get(address), more)
                for outcome, address, more in zip(outcomes, addresses, known, strict=True)
            ),
            sync=False,
        )

    def end(
        self, *, interrupted: bool, unkept: Sequence[Unkept] = (), left: Sequence[tuple[Change, Model]] = ()
    ) -> None:
        """Record that the run is over, and the fields that servers did not store as they were sent. `left` are the objects that
        no response contained, as they were read again, by the changes that were made to them.
        """
        more: dict[str, Any] = {"unkept": [asdict(item) for item in unkept]} if unkept else {}
        if left:
            more["left"] = [
                {"address": str(change.address), "action": change.action.value, "left": plain(live)}
                for change, live in left
            ]
        self._append({"type": "end", "interrupted": interrupted, **more})

    def close(self) -> None:
        """Close the file, and remove it if it has no records: a run that wrote nothing must not count as the last one.

        Closing twice has no effect.
        """
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        with suppress(OSError):
            if self.path.stat().st_size == 0:
                self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, *records: Mapping[str, Any], sync: bool = True) -> None:
        """Write the records; with `sync` return when they are on disk. One sync serves all threads that wait for one."""
        moment = self._now().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        lines = "".join(KNOWN.json_line({"v": VERSION, "at": moment, **record}) + "\n" for record in records)
        # Servers can send half of a surrogate pair, which UTF-8 cannot encode.
        data = lines.encode("utf-8", "backslashreplace")
        try:
            with self._write_lock:
                if self._broken:
                    raise OSError("an earlier record could not be written")
                # Text after a half-written line would be unreadable, so nothing is written after the first failure.
                self._broken = True
                write_all(self._descriptor, data)
                self._broken = False
                self._written += 1
                position = self._written
            if not sync:
                return
            # The first thread to get here syncs for all whose records were written by then; the others find theirs synced.
            with self._sync_lock:
                if self._synced < position:
                    with self._write_lock:
                        covered = self._written
                    os.fsync(self._descriptor)
                    self._synced = covered
        except OSError as error:
            raise _not_written(self.path, error) from None


class JournalContents(Struct, frozen=True):
    """The records of a journal. `torn`: the last line is incomplete, as after a crash or on a full disk."""

    records: tuple[Mapping[str, Any], ...]
    torn: bool


def read_journal(path: Path) -> JournalContents:
    """Read a journal, without an incomplete last line. Raises JournalFailed for any other damage."""
    complete, _, rest = _content_of(path).rpartition(b"\n")
    lines = complete.split(b"\n") if complete else ()
    records = tuple(_record(path, number, line) for number, line in enumerate(lines, start=1))
    return JournalContents(records, torn=bool(rest))


def _content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalFailed(
            "The journal cannot be read", detail=f"{path}: {error.strerror}", fix="Check the path and its permissions."
        ) from None


def _record(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    """The record on one line of a journal. Raises JournalFailed."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise _damaged(path, number, "not a record")
    if record.get("v", VERSION) != VERSION:
        raise JournalFailed(
            "The journal has another version",
            detail=f"{path}:{number}: version {record.get('v')!r}; this release reads version {VERSION}.",
            fix="Read it with the release that wrote it; the first line names that release.",
        )
    if problem := shape_problem("journal", record):
        raise _damaged(path, number, problem)
    return record


def journals_in(folder: Path, name: str | None = None) -> tuple[Path, ...]:
    """The journals in `folder`, oldest first; with `name`, only those of that manifest."""
    wanted = None if name is None else quote(name, safe="")
    found = [
        (match["time"], int(match["pid"]), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.match(path.name)) and wanted in (None, match["name"])
    ]
    return tuple(path for _time, _pid, path in sorted(found))


def last_journal(folder: Path, name: str) -> Path:
    """The journal of the last apply of the manifest `name`. Raises JournalFailed if there is none.

    An empty journal is skipped: its run was killed before it wrote anything.
    """
    found = [path for path in journals_in(folder, name) if path.stat().st_size]
    if not found:
        raise JournalFailed(
            f"There is no journal of '{name}' yet",
            detail=f"{folder} contains no journals.",
            fix="Name the journal's file, or run apply first.",
        )
    return found[-1]


def read_run_history(path: Path) -> RunHistory:
    """The history of the run that a journal records. Raises JournalFailed."""
    contents = read_journal(path)
    return history_of(contents.records, path=str(path), torn=contents.torn)


def unkept_in(folder: Path, name: str) -> tuple[Unkept, ...]:
    """The fields that servers had not stored as they were sent after the last run of a manifest; none if no journal says so.

    Only the last record says so, and every plan asks for it, so nothing else is read of a journal that may be long.
    """
    try:
        path = last_journal(folder, name)
        lines = _content_of(path).removesuffix(b"\n")
        line = lines.rpartition(b"\n")[2]
        if b'"unkept"' not in line:
            return ()
        return history_of((_record(path, lines.count(b"\n") + 1, line),), path=str(path)).unkept
    except JournalFailed:
        return ()


def _damaged(path: Path, line: int, problem: str) -> JournalFailed:
    return JournalFailed(
        "The journal is damaged", detail=f"{path}:{line}: {problem}.", fix="Restore the file as it was."
    )


_AS_IT_IS: Final = frozenset({str, bool, int, float})


def plain(value: Any) -> Any:
    """A value as JSON: only fields that were written, secrets as `{"secret": origin}`, values that cannot be parsed as
    `{"unparsed": text}`, times in RFC 3339.
    """
    if value is None or type(value) in _AS_IT_IS:
        return value
    if isinstance(value, Secret):
        return {"secret": value.origin}
    if isinstance(value, SourcedText) and value.sensitive:
        return {"secret": value.origin}
    if isinstance(value, Unparsed):
        return {"unparsed": value.text}
    if isinstance(value, Model):
        written = value.model_fields_set
        return {name: plain(inner) for name, inner in value.__dict__.items() if name in written}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        inner = [plain(item) for item in value]
        return sorted(inner, key=repr) if isinstance(value, set | frozenset) else inner
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float) else str(value)


def _intent(change: Change, lost_scopes: TakenScopes) -> Mapping[str, Any]:
    lost_as = {scope: way.value for scope, way in sorted(lost_scopes.items()) if way is not None}
    return {
        "type": "intent",
        "address": str(change.address),
        "action": change.action.value,
        "reason": change.reason.value,
        "stage": change.stage.name.lower(),
        "identity": change.live.identity if change.live else "",
        "fingerprint": change.live.fingerprint if change.live else "",
        "before": plain(change.live.value) if change.live else None,
        "after": plain(change.desired) if change.desired is not None else None,
        "fields": [field.path for field in change.fields],
        "changed": [{"path": f.path, "before": plain(f.before), "after": plain(f.after)} for f in change.fields],
        **({"former": str(change.former)} if change.former is not None else {}),
        **({"taken": sorted(lost_scopes)} if lost_scopes else {}),
        **({"taken_as": lost_as} if lost_as else {}),
        **({"lost": list(change.lost)} if change.lost else {}),
    }


def _outcome(outcome: Outcome, live: Model | None, more: Mapping[str, float | None]) -> Mapping[str, Any]:
    return {
        "type": "outcome",
        "address": str(outcome.change.address),
        "action": outcome.change.action.value,
        "status": outcome.status.value,
        "identity": outcome.identity,
        "requests": outcome.requests,
        "note": outcome.note,
        "because": _because(outcome.because) if outcome.because else None,
        **({"left": plain(live)} if live is not None else {}),
        **{name: value for name, value in more.items() if value is not None},
    }


def _because(found: Diagnostic) -> Mapping[str, str]:
    return {"rule": found.rule, "summary": found.summary, "detail": found.detail, "fix": found.fix}


def _not_written(path: Path, error: OSError) -> JournalFailed:
    return JournalFailed(
        "The journal cannot be written",
        detail=f"{path}: {error.strerror or error}",
        fix="Make the folder writable and free some space, or name another with --state-dir; without a journal nothing is sent.",
    )
