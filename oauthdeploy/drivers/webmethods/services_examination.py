"""What the administration services of an Integration Server show, by the service, and what a trial of writing with them does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.secrets import is_masked
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, WriteProbe, look
from oauthdeploy.drivers.webmethods.examination import NOBODY, PREFIX, ApiTrial
from oauthdeploy.drivers.webmethods.mapping import LiveClient
from oauthdeploy.drivers.webmethods.services_api import FOLDER, NEEDED, ServicesApi

_ASKED: Final = (
    ("settings", "getOAuthSettings", "", ""),
    ("clients", "listClientRegistrations", "", ""),
    ("client", "getClientRegistration", "client_id", "clients"),
    ("missing client", "getClientRegistration", "client_id", ""),
    ("scopes", "listScopes", "", ""),
    ("scope", "getScope", "name", "scopes"),
    ("missing scope", "getScope", "name", ""),
    ("external servers", "listExternalAuthorizationServers", "", ""),
    ("external server", "getExternalAuthorizationServer", "name", "external servers"),
    ("tokens", "listTokens", "", ""),
)
"""What is looked at: its name, the service, the input, and the list whose first entry has it; "" for what does not exist."""


def examine(api: ServicesApi) -> Examination:
    """Call every service that the driver reads with, one of them for names that do not exist. Reads only."""
    seen: list[Observation] = []
    bodies: dict[str, Any] = {}
    for name, service, given, listed in _ASKED:
        value = _first(bodies.get(listed), given) if listed else NOBODY
        if given and value is None:
            continue
        params = {given: value} if given and value is not None else None
        made, body = look(api.http, name, FOLDER + service, FOLDER + service, params)
        seen.append(made)
        bodies[name] = body
    judgements = [_fields(name, needed, bodies.get(name)) for name, needed in NEEDED.items()]
    return Examination({"product": api.api.title}, "", tuple(seen), _facts(seen, bodies), tuple(judgements))


def _entries(body: Any) -> Sequence[Any]:
    """The entries of the one list in an answer."""
    lists = [value for value in body.values() if isinstance(value, list)] if isinstance(body, Mapping) else []
    return lists[0] if len(lists) == 1 else ()


def _first(body: Any, key: str) -> str | None:
    """The name or id in the first entry of a list, whose entries are objects or texts."""
    for raw in _entries(body)[:1]:
        found = raw.get(key) if isinstance(raw, Mapping) else raw
        return found if isinstance(found, str) and found else None
    return None


def _fields(name: str, needed: frozenset[str], body: Any) -> Judgement:
    subject = f"fields of the {name}"
    if not isinstance(body, Mapping):
        return Judgement(subject, "unknown", "nothing to look at")
    lacking = sorted(needed - body.keys())
    return Judgement(subject, "differs" if lacking else "as expected", f"lacks {', '.join(lacking)}" if lacking else "")


def _facts(seen: Sequence[Observation], bodies: Mapping[str, Any]) -> Mapping[str, str | int | bool]:
    """What a profile of the embedded server has switches for."""
    facts: dict[str, str | int | bool] = {"administration": "services"}
    for one in seen:
        if one.name.startswith("missing "):
            facts["service_errors"] = "message" if one.status == 200 else "status"
    scopes = _entries(bodies.get("scopes"))
    if scopes:
        facts["service_lists"] = "objects" if isinstance(scopes[0], Mapping) else "names"
    client = bodies.get("client")
    if isinstance(client, Mapping) and str(client.get("type", "")).lower() == "confidential":
        secret = client.get("client_secret")
        facts["secrets"] = "hidden" if not secret else "masked" if is_masked(str(secret)) else "clear"
    return facts


# -- trying to write --------------------------------------------------------------------------------------------------


def try_writing(api: ServicesApi, tag: str) -> WriteProbe:
    """Create a scope and a disabled client, change and remove them."""
    return _Trial(api, PREFIX + tag).carry_out()


class _Trial(ApiTrial):
    def steps(self) -> Iterator[None]:
        admin, name = self.admin, self.name
        scope = {"description": "a trial of oauthdeploy", "FoldersAndServices": [], "urlTemplates": []}
        made = self.attempt("putScope", "POST", FOLDER + "putScope", lambda: admin.create_scope(name, scope))
        self.say("a new scope", made is None, f"status {made}")
        yield
        self._asked_for_client = True
        status = self.attempt("registerClient", "POST", FOLDER + "registerClient", self._register)
        self.say("a new client", status is None, f"status {status}")
        if not self.client_id:
            return
        yield
        before = self._client()
        self._change("another description", {"description": "second"})
        after = self._client()
        kept = before is not None and after is not None and _kept(before) == _kept(after)
        self.say("an update keeps what stays", kept, "it changes other fields")
        yield
        self._change("no scopes", {"scopes": []})
        self.say("scopes of a client", not (live := self._client()) or not live.scopes, "the client keeps its scopes")
        yield
        self._change("enabled", {"enabled": True})
        self.say("status of a client", (live := self._client()) is not None and bool(live.enabled), "it stays disabled")

    def _register(self) -> None:
        live = self.admin.create_client(
            {
                "name": self.name, "version": "1", "type": "Confidential", "description": "first",
                "redirect_uris": ["https://doctor.example.com/callback"], "scopes": [self.name],
                "authorizationCodeGrant": True, "tokenLifetime": 77, "tokenRefreshCount": 2, "enabled": False,
            }
        )  # fmt: skip
        self.client_id = live.client_id
        self.facts["secret_at_creation"] = live.secret is not None
        self.say("secret of a new client", live.secret is not None, "no answer holds it")

    def _client(self) -> LiveClient | None:
        return self.admin.client(self.client_id)

    def _change(self, what: str, body: Mapping[str, Any]) -> None:
        status = self.attempt(
            f"update: {what}",
            "POST",
            FOLDER + "updateClientRegistration",
            lambda: self.admin.patch_client(self.client_id, body),
        )
        if status is not None:
            self.say(f"update: {what}", False, f"status {status}")


def _kept(live: LiveClient) -> Any:
    """What an update of the description must leave as it is."""
    return live.scopes, live.value.redirect_uris, live.value.grants, live.value.tokens, live.enabled
