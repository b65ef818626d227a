"""The inverse of a run: the desired state that undoes the changes in its journal.

    created            absent
    deleted            as it was, with its associations
    updated, replaced  the changed fields as they were
    renamed            the former name
    client blocked     client enabled
    tokens deleted     cannot be undone; reported

An object that has changed since the run is not rolled back but reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.model.fields import NaturalKey, marked
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import ALSO_TRUSTED, Association, Client, Object, Revocation, Trust
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Policy, PolicyLimits, Prune, PrunePolicy
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.normalize import flatten, same
from oauthdeploy.planning.rollback.steps import Step, built

CHANGED_SINCE: Final = "changed-since"
"""The rule that `--allow` lifts to roll back objects that have changed since the run."""

NOT_RESTORABLE: Final = "not-restorable"
END_UNKNOWN: Final = "end-unknown"
_KEYS: Final = tuple(sorted(marked(Client, NaturalKey)))
"""The fields that identify a client on a server that generates client ids."""

_NO_LIMITS: Final = PolicyLimits(max_deletes="100%", max_updates="100%")
_NO_PRUNING: Final = PrunePolicy(clients=Prune.NONE, scopes=Prune.NONE, associations=Prune.NONE)


class Inverse(Struct, frozen=True):
    """The desired state that rolls a run back, and findings about it."""

    desired: DesiredState
    findings: Diagnostics = field(default_factory=Diagnostics)


class _Draft(Struct):
    """The desired state while it is being built."""

    objects: dict[Address, Object] = field(default_factory=dict)
    absent: set[Address] = field(default_factory=set)
    moved: dict[Address, str] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)


def inverse(
    steps: Sequence[Step],
    base: DesiredState,
    live: LiveState | None = None,
    *,
    lifted: bool = False,
    limits: PolicyLimits | None = None,
) -> Inverse:
    """The desired state that undoes `steps`.

    `base` is the current manifest: it provides the servers, the protected objects, and the secrets of clients that are
    created again. The objects to delete are those that the run created, so the percentages of the manifest's policy do not
    apply; `limits` do (None: no limits). Without `live` the draft is incomplete and only says what to read. With `live`,
    which has the scopes, clients and associations of those servers, objects that have changed since the run are left out
    (unless `lifted`) and reported.

    Raises JournalFailed for a server that is no longer in the manifest.
    """
    _require_servers(steps, base)
    draft = _Draft()
    made = [step for step in steps if step.made]
    names = _names_of(made, live)
    for step in made:
        if _current_address(step.address, names) in base.external:
            draft.found.append(_finding(step, CHANGED_SINCE, "Not rolled back: changed since the run", _EXTERNAL, ""))
        elif live is None or _may_go_back(step, made, live, names, draft, lifted=lifted):
            _take_back(step, base, names, draft)
    for step in steps:
        if not step.made:
            draft.found.append(
                _finding(step, END_UNKNOWN, "The outcome of a change is unknown", _UNKNOWN_END, _CHECK_OBJECT)
            )
    if live is not None:
        _drop_unfounded(draft, base, live)
    policy = Policy(prune=_NO_PRUNING, protect=base.policy.protect, limits=limits or _NO_LIMITS)
    desired = replace(
        base,
        objects=MappingProxyType(dict(sorted(draft.objects.items()))),
        absent=frozenset(draft.absent - draft.objects.keys()),
        moved=MappingProxyType(dict(draft.moved)),
        places=MappingProxyType({}),
        listed_clients=frozenset(),
        listed_scopes=frozenset(),
        resource_owners=(),
        policy=policy,
        identities=MappingProxyType(_identities(steps, base)),
        external=frozenset(),
        whole=False,
    )
    return Inverse(desired, Diagnostics.of(draft.found).sorted())


_UNKNOWN_END: Final = "The request was sent, but its outcome is unknown, so it is not rolled back."
_EXTERNAL: Final = "The manifest now declares it external: another manifest owns it."
_CHECK_OBJECT: Final = "Check the object on the server, and fix it by hand or with a manifest."


def _require_servers(steps: Sequence[Step], base: DesiredState) -> None:
    gone = sorted({step.address.server for step in steps} - base.servers.keys())
    if gone:
        raise JournalFailed(
            "The manifest lacks a server of the journal",
            detail=f"The run wrote to {', '.join(gone)}.",
            fix="Use the manifest that the run was made from, or one with those servers.",
        )


def _identities(steps: Sequence[Step], base: DesiredState) -> dict[Address, Identity]:
    """The natural keys of the clients of a journal: the manifest's current ones, and the ids in the journal.

    Renamed clients are left out: they are looked for under both keys.
    """
    wanted = {a: v for a, v in base.objects.items() if isinstance(v, Client)}
    known = dict(base.identities) | {a: Identity(v.name or a.name, v.version) for a, v in wanted.items()}
    for step in steps:
        if step.address.kind not in (Kind.CLIENT, Kind.ASSOCIATION) or step.former is not None:
            continue
        client = Address(Kind.CLIENT, step.address.client, step.address.server)
        identity = known.get(client, Identity())
        for image in (step.before, step.wanted, step.left):
            if isinstance(image, Client) and image.name is not None:
                identity = Identity(image.name, image.version)
        known[client] = replace(identity, id=step.identity or identity.id)
    return known


# -- names ------------------------------------------------------------------------------------------------------------

_Names = Mapping[tuple[str, str], str]
"""Maps a server and a client's name in the journal to its name in this run."""


def _names_of(made: Sequence[Step], live: LiveState | None) -> _Names:
    """Renamed clients by their former name, and clients recorded only by id by their name on the server."""
    found: dict[tuple[str, str], str] = {}
    for step in made:
        if step.address.kind not in (Kind.CLIENT, Kind.ASSOCIATION):
            continue
        place = (step.address.server, step.address.client)
        if step.address.kind is Kind.CLIENT and step.former is not None:
            found[place] = step.former.name
        elif _may_be_known_by_id(step) and live is not None and step.identity and place not in found:
            known = _by_identity(live, step)
            if known is not None:
                found[place] = known
    return found


def _may_be_known_by_id(step: Step) -> bool:
    return step.address.kind is Kind.ASSOCIATION or step.action is Action.CREATE


def _by_identity(live: LiveState, step: Step) -> str | None:
    state = live.servers.get(step.address.server)
    client = Address(Kind.CLIENT, step.address.client, step.address.server)
    if state is None or client in state.objects:
        return None
    for address, value in state.objects.items():
        if address.kind is Kind.CLIENT and value.identity == step.identity:
            return address.name
    return None


def _current_address(address: Address, names: _Names) -> Address:
    """The address of the object in this run."""
    server = address.server
    if address.kind is Kind.CLIENT:
        return Address(Kind.CLIENT, names.get((server, address.name), address.name), server)
    if address.kind is Kind.ASSOCIATION:
        client = names.get((server, address.client), address.client)
        return Address.association(client, address.scope, server)
    return address


# -- undoing steps ----------------------------------------------------------------------------------------------------


def _take_back(step: Step, base: DesiredState, names: _Names, draft: _Draft) -> None:
    address = _current_address(step.address, names)
    draft.found += _not_restorable(step)
    if isinstance(step.wanted, Revocation):
        if _blocked(step):
            client = Address(Kind.CLIENT, step.wanted.client, address.server)
            today = base.objects.get(client)
            key = {} if today is None else {path: getattr(today, path) for path in _KEYS if getattr(today, path)}
            draft.objects[client] = Client(**key, enabled=True)
    elif step.action is Action.CREATE:
        if address.kind not in (Kind.TRUST, Kind.SETTINGS) and address not in draft.objects:
            draft.absent.add(address)
    elif step.action is Action.UPDATE:
        known, value = draft.objects.get(address), _restored_fields(step)
        if isinstance(known, Client) and "enabled" not in value.model_fields_set:
            value = value.model_copy(update={"enabled": known.enabled})
        draft.objects[address] = value
        if step.former is not None:
            draft.moved[address] = step.address.name
    elif step.before is not None:
        draft.objects[address] = _restored_object(step, base)
        for scope, way in step.taken.items():
            pair = Address.association(address.name, scope, address.server)
            draft.objects[pair] = Association() if way is None else Association.made(way)


def _blocked(step: Step) -> bool:
    return "blocked" in step.back


def _restored_fields(step: Step) -> Object:
    """The changed fields as they were, with the fields that identify the object."""
    fields: dict[str, Any] = dict(step.back)
    before = step.before
    if isinstance(before, Client):
        fields = {path: value for path in _KEYS if (value := getattr(before, path)) is not None} | fields
    elif isinstance(before, Trust):
        # Trust is undone as a whole: only part of its fields would be a different trust.
        return Trust.model_construct(before.model_fields_set - {ALSO_TRUSTED}, **{**dict(before), ALSO_TRUSTED: None})
    try:
        return built(step.address.kind, fields)
    except ValueError:
        raise JournalFailed(
            "The journal could not be read",
            detail=f"{step.address}: this release does not recognize its former fields.",
            fix="Use the release that wrote it, which its first line names.",
        ) from None


def _restored_object(step: Step, base: DesiredState) -> Object:
    """The object as it was; a client with the secret that the manifest has for it now."""
    assert step.before is not None
    if not isinstance(step.before, Client):
        return step.before
    today = base.objects.get(step.stood_at)
    if isinstance(today, Client) and today.secret is not None:
        return step.before.model_copy(update={"secret": today.secret})
    return step.before


def _not_restorable(step: Step) -> Iterator[Diagnostic]:
    summary = "Some changes cannot be rolled back"
    if step.address.kind is Kind.REVOCATION and "tokens.refused" in step.back:
        yield _finding(step, NOT_RESTORABLE, summary, "Refused tokens stay refused; their owners sign in again.", "")
    if step.address.kind is Kind.REVOCATION and "tokens.active" in step.back:
        yield _finding(step, NOT_RESTORABLE, summary, "Deleted tokens stay deleted; their owners sign in again.", "")
    if step.address.kind is Kind.CLIENT and step.action in (Action.DELETE, Action.REPLACE):
        detail = (
            "The client is created again: its tokens are lost, and any id or secret that the server generates is new."
        )
        yield _finding(step, NOT_RESTORABLE, summary, detail, "Give the client's owner the new id and secret.")
    if step.lost:
        detail = f"Permanently lost with the {step.action} of {step.address}: {'; '.join(step.lost)}."
        yield _finding(step, NOT_RESTORABLE, summary, detail, "Restore it by hand where you need it.")
    if step.sealed:
        detail = f"The former {', '.join(step.sealed)} is not recorded anywhere."
        yield _finding(step, NOT_RESTORABLE, summary, detail, "Apply a manifest with the secret that you want.")
    if step.unparsed:
        detail = f"{', '.join(step.unparsed)} had a value that a manifest cannot express; the current value stays."
        yield _finding(
            step, NOT_RESTORABLE, summary, detail, "The journal has the former value; set it by hand if you need it."
        )
    if step.unknown and step.action is Action.UPDATE:
        detail = f"{', '.join(step.unknown)} was not set before, and an option cannot be removed."
        yield _finding(step, NOT_RESTORABLE, summary, detail, "Set it by hand.")
    if step.action is Action.CREATE and step.address.kind in (Kind.TRUST, Kind.SETTINGS):
        yield _finding(step, NOT_RESTORABLE, summary, "The server had none before, and this one cannot be deleted.", "")


def _finding(step: Step, rule: str, summary: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(rule, summary, detail, fix, severity=Severity.WARNING, address=str(step.address))


# -- what has changed since -------------------------------------------------------------------------------------------


def _may_go_back(
    step: Step, made: Sequence[Step], live: LiveState, names: _Names, draft: _Draft, *, lifted: bool
) -> bool:
    """Whether the object is as the run left it, or already as it was before; adds a finding if not."""
    why = _changed(step, made, live, names)
    if not why:
        return True
    fix = "" if lifted else f"Review it; --allow {CHANGED_SINCE} rolls it back anyway."
    summary = "Changed since the run, and rolled back anyway" if lifted else "Not rolled back: changed since the run"
    draft.found.append(_finding(step, CHANGED_SINCE, summary, why, fix))
    return lifted and not (step.action is Action.UPDATE and _live_at(step, live, names) is None)


def _changed(step: Step, made: Sequence[Step], live: LiveState, names: _Names) -> str:
    """What has changed since the run, in words; empty for nothing."""
    address = _current_address(step.address, names)
    kind = address.kind
    if kind in (Kind.ASSOCIATION, Kind.REVOCATION) or not live.readable(address.server, kind):
        return ""
    found = _live_at(step, live, names)
    if step.action is Action.DELETE:
        return _recreated(step, found)
    if step.action is Action.CREATE:
        return "" if found is None else _changed_creation(step, found) or _newly_granted(address, made, live, names)
    return "It no longer exists." if found is None else _changed_update(step, found)


def _recreated(step: Step, found: LiveObject | None) -> str:
    """The differences between an object and the one that the run deleted; empty if they are equal."""
    if found is None or step.before is None:
        return ""
    differs = _differing(flatten(step.before), found)
    return f"It exists again, with a different {differs}." if differs else ""


def _changed_creation(step: Step, found: LiveObject) -> str:
    """What has changed since the run created the object."""
    if step.identity and found.identity and step.identity != found.identity:
        return f"It is a different object: {found.identity}, not {step.identity}."
    differs = _differing(flatten(step.left) if step.left is not None else step.after, found)
    return f"Its {differs} has changed since the run." if differs else ""


def _changed_update(step: Step, found: LiveObject) -> str:
    """What is neither as the run left it nor as it was before; the latter needs no rollback."""
    left = flatten(step.left) if step.left is not None else {}
    expected = {path: left.get(path, value) for path, value in step.after.items()}
    differs = _differing(expected, found)
    before = flatten(step.before) if step.before is not None else {}
    already_back = not _differing({path: before.get(path) for path in expected}, found)
    return f"Its {differs} has changed since the run." if differs and not already_back else ""


def _live_at(step: Step, live: LiveState, names: _Names) -> LiveObject | None:
    """The live object, under its name after the run or before it."""
    state = live.servers.get(step.address.server)
    if state is None:
        return None
    return state.objects.get(_current_address(step.address, names)) or state.objects.get(step.address)


def _differing(expected: Mapping[str, Any], found: LiveObject) -> str:
    """The fields that are not as expected, in words; what the server does not return is not compared."""
    have = flatten(found.value)
    paths = [
        path
        for path in sorted(expected)
        if not path.startswith("secret.")
        and path not in found.incomparable
        and not (same(have.get(path), expected[path]) or (not have.get(path) and not expected[path]))
    ]
    return ", ".join(paths)


def _newly_granted(address: Address, made: Sequence[Step], live: LiveState, names: _Names) -> str:
    """Associations that somebody else made with a scope or client that the run created."""
    state = live.servers.get(address.server)
    if state is None or address.kind not in (Kind.SCOPE, Kind.CLIENT):
        return ""
    created = {_current_address(step.address, names) for step in made if step.address.kind is Kind.ASSOCIATION}
    created |= {
        Address.association(_current_address(step.address, names).name, scope, step.address.server)
        for step in made
        if step.address.kind is Kind.CLIENT
        for scope in step.taken
    }
    for other in state.objects:
        if other.kind is Kind.ASSOCIATION and other not in created:
            end = other.scope if address.kind is Kind.SCOPE else other.client
            if end == address.name:
                return f"{other} was added since."
    return ""


def _drop_unfounded(draft: _Draft, base: DesiredState, live: LiveState) -> None:
    """Leave out associations whose client or scope no longer exists, with a finding for each."""
    for address in [address for address in draft.objects if address.kind is Kind.ASSOCIATION]:
        server = address.server
        for end in (Address(Kind.CLIENT, address.client, server), Address(Kind.SCOPE, address.scope, server)):
            if not live.readable(server, end.kind) or (end.kind is Kind.SCOPE and server in base.words):
                continue
            stands = end in draft.objects or (end in live.servers[server].objects and end not in draft.absent)
            if not stands:
                del draft.objects[address]
                draft.found.append(
                    Diagnostic(
                        NOT_RESTORABLE,
                        "Some changes cannot be rolled back",
                        f"{end} no longer exists, so {address} cannot be restored.",
                        severity=Severity.WARNING,
                        address=str(address),
                    )
                )
                break
