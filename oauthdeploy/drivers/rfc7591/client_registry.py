"""The registry: which client of the server a key of the manifest means, and with which token it is managed.

RFC 7592 has no list, and a server gives a registration access token only once. So this file is the only place that has it. Each
of its lines is a JSON document, encrypted as a whole (Fernet: AES-CBC with HMAC-SHA-256): first everything, then what changed
since. A change adds one line, whatever the number of clients; a file with many of them is replaced in one step. All who change it
take turns with a lock beside it, and each change starts from what the file then has, so that machines that share it lose no entry
of each other.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from oauthdeploy.core.errors import Conflict
from oauthdeploy.core.extras import needs_extra
from oauthdeploy.core.files import append_file, make_folder, replace_file
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.rfc7591.errors import RegistryFailed

with needs_extra("registry", "The driver 'rfc7591'"):
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet
    from filelock import FileLock, Timeout

FORMAT: Final = "oauthdeploy/client-registry"
FORMAT_VERSION: Final = "1.0"
LOCK_SECONDS: Final = 60
"""How long a change waits for those of other machines."""
SPARE_LINES: Final = 64
"""How many lines more than twice its clients the file may have before it is replaced."""

UPDATE: Final = "update"
DELETE: Final = "delete"
_TOKENS: Final = ("token", "former")
_HEAD: Final = 64
"""As many bytes of a line as no other line begins with: its time and its random vector."""
_NO_MAPPING: Final[Mapping[Any, Any]] = {}
T = TypeVar("T")


class Entry(Struct, frozen=True):
    """A client of the server. `uri` is where it is managed; "" if the server gave no address, so that it cannot be managed
    (RFC 7592 is optional). `token` is None if the server gave none.

    `pending` is UPDATE or DELETE from before such a request until its answer, `revision` that of the secret. `former` is the
    token before this one: a response from a cache may have brought an old token in place of the one that is valid.
    """

    client_id: str
    uri: str = ""
    token: Secret | None = None
    owner: str = ""
    revision: int | None = None
    pending: str = ""
    former: Secret | None = None


class Lost(Struct, frozen=True):
    """A client that may exist at the server and that nobody can manage: the key, its name there, and when it was sent.

    `client_id` is "" if the answer to the registration was lost, and with it the id.
    """

    client: str
    name: str
    at: str
    client_id: str = ""


class Book(Struct, frozen=True):
    """What the registry has of one server. `lost` are by the id of the record; `updates` is False once the server refused PUT;
    `exists` says whether there is a file at all.
    """

    entries: Mapping[str, Entry] = field(default_factory=lambda: _NO_MAPPING)
    lost: Mapping[str, Lost] = field(default_factory=lambda: _NO_MAPPING)
    updates: bool = True
    exists: bool = True

    def key_of(self, word: str) -> str:
        """The key that a word means: itself, or that of the client with this id."""
        if word in self.entries:
            return word
        return next((key for key, entry in self.entries.items() if entry.client_id == word), word)


class _File(Struct, frozen=True):
    """The file as it was read: its first bytes, which a replaced file does not share, its size up to the last whole line, its
    books by issuer, and the number of its lines. `whole` says that a line can be added to it.
    """

    head: bytes = b""
    size: int = 0
    books: Mapping[str, Book] = field(default_factory=lambda: _NO_MAPPING)
    lines: int = 0
    whole: bool = True


class ClientRegistry:
    """The registry of one server, at `path`; `keys` are the current key and the former one. Safe to use from several threads.

    Methods raise RegistryFailed.
    """

    def __init__(self, server: str, path: Path, keys: Collection[Secret], ended: Collection[str] = ()) -> None:
        self._server = server
        self._path = path
        found = [self._key(key) for key in keys]
        self._fernet, self._fernets = found[0], MultiFernet(found)
        self._ended = frozenset(ended)
        self._turn = threading.RLock()
        self._known = _File()

    def read(self, issuer: str) -> Book:
        """What the registry has of the server that calls itself `issuer`."""
        with self._turn:
            file = self._load()
        return file.books.get(issuer, Book()) if file.size else Book(exists=False)

    def begin(self, issuer: str, key: str, name: str, at: str, known: Entry | None) -> str:
        """Record that a registration is about to be sent, and return the id of the record.

        Raises Conflict if another run has registered the client since `known` was read.
        """

        def change(book: Book) -> tuple[Book, str]:
            there = book.entries.get(key)
            if there is not None and (known is None or there.client_id != known.client_id):
                raise Conflict(
                    f"Another run has registered '{key}' at '{self._server}'",
                    server=self._server,
                    fix="Make a new plan.",
                )
            record = uuid.uuid4().hex[:8]
            return replace(book, lost={**book.lost, record: Lost(key, name, at)}), record

        return self._change(issuer, change)

    def cancel(self, issuer: str, record: str) -> None:
        """The registration of a record was refused: nothing was made."""
        self._change(issuer, lambda book: (_without_lost(book, record), None))

    def finish(self, issuer: str, record: str, key: str, entry: Entry) -> None:
        """The registration of a record succeeded. A former client of the key, which is unreachable, is recorded as lost."""

        def change(book: Book) -> tuple[Book, None]:
            intent, former = book.lost.get(record), book.entries.get(key)
            book = _without_lost(book, record)
            if former is not None and former.pending == UPDATE:
                at, name = (intent.at, intent.name) if intent is not None else ("", key)
                book = replace(book, lost={**book.lost, record: Lost(key, name, at, former.client_id)})
            return _with(book, key, entry), None

        self._change(issuer, change)

    def put(self, issuer: str, key: str, entry: Entry) -> None:
        """Store an entry."""
        self._change(issuer, lambda book: (_with(book, key, entry), None))

    def amend(self, issuer: str, key: str, **values: Any) -> Entry | None:
        """Change some values of an entry, and return it; None if it is no longer there."""

        def change(book: Book) -> tuple[Book, Entry | None]:
            there = book.entries.get(key)
            if there is None:
                return book, None
            after = replace(there, **values)
            return _with(book, key, after), after

        return self._change(issuer, change)

    def rename(self, issuer: str, former: str, key: str) -> None:
        """Give a client another key."""

        def change(book: Book) -> tuple[Book, None]:
            entries = {key if name == former else name: entry for name, entry in book.entries.items()}
            return replace(book, entries=entries), None

        self._change(issuer, change)

    def remove(self, issuer: str, key: str, lost: Lost | None = None) -> None:
        """Remove an entry; `lost` if the client may still exist."""

        def change(book: Book) -> tuple[Book, None]:
            entries = {name: entry for name, entry in book.entries.items() if name != key}
            more = {uuid.uuid4().hex[:8]: lost} if lost is not None else {}
            return replace(book, entries=entries, lost={**book.lost, **more}), None

        self._change(issuer, change)

    def never_updates(self, issuer: str) -> None:
        """Record that the server does not change clients."""
        self._change(issuer, lambda book: (replace(book, updates=False), None))

    # -- the file ------------------------------------------------------------------------------------------------------

    def _change(self, issuer: str, change: Callable[[Book], tuple[Book, T]]) -> T:
        with self._alone():
            file = self._load()
            before = file.books.get(issuer, Book())
            after, result = change(before)
            kept = {record: one for record, one in after.lost.items() if record not in self._ended}
            after = replace(after, lost=kept)
            if after != before:
                self._save(file, issuer, before, after)
            return result

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), timeout=LOCK_SECONDS)
        with self._turn:
            try:
                make_folder(self._path.parent)
                lock.acquire()
            except (OSError, Timeout) as problem:
                raise self._failed(f"cannot be locked: {_why(problem)}") from None
            try:
                yield
            finally:
                lock.release()

    def _load(self) -> _File:
        """What the file has; only what was added since is read."""
        try:
            with self._path.open("rb") as file:
                head = file.read(_HEAD)
                same = head == self._known.head and os.fstat(file.fileno()).st_size >= self._known.size
                known = self._known if same else _File(head)
                file.seek(known.size)
                added = file.read()
        except FileNotFoundError:
            return _File()
        except OSError as problem:
            raise self._failed(f"cannot be read: {_why(problem)}") from None
        *lines, rest = added.split(b"\n")
        for line in lines:
            known = self._read_line(known, line)
        if not known.lines:
            # A file of one line without an end, as former versions wrote it.
            return replace(self._read_line(known, rest), size=len(rest), whole=False)
        self._known = replace(known, size=known.size + len(added) - len(rest))
        # Any other line without an end is that of a run that was killed while it wrote, or is writing now.
        return replace(self._known, whole=known.whole and not rest)

    def _read_line(self, known: _File, line: bytes) -> _File:
        """What the file has with one more line."""
        try:
            text, current = self._fernet.decrypt(line.strip()), True
        except InvalidToken:
            try:
                text, current = self._fernets.decrypt(line.strip()), False
            except InvalidToken:
                raise self._failed("cannot be decrypted: it has another key, or was changed by hand") from None
        try:
            found = json.loads(text)
            if found["format"] != FORMAT or not str(found["format_version"]).startswith("1."):
                raise ValueError
            books = {issuer: _changed(known.books.get(issuer), told) for issuer, told in found["servers"].items()}
        except (ValueError, KeyError, TypeError):
            raise self._failed("is of another format, or of a later version of oauthdeploy") from None
        return replace(known, books={**known.books, **books}, lines=known.lines + 1, whole=known.whole and current)

    def _save(self, file: _File, issuer: str, before: Book, after: Book) -> None:
        """Add a line, or replace the file where it is new, ends with half a line, has a former key, or has grown."""
        books = {**file.books, issuer: after}
        told = sum(len(book.entries) + len(book.lost) for book in books.values())
        try:
            if file.whole and file.size and file.lines <= 2 * told + SPARE_LINES:
                append_file(self._path, self._line({issuer: _difference(before, after)}))
            else:
                everything = {name: _difference(Book(), book) for name, book in books.items()}
                replace_file(self._path, self._line(everything), mode=0o600)
        except OSError as problem:
            raise self._failed(f"cannot be written: {_why(problem)}") from None

    def _line(self, servers: Mapping[str, Any]) -> bytes:
        document = {"format": FORMAT, "format_version": FORMAT_VERSION, "servers": servers}
        return self._fernet.encrypt(json.dumps(document).encode()) + b"\n"

    def _key(self, key: Secret) -> Fernet:
        try:
            return Fernet(key.reveal())
        except ValueError:
            raise RegistryFailed(
                f"The key of the registry of '{self._server}' cannot be used",
                server=self._server,
                fix="It must be 32 bytes in URL-safe Base64. Make one: openssl rand -base64 32 | tr '+/' '-_'",
            ) from None

    def _failed(self, why: str) -> RegistryFailed:
        return RegistryFailed(
            f"The registry of '{self._server}' {why}",
            server=self._server,
            fix=f"Check {self._path}, its permissions, and credentials.registry_key.",
        )


def _why(problem: BaseException) -> str:
    if isinstance(problem, Timeout):
        return f"another run has held it for {LOCK_SECONDS} s"
    return getattr(problem, "strerror", "") or type(problem).__name__


def _with(book: Book, key: str, entry: Entry) -> Book:
    return replace(book, entries={**book.entries, key: entry})


def _without_lost(book: Book, record: str) -> Book:
    return replace(book, lost={one: lost for one, lost in book.lost.items() if one != record})


def _changed(book: Book | None, told: Mapping[str, Any]) -> Book:
    """A book after a line of the file; a client or record that became null is gone."""
    book = book or Book()
    clients, lost = told.get("clients", {}), told.get("lost", {})
    entries = {**book.entries, **{key: _entry(one) for key, one in clients.items() if one is not None}}
    records = {**book.lost, **{record: Lost(**one) for record, one in lost.items() if one is not None}}
    return Book(
        {key: one for key, one in entries.items() if clients.get(key, one) is not None},
        {record: one for record, one in records.items() if lost.get(record, one) is not None},
        told.get("updates", book.updates),
    )


def _difference(before: Book, after: Book) -> dict[str, Any]:
    """What a line of the file says of a change; null for what is gone."""
    entries = {key: one for key, one in after.entries.items() if before.entries.get(key) != one}
    lost = {record: one for record, one in after.lost.items() if before.lost.get(record) != one}
    return {
        "clients": {
            **{key: _entry_document(one) for key, one in entries.items()},
            **dict.fromkeys(before.entries.keys() - after.entries.keys()),
        },
        "lost": {
            **{record: asdict(one) for record, one in lost.items()},
            **dict.fromkeys(before.lost.keys() - after.lost.keys()),
        },
        "updates": after.updates,
    }


def _entry(told: Mapping[str, Any]) -> Entry:
    return Entry(**{**told, **{name: Secret(told[name], "registry") if told.get(name) else None for name in _TOKENS}})


def _entry_document(entry: Entry) -> dict[str, Any]:
    """An entry with its tokens as texts, for the encrypted file alone."""
    tokens = {"token": entry.token, "former": entry.former}
    return {
        "client_id": entry.client_id,
        "uri": entry.uri,
        **{name: token.reveal() if token is not None else None for name, token in tokens.items()},
        "owner": entry.owner,
        "revision": entry.revision,
        "pending": entry.pending,
    }
