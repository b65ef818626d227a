"""Compares desired and live state and returns the changes, not yet ordered.

Only written fields are compared. Equality is checked first; deepdiff is used only to find what differs inside a driver's own
options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, Support, supports
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Model, Unparsed
from oauthdeploy.model.objects import KIND_OF, Client, Object
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Ownership
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason
from oauthdeploy.planning.effective_grants import withhold_granted
from oauthdeploy.planning.normalize import (
    OPTIONS,
    canonical_default,
    closely_compared,
    flatten,
    is_instruction,
    is_unreported,
    live_value,
    same,
    settled,
    surely_fulfilled,
    transient,
    wanted_fields,
    write_only,
)
from oauthdeploy.planning.opaque_secrets import Seal, plain
from oauthdeploy.planning.pending_revocations import cut_offs
from oauthdeploy.planning.pruning import unwanted_associations, unwanted_objects
from oauthdeploy.planning.server_view import (
    DiffItem,
    IncomparableField,
    LiveItem,
    ServerView,
    UnmanagedObject,
    unread_servers,
    views,
)
from oauthdeploy.planning.unkept import Unkept, without_hopeless
from oauthdeploy.planning.unmanaged import Kept, kept_objects

NAME_TAKEN: Final = "name-taken"
REVISION: Final = "secret.revision"
VALUE: Final = "secret.value"
EXTERNAL_MISSING: Final = "external-missing"
"""The rule for an object that another manifest owns and that does not exist."""


class Comparison(Struct, frozen=True):
    """The differences between live and desired: changes by server and kind, not yet in the order of work.

    `incomparable` are the `(address, dotted path)` that cannot be compared; `kept` are live objects that the manifest does
    not name and that stay, by address.
    """

    changes: tuple[Change, ...]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    incomparable: tuple[tuple[Address, str], ...] = ()
    kept: tuple[Kept, ...] = ()


def compare(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts], unkept: Iterable[Unkept] = ()
) -> Comparison:
    """Compare the desired state with what the servers hold; `facts` are by driver name. `unkept` are fields that earlier runs
    sent and a server did not store.

    A kind that could not be read gives one finding and no change. So does a server that is not in `live`, if the manifest
    places objects on it.
    """
    found: list[DiffItem] = list(unread_servers(desired, live))
    for view in views(desired, live, facts, unkept):
        found.extend(_compare_server(view))
    found = list(withhold_granted(found, desired, live))
    unnamed = (item.address for item in found if isinstance(item, UnmanagedObject))
    return Comparison(
        changes=tuple(item for item in found if isinstance(item, Change)),
        diagnostics=Diagnostics.of(item for item in found if isinstance(item, Diagnostic)),
        incomparable=tuple(
            sorted(
                ((item.address, item.path) for item in found if isinstance(item, IncomparableField)),
                key=lambda pair: (pair[0].sort_key, pair[1]),
            )
        ),
        kept=kept_objects(unnamed, desired, live),
    )


# -- one server -------------------------------------------------------------------------------------------------------


def _compare_server(view: ServerView) -> Iterator[DiffItem]:
    yield from (view.live.unreadable[kind] for kind in Kind if kind in view.live.unreadable)
    yield from (view.live.hidden[kind] for kind in Kind if kind in view.live.hidden)
    yield from cut_offs(view)
    objects = [found for kind in (Kind.TRUST, Kind.SETTINGS, Kind.SCOPE) for found in _objects(view, kind, {})]
    moved = dict(_moves(view))
    clients = list(_objects(view, Kind.CLIENT, moved))
    left = list(_left_at_former_name(view))
    gone = {item.address for item in left if isinstance(item, Change)}
    clients += unwanted_objects(view, Kind.CLIENT, {address for address, _ in moved.values()} | gone)
    objects += unwanted_objects(view, Kind.SCOPE, ())
    yield from objects
    yield from left
    yield from clients
    yield from _external(view)
    if view.readable(Kind.ASSOCIATION):
        changes = {item.address: item for item in (*objects, *clients, *left) if isinstance(item, Change)}
        found = list(_association_items(view, changes, moved))
        replaced = list(_replaced_for_scopes(view, changes, found))
        if replaced:
            yield from replaced
            found = list(_association_items(view, {**changes, **{one.address: one for one in replaced}}, moved))
        yield from found


def _objects(view: ServerView, kind: Kind, moved: Mapping[Address, LiveItem]) -> Iterator[DiffItem]:
    """Creates and updates of a kind, by address."""
    if not view.readable(kind):
        return
    for address, wanted in view.wanted.items():
        if address.kind is not kind:
            continue
        live = view.live.objects.get(address)
        if live is not None:
            yield from _existing(view, address, wanted, live)
        elif address in moved:
            yield from _renamed(view, address, wanted, moved[address])
        else:
            yield from _missing(view, address, wanted, Reason.MISSING)


def _external(view: ServerView) -> Iterator[Diagnostic]:
    """Findings for objects of other manifests that do not exist, if their kind could be read."""
    for address in sorted(view.desired.external):
        if address.server != view.name or not view.readable(address.kind) or address in view.live.objects:
            continue
        yield Diagnostic(
            EXTERNAL_MISSING,
            "An object of another manifest does not exist",
            detail=f"{address} is external, and {view.name} does not have it.",
            fix="Apply the manifest that owns it, or correct the name. To create it here, write its own fields.",
            address=str(address),
            path=view.desired.places.get(address, ()),
        )


def _missing(view: ServerView, address: Address, wanted: Object, reason: Reason) -> Iterator[DiffItem]:
    yield view.change(address, Action.CREATE, reason, desired=wanted, fields=created_fields(wanted, view.facts))


def _existing(
    view: ServerView, address: Address, wanted: Object, live: LiveObject, former: Address | None = None
) -> Iterator[DiffItem]:
    difference = _difference(view, address, wanted, live)
    if difference is _SAME:
        return
    yield from _side_findings(view, address, difference)
    fields, repeated = without_hopeless(address, difference.fields, view.unkept, view.desired.places.get(address, ()))
    yield from repeated
    if fields:
        action = Action.REPLACE if _needs_replacing(view, live, fields) else Action.UPDATE
        sends_secret = any(change.path == REVISION for change in fields)
        reason = Reason.SECRET_REVISION if sends_secret and len(fields) == 2 else Reason.DIFFERS
        note = ""
        if action.is_destructive:
            note = (
                live.fixed or "The server cannot change the type: the client is replaced, and its tokens stop working."
            )
        elif address.kind is Kind.CLIENT and view.knows_by_name and _NAMES & {field.path for field in fields}:
            note = _KNOWN_BY_NAME
        if left := left_behind(wanted, live):
            wanted = wanted.model_copy(update={field.path: field.after for field in left})
        yield view.change(address, action, reason, desired=wanted, live=live, fields=fields, note=note, former=former)


def _difference(view: ServerView, address: Address, wanted: Object, live: LiveObject) -> ObjectDifference:
    """The difference, without `enabled` for a client that a revocation blocks: the revocation decides that."""
    skip = _ENABLED if address.kind is Kind.CLIENT and address.name in view.blocked else _NOTHING
    return compare_object(wanted, live, view.facts, skip=skip)


_ENABLED: Final = frozenset({"enabled"})
_NAMES: Final = frozenset({"name", "version"})
_KNOWN_BY_NAME: Final = (
    "The resource server knows the client by name and version, and refuses it until both have the new ones."
)
_NOTHING: Final[frozenset[str]] = frozenset()


def _needs_replacing(view: ServerView, live: LiveObject, fields: Iterable[FieldChange]) -> bool:
    if live.fixed:
        return True
    return any(change.path == "type" for change in fields) and not supports(view.table, Capability.CLIENT_TYPE_CHANGE)


def _side_findings(view: ServerView, address: Address, difference: ObjectDifference) -> Iterator[DiffItem]:
    for path in difference.incomparable:
        yield IncomparableField(address, path)
    for path in difference.unknown:
        yield Diagnostic(
            "no-default-known",
            "The server's default is unknown",
            detail=f"{path} asks for the server's default, and the driver '{view.driver}' does not know it.",
            fix="Write the value that you want.",
            severity=Severity.WARNING,
            address=str(address),
            path=view.desired.places.get(address, ()),
        )


# -- renames ----------------------------------------------------------------------------------------------------------


def _moves(view: ServerView) -> Iterator[tuple[Address, LiveItem]]:
    """Clients that exist under their former name and not under their new one."""
    if not view.readable(Kind.CLIENT):
        return
    for address, name in sorted(view.desired.moved.items()):
        former = Address(address.kind, name, address.server)
        if address not in view.wanted or address in view.live.objects or former in view.wanted:
            continue
        if former in view.live.objects:
            yield address, (former, view.live.objects[former])


def _left_at_former_name(view: ServerView) -> Iterator[DiffItem]:
    """Clients of this manifest that exist under a former name although their new name exists too.

    On a server that cannot rename clients, a new one is created and the old one deleted. A run that stopped in between left
    both, so the old one is deleted now. On any other server the new name belongs to another client, and you must decide
    between the two.
    """
    if not view.readable(Kind.CLIENT):
        return
    can = _can_rename(view)
    for address, name in sorted(view.desired.moved.items()):
        former = Address(address.kind, name, address.server)
        live = view.live.objects.get(former)
        if address not in view.wanted or address not in view.live.objects or former in view.wanted or live is None:
            continue
        # Where there are no marks, moved_from alone says whose the client at the former name is.
        marked = supports(view.table, Capability.MARKS)
        if live.ownership is not Ownership.OURS and (can or marked):
            continue
        if not can:
            yield view.change(former, Action.DELETE, Reason.RENAMED, live=live, note=f"Its new name is {address}.")
            continue
        yield Diagnostic(
            NAME_TAKEN,
            "A client cannot be renamed, because its new name is taken",
            detail=f"{view.name} has both {former} and {address}.",
            fix=f"Take moved_from out of the manifest. To delete {former}, write it with `state: absent`; to keep it, write its "
            "entry.",
            severity=Severity.ERROR,
            address=str(address),
            path=view.desired.places.get(address, ()),
        )


def _can_rename(view: ServerView) -> Support | None:
    """What the driver says of renaming a client, where it may be renamed in one step; None where it may not.

    A resource server that knows clients by name refuses one while the other server has another name for it: so it gets the new
    name beside the old one.
    """
    support = supports(view.table, Capability.CLIENT_RENAME)
    return support if support and not (view.role is Role.RESOURCE and view.knows_by_name) else None


def _renamed(view: ServerView, address: Address, wanted: Object, item: LiveItem) -> Iterator[DiffItem]:
    former, live = item
    can = _can_rename(view)
    if can is not None:
        difference = _difference(view, address, wanted, live)
        yield from _side_findings(view, address, difference)
        replaced = bool(live.fixed and difference.fields)
        yield view.change(
            address,
            Action.REPLACE if replaced else Action.UPDATE,
            Reason.RENAMED,
            desired=wanted,
            live=live,
            fields=difference.fields,
            note=f"Renamed from {former}; {live.fixed if replaced else can.note or 'its id and its tokens stay'}.",
            former=former,
        )
        return
    # Two changes instead of a replacement, so that the new client exists on both sides before the old one is deleted on
    # either.
    yield from _missing(view, address, wanted, Reason.RENAMED)
    yield view.change(former, Action.DELETE, Reason.RENAMED, live=live, note=f"Its new name is {address}.")
    if supports(view.table, Capability.CLIENT_RENAME):
        return  # the authorization server renames the client, and its tokens stay
    yield Diagnostic(
        "rename-ends-tokens",
        "The server cannot rename a client",
        detail=f"{former} is deleted and {address} is created: its tokens stop working, and it may get a new id and secret.",
        severity=Severity.WARNING,
        address=str(address),
        path=view.desired.places.get(address, ()),
    )


# -- associations -----------------------------------------------------------------------------------------------------


def _carried(
    view: ServerView, changes: Mapping[Address, Change], moved: Mapping[Address, LiveItem]
) -> dict[Address, LiveItem]:
    """The live associations that remain after the changes of their clients, under the names that they then have."""
    # Two servers of role `both` that trust each other delete a client in one stage, so its associations are deleted first,
    # by name.
    taking = (Action.REPLACE,) if view.peered else (Action.DELETE, Action.REPLACE)
    gone = {a.name for a, c in changes.items() if a.kind is Kind.CLIENT and c.action in taking}
    names = {former.name: address.name for address, (former, _) in moved.items()}
    if not gone and not names:
        return {item[0]: item for item in view.of_kind(Kind.ASSOCIATION)}
    carried: dict[Address, LiveItem] = {}
    for address, live in view.of_kind(Kind.ASSOCIATION):
        client = address.client
        if client in gone:
            continue
        now = Address.association(names[client], address.scope, view.name) if client in names else address
        carried[now] = (address, live)
    return carried


def _association_items(
    view: ServerView, changes: Mapping[Address, Change], moved: Mapping[Address, LiveItem]
) -> Iterator[DiffItem]:
    """The changes of associations, given those of all other objects."""
    carried = _carried(view, changes, moved)
    yield from _associations(view, carried)
    deletes = {address: change for address, change in changes.items() if change.action is Action.DELETE}
    yield from unwanted_associations(view, carried, deletes)


def _replaced_for_scopes(
    view: ServerView, changes: Mapping[Address, Change], found: Iterable[DiffItem]
) -> Iterator[Change]:
    """Clients that must be replaced because the server cannot change the scopes that they may request."""
    names = {item.address.client for item in found if isinstance(item, Change)}
    for name in sorted(names):
        address = Address(Kind.CLIENT, name, view.name)
        live, wanted = view.live.objects.get(address), view.wanted.get(address)
        if live is not None and live.fixed and wanted is not None and address not in changes:
            yield view.change(address, Action.REPLACE, Reason.DIFFERS, desired=wanted, live=live, note=live.fixed)


def _associations(view: ServerView, carried: Mapping[Address, LiveItem]) -> Iterator[DiffItem]:
    for address, wanted in view.wanted.items():
        if address.kind is not Kind.ASSOCIATION:
            continue
        if address not in carried:
            yield from _missing(view, address, wanted, Reason.MISSING)
            continue
        stands_at, live = carried[address]
        # Under the former name of its client it is changed after that has its new name.
        yield from _existing(view, address, wanted, live, stands_at if stands_at != address else None)


# -- one object -------------------------------------------------------------------------------------------------------


class ObjectDifference(Struct, frozen=True):
    """How a live object differs from the desired one, by field.

    `incomparable` are dotted paths that the server does not return, `unknown` those that request a default that the driver
    does not know.
    """

    fields: tuple[FieldChange, ...] = ()
    incomparable: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


_SAME: Final = ObjectDifference()
_VALUE_ALONE: Final = frozenset({"value"})
_UNKNOWN: Final = object()


def compare_object(
    wanted: Object, live: LiveObject, facts: DriverFacts, *, skip: frozenset[str] = _NOTHING
) -> ObjectDifference:
    """Compare the written fields of `wanted` with a live object of the same kind; `skip` are dotted paths to leave out."""
    quick = not live.incomparable and not live.unparsed and _is_plain_secret(wanted)
    left = left_behind(wanted, live)
    if quick and not left and surely_fulfilled(wanted, live.value, skip):
        return _SAME
    found = _field_differences(wanted, live, facts, skip)
    fields = [*found.fields, *left]
    if isinstance(wanted, Client) and isinstance(live.value, Client):
        fields += _revision_change(wanted, live, VALUE in found.incomparable)
    fields += _option_changes(wanted, live, facts.name)
    return ObjectDifference(tuple(fields), found.incomparable, found.unknown)


def _is_plain_secret(wanted: Object) -> bool:
    """Whether an equal live object proves that the secret is in place: the manifest writes none, or its value and nothing else,
    which a server that does not return it cannot equal.
    """
    if "secret" not in wanted.model_fields_set:
        return True
    secret = wanted.secret if isinstance(wanted, Client) else None
    return secret is not None and secret.value is not None and secret.model_fields_set == _VALUE_ALONE


def left_behind(wanted: Object, live: LiveObject) -> tuple[FieldChange, ...]:
    """What an earlier run that ended between the two writes of a change left in a field that no manifest writes."""
    paths = transient(type(wanted))
    if not paths:
        return ()
    found = ((path, _unparsed(live, path) or getattr(live.value, path, None)) for path in paths)
    return tuple(
        FieldChange(path, before, ()) for path, before in found if before and path not in wanted.model_fields_set
    )


def _field_differences(wanted: Object, live: LiveObject, facts: DriverFacts, skip: frozenset[str]) -> ObjectDifference:
    """The differences in the fields of the model."""
    model = type(wanted)
    defaults = facts.defaults.get(KIND_OF[model], {})
    hidden = write_only(model)
    unsure = {path.partition(".")[0] for path in (*live.incomparable, *live.unparsed)}
    same_there = settled(wanted, live.value, closely_compared(model) | unsure)
    have = flatten(live.value, same_there)
    fields: list[FieldChange] = []
    incomparable: list[str] = []
    unknown: list[str] = []
    for path, value in wanted_fields(wanted, same_there).items():
        if path in skip or is_instruction(path):
            continue
        if _covered(path, live.incomparable) or (path in hidden and is_unreported(have, path)):
            incomparable.append(path)
            continue
        before = _unparsed(live, path) or live_value(model, path, have.get(path), defaults)
        after = _after(model, path, value, defaults)
        if after is not _UNKNOWN and not same(before, after):
            fields.append(FieldChange(path, before, after))
        elif after is _UNKNOWN and before is not None:
            unknown.append(path)
    return ObjectDifference(tuple(fields), tuple(incomparable), tuple(unknown))


def created_fields(wanted: Object, facts: DriverFacts) -> tuple[FieldChange, ...]:
    """Every written field of an object to create; a field that requests an unknown default is left out."""
    model = type(wanted)
    defaults = facts.defaults.get(KIND_OF[model], {})
    found: list[FieldChange] = []
    for path, value in wanted_fields(wanted).items():
        if path == "secret.generate" and value:
            found.append(FieldChange(VALUE, None, KNOWN_AFTER_APPLY))
        if not is_instruction(path) and (after := _after(model, path, value, defaults)) is not _UNKNOWN:
            found.append(FieldChange(path, None, after))
    options = options_for(wanted, facts.name)
    found += (FieldChange(f"{OPTIONS}.{facts.name}.{key}", None, plain(options[key])) for key in sorted(options))
    return tuple(found)


def _after(model: type[Model], path: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    if value is not None:
        return value
    return canonical_default(model, path, defaults[path]) if path in defaults else _UNKNOWN


def _unparsed(live: LiveObject, path: str) -> Unparsed | None:
    """The value that cannot be parsed, in the field or in the group that contains it."""
    return live.unparsed.get(path) or live.unparsed.get(path.rpartition(".")[0])


def _covered(path: str, incomparable: frozenset[str]) -> bool:
    return path in incomparable or any(path.startswith(f"{above}.") for above in incomparable)


def _revision_change(wanted: Client, live: LiveObject, incomparable: bool) -> list[FieldChange]:
    """A secret that cannot be compared is sent or generated again if the server recorded a lower revision of it.

    If no revision is recorded, the secret that was sent last is unknown. Nothing is sent, and the field stays incomparable.
    """
    secret, recorded = wanted.secret, live.revision
    if recorded is None and isinstance(live.value, Client) and live.value.secret is not None:
        recorded = live.value.secret.revision
    if secret is None or secret.revision is None or recorded is None or recorded >= secret.revision:
        return []
    if not incomparable and not secret.generate:
        return []
    new = KNOWN_AFTER_APPLY if secret.generate else secret.value
    return [FieldChange(VALUE, None, new), FieldChange(REVISION, recorded, secret.revision)]


# -- the driver's own options -----------------------------------------------------------------------------------------


def options_for(value: Object, driver: str) -> Mapping[str, Any]:
    """The options of a driver that an object writes."""
    options: Mapping[str, Mapping[str, Any]] = getattr(value, OPTIONS, None) or {}
    return options.get(driver, {}) if OPTIONS in value.model_fields_set else {}


def _option_changes(wanted: Object, live: LiveObject, driver: str) -> list[FieldChange]:
    """The differences in this driver's options, at the deepest key that has a name. Only written keys count, at every depth."""
    if OPTIONS not in wanted.model_fields_set:
        return []
    desired, have = plain(options_for(wanted, driver)), plain(options_for(live.value, driver))
    odd = {name: value for name in desired if (value := live.unparsed.get(f"{OPTIONS}.{driver}.{name}")) is not None}
    changes = [FieldChange(f"{OPTIONS}.{driver}.{name}", odd[name], desired[name]) for name in sorted(odd)]
    desired = {name: value for name, value in desired.items() if name not in odd}
    if not desired or desired == have:
        return changes
    # Imported here because most plans do not need it, and the import takes longer than planning a small manifest.
    from deepdiff import DeepDiff
    from deepdiff.helper import notpresent

    seal = Seal()
    tree = DeepDiff(seal(have), seal(desired), view="tree", verbose_level=2, threshold_to_diff_deeper=0)
    found: dict[str, FieldChange] = {}
    for kind, levels in tree.items():
        for level in levels if kind != "dictionary_item_removed" else ():
            path = _option_path(driver, level.path(output_format="list"))
            sides = (None if side is notpresent else seal.opened(side) for side in (level.t1, level.t2))
            found[path] = FieldChange(path, *sides)
    return changes + [found[path] for path in sorted(found)]


def _option_path(driver: str, keys: Iterable[str | int]) -> str:
    return f"{OPTIONS}.{driver}" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
