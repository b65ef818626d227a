"""What the parts of one running server share."""

from __future__ import annotations

import base64
import binascii
import time
from functools import cached_property

from flask import Request, current_app
from msgspec import Struct, field

from oauthdeploy.server.config import Seed, ServerConfig
from oauthdeploy.server.outbound import Outbound
from oauthdeploy.server.passwords import SecretChecker
from oauthdeploy.server.private_files import Vault
from oauthdeploy.server.profile import Profile
from oauthdeploy.server.store import Store

EXTENSION = "oauthdeploy.server"
NOT_FOR_PRODUCTION = "This is the embedded server of oauthdeploy, for demos and tests. It is not a production server."


class State(Struct, dict=True):
    """The configuration, database and helpers of one server.

    `issuer` is the server's own URL once it listens; without it, the URL is taken from the request.
    `shown_secrets` are the secrets of clients by client_id, kept only by a profile that shows them.
    """

    config: ServerConfig
    seed: Seed
    store: Store
    vault: Vault
    checker: SecretChecker
    outbound: Outbound
    issuer: str | None = None
    shown_secrets: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"State({self.config!r})"

    @property
    def strict(self) -> bool:
        """Whether only the document's literal shapes are accepted."""
        return self.config.strict

    @cached_property
    def profile(self) -> Profile:
        """The server's answers to open questions."""
        return self.config.answers

    def issuer_of(self, request: Request) -> str:
        """The issuer identifier (RFC 8414 section 2): scheme, host and port, without a slash at the end."""
        return self.issuer or request.host_url.rstrip("/")

    def knows_resource(self, entry: str) -> bool:
        """Whether a service (`a.b:svc`) or a folder (`a.b`) exists here."""
        services = self.seed.services
        return services is None or any(
            service == entry or service.startswith((entry + ".", entry + ":")) for service in services
        )


def current_state() -> State:
    """The state of the application that handles this request."""
    state = current_app.extensions[EXTENSION]
    assert isinstance(state, State)
    return state


def now() -> int:
    """Whole seconds since the epoch."""
    return int(time.time())


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """User name and password of an HTTP Basic header (RFC 7617), or None if there are none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None
