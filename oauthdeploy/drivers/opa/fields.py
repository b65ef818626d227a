"""The model's fields in the policy data document, each once: what an entry holds of it, and the conversion in both directions.
Pure.

Entries are written in the model's form, at the dotted path of the field (`mapping` shows the document).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.field_table import WireField
from oauthdeploy.drivers.json_values import NOT_RETURNED, Garbled
from oauthdeploy.model.capabilities import HeldField, HeldFields, no, yes
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import AS, Via

BLOCKED: Final = "blocked"

Draft = dict[str, Any]


class LiveEntry(NamedTuple):
    """An entry of a document, and whether its client is blocked there."""

    raw: Any
    blocked: bool = False


class EntryDraft(NamedTuple):
    """An entry that is being changed: its document, its name and itself."""

    document: Draft
    name: str
    entry: Draft


def _kept(path: str, **declared: Any) -> WireField:
    """A field of an entry; `declared` is what else a HeldField has."""
    steps = path.split(".")

    def read(live: LiveEntry) -> Any:
        found = live.raw
        for step in steps:
            if not isinstance(found, Mapping):
                raise Garbled(f"what holds {step} is not an object", found)
            if step not in found:
                return NOT_RETURNED
            found = found[step]
        return found

    def write(draft: EntryDraft, value: Any) -> None:
        _set(draft.entry, path, value)

    return WireField(keys=(path,), read=read, write=write, **declared)


def _set(entry: Draft, path: str, value: Any) -> None:
    """Write one field; None removes it, so that the default applies."""
    head, _, rest = path.partition(".")
    if rest:
        inner = object_at(entry, head)
        _set(inner, rest, value)
        if not inner:
            del entry[head]
    elif value is None:
        entry.pop(head, None)
    else:
        entry[head] = [str(item) for item in value] if isinstance(value, tuple) else value


def object_at(place: Draft, key: str) -> Draft:
    """The object at a key; any other value is replaced by an object."""
    found = place.get(key)
    if not isinstance(found, dict):
        found = place[key] = {}
    return found


def block(document: Draft, client: str, why: Draft | None) -> None:
    """Block a client, unless it is blocked already, or unblock it (None)."""
    if why is None:
        document[BLOCKED].pop(client, None)
    else:
        document[BLOCKED].setdefault(client, why)


def _put_enabled(draft: EntryDraft, value: bool | None) -> None:
    block(draft.document, draft.name, None if value in (None, True) else {"reason": "disabled in the manifest"})


_LIFETIMES: Final = yes("stored for policies; the authorization server sets lifetimes")
_INTROSPECTS: Final[frozenset[Via]] = frozenset({"external"})
_VERIFIES: Final[frozenset[Via]] = frozenset({"jwt"})
_FROM_ENVIRONMENT: Final = WireField(support=yes("OPA gets it from its environment"), via=_INTROSPECTS)

FIELDS: Final[HeldFields] = {
    Kind.SETTINGS: dict.fromkeys(fields_of(Kind.SETTINGS), HeldField(no("OPA has no OAuth settings"))),
    Kind.SCOPE: {
        "description": _kept("description", default=""),
        "resources": _kept("resources", default=()),
        "url_templates": _kept("url_templates", default=()),
    },
    Kind.CLIENT: {
        "name": _kept("name", default=""),
        "version": _kept("version", default=""),
        "description": _kept("description", default=""),
        "type": _kept("type"),
        "redirect_uris": _kept("redirect_uris", default=()),
        "grants": _kept("grants", default=()),
        "tokens.access_lifetime": _kept("tokens.access_lifetime", support=_LIFETIMES, default="inherit"),
        "tokens.refresh_count": _kept("tokens.refresh_count", support=_LIFETIMES, default=0),
        "groups": HeldField(no("OPA has no users and groups")),
        "enabled": WireField(read=lambda live: not live.blocked, write=_put_enabled, default=True),
    },
    Kind.ASSOCIATION: {AS: HeldField(no("the authorization server decides which scopes a token has"))},
    Kind.TRUST: {
        **{path: _kept(path) for path in ("authorization_server", "via")},
        **{path: _kept(path, via=_INTROSPECTS) for path in ("endpoint", "user")},
        **{path: _kept(path, default="", via=_INTROSPECTS) for path in ("client_id", "username", "default_scope")},
        **dict.fromkeys(("client_secret", "password"), _FROM_ENVIRONMENT),
        **{path: _kept(path, via=_VERIFIES) for path in ("issuer", "jwks_uri")},
        "audience": _kept("audience", default="", via=_VERIFIES),
    },
}
"""What the document holds of the model: read from a LiveEntry, written into an EntryDraft."""
