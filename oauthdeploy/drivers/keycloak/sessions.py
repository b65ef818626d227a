"""Sessions in place of tokens: a client's part of a session is worth as much as its refresh token. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from oauthdeploy.drivers.base import token_handle
from oauthdeploy.drivers.json_values import a_flag, a_number, a_text
from oauthdeploy.drivers.keycloak.mapping import read_client, sessions_since
from oauthdeploy.model.state import LiveToken


def busy_clients(stats: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[bool, bool]]:
    """The ids of the clients with sessions, each with whether it has online ones and offline ones. Raises Garbled."""
    found = {}
    for one in stats:
        found[a_text(one, "id")] = (a_number(one, "active", 0, 0) > 0, a_number(one, "offline", 0, 0) > 0)
    return {uuid: kinds for uuid, kinds in found.items() if uuid and any(kinds)}


def live_tokens(
    client: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], realm: Mapping[str, Any], *, offline: bool
) -> Sequence[LiveToken]:
    """The sessions in which a client has valid tokens, all from their JSON. Raises Garbled.

    Their scopes are not returned, so they count as having all that the client may request. A session ends at the latest after
    the realm's maximum lifetime of sessions.
    """
    live = read_client(client)
    return [
        LiveToken(
            live.uuid,
            frozenset(live.scopes),
            issued=_moment(a_number(one, "lastAccess", 0, 0)),
            until=_end(_moment(a_number(one, "start", 0, 0)), realm, offline=offline),
            owner=a_text(one, "username"),
            handle=token_handle(f"{a_text(one, 'id')} {live.uuid}"),
        )
        for one in sessions_since(sessions, live.not_before)
    ]


def _end(begun: datetime, realm: Mapping[str, Any], *, offline: bool) -> datetime | None:
    if offline and not a_flag(realm, "offlineSessionMaxLifespanEnabled", False):
        return None
    longest = a_number(realm, "offlineSessionMaxLifespan" if offline else "ssoSessionMaxLifespan", 0, 0)
    return begun + timedelta(seconds=longest) if longest else None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
