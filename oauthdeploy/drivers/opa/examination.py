"""How an OPA responds where the driver relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from oauthdeploy.drivers.examination import Examination, Judgement, Observation, Verdict, look
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
