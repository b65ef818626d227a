"""Which estate is run next: the one that is due for the longest time, of the namespace that has the fewest running.

No namespace gets more than a part of the workers, and no server more runs at a time than its limit, so that many estates, or
slow ones, of one tenant do not hold up the others. Knows times and names; runs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

Key = tuple[str, str]
"""Namespace and name of an estate."""
Reference = tuple[str, str]
"""Kind and name of a ConfigMap or Secret, in the namespace of an estate."""


class Entry(Struct):
    """What is known of an estate: when it is due (seconds of the clock; None: never), its servers, and what it refers to."""

    due: float | None = None
    servers: tuple[str, ...] = ()
    references: dict[Reference, str] = field(default_factory=dict)
    """The ConfigMaps and Secrets that its spec names, and the version of each that its last run read."""
    running: bool = False
    noted: list[float | None] = field(default_factory=list)
    """When it is due, as it became known while it ran: one item, or none."""
    again: bool = False
    """Whether it was to hurry while it ran."""


class Agenda:
    """All estates of the cluster by when they are due. Not safe to use from several threads."""

    def __init__(self, *, workers: int, per_namespace: int, per_server: int) -> None:
        self._workers = workers
        self._per_namespace = per_namespace
        self._per_server = per_server
        self._entries: dict[Key, Entry] = {}
        self._running_in: Counter[str] = Counter()
        self._running_on: Counter[str] = Counter()
        self._busy_until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def running(self) -> int:
        """How many are running."""
        return self._running_in.total()

    def note(self, key: Key, due: float | None, references: Mapping[Reference, str]) -> None:
        """Record what is known of an estate now."""
        entry = self._entries.setdefault(key, Entry())
        entry.references = dict(references)
        if entry.running:
            entry.noted[:] = [due]
        else:
            entry.due = due

    def hurry(self, key: Key, now: float) -> None:
        """Make an estate due now, unless it is due already."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.running:
            entry.again = True
        else:
            entry.due = now if entry.due is None else min(now, entry.due)

    def forget(self, key: Key) -> None:
        """The estate is gone."""
        entry = self._entries.get(key)
        if entry is not None and not entry.running:
            del self._entries[key]

    def references(self, key: Key) -> frozenset[Reference]:
        """What the spec of an estate refers to."""
        entry = self._entries.get(key)
        return frozenset(entry.references) if entry is not None else frozenset()

    def outdated(self, namespace: str, reference: Reference, version: str) -> list[Key]:
        """The estates of a namespace whose last run read another version of a ConfigMap or Secret."""
        return [
            key
            for key, entry in self._entries.items()
            if key[0] == namespace and entry.references.get(reference, version) != version
        ]

    def take(self, now: float) -> Key | None:
        """Start the next one; None if none may be started now."""
        if self.running >= self._workers:
            return None
        ready = [
            (self._running_in[key[0]], entry.due, key)
            for key, entry in self._entries.items()
            if not entry.running and entry.due is not None and entry.due <= now and self._has_room(key, entry, now)
        ]
        if not ready:
            return None
        _, _, key = min(ready)
        entry = self._entries[key]
        entry.running, entry.again = True, False
        entry.noted.clear()
        self._running_in[key[0]] += 1
        self._running_on.update(entry.servers)
        return key

    def wait_for(self, server: str, until: float, key: Key, servers: Iterable[str]) -> None:
        """A run did not begin, since another replica talks to a server. Start none there before a time; it keeps its place."""
        self._busy_until[server] = until
        self.done(key, until, self._entries[key].due, servers)

    def done(self, key: Key, now: float, due: float | None, servers: Iterable[str] = (), *, gone: bool = False) -> None:
        """A run has ended. What became known of the estate meanwhile counts more than `due`."""
        entry = self._entries[key]
        self._running_in[key[0]] -= 1
        self._running_on.subtract(entry.servers)
        self._running_in += Counter()
        self._running_on += Counter()
        entry.running = False
        if gone:
            del self._entries[key]
            return
        entry.servers = tuple(dict.fromkeys(servers)) or entry.servers
        entry.due = entry.noted[-1] if entry.noted else due
        if entry.again:
            entry.due = now

    def next_due(self, now: float) -> float | None:
        """When the next one that is not running is due; None if none is."""
        return min(
            (max(entry.due, now) for entry in self._entries.values() if entry.due is not None and not entry.running),
            default=None,
        )

    def overdue(self, now: float) -> int:
        """How many are due and not running."""
        return sum(entry.due is not None and entry.due <= now and not entry.running for entry in self._entries.values())

    def _has_room(self, key: Key, entry: Entry, now: float) -> bool:
        return self._running_in[key[0]] < self._per_namespace and all(
            self._running_on[server] < self._per_server and self._busy_until.get(server, 0.0) <= now
            for server in entry.servers
        )
