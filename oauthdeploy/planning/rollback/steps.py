"""The changes in a journal as values that can be undone: one step for each change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from oauthdeploy.core.addresses import Address, AddressError, Kind
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import MODEL_OF, AssignedAs, Object
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.normalize import OPTIONS, set_like

Record = Mapping[str, Any]
"""One line of a journal as plain values."""

MADE_ALL_THE_SAME: Final = frozenset({"secret-not-delivered", "fields-lost"})
"""A change that failed for one of these reasons was made on the server: its secret was not delivered, or it deleted more."""

_EMPTY_TEXT: Final = frozenset({"description"})
"""Texts that are emptied if there was none; every other field gets the server's default."""


class Step(Struct, frozen=True):
    """A change that was sent, according to a journal.

    `before` is the former object (None: there was none), `left` the object afterwards, both without secrets. `back` are the
    former values of the changed fields by dotted path, `after` the values that were sent. `sealed` are fields to restore
    whose former value is a secret, `unparsed` those whose former value a manifest cannot express, and `unknown` options that
    were not set before. `identity` is the server's id afterwards. `taken` are the scopes of associations that were deleted
    along with the object, `lost` what was permanently deleted with it, in words. `made` is False if the outcome is unknown.
    """

    address: Address
    action: Action
    former: Address | None
    before: Object | None
    left: Object | None
    back: Mapping[str, Any]
    after: Mapping[str, Any]
    sealed: tuple[str, ...]
    unknown: tuple[str, ...]
    identity: str
    taken: Mapping[str, AssignedAs | None]
    wanted: Object | None
    made: bool
    unparsed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def stood_at(self) -> Address:
        """The address before the change."""
        return self.former or self.address


def steps_of(records: Iterable[Record]) -> tuple[Step, ...]:
    """The changes that were made, and those with an unknown outcome, in the order in which they were sent.

    The records have been checked against the schema. Changes that failed or were not made are left out. Raises JournalFailed
    for a value that this release does not know.
    """
    waiting: dict[tuple[str, str], Step] = {}
    for record in _with_late_images(records):
        try:
            key = (record["address"], record["action"])
            if record["type"] == "intent":
                waiting[key] = _step(record)
            elif key in waiting and record["type"] == "left":
                waiting[key] = replace(waiting[key], left=_image(waiting[key].address.kind, record["left"]))
            elif key in waiting:
                step = _with_end(waiting[key], record)
                if step is None:
                    del waiting[key]
                else:
                    waiting[key] = step
        except (AddressError, ValueError) as error:
            raise JournalFailed(
                "The journal could not be read",
                detail=f"The {record['type']} of {record['address']}: {_problem_text(error)}.",
                fix="Use the release that wrote it, which its first line names.",
            ) from None
    return tuple(waiting.values())


def _with_late_images(records: Iterable[Record]) -> Iterator[Record]:
    """The records about changes, and after them the objects in the last record, each as a record of the type `left`."""
    for record in records:
        if record["type"] in ("intent", "outcome"):
            yield record
        elif record["type"] == "end":
            yield from ({"type": "left", **item} for item in record.get("left", ()))


def _problem_text(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"{len(error.errors())} fields are not recognized by this release"
    return f"a value is not recognized ({type(error).__name__})"


def _step(record: Record) -> Step:
    address = Address.parse(record["address"])
    before = _image(address.kind, record["before"])
    unparsed = tuple(field["path"] for field in record["changed"] if _is_unparsed(field["before"]))
    changed = [field for field in record["changed"] if field["path"] not in unparsed]
    old = record["before"] or {}
    back, sealed, unknown = _options_back(old.get(OPTIONS) or {}, changed)
    after = {}
    for field in changed:
        path = field["path"]
        if path.startswith(f"{OPTIONS}."):
            continue
        if path == "secret.value" or _is_secret(field["before"]) or _is_secret(field["after"]):
            sealed.append(path)
        elif not path.startswith("secret."):
            back[path] = _former_value(address.kind, path, field["before"])
            after[path] = field["after"]
    action = Action(record["action"])
    if action is not Action.UPDATE:
        # The whole object is restored, so secrets that did not change are missing too.
        sealed = list(_secrets_in(old.get(OPTIONS), OPTIONS))
    return Step(
        address=address,
        action=action,
        former=Address.parse(record["former"]) if record.get("former") else None,
        before=before,
        left=None,
        back=back,
        after=_canonical(address.kind, after),
        sealed=tuple(sealed),
        unknown=tuple(unknown),
        identity=record.get("identity", ""),
        taken={
            scope: AssignedAs(way) if (way := record.get("taken_as", {}).get(scope)) else None
            for scope in record.get("taken", ())
        },
        wanted=_image(address.kind, record["after"]),
        made=False,
        unparsed=unparsed,
        lost=tuple(str(what) for what in record.get("lost", ())),
    )


def _with_end(step: Step, record: Record) -> Step | None:
    """The step with its outcome; None if it was not made."""
    status = record["status"]
    because = (record.get("because") or {}).get("rule")
    if status == "unknown":
        return step
    if status != "done" and because not in MADE_ALL_THE_SAME:
        return None
    left = _image(step.address.kind, record.get("left"))
    return replace(step, left=left, identity=record.get("identity") or step.identity, made=True)


def _former_value(kind: Kind, path: str, value: Any) -> Any:
    """The value that restores a field: an empty list or text if there was none."""
    if value is not None:
        return value
    if path in set_like(MODEL_OF[kind]):
        return []
    return "" if path in _EMPTY_TEXT else None


def _canonical(kind: Kind, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Plain values in the form of the model, by dotted path, with sorted sets."""
    from_lists = {path: tuple(value) if isinstance(value, list) else value for path, value in values.items()}
    sets = set_like(MODEL_OF[kind])
    return {
        path: tuple(sorted(set(value))) if path in sets and isinstance(value, tuple) else value
        for path, value in from_lists.items()
    }


def built(kind: Kind, fields: Mapping[str, Any]) -> Object:
    """An object from plain values by dotted path. Raises ValueError."""
    nested: dict[str, Any] = {}
    for path, value in fields.items():
        place = nested
        *above, last = path.split("\0") if "\0" in path else path.split(".")
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    return MODEL_OF[kind].model_validate(nested)  # type: ignore[return-value]


def _image(kind: Kind, image: Any) -> Object | None:
    """The recorded object, without its secrets. Raises ValueError."""
    if image is None:
        return None
    bare = _without_secrets(image)
    if kind is Kind.CLIENT:
        bare.pop("secret", None)
    return MODEL_OF[kind].model_validate(bare)  # type: ignore[return-value]


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"secret"} and isinstance(value["secret"], str)


def _is_unparsed(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"unparsed"} and isinstance(value["unparsed"], str)


def _options_back(old: Mapping[str, Any], changed: Iterable[Record]) -> tuple[dict[str, Any], list[str], list[str]]:
    """`back`, `sealed` and `unknown` of the changed options; `old` are the former options.

    An option that holds a secret now is requested as a secret or not at all; otherwise the plan would show its value.
    """
    back: dict[str, Any] = {}
    hidden: list[tuple[str, str, Secret | None]] = []
    sealed: list[str] = []
    unknown: list[str] = []
    for field in changed:
        path, before, after = field["path"], field["before"], field["after"]
        if not path.startswith(f"{OPTIONS}."):
            continue
        driver, _, key = path.removeprefix(f"{OPTIONS}.").partition(".")
        inside = old.get(driver) or {}
        top = _longest_prefix(inside, key)
        if secrets := list(_secrets_in(before, path)):
            sealed += secrets
            continue
        has_secret = any(_secrets_in(after, path))
        if top is None or (has_secret and not _is_secret(after)):
            unknown.append(path)
        if top is not None:
            place, rest = f"{OPTIONS}\0{driver}\0{top}", key[len(top) + 1 :]
            if has_secret:
                hidden.append((place, rest, Secret(str(before or ""), "journal") if _is_secret(after) else None))
            if path not in unknown:
                back[place] = _without_secrets(inside[top])
    for place, rest, secret in hidden:
        if place in back:
            back[place] = _with_secret(back[place], rest, secret) if rest else secret
    return back, sealed, unknown


def _longest_prefix(inside: Mapping[str, Any], key: str) -> str | None:
    """The key of a mapping with which a dotted path begins; keys may contain dots."""
    return max((name for name in inside if f"{key}.".replace("[", ".").startswith(f"{name}.")), key=len, default=None)


def _with_secret(value: Any, key: str, secret: Secret | None) -> Any:
    """The value with a secret at a dotted path; None removes that key."""
    name = _longest_prefix(value, key) if isinstance(value, Mapping) else None
    if name is None:
        return value
    if name != key:
        return {**value, name: _with_secret(value[name], key[len(name) + 1 :], secret)}
    rest = {other: inner for other, inner in value.items() if other != name}
    return rest if secret is None else {**rest, name: secret}


def _secrets_in(value: Any, path: str) -> Iterator[str]:
    """The dotted paths of secrets in a value of the journal at `path`."""
    if _is_secret(value):
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets_in(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _secrets_in(inner, f"{path}[{place}]")


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secrets(inner) for key, inner in value.items() if not _is_secret(inner)}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value if not _is_secret(inner)]
    return value
