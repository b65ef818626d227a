"""What an Integration Server does where its documentation is silent: observed, and with `try_writing` tried on throwaway
objects.

The facts have the names of the switches of a profile (`serve --profile`), so that the embedded server can emulate the server
from its record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.errors import ServerError
from oauthdeploy.core.secrets import is_masked
from oauthdeploy.drivers.examination import (
    Examination,
    Judgement,
    Observation,
    Trial,
    Verdict,
    WriteProbe,
    look,
    shape_of,
)
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.client import EXPANDED, AdminApi
from oauthdeploy.drivers.webmethods.links import LINK, linked_id

PREFIX: Final = "oauthdeploy_doctor_"
"""The prefix of the name of everything that a trial of writing creates."""

NOBODY: Final = PREFIX + "nobody"
SERVER: Final = "/admin/server"
FAMILIES: Final = (
    ("client", doc.CLIENTS, doc.CLIENT, "client_id"),
    ("scope", doc.SCOPES, doc.SCOPE, "name"),
    ("external server", doc.EXTERNALS, doc.EXTERNAL, "name"),
    ("remote server", doc.REMOTES, doc.REMOTE, "alias"),
    ("user", doc.USERS, doc.USER, "name"),
    ("group", doc.GROUPS, doc.GROUP, "name"),
)
"""A kind of listed object: its name, its list, one object, and the field that is in its path."""

SETTINGS_FIELDS: Final = frozenset(
    {
        "requireHTTPS",
        "requirePKCE",
        "authCodeLifetimeSeconds",
        "accessTokenLifetimeSeconds",
        "tokenEndpointAuth",
        "authServerAlias",
    }
)
CLIENT_FIELDS: Final = frozenset(
    {
        "name", "version", "type", "description", "redirect_uris", "scopes", "authorizationCodeGrant", "implicitGrant",
        "clientCredentialsGrant", "resourceOwnerCredentialsGrant", "tokenLifetime", "tokenRefreshCount", "enabled",
        "registrationClientUri", "registrationAccessToken", "client_id", "client_secret",
    }
)  # fmt: skip
"""The fields in the OpenAPI document of 10.11."""

EXPECTED: Final[Mapping[str, str | int | bool]] = {
    "expand": "honored",
    "list_shape": "named",
    "list_items": "whole",
    "missing": 404,
    "versions": "declared",
    "values": "json",
    "token_lists": "one",
    "patch": "merges",
    "duplicate": 409,
    "secret_at_creation": True,
}
"""What the guides say or suggest. The driver supports the other answers too; `differs` says that one of them was observed."""

_VERSION_WORDS: Final = ("version", "fix", "update", "build", "patch", "release")


class _Looks:
    """The observations of one examination, with the bodies for as long as it takes."""

    def __init__(self, admin: AdminApi) -> None:
        self.admin = admin
        self.seen: list[Observation] = []
        self.bodies: dict[str, Any] = {}

    def get(self, name: str, path: str, *segments: str, expand: bool = False) -> Any:
        literal = self.admin.api.paths.get(("GET", path))
        if literal is None:
            return None
        template = path + ("?expand=true" if expand else "")
        route = Route.to(literal, *segments)
        made, body = look(self.admin.http, name, template, route, EXPANDED if expand else None)
        self.seen.append(made)
        self.bodies[name] = body
        return body

    def status(self, name: str) -> int | None:
        return next((one.status for one in self.seen if one.name == name), None)


def examine(admin: AdminApi) -> Examination:
    """Look at everything that the driver reads, and at names that do not exist. Reads only."""
    looks = _Looks(admin)
    document = admin.http.get(doc.DOCUMENT).body
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    product = {"API": f"{admin.api.title} {admin.api.version}".strip()}
    product.update(_version_texts(looks.get("server", SERVER)))
    for path in _update_paths(admin.api):
        product.update(_version_texts(looks.get(path, path)))
    looks.get("settings", doc.SETTINGS)
    for what, path, one, key in FAMILIES:
        looks.get(f"{what}s", path)
        listed = looks.get(f"{what}s, expanded", path, expand=True)
        first = next((found for raw in _items(listed) if (found := _id_of(raw, key))), None)
        if first is not None:
            looks.get(what, one, first)
        looks.get(f"missing {what}", one, NOBODY)
    by_name, client = "client by name and version", looks.bodies.get("client")
    if isinstance(client, Mapping) and client.get("name") and client.get("version"):
        looks.get(by_name, doc.CLIENT_BY_NAME, str(client["name"]), str(client["version"]))
    looks.get(f"missing {by_name}", doc.CLIENT_BY_NAME, NOBODY, "1")
    looks.get("tokens", doc.TOKENS)
    looks.get("tokens, expanded", doc.TOKENS, expand=True)
    facts = _facts(looks)
    judgements = [*_about_fields(looks), *judged(facts), *_left_over(looks)]
    return Examination(product, digest, tuple(looks.seen), facts, tuple(judgements))


def _update_paths(api: doc.Api) -> Sequence[str]:
    """The paths whose names say that they show the fixes of the server; no page lists one, so the document is searched."""
    words = ("update", "fix")
    plain = sorted(path for method, path in api.paths if method == "GET" and "{" not in path)
    return [path for path in plain if any(word in path.rpartition("/")[2].lower() for word in words)][:3]


def _version_texts(body: Any) -> Mapping[str, str]:
    if not isinstance(body, Mapping):
        return {}
    named = {str(key): value for key, value in body.items() if any(word in str(key).lower() for word in _VERSION_WORDS)}
    return {key: json.dumps(value)[:200] for key, value in named.items() if not isinstance(value, Mapping)}


def _items(body: Any) -> Sequence[Any]:
    """The objects of the one list of objects in a response."""
    lists = [body] if isinstance(body, list) else [v for v in body.values() if isinstance(v, list)] if body else []
    held = [one for one in lists if any(isinstance(item, Mapping) for item in one)]
    return held[0] if len(held) == 1 else ()


def _id_of(raw: Any, key: str) -> str | None:
    found = raw.get(key) if isinstance(raw, Mapping) else None
    return linked_id(raw) or (found if isinstance(found, str) and found else None)


def _facts(looks: _Looks) -> Mapping[str, str | int | bool]:
    """The answers to the open questions, as far as the server has objects that show them."""
    facts: dict[str, str | int | bool] = {}
    listed = looks.bodies.get("scopes, expanded") or looks.bodies.get("clients, expanded")
    items = _items(looks.bodies.get("clients, expanded")) or _items(looks.bodies.get("scopes, expanded"))
    if listed is not None:
        arrays = (
            [key for key, value in listed.items() if isinstance(value, list)] if isinstance(listed, Mapping) else []
        )
        facts["list_shape"] = "array" if isinstance(listed, list) else "named" if len(arrays) == 1 else "with_ids"
    if items and isinstance(items[0], Mapping):
        facts["expand"] = "ignored" if items[0].keys() <= LINK else "honored"
    for what in ("client", "scope"):
        one = looks.bodies.get(what)
        first = next(iter(_items(looks.bodies.get(f"{what}s, expanded"))), None)
        if isinstance(one, Mapping) and isinstance(first, Mapping) and facts.get("expand") == "honored":
            whole = {key for key, value in one.items() if value not in (None, "", [])} - {"client_secret"}
            facts.setdefault("list_items", "whole" if whole <= first.keys() else "partial")
    missing = looks.status("missing scope") or looks.status("missing client")
    if missing is not None:
        facts["missing"] = missing
    _facts_of_client(looks.bodies.get("client"), facts)
    settings = looks.bodies.get("settings")
    flag = settings.get("requireHTTPS") if isinstance(settings, Mapping) else None
    if flag is not None:
        facts["values"] = "text" if isinstance(flag, str) else "json"
    tokens = looks.bodies.get("tokens, expanded")
    if isinstance(tokens, Mapping):
        lists = [key for key, value in tokens.items() if isinstance(value, list)]
        two = len(lists) == 2 and all("token" in key.lower() for key in lists)
        facts["token_lists"] = "two" if two else "one"
    links = [raw["url"] for raw in _items(looks.bodies.get("scopes")) if linked_id(raw) is not None]
    if links:
        facts["links"] = "absolute" if str(links[0]).startswith("http") else "relative"
    return facts


def _facts_of_client(client: Any, facts: dict[str, str | int | bool]) -> None:
    if not isinstance(client, Mapping):
        return
    version = client.get("version")
    if isinstance(version, str | int):
        facts["versions"] = "text" if isinstance(version, str) else "declared"
    if str(client.get("type", "")).lower() == "confidential":
        secret = client.get("client_secret")
        facts["secrets"] = "hidden" if not secret else "masked" if is_masked(str(secret)) else "clear"
    empty = [key for key in ("description", "redirect_uris", "scopes") if client.get(key) in (None, "", [])]
    if empty:
        key = empty[0]
        facts["empty"] = "absent" if key not in client else "null" if client[key] is None else "shown"


def judged(facts: Mapping[str, str | int | bool]) -> Sequence[Judgement]:
    """Each expectation, compared with the facts; unknown if no fact shows it."""
    found = []
    for name, expected in EXPECTED.items():
        have = facts.get(name)
        verdict: Verdict = "unknown" if have is None else "as expected" if have == expected else "differs"
        detail = (
            "" if verdict == "as expected" else f"expected {expected}" + (f", is {have}" if have is not None else "")
        )
        found.append(Judgement(name.replace("_", " "), verdict, detail))
    return found


def _about_fields(looks: _Looks) -> Sequence[Judgement]:
    """Fields that the document of 10.11 does not have, and fields of it that are missing."""
    found = []
    for name, fields, may_lack in (
        ("settings", SETTINGS_FIELDS, frozenset[str]()),
        ("client", CLIENT_FIELDS, frozenset({"client_secret", "registrationClientUri", "registrationAccessToken"})),
    ):
        body = looks.bodies.get(name)
        if not isinstance(body, Mapping):
            found.append(Judgement(f"fields of the {name}", "unknown", "nothing to look at"))
            continue
        more, less = sorted(body.keys() - fields), sorted(fields - body.keys() - may_lack)
        parts = [f"has also {', '.join(map(str, more))}" if more else "", f"lacks {', '.join(less)}" if less else ""]
        said = "; ".join(part for part in parts if part)
        found.append(Judgement(f"fields of the {name}", "differs" if said else "as expected", said))
    lacking = looks.admin.api.missing
    found.append(
        Judgement(
            "operations", "differs" if lacking else "as expected", f"lacks {', '.join(lacking)}" if lacking else ""
        )
    )
    return found


def _left_over(looks: _Looks) -> Sequence[Judgement]:
    names = [
        str(raw.get("name"))
        for what in ("clients", "scopes")
        for raw in _items(looks.bodies.get(what))
        if isinstance(raw, Mapping)
    ]
    left = sorted({name for name in names if name.startswith(PREFIX)})
    return (
        [Judgement("left over", "differs", f"an interrupted trial left {', '.join(left)}; remove it")] if left else []
    )


# -- trying to write --------------------------------------------------------------------------------------------------


def try_writing(admin: AdminApi, tag: str) -> WriteProbe:
    """Create a scope and a client, change and remove them; `tag` distinguishes this trial from others."""
    return ApiTrial(admin, PREFIX + tag).carry_out()


class ApiTrial(Trial):
    """Writes one scope and one client by the Administrator API."""

    def __init__(self, admin: AdminApi, name: str) -> None:
        super().__init__(admin.http, name)
        self.admin = admin
        self.client_id = ""
        self._asked_for_client = False

    def steps(self) -> Iterator[None]:
        """Each operation once, and what it does to the rest of the object."""
        self._scopes()
        yield
        if not self._make_client():
            return
        yield
        before = self._read()
        self._patch("one field", {"description": "second"})
        after = self._read()
        self._judge_patch(before, after)
        yield
        self._patch("null", {"description": None})
        told = self._read().get("description")
        self.say("PATCH with null", told in (None, ""), f"description is then {shape_of(told)}")
        yield
        self._patch("association", {"scopes": []})
        self.say("PATCH of the scopes", self._read().get("scopes") in (None, []), "the client keeps its scopes")
        yield
        self._patch("disable", {"enabled": False})
        self.say("PATCH of enabled", str(self._read().get("enabled")).lower() == "false", "the client stays enabled")

    def _scopes(self) -> None:
        body = {
            "name": self.name,
            "description": "a trial of oauthdeploy",
            "FoldersAndServices": [],
            "urlTemplates": [],
        }
        made = self.attempt("POST scope", "POST", doc.SCOPES, lambda: self.admin.create_scope(self.name, body))
        self.say("POST of a scope", made is None, f"status {made}")
        again = self.attempt("POST scope again", "POST", doc.SCOPES, lambda: self.admin.create_scope(self.name, body))
        if again is not None:
            self.facts["duplicate"] = again
        self.say("POST of a scope that exists", again == 409, f"status {again}")

    def _make_client(self) -> bool:
        body = {
            "name": self.name, "version": 1, "type": "Confidential", "description": "first",
            "redirect_uris": ["https://doctor.example.com/callback"], "scopes": [self.name],
            "authorizationCodeGrant": True, "tokenLifetime": 77, "tokenRefreshCount": 2, "enabled": True,
        }  # fmt: skip
        self._asked_for_client = True
        route = Route.to(self.admin.api.paths["POST", doc.CLIENTS])
        status, answer = self.send("POST client", "POST", route, doc.CLIENTS, body)
        if status is not None or not isinstance(answer, Mapping) or not isinstance(answer.get("client_id"), str):
            self.say("POST of a client", False, f"status {status}")
            return False
        self.client_id = answer["client_id"]
        secret = answer.get("client_secret")
        self.facts["secret_at_creation"] = bool(secret) and not is_masked(str(secret))
        self.say("POST of a client", True, "")
        self.say("secret of a new client", bool(self.facts["secret_at_creation"]), "the answer does not hold it")
        return True

    def _read(self) -> Mapping[str, Any]:
        made, body = look(self.admin.http, "client of the trial", doc.CLIENT, self._route("GET"))
        self.seen.append(made)
        return body if isinstance(body, Mapping) else {}

    def _patch(self, what: str, body: Mapping[str, Any]) -> None:
        status, _answer = self.send(f"PATCH {what}", "PATCH", self._route("PATCH"), doc.CLIENT, body)
        if status is not None:
            self.facts.setdefault("patch", "replaces")
            self.say(f"PATCH of {what}", False, f"status {status}")

    def _judge_patch(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        kept = ("redirect_uris", "scopes", "tokenLifetime", "tokenRefreshCount", "authorizationCodeGrant")
        lost = [key for key in kept if before.get(key) != after.get(key)]
        self.facts.setdefault("patch", "clears" if lost else "merges")
        self.say("PATCH keeps what it does not name", not lost, f"resets {', '.join(lost)}")

    def _route(self, method: str) -> Route:
        return Route.to(self.admin.api.paths[method, doc.CLIENT], self.client_id)

    def clean_up(self) -> None:
        """Remove what was created, whatever happened, and check that it is gone."""
        if self._asked_for_client:
            self._remove_clients()
        try:
            self.admin.delete_scope(self.name)
        except ServerError:
            self.left.append(f"scope {self.name}")

    def _remove_clients(self) -> None:
        # The response to the create may have been lost: every client with the name of this trial is its own.
        try:
            mine = [live.client_id for live in self.admin.clients() if live.name == self.name]
            for client_id in mine:
                self.admin.delete_client(client_id)
        except ServerError:
            self.left.append(f"client {self.name}")
