"""The HTTP side: one method for each request of OPA's REST API that the driver sends, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.errors import Conflict, Forbidden, NotFound, Rejected, ServerError, Unauthorized, UnexpectedAnswer
from oauthdeploy.drivers.http import AdminClient, Answer

PATCH: Final = "application/json-patch+json"
CONFIG: Final = "/v1/config"
BUNDLES: Final = "/v1/data/system/bundles"
POLICIES: Final = "/v1/policies"
_POLICY: Final = "OPA's policy system.authz decides who may do what; "


_BESIDES: Final = frozenset({"decision_id", "explanation", "metrics", "provenance", "warning"})
"""What a response of the Data API may contain besides its result (REST API reference, "Data API")."""


class DataApi:
    """The policy data document of one OPA; `path` is its path below /v1/data."""

    def __init__(self, http: AdminClient, path: str) -> None:
        self.http = http
        self.route = f"/v1/data/{path}"

    def document(self) -> tuple[Mapping[str, Any] | None, Answer]:
        """GET the document, None if there is none, and the whole response with the server's clock.

        For undefined data, OPA returns a response without a result, not 404. Raises UnexpectedAnswer for anything but an
        object.
        """
        answer = self.http.get(self.route)
        if not isinstance(answer.body, Mapping):
            raise self._garbled("the answer is not an object", answer)
        if "result" not in answer.body:
            if not answer.body.keys() <= _BESIDES:
                raise self._garbled("the answer is not one of OPA's Data API", answer)
            return None, answer
        found = answer.body["result"]
        if not isinstance(found, Mapping):
            raise self._garbled("what stands there is not an object", answer)
        return found, answer

    def create(self, document: Mapping[str, Any]) -> None:
        """PUT the document if there is none. Raises Conflict if there is one, and Forbidden if writing is not allowed."""
        try:
            # `If-None-Match: *` is the only precondition that OPA supports (docs/servers.md): 304 if there is a document.
            self.http.request("PUT", self.route, document, only_new=True)
        except (Unauthorized, Rejected, NotFound) as error:
            raise self._explained(error) from None

    def patch(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """PATCH the document in one request. Raises Conflict if it is not as the operations expect, and Forbidden."""
        try:
            self.http.request("PATCH", self.route, list(operations), content_type=PATCH)
        # Each patch removes the revision that was read; removing what is absent is 404, so another writer was faster.
        except NotFound as error:
            fix = "Plan again. If that does not help, check that no policy has its package at options.path or below."
            raise _as(Conflict, error, "has changed in the meantime", fix) from None
        except (Unauthorized, Rejected) as error:
            raise self._explained(error) from None

    def config(self) -> Mapping[str, Any]:
        """GET the configuration: labels and storage; empty if it may not be read."""
        return self._optional(CONFIG)

    def bundles(self) -> Mapping[str, Sequence[str]]:
        """The roots of each bundle that OPA has loaded; empty if that may not be read."""
        found: dict[str, Sequence[str]] = {}
        for name, entry in self._optional(BUNDLES).items():
            manifest = entry.get("manifest") if isinstance(entry, Mapping) else None
            # A bundle without roots owns all data.
            roots = manifest.get("roots") if isinstance(manifest, Mapping) else None
            found[name] = [root for root in roots if isinstance(root, str)] if isinstance(roots, list) else [""]
        return found

    def rules(self) -> Sequence[str]:
        """The paths of all rules below /v1/data, such as `orders/authz/allow`; none if policies may not be read."""
        found = self._result(POLICIES)
        policies = found if isinstance(found, list) else []
        return sorted({place for policy in policies if isinstance(policy, Mapping) for place in _rules_in(policy)})

    def in_the_way(self) -> str:
        """The path above the document that has a value other than an object, so that nothing can be below it; empty if there is
        none.
        """
        steps = self.route.split("/")[3:]
        for length in range(1, len(steps)):
            place = "/".join(steps[:length])
            found = self._result(f"/v1/data/{place}")
            if found is None:
                return ""
            if not isinstance(found, Mapping):
                return place
        return ""

    def _optional(self, route: str) -> Mapping[str, Any]:
        found = self._result(route)
        return found if isinstance(found, Mapping) else {}

    def _result(self, route: str) -> Any:
        """The result of a response; None if there is none, or if it may not be read."""
        try:
            body = self.http.get(route).body
        except (Unauthorized, Forbidden, NotFound, Rejected):
            return None
        return body.get("result") if isinstance(body, Mapping) else None

    def _garbled(self, why: str, answer: Answer) -> ServerError:
        return UnexpectedAnswer(
            f"The policy data of '{self.http.server}' cannot be used: {why}",
            server=self.http.server,
            method="GET",
            path=self.route,
            status=answer.status,
            fix="Check url and options.path.",
        )

    def _explained(self, error: ServerError) -> ServerError:
        """OPA answers 401 for whatever its policy refuses; the read was allowed, so it is a permission that is missing."""
        if isinstance(error, Unauthorized):
            fix = f"{_POLICY}allow PUT and PATCH in it on {self.route}."
            return _as(Forbidden, error, "does not allow writing the policy data", fix)
        if "owned by bundle" in error.words:
            fix = "Write the document into that bundle (oauthdeploy bundle), or choose another options.path."
            return _as(Forbidden, error, "takes the policy data from a bundle, so nobody else can write it", fix)
        if isinstance(error, NotFound):
            fix = "Choose another options.path: a part of this one is not an object."
            return _as(Rejected, error, "cannot store a document at that path", fix)
        return error


def _as(kind: type[ServerError], error: ServerError, what: str, fix: str) -> ServerError:
    return kind(
        f"'{error.server}' {what}",
        server=error.server,
        method=error.method,
        path=error.path,
        status=error.status,
        words=error.words,
        fix=fix,
    )


def _rules_in(policy: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the rules of one policy, as far as they are constant (REST API reference, "Policy API": `ast`)."""
    tree = policy.get("ast")
    if not isinstance(tree, Mapping):
        return
    package = tree.get("package")
    above = _fixed(package.get("path") if isinstance(package, Mapping) else None)[1:]
    rules = tree.get("rules")
    for rule in rules if isinstance(rules, list) else ():
        head = rule.get("head") if isinstance(rule, Mapping) else None
        if isinstance(head, Mapping):
            yield "/".join((*above, *_fixed(head.get("ref"))))


def _fixed(terms: Any) -> Sequence[str]:
    """The steps of a reference up to the first that is computed. The first step has the form of a variable."""
    found: list[str] = []
    for place, term in enumerate(terms if isinstance(terms, list) else ()):
        is_fixed = isinstance(term, Mapping) and (place == 0 or term.get("type") == "string")
        if not is_fixed:
            break
        found.append(str(term.get("value")))
    return found


def owners_of(path: str, bundles: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The bundles that own a part of the path, or all of it."""
    return sorted(name for name, roots in bundles.items() if any(overlap(path, root) for root in roots))


def overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other, or above it."""
    steps, others = ([step for step in place.split("/") if step] for place in (one, other))
    return all(step == also for step, also in zip(steps, others, strict=False))
