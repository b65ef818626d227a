"""The manifests of the proofs: one that fills empty servers, and one that widens, narrows, deletes and revokes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ALLOWED: Final = ("too-many-deletes", "too-many-updates")

_SERVERS = """\
version: 1
name: faults
servers:
  login:
    role: authorization
    driver: webmethods
    url: ${{env:LOGIN_URL}}
    credentials: {{username: tool, password: "${{env:LOGIN_PASSWORD}}"}}
    {options}
    introspection: {introspection}
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
  orders:
    role: resource
    driver: webmethods
    url: ${{env:ORDERS_URL}}
    credentials: {{username: tool, password: "${{env:ORDERS_PASSWORD}}"}}
    {options}
    authorization_server: login
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
resource_owners: [alice, bob, batch, robot, auditor]
"""

_FRESH = """\
settings: {{require_https: false, require_pkce: true, authorization_code_lifetime: 5m, access_token_lifetime: 30m}}
scopes:
  orders.read: {{description: Read orders, resources: ["orders.v1:getOrder", "orders.v1:listOrders"]}}
  orders.write: {{description: Change orders, resources: [orders.v1]}}
  reports.read: {{description: Read reports, resources: [reports]}}
clients:
  web-shop:
    name: Web Shop
    version: "1"
    type: public
    redirect_uris: ["http://127.0.0.1:8400/callback", "http://127.0.0.1:8400/other"]
    grants: [authorization_code, refresh_token]
    tokens: {{access_lifetime: 15m, refresh_count: 10}}
  batch:
    name: Batch
    version: "1"
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {{access_lifetime: 12h, refresh_count: 0}}
    secret: {batch_secret}
  robot:
    name: Robot
    version: "1"
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {{access_lifetime: 12h, refresh_count: 0}}
    secret: {{generate: true, deliver_to: {{file: out/robot.json, format: json}}}}
{more_clients}\
associations:
  - {{client: web-shop, scopes: [orders.read, orders.write]}}
  - {{client: batch, scopes: [reports.read]}}
  - {{client: robot, scopes: [orders.read]}}
{more_associations}"""

_CHANGE = """\
settings: {{require_https: false, require_pkce: false, authorization_code_lifetime: 4m, access_token_lifetime: 20m}}
scopes:
  orders.read: {{description: Read all orders, resources: ["orders.v1:getOrder", "orders.v2"]}}
  orders.write: {{description: Change orders, resources: [orders.v1]}}
  reports.read: {{description: Read reports, resources: [reports, more.reports]}}
  audit.read: {{description: Read the audit log, resources: [audit]}}
  legacy.read: {{state: absent}}
clients:
  shop:
    version: "1"
    moved_from: {former_shop}
    type: public
    redirect_uris: ["http://127.0.0.1:8400/callback"]
    grants: [authorization_code, refresh_token]
    tokens: {{access_lifetime: 10m, refresh_count: 5}}
  batch:
    name: Batch
    version: "1"
    description: Cut off
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {{access_lifetime: 12h, refresh_count: 0}}
  robot:
    name: Robot
    version: "1"
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {{access_lifetime: 13h, refresh_count: 0}}
  auditor:
    name: Auditor
    version: "1"
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {{access_lifetime: 5m, refresh_count: 0}}
    secret: {{generate: true, deliver_to: {{file: out/auditor.json, format: json}}}}
  legacy: {{state: absent}}
associations:
  - {{client: shop, scopes: [orders.read, audit.read]}}
  - {{client: batch, scopes: []}}
  - {{client: robot, scopes: [orders.read, reports.read]}}
  - {{client: auditor, scopes: [audit.read]}}
revocations:
  - {{id: CUT-1, client: batch, reason: a key was found, tokens: all, block: [resource]}}
"""

_LEGACY = """\
  legacy:
    name: legacy
    version: "1"
    type: public
    redirect_uris: ["http://127.0.0.1:8400/legacy"]
    grants: [authorization_code]
    tokens: {access_lifetime: 10m, refresh_count: 0}
"""

_GIVEN = '{value: "${env:BATCH_SECRET}"}'
_MADE = "{generate: true, deliver_to: {file: out/batch.json, format: json}}"


PATIENT: Final = 10
"""Seconds that an answer may take: long enough for a busy machine."""


def _servers(introspector: str, *, by_services: bool, timeout: int, retries: int, parallel: int) -> dict[str, object]:
    """The server entries. The administration services know no alias for another Integration Server, but external servers."""
    password = "${env:INTROSPECTION_PASSWORD}"
    remote = f'{{username: {introspector}, password: "{password}"}}'
    endpoint = "${env:LOGIN_URL}/invoke/pub.oauth/introspectToken"
    external = f'{{endpoint: "{endpoint}", client_id: {introspector}, client_secret: "{password}", user: tool}}'
    return {
        "options": "options: {api: services}" if by_services else "options: {}",
        "introspection": external if by_services else remote,
        "timeout": timeout,
        "retries": retries,
        "parallel": parallel,
    }


def fresh_manifest(
    *, accepts: bool, by_services: bool = False, timeout: int = PATIENT, retries: int = 0, parallel: int = 1
) -> str:
    """For empty servers: everything is created. `accepts`: the servers take ids and secrets that others choose.

    `by_services`: they have the administration services only.
    """
    text = _SERVERS + _FRESH
    return text.format(
        **_servers("orders-rs", by_services=by_services, timeout=timeout, retries=retries, parallel=parallel),
        batch_secret=_GIVEN if accepts else _MADE,
        more_clients="",
        more_associations="",
    )


def prior_manifest(*, accepts: bool, by_services: bool = False) -> str:
    """What the servers hold before `change_manifest`: the same, and a legacy client with a legacy scope."""
    text = (_SERVERS + _FRESH).format(
        **_servers("orders-rs", by_services=by_services, timeout=PATIENT, retries=0, parallel=1),
        batch_secret=_GIVEN if accepts else _MADE,
        more_clients=_LEGACY,
        more_associations="  - {client: legacy, scopes: [legacy.read]}\n",
    )
    return text.replace("clients:\n", "  legacy.read: {description: Legacy, resources: [legacy]}\nclients:\n", 1)


def change_manifest(
    *, accepts: bool, by_services: bool = False, timeout: int = PATIENT, retries: int = 0, parallel: int = 1
) -> str:
    """For servers that hold `prior_manifest` and have issued tokens: updates, a rename, deletes, a cut-off."""
    text = _SERVERS + _CHANGE
    return text.format(
        **_servers("orders-rs-2", by_services=by_services, timeout=timeout, retries=retries, parallel=parallel),
        former_shop="web-shop" if accepts else "Web Shop",
    )


MANIFESTS: Final[dict[str, Callable[..., str]]] = {"empty": fresh_manifest, "change": change_manifest}

GENERATED: Final = {"empty": ("robot",), "change": ("auditor",)}
"""Clients whose secret the server makes, beside `batch` where servers take no secrets."""
