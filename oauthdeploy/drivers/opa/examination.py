"""How an OPA responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from oauthdeploy.core.errors import NotFound, ServerError
from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Trial, Verdict, WriteProbe, look
from oauthdeploy.drivers.opa.client import BUNDLES, CONFIG, DataApi

NOWHERE: Final = "oauthdeploy_doctor/nothing"
OPEN: Final = frozenset(
    {"clients", "scopes", "revocations", "labels", "result", "bundles", "keys", "services", "plugins", "jwks"}
)
"""Objects with user-chosen keys."""


def examine(api: DataApi, product: str) -> Examination:
    """Look at the document, at one that does not exist, and at the configuration. Reads only."""
    seen: list[Observation] = []
    judgements: list[Judgement] = []
    for name, template, route in (
        ("document", "/v1/data/{}", api.route),
        ("missing document", "/v1/data/{}", f"/v1/data/{NOWHERE}"),
        ("configuration", CONFIG, CONFIG),
        ("bundles", BUNDLES, BUNDLES),
    ):
        made, body = look(api.http, name, template, route, None, OPEN)
        seen.append(made)
        if name in ("configuration", "bundles"):
            continue
        told = isinstance(body, Mapping)
        verdict: Verdict = "as expected" if told else "unknown"
        if name == "missing document" and told and "result" in body:
            verdict = "differs"
        said = {"as expected": "", "unknown": f"status {made.status}", "differs": "a result stands where nothing is"}
        judgements.append(Judgement(name, verdict, said[verdict]))
    return Examination({"product": product}, "", tuple(seen), {}, tuple(judgements))


# -- trying to write --------------------------------------------------------------------------------------------------

PREFIX: Final = "oauthdeploy_doctor_"
"""The prefix of the document that a trial of writing creates beside the driver's own."""
TEMPLATE: Final = "/v1/data/{}"


class _Trial(Trial):
    def __init__(self, api: DataApi, name: str) -> None:
        super().__init__(api.http, name)
        self._api = DataApi(api.http, name)

    def steps(self) -> Iterator[None]:
        api = self._api
        made = self.attempt("PUT document", "PUT", TEMPLATE, lambda: api.create({"probe": 1}))
        self.say("PUT of a new document", made is None, f"status {made}")
        yield
        again = self.attempt("PUT document again", "PUT", TEMPLATE, lambda: api.create({"probe": 2}))
        self.say("PUT with If-None-Match of a document that exists", again == 304, f"status {again}")
        self.say("a refused PUT changes nothing", self._value() == {"probe": 1}, "the document is another")
        yield
        add = {"op": "add", "path": "/more", "value": 1}
        changed = self.attempt("PATCH document", "PATCH", TEMPLATE, lambda: api.patch([add]))
        self.say(
            "PATCH of a document", changed is None and self._value() == {"probe": 1, "more": 1}, f"status {changed}"
        )
        yield
        stale: list[dict[str, object]] = [
            {"op": "remove", "path": "/absent"},
            {"op": "add", "path": "/probe", "value": 3},
        ]
        refused = self.attempt("PATCH of what is gone", "PATCH", TEMPLATE, lambda: api.patch(stale))
        kept = self._value() == {"probe": 1, "more": 1}
        self.say("a PATCH that fails changes nothing", refused is not None and kept, f"status {refused}")

    def _value(self) -> Mapping[str, object] | None:
        return self._api.document()[0]

    def clean_up(self) -> None:
        try:
            if self._value() is not None:
                self.http.request("DELETE", self._api.route)
        except NotFound:
            return
        except ServerError:
            self.left.append(f"document {self._api.route}")


def try_writing(api: DataApi, tag: str) -> WriteProbe:
    """Create a document beside the driver's own, change and remove it."""
    return _Trial(api, PREFIX + tag).carry_out()
