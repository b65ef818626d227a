"""Converts between the model and the policy data document; pure, and trusts nothing that a server returns.

    {
      "clients":       {"web-shop": {"owner": "payments", "type": "confidential", "grants": [...], ...}},
      "scopes":        {"orders.read": {"owner": "payments", "resources": [...], "url_templates": [...], ...}},
      "associations":  {"web-shop": {"orders.read": true}},
      "blocked":       {"partner-batch": {"revocation": "INC-2041", "reason": "..."}},
      "issued_before": {"partner-batch": {"INC-2041": {"before": 1795507200, "owner": "...", "scope": "..."}}},
      "trust":         {"authorization_server": "login", "via": "jwt", "issuer": "...", "jwks_uri": "...", "audience": "..."},
      "also_trusted":  {"former": {"authorization_server": "former", "via": "jwt", "issuer": "...", ...}},
      "revision":      {"12": "payments"}
    }

- Clients are keyed by their client_id. One that is `blocked` is not enabled; a policy refuses all its tokens.
- `issued_before` refuses tokens whose `iat` (RFC 7519 section 4.1.6; servers issue whole seconds) is before that time; only
  tokens of the `owner` and with the `scope`, if these are given. An entry stays when its client is deleted, so that old tokens
  never work again.
- `also_trusted` exists only while the trust switches to another authorization server: the trust in the former one, by its name.
- `owner` is the manifest that a scope or client belongs to. No secret is ever in the document.
- Keys that are not shown here are left as they are.
- `revision` has one member, whose name is a growing number. OPA's JSON Patch supports add, remove and replace, but not test: so
  each write removes the member that it read and adds the next, and fails completely if another writer was faster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any, Final, TypeVar

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.common_steps import APART, ownership_of
from oauthdeploy.drivers.field_table import not_returned, read_fields, write_fields
from oauthdeploy.drivers.json_values import Garbled, fingerprint, unparsed
from oauthdeploy.drivers.opa.fields import BLOCKED, FIELDS, Draft, EntryDraft, LiveEntry, block, object_at
from oauthdeploy.model.fields import Model, Unparsed
from oauthdeploy.model.identities import label_of
from oauthdeploy.model.objects import (
    ALSO_TRUSTED,
    KIND_OF,
    Association,
    Client,
    IssuedBefore,
    Object,
    Revocation,
    Scope,
    Trust,
)
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from oauthdeploy.planning.normalize import wanted_fields
from oauthdeploy.planning.pending_revocations import BLOCKED as BLOCKS
from oauthdeploy.planning.pending_revocations import REFUSED

CLIENTS: Final = "clients"
SCOPES: Final = "scopes"
ASSOCIATIONS: Final = "associations"
ISSUED_BEFORE: Final = "issued_before"
TRUST: Final = "trust"
REVISION: Final = "revision"
OWNER: Final = "owner"

SECTIONS: Final = (CLIENTS, SCOPES, ASSOCIATIONS, BLOCKED, ISSUED_BEFORE, TRUST)
SECTION_OF: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CLIENT: (CLIENTS, BLOCKED),
    Kind.SCOPE: (SCOPES,),
    Kind.ASSOCIATION: (ASSOCIATIONS,),
    Kind.REVOCATION: (BLOCKED, ISSUED_BEFORE, CLIENTS),
    Kind.TRUST: (TRUST, ALSO_TRUSTED),
}
"""What has to be read for a kind."""

Document = Mapping[str, Any]
M = TypeVar("M", bound=Model)


class Moved(ValueError):
    """The document is no longer as a change expects it; the message says how it is now."""


def empty() -> Draft:
    """A document that holds nothing."""
    return {section: {} for section in SECTIONS}


# -- reading ----------------------------------------------------------------------------------------------------------


def read_kind(
    document: Document, kind: Kind, server: str, owner: str, words: Iterable[str] = ()
) -> Iterator[tuple[Address, LiveObject]]:
    """The scopes, clients, associations or the trust of a document; `owner` is us. Raises Garbled.

    `words` are the manifest's names of clients to be removed: one that is identified by its label gets that address.
    """
    called = {client_of(document, word): word for word in words}
    match kind:
        case Kind.CLIENT:
            for name, live in _clients(document, owner):
                yield Address(kind, called.get(name, name), server), live
        case Kind.SCOPE:
            for name, entry in _entries(document, SCOPES):
                scope, odd = _read(Scope, entry)
                yield Address(kind, name, server), _live(scope, odd, name, entry, owner, entry)
        case Kind.ASSOCIATION:
            for client, entry in _entries(document, ASSOCIATIONS):
                # A policy looks for true below the client's name; anything else allows nothing.
                allowing = entry.items() if isinstance(entry, Mapping) else ()
                for name in (name for name, allowed in allowing if allowed is True):
                    mark = fingerprint([client, name])
                    address = Address.association(called.get(client, client), name, server)
                    yield address, LiveObject(Association(), client, mark)
        case Kind.TRUST:
            entry = _section(document, TRUST)
            if entry:
                yield Address.singleton(kind, server), _read_trust(entry, document.get(ALSO_TRUSTED))
        case _:
            return


def _read_trust(entry: Any, also: Any) -> LiveObject:
    """The trust, with the names of the servers that are trusted as well."""
    trust, odd = _read(Trust, entry, needed={"authorization_server": "", "via": "jwt"})
    told: Any = entry
    if also not in (None, {}):
        told = {TRUST: entry, ALSO_TRUSTED: also}
        if isinstance(also, Mapping):
            trust = trust.model_copy(update={ALSO_TRUSTED: tuple(sorted(also))})
        else:
            odd = {**odd, ALSO_TRUSTED: unparsed(also)}
    return LiveObject(trust, fingerprint=fingerprint(told), incomparable=not_returned(FIELDS[Kind.TRUST]), unparsed=odd)


def client_of(document: Document, word: str) -> str:
    """The key of the client that a word means in a document, a key or a label; the word itself if there is none. Raises
    Garbled.
    """
    clients = _section(document, CLIENTS)
    if word in clients or word in _section(document, BLOCKED):
        return word
    labels = [
        key
        for key, entry in clients.items()
        if isinstance(entry, Mapping) and word == label_of(str(entry.get("name")), str(entry.get("version")))
    ]
    return labels[0] if len(labels) == 1 else word


def _clients(document: Document, owner: str) -> Iterator[tuple[str, LiveObject]]:
    blocked = _section(document, BLOCKED)
    for name, entry in _entries(document, CLIENTS):
        value, odd = _read(Client, entry, blocked=name in blocked)
        live = _live(value, odd, name, {"client": entry, "blocked": name in blocked}, owner, entry)
        yield name, live


def cut_offs_in(document: Document) -> Mapping[str, str]:
    """The clients that a revocation blocks, with its name. An entry that cannot be parsed blocks its client all the same, and
    names none.
    """
    blocked = document.get(BLOCKED)
    return {
        client: str(why["revocation"])
        for client, why in (blocked.items() if isinstance(blocked, Mapping) else ())
        if isinstance(why, Mapping) and isinstance(why.get("revocation"), str)
    }


def read_revocation(document: Document, name: str, revocation: Revocation) -> LiveObject:
    """What a document says about the cut-off of that name. Raises Garbled."""
    client = client_of(document, revocation.client)
    is_blocked = client in _section(document, BLOCKED)
    known = is_blocked or client in _section(document, CLIENTS)
    refused = None if revocation.tokens is None else _refuses(document, name, client, revocation)
    cut_at = _cut_at(document, name, client) if revocation.tokens == "all" and refused else None
    state = {"known": known, "blocked": is_blocked, "refused": refused}
    blocked = is_blocked if known else None
    return LiveObject(revocation, client, fingerprint(state), blocked=blocked, refused=refused, cut_at=cut_at)


def _cut_at(document: Document, name: str, client: str) -> float:
    """The time of an entry that refuses all tokens."""
    return float(_section(document, ISSUED_BEFORE)[client][name]["before"])


def _refuses(document: Document, name: str, client: str, revocation: Revocation) -> bool:
    """Whether an entry of the client refuses all that the revocation selects; for `all` it must be its own."""
    entries = _section(document, ISSUED_BEFORE).get(client, {})
    for key, entry in entries.items() if isinstance(entries, Mapping) else ():
        if not isinstance(entry, Mapping):
            continue
        selection = entry.get(OWNER), entry.get("scope")
        covers = all(
            limit is None or limit == asked
            for limit, asked in zip(selection, (revocation.owner, revocation.scope), strict=True)
        )
        before = entry.get("before")
        if not covers or not isinstance(before, int | float):
            continue
        if isinstance(revocation.tokens, IssuedBefore):
            if before >= revocation.tokens.issued_before.timestamp():
                return True
        elif key == name and entry.get("all") is True:
            return True
    return False


def _section(document: Document, name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        raise Garbled(f"{name} is not an object")
    return value


def _entries(document: Document, section: str) -> Iterator[tuple[str, Any]]:
    return ((name, entry) for name, entry in _section(document, section).items() if name)


def _read(
    model: type[M], entry: Any, *, needed: Mapping[str, Any] | None = None, blocked: bool = False
) -> tuple[M, Mapping[str, Unparsed]]:
    """An entry as an object, and what of it cannot be parsed; all of it, if it is not an object."""
    fields = read_fields(FIELDS[KIND_OF[model]], LiveEntry(entry, blocked))
    return fields.build(model, needed), fields.unparsed


def _live(value: Object, odd: Mapping[str, Unparsed], name: str, told: Any, owner: str, entry: Any) -> LiveObject:
    mark = entry.get(OWNER) if isinstance(entry, Mapping) else None
    whose = mark if isinstance(mark, str) else ""
    standing = ownership_of(whose, owner)
    client_id = name if isinstance(value, Client) else ""
    return LiveObject(value, name, fingerprint(told), standing, whose, client_id=client_id, unparsed=odd)


# -- writing ----------------------------------------------------------------------------------------------------------


def edited(document: Document, changes: Iterable[Change], owner: str, now: datetime | None) -> Draft:
    """The document after the changes; `now` is the server's clock, None if unknown. Raises Moved and Garbled."""
    draft = deepcopy(dict(document))
    for section in SECTIONS:
        if not isinstance(draft.setdefault(section, {}), dict):
            raise Garbled(f"{section} is not an object")
    for change in changes:
        _edit(draft, change, owner, now)
    return draft


def owned(document: Document, address: Address, owner: str) -> Draft:
    """The document with the mark of a manifest on a scope or client. Raises Moved and Garbled."""
    draft = deepcopy(dict(document))
    entries = _section(draft, SCOPES if address.kind is Kind.SCOPE else CLIENTS)
    if not isinstance(entries.get(address.name), dict):
        raise Moved(f"{address} is gone")
    entries[address.name][OWNER] = owner
    return draft


def document_of(objects: Mapping[Address, Object], owner: str) -> Draft:
    """The document of a server that has nothing but these objects. Raises Garbled for what only a server can determine."""
    # Cut-offs first, as in a plan, so that a blocked client names its cut-off.
    order = sorted(objects, key=lambda address: (address.kind is not Kind.REVOCATION, address))
    return edited(empty(), (_made(address, objects[address]) for address in order), owner, None)


def _made(address: Address, value: Object) -> Change:
    fields: tuple[FieldChange, ...] = ()
    if isinstance(value, Revocation):
        asked = {BLOCKS: value.block, REFUSED: value.tokens}
        fields = tuple(FieldChange(path, False, True) for path, wish in asked.items() if wish)
    return Change(address, Action.CREATE, Reason.MISSING, Stage.WIDEN_RESOURCE, desired=value, fields=fields)


def _edit(draft: Draft, change: Change, owner: str, now: datetime | None) -> None:
    address, desired = change.address, change.desired
    match address.kind:
        case Kind.ASSOCIATION:
            _associate(draft, address, present=change.action is not Action.DELETE)
        case Kind.REVOCATION:
            assert isinstance(desired, Revocation)
            _cut_off(draft, change, desired, now)
        case Kind.TRUST:
            assert isinstance(desired, Trust)
            _trust(draft, change, desired)
        case Kind.SCOPE | Kind.CLIENT if change.action is Action.DELETE:
            _drop(draft, address)
        case Kind.SCOPE | Kind.CLIENT:
            assert desired is not None
            _put(draft, change, desired, owner)
        case Kind.SETTINGS:
            raise Garbled("OPA has no settings; this is a bug in oauthdeploy")


def _put(draft: Draft, change: Change, desired: Object, owner: str) -> None:
    """Create an entry with all written fields, or change only those of an update."""
    name, fields = change.address.name, wanted_fields(desired)
    section = draft[SCOPES if change.address.kind is Kind.SCOPE else CLIENTS]
    if change.action is Action.CREATE:
        if name in section:
            raise Moved(f"{change.address} is there now")
        entry = section[name] = {OWNER: owner} if owner else {}
    else:
        if change.action is Action.REPLACE:
            section[name] = {OWNER: owner} if owner else {}
        elif name not in section:
            raise Moved(f"{change.address} is gone")
        else:
            if not isinstance(section[name], dict):
                section[name] = {OWNER: owner} if owner else {}
            fields = {field.path: fields.get(field.path) for field in change.fields}
        entry = section[name]
    # Resource servers need no secrets.
    fields = {path: value for path, value in fields.items() if not path.startswith(APART)}
    write_fields(FIELDS[change.address.kind], fields, EntryDraft(draft, name, entry))


def _drop(draft: Draft, address: Address) -> None:
    if address.kind is Kind.SCOPE:
        draft[SCOPES].pop(address.name, None)
        return
    name = client_of(draft, address.name)
    for section in (CLIENTS, ASSOCIATIONS, BLOCKED):
        draft[section].pop(name, None)


def _associate(draft: Draft, address: Address, *, present: bool) -> None:
    section, client = draft[ASSOCIATIONS], client_of(draft, address.client)
    scopes = object_at(section, client)
    if present:
        scopes[address.scope] = True
        return
    scopes.pop(address.scope, None)
    if not scopes:
        del section[client]


def _cut_off(draft: Draft, change: Change, revocation: Revocation, now: datetime | None) -> None:
    name, fields = change.address.name, {field.path for field in change.fields}
    client = client_of(draft, revocation.client)
    if BLOCKS in fields:
        reason = {"reason": revocation.reason} if revocation.reason else {}
        block(draft, client, {"revocation": name, **reason})
    if REFUSED in fields:
        entries = object_at(draft[ISSUED_BEFORE], client)
        entries[name] = refusal(revocation, now, change.cut_at)


def refusal(revocation: Revocation, now: datetime | None, cut_at: float | None = None) -> Draft:
    """The entry that refuses the tokens of a revocation. Raises Garbled if the time is unknown.

    The `iat` of a token has no fraction, so a time inside a second counts as that second's end: rather one token too many is
    refused. For `all` the time is `cut_at`, else it includes the whole second of `now`.
    """
    if isinstance(revocation.tokens, IssuedBefore):
        made: Draft = {"before": math.ceil(revocation.tokens.issued_before.timestamp())}
    elif cut_at is not None:
        made = {"before": math.ceil(cut_at), "all": True}
    elif now is not None:
        made = {"before": math.floor(now.timestamp()) + 1, "all": True}
    else:
        raise Garbled("the moment before which all tokens are to be refused is unknown")
    selection = {OWNER: revocation.owner, "scope": revocation.scope}
    return made | {key: value for key, value in selection.items() if value is not None}


def _trust(draft: Draft, change: Change, desired: Trust) -> None:
    """Write the trust, and remove the keys of an earlier trust in another server or of another kind."""
    entry, fields = draft[TRUST], wanted_fields(desired)
    _also_trust(draft, fields.pop(ALSO_TRUSTED, None) or ())
    changed = {field.path for field in change.fields}
    if change.action is not Action.UPDATE or changed & {"authorization_server", "via"}:
        for key in Trust.model_fields:
            entry.pop(key, None)
    else:
        fields = {path: value for path, value in fields.items() if path in changed}
    write_fields(FIELDS[Kind.TRUST], fields, EntryDraft(draft, TRUST, entry))


def _also_trust(draft: Draft, names: Iterable[str]) -> None:
    """Keep the trust in servers of these names, which are trusted now, and in no others; before the trust itself is written."""
    there, now = draft.pop(ALSO_TRUSTED, None), draft[TRUST]
    known = {**(there if isinstance(there, dict) else {}), str(now.get("authorization_server", "")): deepcopy(now)}
    if kept := {name: known[name] for name in names if name in known}:
        draft[ALSO_TRUSTED] = kept


# -- one write --------------------------------------------------------------------------------------------------------


def revised(document: Document, draft: Draft, owner: str) -> Draft:
    """The draft with the revision that follows the document's."""
    there = document.get(REVISION)
    numbers = [int(key) for key in there if key.isdigit() and len(key) < 16] if isinstance(there, Mapping) else []
    return {**draft, REVISION: {str(max(numbers, default=0) + 1): owner}}


def patch(before: Document, after: Document, path: str = "") -> Iterator[dict[str, Any]]:
    """JSON Patch (RFC 6902) from one object to another with the operations that OPA has; lists are replaced as a whole."""
    for key in sorted(before.keys() - after.keys()):
        yield {"op": "remove", "path": f"{path}/{_pointed(key)}"}
    for key in sorted(after):
        place, value = f"{path}/{_pointed(key)}", after[key]
        if key not in before:
            yield {"op": "add", "path": place, "value": value}
        elif isinstance(before[key], Mapping) and isinstance(value, Mapping):
            yield from patch(before[key], value, place)
        elif json.dumps(before[key], sort_keys=True) != json.dumps(value, sort_keys=True):
            yield {"op": "replace", "path": place, "value": value}


def _pointed(key: str) -> str:
    """A key as one step of a JSON Pointer (RFC 6901 section 3); OPA takes percent signs in it for URL escapes."""
    return key.replace("~", "~0").replace("/", "~1").replace("%", "%25")


def touched(document: Document, changes: Sequence[Change]) -> str:
    """A digest of the entries that the changes are about, to find out whether another writer changed them."""
    return fingerprint([entries_of(document, change) for change in changes])


def entries_of(document: Document, change: Change) -> Mapping[str, Any]:
    """The entries that a change is about, by section."""
    address, name = change.address, change.address.name
    if isinstance(change.desired, Revocation):
        name = client_of(document, change.desired.client)
    elif address.kind in (Kind.CLIENT, Kind.ASSOCIATION):
        name = client_of(document, address.client)
    found: dict[str, Any] = {}
    for section in SECTION_OF[address.kind]:
        value = document.get(section)
        entries = value if isinstance(value, Mapping) else {}
        found[section] = entries if address.kind is Kind.TRUST else {name: entries.get(name)}
    return found
