"""How a server of dynamic registration responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from oauthdeploy.core.errors import NotFound, ServerError, Unauthorized, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Trial, WriteProbe, look, shape_of
from oauthdeploy.drivers.rfc7591.client import Json, Metadata, RegistrationApi
from oauthdeploy.drivers.rfc7591.client_registry import Entry
from oauthdeploy.drivers.rfc7591.mapping import NOT_SENT

PREFIX: Final = "oauthdeploy-doctor-"
"""The prefix of the name of the clients that a trial of writing creates."""
OPEN: Final = frozenset({"jwks", "mtls_endpoint_aliases"})
"""Objects with keys that somebody chose."""
ENDPOINT: Final = "registration_endpoint"
CLIENT: Final = "registration_client_uri"
_ENDPOINTS: Final = (ENDPOINT, "introspection_endpoint", "revocation_endpoint")


def examine(api: RegistrationApi, endpoint: str | None) -> Examination:
    """Look at the metadata of the server; `endpoint` is the registration endpoint of the manifest. Reads only."""
    seen = [look(api.http, place.shown, place.shown, place, None, OPEN)[0] for place in api.places]
    try:
        metadata = api.metadata()
    except (Unreachable, Unauthorized):
        raise
    except ServerError as problem:
        return Examination({}, "", tuple(seen), {}, (Judgement("metadata", "differs", problem.summary),))
    named = {
        ENDPOINT: endpoint or metadata.registration,
        "introspection_endpoint": metadata.introspection,
        "revocation_endpoint": metadata.revocation,
    }
    judgements = [Judgement("metadata", "as expected"), *(_endpoint(name, named[name]) for name in _ENDPOINTS)]
    return Examination({}, "", tuple(seen), _facts(metadata), tuple(judgements))


def _endpoint(name: str, address: str) -> Judgement:
    if address:
        return Judgement(name, "as expected")
    return Judgement(name, "differs" if name == ENDPOINT else "unknown", "the metadata do not have it")


def _facts(metadata: Metadata) -> dict[str, str | int | bool]:
    """What the metadata say of what a client may ask for."""
    listed = {"scopes": metadata.scopes, "grant types": metadata.grants, "response types": metadata.responses}
    return {f"metadata list {name}": values is not None for name, values in listed.items()}


# -- trying to write --------------------------------------------------------------------------------------------------


class _Trial(Trial):
    def __init__(self, api: RegistrationApi, endpoint: str, initial: Secret | None, name: str) -> None:
        super().__init__(api.http, name)
        self._api = api
        self._endpoint = endpoint
        self._initial = initial
        self._made: dict[str, Entry] = {}

    def steps(self) -> Iterator[None]:
        made = self._register("POST client", self._initial)
        self.say("POST of a client", made is not None, "the server refuses it")
        yield
        if made is None:
            return
        entry, raw = made
        self.say("secret of a new client", "client_secret" in raw, "the response does not have it")
        managed = bool(entry.uri and entry.token)
        self.say("management of clients (RFC 7592)", managed, f"the response has no {CLIENT} with its token")
        if not managed:
            return
        read = self._step("GET client", "GET", lambda: self._api.read(self._made[entry.client_id]))
        self.say("GET of a client", read is not None, "the server refuses it")
        yield
        yield from self._updates(entry.client_id, read if read is not None else raw)
        if self._initial is not None:
            self.facts["registration needs an initial access token"] = (
                self._register("POST without a token", None) is None
            )
            yield
        self._delete(entry.client_id)

    def _updates(self, client_id: str, raw: Json) -> Iterator[None]:
        """PUT the client with another name, and then without its contacts."""
        body = {name: value for name, value in raw.items() if name not in NOT_SENT}
        told = self._put("PUT client", client_id, {**body, "client_name": f"{self.name} second"})
        changed = told is not None and told.get("client_name") == f"{self.name} second"
        self.say("PUT of a client", changed, "not offered: a changed client is replaced")
        yield
        if told is None:
            return
        fewer = {name: value for name, value in body.items() if name != "contacts"}
        told = self._put("PUT client without contacts", client_id, fewer)
        self.say("PUT deletes what it leaves out", told is not None and not told.get("contacts"), "it stays")
        yield

    def _put(self, name: str, client_id: str, body: Json) -> Json | None:
        return self._step(name, "PUT", lambda: self._api.update(self._made[client_id], body))

    def _delete(self, client_id: str) -> None:
        entry = self._made[client_id]
        status = self._attempt("DELETE client", "DELETE", CLIENT, lambda: self._api.delete(entry))
        self.say("DELETE of a client", status is None, f"status {status}")
        if status is not None:
            return
        del self._made[client_id]
        gone = self._attempt("GET deleted client", "GET", CLIENT, lambda: self._api.read(entry))
        self.say("a deleted client", gone in (401, 404), f"status {gone}")

    def _register(self, name: str, token: Secret | None) -> tuple[Entry, Json] | None:
        body = {
            "client_name": self.name,
            "redirect_uris": ["https://doctor.example.com/callback"],
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "contacts": ["doctor@example.com"],
        }
        made: list[tuple[Json, Entry]] = []

        def register() -> None:
            try:
                made.append(self._api.register(self._endpoint, body, token))
            except ServerError as error:
                if error.uncertain:
                    self.left.append(f"client named {self.name}")
                raise

        self._attempt(name, "POST", ENDPOINT, register)
        if not made:
            return None
        raw, entry = made[0]
        self._made[entry.client_id] = entry
        self.seen[-1] = Observation(name, "POST", ENDPOINT, 201, shape_of(raw, OPEN))
        return entry, raw

    def _step(self, name: str, method: str, send: Callable[[], tuple[Json, Entry]]) -> Json | None:
        """Read or change the client, and note whether its registration access token changed."""
        answers: list[tuple[Json, Entry]] = []
        status = self._attempt(name, method, CLIENT, lambda: answers.append(send()))
        if status is not None:
            return None
        raw, after = answers[0]
        before = self._made[after.client_id]
        self._made[after.client_id] = after
        self.seen[-1] = Observation(name, method, CLIENT, 200, shape_of(raw, OPEN))
        changes = self.facts.get(f"{method} changes the registration access token", False)
        self.facts[f"{method} changes the registration access token"] = changes or after.token != before.token
        return raw

    def _attempt(self, name: str, method: str, path: str, step: Callable[[], Any]) -> int | None:
        """Take one step; returns the status of a refusal, 401 among them, None for success."""
        try:
            return self.attempt(name, method, path, step)
        except Unauthorized as error:
            self.seen.append(Observation(name, method, path, error.status))
            return error.status or 401

    def clean_up(self) -> None:
        for entry in self._made.values():
            try:
                if entry.uri:
                    self._api.delete(entry)
                else:
                    self.left.append(f"client {entry.client_id}")
            except NotFound:
                continue
            except ServerError:
                self.left.append(f"client {entry.client_id}")


def try_writing(api: RegistrationApi, endpoint: str, initial: Secret | None, tag: str) -> WriteProbe:
    """Register a client that nobody knows the secret of, change and remove it."""
    return _Trial(api, endpoint, initial, PREFIX + tag).carry_out()
