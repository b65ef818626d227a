"""What has changed since a plan was saved, in the manifest and in the plan, in words.

A saved change is still valid if a new plan has the same change: action, fields with their values before and after, and the
fingerprint of the live object. A saved change that a new plan does not have was already made, because the plan was applied,
wholly or in part. Everything else makes the plan stale.

Revocations are compared only by address, action and client: tokens change all the time, and a cut-off must not wait for
that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.json_documents import change_document
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.planfile.binding import Binding, SecretSource
from oauthdeploy.planning.planfile.plan_file import SavedPlan
from oauthdeploy.planning.unread import Unread

Json = Mapping[str, Any]
_LONGEST: Final = 120
_VARIABLE: Final = re.compile(r"\$\{var:([A-Za-z_][A-Za-z0-9_]*)\}")


class StaleItem(Struct, frozen=True):
    """One thing that has changed: `subject` is a written address, a server, or a part of the manifest."""

    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.detail}"


class Comparison(Struct, frozen=True):
    """A saved plan compared with now. `in_place` are saved changes that were already made, `unread` what could not be read
    now.
    """

    moved: tuple[StaleItem, ...] = ()
    in_place: tuple[Address, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def stale(self) -> bool:
        """True if the plan must not be applied."""
        return bool(self.moved)


# -- the manifest -----------------------------------------------------------------------------------------------------


def manifest_moved(
    binding: Binding, parts: Mapping[str, str], secrets: tuple[SecretSource, ...], variables: Mapping[str, str]
) -> tuple[StaleItem, ...]:
    """What has changed in the manifest: sections, server entries, and the sources of secrets.

    `variables` has the source of each variable by name. Only those that are part of a secret count; the values of the others
    are in the digests.
    """
    found = []
    for name in sorted(binding.parts.keys() | parts.keys()):
        before, now = binding.parts.get(name), parts.get(name)
        if before != now:
            what = "is new" if before is None else "is gone" if now is None else "has changed"
            found.append(StaleItem(f"manifest, {name}", f"{what} since the plan was made."))
    found += _secrets_moved(binding.secrets, secrets)
    known = {item.name: item.source for item in binding.request.variables}
    for name in sorted({name for secret in binding.secrets for name in _VARIABLE.findall(secret.origin)}):
        old, new = known.get(name, "nowhere"), variables.get(name, "nowhere")
        if old != new:
            found.append(StaleItem(f"variable {name}", f"its value came from {old}, and now comes from {new}."))
    return tuple(found)


def addresses_moved(saved: SavedPlan, urls: Mapping[str, str]) -> tuple[StaleItem, ...]:
    """The servers whose URL has changed since the plan was made; `urls` are the current ones, by name."""
    before = {server["name"]: server["url"] for server in saved.document["servers"] if server["name"] in urls}
    return tuple(
        StaleItem(f"manifest, servers.{name}", f"its address was {url or 'none'}, and is {urls[name] or 'none'} now.")
        for name, url in before.items()
        if normalized_url(url) != normalized_url(urls[name])
    )


def _secrets_moved(before: tuple[SecretSource, ...], now: tuple[SecretSource, ...]) -> Iterator[StaleItem]:
    then, since = ({source.path: source for source in sources} for sources in (before, now))
    for path in sorted(then.keys() | since.keys()):
        old, new = then.get(path), since.get(path)
        if old is None or new is None:
            yield StaleItem(f"manifest, {path}", f"the secret is {'new' if old is None else 'gone'}.")
        elif old.origin != new.origin:
            yield StaleItem(f"manifest, {path}", f"the secret came from {old.origin}, and now comes from {new.origin}.")
        elif old.unset != new.unset:
            names = ", ".join(sorted(set(old.unset) ^ set(new.unset)))
            state = "was set, and no longer is" if len(new.unset) > len(old.unset) else "was not set, and is now"
            yield StaleItem(f"manifest, {path}", f"the secret comes from {new.origin}, and {names} {state}.")


# -- the plan ---------------------------------------------------------------------------------------------------------


def compare_plans(saved: SavedPlan, fresh: Plan, live: LiveState) -> Comparison:
    """Compare a saved plan with one that was made in the same way now, from `live`."""
    before = {change["address"]: change for change in saved.document["changes"]}
    now = {str(change.address): change_document(change) for change in fresh.changes}
    moved = list(_servers_moved(saved.document["servers"], fresh))
    in_place = []
    for written in sorted(before.keys() | now.keys(), key=lambda text: Address.parse(text).sort_key):
        address = Address.parse(written)
        old, new = before.get(written), now.get(written)
        if old is not None and new is None:
            if live.readable(address.server, address.kind):
                in_place.append(address)
            else:
                moved.append(StaleItem(written, "can no longer be read."))
        elif old is None and new is not None:
            moved.append(StaleItem(written, f"the plan does not change it, but now it would {_action_phrase(new)}."))
        elif old is not None and new is not None:
            prints = (saved.plan.fingerprints, fresh.fingerprints)
            moved += [StaleItem(written, words) for words in _change_moved(old, new, *prints)]
    return Comparison(tuple(moved), tuple(in_place))


def _servers_moved(before: list[Json], fresh: Plan) -> Iterator[StaleItem]:
    products = {server.name: server.product for server in fresh.servers}
    for server in before:
        name, product = server["name"], server["product"]
        if products.get(name, product) != product:
            yield StaleItem(name, f"was {product or 'unknown'}, and is {products[name] or 'unknown'} now.")


def _action_phrase(change: Json) -> str:
    paths = ", ".join(field["path"] for field in change["fields"]) if change["action"] == "update" else ""
    return f"be {_DONE[change['action']]}" + (f" ({paths})" if paths else "")


_DONE: Final = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "disable": "disabled",
    "revoke": "revoked",
}


def _change_moved(old: Json, new: Json, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """The differences between a saved change and the current change of the same address."""
    if old["action"] != new["action"]:
        gone = (
            "it no longer exists, and "
            if new["action"] == "create"
            else "it now exists, and "
            if old["action"] == "create"
            else ""
        )
        yield f"{gone}was to be {_DONE[old['action']]}, and now would {_action_phrase(new)}."
        return
    if old["live_address"] != new["live_address"]:
        yield f"it was found at {old['live_address']}, and is now at {new['live_address']}."
    if old["identity"] != new["identity"]:
        yield f"it is now a different object: its id was '{old['identity']}', and is '{new['identity']}'."
    if old["kind"] == Kind.REVOCATION.value:
        return
    found = list(_fields_moved(old["fields"], new["fields"]))
    yield from found
    places = (old["address"], old["live_address"] or old["address"])
    if not found and any(then.get(place) != now.get(place) for place in places):
        yield "a field that the manifest does not manage has changed."
    elif not found and old["reason"] != new["reason"]:
        yield f"the reason for the change was {old['reason']}, and is now {new['reason']}."


def _fields_moved(before: list[Json], now: list[Json]) -> Iterator[str]:
    then, since = ({field["path"]: field for field in fields} for fields in (before, now))
    for path in sorted(then.keys() | since.keys()):
        old, new = then.get(path), since.get(path)
        if new is None and old is not None:
            yield f"{path} was {_value_text(old['before'])}, and now matches the manifest."
        elif old is None and new is not None:
            yield f"{path} matched the manifest ({_value_text(new['after'])}), and is now {_value_text(new['before'])}."
        elif old is not None and new is not None:
            if old["before"] != new["before"]:
                yield f"{path} was {_value_text(old['before'])}, and is now {_value_text(new['before'])}."
            if old["after"] != new["after"]:
                yield f"{path} was to become {_value_text(old['after'])}, and is now to become {_value_text(new['after'])}."


def _value_text(value: Any) -> str:
    """A value of a document in a sentence."""
    if isinstance(value, Mapping) and set(value) == {"secret"}:
        return f"the secret from {value['secret']}"
    if isinstance(value, Mapping) and set(value) == {"known_after_apply"}:
        return "known after the apply"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
