"""A small protected service that asks Open Policy Agent to authorize every call and contains no OAuth code.

    GET  /orders/42                    the REST resource  GET_orders.v1/orders/{id}
    POST /invoke/orders.v1:getOrder    the service        orders.v1:getOrder

python service.py --port 8000 --opa http://127.0.0.1:8181
"""

from __future__ import annotations

import argparse
import json
import os
import re
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

NAMESPACE = "orders.v1"
SCOPE_IS_MISSING = ["no scope of the token opens this for the client"]


def asked_for(method: str, target: str) -> dict[str, str] | None:
    """Return the called resource as the policy names it, or None if this service does not have it."""
    path = unquote(urlsplit(target).path)
    if method == "POST" and (match := re.fullmatch(r"/invoke/([A-Za-z0-9_.]+:[A-Za-z0-9_]+)", path)):
        return {"resource": match[1]}
    if re.fullmatch(r"/orders(/[A-Za-z0-9-]+)?", path):
        return {"method": method, "path": NAMESPACE + path}
    return None


def decide(opa: str, decision: str, question: Mapping[str, str]) -> Mapping[str, Any]:
    """Ask OPA for the decision about a call. Raises OSError and ValueError; then nothing may be allowed."""
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("OPA_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps({"input": question}).encode()
    request = urllib.request.Request(f"{opa.rstrip('/')}/v1/data/{decision}", body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        result = json.load(answer).get("result")
    return result if isinstance(result, dict) else {"allow": False, "reasons": ["there is no policy"]}


class Handler(BaseHTTPRequestHandler):
    """Handle one call: get the decision and send the response (RFC 6750 section 3)."""

    protocol_version = "HTTP/1.1"
    opa = ""
    decision = ""

    def _handle(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        called = asked_for(self.command, self.path)
        if called is None:
            return self._say(HTTPStatus.NOT_FOUND, {"error": "not_found"})
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return self._say(HTTPStatus.UNAUTHORIZED, {"error": "no_token"}, "Bearer")
        try:
            result = decide(self.opa, self.decision, {**called, "token": token.strip()})
        except (OSError, ValueError):
            return self._say(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "no_decision"})
        if result.get("allow") is True:
            told = {"called": called, "client": result.get("client"), "scopes": result.get("scopes")}
            return self._say(HTTPStatus.OK, told)
        reasons = result.get("reasons")
        lacks_scope = reasons == SCOPE_IS_MISSING
        error = "insufficient_scope" if lacks_scope else "invalid_token"
        status = HTTPStatus.FORBIDDEN if lacks_scope else HTTPStatus.UNAUTHORIZED
        return self._say(status, {"error": error, "reasons": reasons}, f'Bearer error="{error}"')

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle  # noqa: N815

    def _say(self, status: HTTPStatus, content: Mapping[str, Any], challenge: str = "") -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing; the operator decides about request logs."""


def make_server(port: int, opa: str, decision: str = "orders/authz/decision") -> ThreadingHTTPServer:
    """Return the service on a local port (0 selects a free one). `serve_forever` runs it."""
    handler = type("Service", (Handler,), {"opa": opa, "decision": decision})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    """Run the service until it is interrupted."""
    parser = argparse.ArgumentParser(description="A protected service that asks Open Policy Agent.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--opa", default="http://127.0.0.1:8181", help="address of OPA; its token comes from OPA_TOKEN")
    parser.add_argument("--decision", default="orders/authz/decision", help="path of the decision below /v1/data")
    given = parser.parse_args()
    with make_server(given.port, given.opa, given.decision) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
