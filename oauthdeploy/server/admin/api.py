"""The framework of the admin resources: authorization, JSON in and out, and the list of operations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, jsonify, request
from msgspec import Struct

from oauthdeploy.server.admin.errors import AdminError
from oauthdeploy.server.admin.shapes import reshaped
from oauthdeploy.server.config import ADMINISTRATORS, READ_ONLY_ADMINISTRATORS
from oauthdeploy.server.state import State, basic_credentials, current_state
from oauthdeploy.server.store import log_in

PREFIX = "/admin"
DOCUMENT_PATH = "/admin/swagger/integrationServer"
_READING = ("GET", "HEAD", "OPTIONS")

View = Callable[..., object]
log = logging.getLogger(__name__)


class Operation(Struct, frozen=True):
    """One method on one path, as the OpenAPI document shows it.

    `body` and `answer` name schemas; `expandable` operations take `?expand=true`.
    """

    method: str
    path: str
    summary: str
    tag: str
    body: str | None
    answer: str | None
    status: int
    expandable: bool


class Api:
    """Registers the operations of the admin API on an application, and keeps them for the OpenAPI document."""

    def __init__(self, app: Flask, state: State) -> None:
        self.state = state
        self.operations: list[Operation] = []
        self.views: dict[tuple[str, str], View] = {}
        self._app = app

    def operation(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        tag: str = "security.oauth",
        body: str | None = None,
        answer: str | None = None,
        status: int = 200,
        expandable: bool = False,
    ) -> Callable[[View], View]:
        """Serve `method` on `path` by the decorated function, which returns what becomes the JSON answer.

        In strict mode the path's slash at the end, or its absence, is literal; in tolerant mode both forms
        are served.
        """

        def register(view: View) -> View:
            self.operations.append(Operation(method, path, summary, tag, body, answer, status, expandable))
            self.views[method, path] = view
            if self.state.profile.administration == "services":
                return view

            def respond(**parameters: str) -> Response:
                result = view(*parameters.values())
                if status == 204:
                    return Response(status=204)
                response = jsonify(reshaped(self.state.profile, result, expanding()))
                response.status_code = status
                return response

            for rule in self._rules(path):
                self._app.add_url_rule(rule, f"{method} {rule}", respond, methods=[method])
            return view

        return register

    def _rules(self, path: str) -> Sequence[str]:
        rule = path.replace("{", "<").replace("}", ">").replace("/scope/<", "/scope/<path:")
        if self.state.strict or "<path:" in rule:
            return [rule]
        bare = rule.rstrip("/")
        return [bare, bare + "/"]


def expanding() -> bool:
    """Whether the request asks for whole objects in a list."""
    return request.args.get("expand", "").lower() == "true" and current_state().profile.expand == "honored"


def listing(wrapper: str, entries: Sequence[tuple[str, str]], collection: str) -> dict[str, object]:
    """A list in its short form: names and URLs. Each entry is a name and the id in its URL."""
    return {wrapper: [link(name, key, collection) for name, key in entries]}


def link(name: str, key: str, collection: str) -> dict[str, object]:
    """One entry of a list in its short form."""
    base, end = collection.rstrip("/"), ""
    if current_state().profile.links == "absolute":
        base, end = request.host_url.rstrip("/") + base, "/"
    return {"name": name, "url": f"{base}/{quote(key, safe='')}{end}"}


def guard_admin(state: State, *, reading: bool | None = None) -> Response | None:
    """Accept or refuse a request to `/admin` (guide, Controlling Access); `reading`: whether it is safe, by default its method.

    Administrators may do everything, read-only administrators may read, any user may read the document.
    """
    credentials = basic_credentials(request)
    identity = log_in(state.store, state.checker, *credentials) if credentials else None
    if identity is None:
        response = problem(401, "A user name and password are required.")
        response.headers["WWW-Authenticate"] = 'Basic realm="oauthdeploy", charset="UTF-8"'
        return response
    reading = request.method in _READING if reading is None else reading
    if ADMINISTRATORS in identity.groups:
        return None
    if reading and (READ_ONLY_ADMINISTRATORS in identity.groups or request.path.rstrip("/") == DOCUMENT_PATH):
        return None
    needed = f"{ADMINISTRATORS} or {READ_ONLY_ADMINISTRATORS}" if reading else ADMINISTRATORS
    return problem(403, f"The user must be in the group {needed}.")


def problem(status: int, message: str) -> Response:
    """An error response of the admin API."""
    response = jsonify({"message": message})
    response.status_code = status
    return response


def admin_error(error: AdminError) -> Response:
    """The response to a refused request."""
    profile = current_state().profile
    status = {404: profile.missing, 409: profile.duplicate}.get(error.status, error.status)
    log.info("%s %s refused with %d", request.method, quote(request.path), status)
    return problem(status, error.message)


def path_tail(value: str, known: Callable[[str], bool], strict: bool) -> str:
    """A name from the end of a path; in tolerant mode without a slash that is not part of any name."""
    if not strict and value.endswith("/") and not known(value):
        return value.rstrip("/")
    return value


def answer_fields(row: object, fields: Sequence[Any], secrets: Mapping[str, str | None]) -> dict[str, object]:
    """A row as its JSON object: every field but the write-only ones; `secrets` replaces sealed values."""
    return {
        field.name: secrets[field.attribute] if field.attribute in secrets else getattr(row, field.attribute)
        for field in fields
        if not field.write_only and not field.output_only
    }
