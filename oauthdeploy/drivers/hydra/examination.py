"""How a Hydra responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.errors import ServerError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Trial, WriteProbe, look
from oauthdeploy.drivers.hydra import client as api
from oauthdeploy.drivers.hydra.fields import LIFESPANS, OTHER_LIFESPANS
from oauthdeploy.drivers.json_wire import Route

PREFIX: Final = "oauthdeploy-doctor-"
"""The prefix of the id of the client that a trial of writing creates."""
NOBODY: Final = PREFIX + "nobody"
OPEN: Final = frozenset({"metadata", "jwks"})
"""Objects with user-chosen keys."""
NEEDED: Final = frozenset(
    {"client_id", "client_name", "redirect_uris", "grant_types", "scope", "token_endpoint_auth_method", "metadata"}
)
"""The fields of a client that the driver cannot do without."""


def examine(admin: api.AdminApi, product: str) -> Examination:
    """Look at two pages of one client each, and at a client that does not exist. Reads only."""
    seen: list[Observation] = []
    bodies: dict[str, Any] = {}
    asked: tuple[tuple[str, str, Route | str, Mapping[str, str] | None], ...] = (
        ("clients", api.CLIENTS, api.CLIENTS, api.page_of(0, 1)),
        ("next clients", api.CLIENTS, api.CLIENTS, api.page_of(1, 1)),
        ("missing client", api.CLIENT, Route.to(api.CLIENT, NOBODY), None),
    )
    for name, template, route, params in asked:
        made, body = look(admin.http, name, template, route, params, OPEN)
        seen.append(made)
        bodies[name] = body
    missing = seen[-1].status
    judgements = (
        _fields(bodies["clients"]),
        _pages(bodies["clients"], bodies["next clients"]),
        Judgement(
            "missing client",
            "as expected" if missing == 404 else "differs",
            "" if missing == 404 else f"status {missing}",
        ),
    )
    return Examination({"product": product}, "", tuple(seen), {}, judgements)


def _fields(page: Any) -> Judgement:
    subject = "fields of the clients"
    one = page[0] if isinstance(page, list) and page else None
    if not isinstance(one, Mapping):
        return Judgement(subject, "unknown", "there is no client")
    lacking = sorted(NEEDED - one.keys())
    return Judgement(subject, "differs" if lacking else "as expected", f"lacks {', '.join(lacking)}" if lacking else "")


def _pages(first: Any, second: Any) -> Judgement:
    """Whether the token of a page, which the driver computes, leads to the next client."""
    subject = "pages of clients"
    if not isinstance(first, list) or not isinstance(second, list):
        return Judgement(subject, "differs", "a page is not a list")
    if not first or not second:
        return Judgement(subject, "unknown", "there are fewer than two clients")
    good = len(first) == 1 and first != second
    return Judgement(subject, "as expected" if good else "differs", "" if good else "the second page is like the first")


# -- trying to write --------------------------------------------------------------------------------------------------


class _Trial(Trial):
    def __init__(self, admin: api.AdminApi, name: str) -> None:
        super().__init__(admin.http, name)
        self._admin = admin
        self._made: api.Json = {}

    def steps(self) -> Iterator[None]:
        self._create()
        yield
        before = self._read()
        if not before:
            return
        operations: list[api.Operation] = [
            {"op": "replace", "path": "/client_name", "value": "second"},
            {"op": "add", "path": "/metadata/more", "value": 1},
        ]
        patched = self.attempt("PATCH client", "PATCH", api.CLIENT, lambda: self._admin.patch(self.name, operations))
        after = self._read()
        changed = after.get("client_name") == "second" and after.get("metadata") == {"probe": 1, "more": 1}
        self.say("PATCH of a client", patched is None and changed, f"status {patched}")
        kept = ("redirect_uris", "grant_types", "scope", "token_endpoint_auth_method")
        lost = [key for key in kept if before.get(key) != after.get(key)]
        self.say("PATCH keeps what it does not name", not lost, f"changes {', '.join(lost)}")
        yield
        self._lifetimes()
        yield
        tokens = self.attempt("DELETE tokens", "DELETE", api.TOKENS, lambda: self._admin.delete_tokens(self.name))
        self.say("DELETE of the tokens of a client", tokens is None, f"status {tokens}")

    def _create(self) -> None:
        body = {
            "client_id": self.name, "client_name": "first", "grant_types": ["client_credentials"], "scope": "probe",
            "redirect_uris": ["https://doctor.example.com/callback"], "metadata": {"probe": 1},
        }  # fmt: skip

        def create() -> None:
            self._made = self._admin.create(body)
            secret = self._made.get("client_secret")
            if isinstance(secret, Secret):
                self.http.guard(secret)

        made = self.attempt("POST client", "POST", api.CLIENTS, create)
        self.say("POST of a client", made is None, f"status {made}")
        has_secret = isinstance(self._made.get("client_secret"), Secret)
        self.say("secret of a new client", has_secret, "the answer does not hold it")
        again = self.attempt("POST client again", "POST", api.CLIENTS, create)
        self.say("POST of a client that exists", again == 409, f"status {again}")

    def _lifetimes(self) -> None:
        some, none = dict.fromkeys(LIFESPANS, "20m0s"), dict.fromkeys((*LIFESPANS, *OTHER_LIFESPANS))
        for what, body in (("set", {**none, **some}), ("removed", none)):
            status = self.attempt(
                f"PUT lifetimes, {what}",
                "PUT",
                api.LIFESPANS,
                lambda body=body: self._admin.put_lifespans(self.name, body),  # type: ignore[misc]
            )
            have = self._read()
            good = status is None and all(have.get(key) == value for key, value in body.items())
            self.say(f"lifetimes are {what}", good, f"status {status}")

    def _read(self) -> api.Json:
        route = Route.to(api.CLIENT, self.name)
        made, body = look(self.http, "client of the trial", api.CLIENT, route, None, OPEN)
        self.seen.append(made)
        return body if isinstance(body, Mapping) else {}

    def clean_up(self) -> None:
        try:
            self._admin.delete(self.name)
        except ServerError:
            self.left.append(f"client {self.name}")


def try_writing(admin: api.AdminApi, tag: str) -> WriteProbe:
    """Create a client that nobody knows the secret of, change and remove it."""
    return _Trial(admin, PREFIX + tag).carry_out()
