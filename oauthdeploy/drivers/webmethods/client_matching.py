"""Matches live clients with clients of the manifest. Pure.

The id comes first: one that a journal records, or the key if a server accepts ids. Then the natural key, name and version. Then
the former key of a renamed client. Clients that the manifest wants come before those that it only mentions. A live client
belongs to at most one key, and the order of the manifest does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from msgspec import Struct, field

from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.webmethods.fields import DEFAULT_VERSION
from oauthdeploy.drivers.webmethods.mapping import LiveClient
from oauthdeploy.model.identities import Identity, find_by_word
from oauthdeploy.model.objects import Client


class Sought(Struct, frozen=True):
    """A client that a document names: its key, its desired state, its former key, and what else is known of it.

    `former_id` is the id of the client with the former key, if known. `desired` is None for a client that is not wanted, such
    as one that is to be removed.
    """

    key: str
    desired: Client | None = None
    former: str | None = None
    identity: Identity = field(default_factory=Identity)
    former_id: str = ""

    @property
    def is_described(self) -> bool:
        """Whether name and version are known, if only by default; otherwise there is only a key."""
        return self.desired is not None or self.identity.is_written

    @property
    def natural(self) -> tuple[str, str]:
        """Name and version."""
        if self.desired is not None:
            return natural_key(self.key, self.desired)
        return self.identity.name or self.key, self.identity.version or DEFAULT_VERSION

    @property
    def former_natural(self) -> tuple[str, str] | None:
        """Name and version before the rename: the former key was the name, unless the manifest writes one."""
        return None if self.former is None else natural_key(self.former, self.desired)

    @property
    def named_by_former_key(self) -> tuple[str, str] | None:
        """The same if the manifest writes a new name: the former key may have been the name all the same."""
        if self.former is None or self.desired is None:
            return None
        return self.former, self.desired.version or DEFAULT_VERSION


def natural_key(key: str, desired: Client | None) -> tuple[str, str]:
    """The name and version of the client on the server."""
    if desired is None:
        return key, DEFAULT_VERSION
    return desired.name or key, desired.version or DEFAULT_VERSION


class Match(Struct, frozen=True):
    """A live client that a key of the manifest means; `moved` if it still has its former key."""

    live: LiveClient
    moved: bool = False


def match(lives: Sequence[LiveClient], sought: Iterable[Sought]) -> Mapping[str, Match]:
    """Find the live client of each sought key, if there is one. Raises Garbled if the server's list is contradictory."""
    by_id = _index(lives, lambda live: live.client_id, "client_id")
    by_name = _index(lives, lambda live: (live.name, live.version), "name and version")
    waiting = sorted(sought, key=lambda one: one.key)
    found: dict[str, Match] = {}
    taken: set[str] = set()

    def settle(
        key_of: Callable[[Sought], object],
        table: Mapping[object, LiveClient],
        of: Sequence[Sought],
        *,
        moved: bool = False,
    ) -> None:
        for one in of:
            live = table.get(key_of(one))
            if one.key not in found and live is not None and live.client_id not in taken:
                found[one.key] = Match(live, moved)
                taken.add(live.client_id)

    by_label: Mapping[object, LiveClient] = {live.label: live for live in lives}
    wanted = [one for one in waiting if one.desired is not None]
    described = [one for one in waiting if one.desired is None and one.is_described]
    keys_only = [one for one in waiting if not one.is_described]
    settle(lambda one: one.identity.id, by_id, waiting)
    settle(lambda one: one.key, by_id, waiting)
    settle(lambda one: one.natural, by_name, wanted)
    settle(lambda one: one.former_id, by_id, wanted, moved=True)
    settle(lambda one: one.former, by_id, wanted, moved=True)
    settle(lambda one: one.former_natural, by_name, wanted, moved=True)
    settle(lambda one: one.named_by_former_key, by_name, wanted, moved=True)
    settle(lambda one: one.former, by_label, wanted, moved=True)
    settle(lambda one: one.natural, by_name, described)
    settle(lambda one: one.key, by_label, described)
    for one in keys_only:
        live = find_loosely([live for live in lives if live.client_id not in taken], one.key)
        if one.key not in found and live is not None:
            found[one.key] = Match(live)
            taken.add(live.client_id)
    return found


def left_at_former_names(
    lives: Sequence[LiveClient], sought: Iterable[Sought], taken: Container[str]
) -> Mapping[str, str]:
    """The former keys of clients that were created anew under their new names, by the ids of the remaining clients.

    `taken` are the ids of the clients that keys of the manifest mean.
    """
    found = {}
    for one in sought:
        names = [name for name in (one.former_natural, one.named_by_former_key) if name is not None]
        for live in lives if one.former is not None else ():
            known = live.client_id == one.former_id or (live.name, live.version) in names
            if known and live.client_id not in taken:
                found[live.client_id] = str(one.former)
    return found


def find_loosely(lives: Sequence[LiveClient], key: str) -> LiveClient | None:
    """A client of which only one word is known: its id, its label `name (version)`, or its name."""
    return find_by_word(lives, key, lambda live: (live.client_id, live.name, live.version))


def _index(lives: Sequence[LiveClient], key: Callable[[LiveClient], object], what: str) -> Mapping[object, LiveClient]:
    table = {key(live): live for live in lives}
    if len(table) != len(lives):
        raise Garbled(f"two clients have the same {what}")
    return table
