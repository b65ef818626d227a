"""What the author of a driver provides to the suite: a server that can be emptied, and ways to change it without the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.base import DriverInfo
from oauthdeploy.drivers.registry import get_driver
from oauthdeploy.model.servers import Role


class Site(ABC):
    """One real server with throwaway data, for one run of the suite.

    Only `driver`, `role`, `url`, `entry` and `reset` are required. Every other method is a hook that returns None (or nothing)
    by default; scenarios that need it are then reported as having no hook, which proves nothing.
    """

    driver: str = ""
    """The driver's name in manifests."""

    role: Role = Role.BOTH
    """The role of the server at this site."""

    title: str = ""
    """The name of the site in the results, if a driver has several, such as `strict`."""

    server_version: str = ""
    """The name of the server in the results, if it does not report product and version itself."""

    others: Mapping[str, Mapping[str, Any]] = {}
    """More server entries for the manifest, which `trusted` may name; the suite never writes to them."""

    samples: Mapping[str, Sequence[Any]] = {}
    """Values that this server accepts if it does not accept the suite's own, by path: two different ones for each of
    `settings.access_token_lifetime`, `scopes.resources`, `clients.tokens` and so on.
    """

    lacks: Mapping[str, str] = {}
    """What this server does not support although the driver's table says yes, with the reason, by the name of the capability or
    field: for a driver of many servers that cannot find that out. The suite tries it, and expects it to fail.
    """

    @property
    def info(self) -> DriverInfo:
        """The driver; by default the registered one of that name."""
        return get_driver(self.driver)

    @property
    @abstractmethod
    def url(self) -> str:
        """The server's address."""

    @property
    @abstractmethod
    def entry(self) -> Mapping[str, Any]:
        """The rest of the server entry in the manifest: credentials, options, limits. No role, driver or url."""

    @abstractmethod
    def reset(self) -> None:
        """Remove everything that a scenario left, so that the next one finds the state of a new server."""

    # -- accounts ------------------------------------------------------------------------------------------------------

    def wrong_credentials(self) -> Mapping[str, Any] | None:
        """Credentials for `entry` that the server must refuse."""
        return None

    def reader_credentials(self) -> Mapping[str, Any] | None:
        """Credentials that can read everything and write nothing."""
        return None

    def narrow_credentials(self) -> Mapping[str, Any] | None:
        """Credentials for which the server leaves out of its lists what the account may not see, including clients and scopes."""
        return None

    def account(self) -> str | None:
        """The name of a user of the server that exists and is enabled."""
        return None

    def group(self) -> str | None:
        """The name of a group of the server that accounts of clients can be put into."""
        return None

    def lockout(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Sections of two manifests: one with which the driver has access, and one that would end it. The second is never
        applied.
        """
        return None

    # -- tokens --------------------------------------------------------------------------------------------------------

    def signs_in(self, client_id: str, secret: str) -> bool | None:
        """Whether the token endpoint accepts this client with this secret, requested from the client's place."""
        return None

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str | None:
        """An access token of the client, for a scope; for a resource owner if `owner` (see `account`) is given."""
        return None

    def is_active(self, token: str) -> bool | None:
        """Whether the server still accepts the token (RFC 7662)."""
        return None

    def refuses(self, client_id: str, issued: datetime, *, scope: str = "", owner: str = "") -> bool | None:
        """Whether the resource server refuses a token of a client, issued at a given time, with a scope and of an owner."""
        return None

    # -- without the driver --------------------------------------------------------------------------------------------

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        """Set by hand every field of an object that the server accepts and the driver does not manage. False: nothing was done.

        `identity` is what the driver reported as `LiveObject.identity`, `name` the object's name in the manifest.
        """
        return False

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any] | None:
        """Everything that the server returns about an object, except what changes by itself (times of the last change)."""
        return None

    def native_fields(self, kind: Kind) -> frozenset[str]:
        """The keys of `photograph` that have the description of a client or scope, or the lifetime of access tokens in the
        settings.
        """
        return frozenset({"description"})

    # -- trust ---------------------------------------------------------------------------------------------------------

    def trusted(self, via: str) -> str | None:
        """The server entry (of `others`, or `server` for itself) that creates a trust `via` local, remote, external or jwt."""
        return None

    @property
    def server(self) -> str:
        """The name of the server entry."""
        return "orders" if self.role is Role.RESOURCE else "login"

    @property
    def name(self) -> str:
        """The key of the results: driver, role and title."""
        return "-".join(part for part in (self.driver, self.role.value, *self.title.split()) if part)
