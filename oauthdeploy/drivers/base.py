"""The driver interface, and a guide for authors of drivers.

A driver talks to one server during one run. `DriverInfo.open` creates it from a validated `Connection`. It must

- implement `check`, `read` and `apply`;
- send every request through the `AdminClient` that it was given, so that timeouts, retries, limits, redaction and, while
  planning, the refusal to write are the same for all;
- name live objects by the manifest's addresses: it receives the desired objects (`Wanted`) and matches them by the server's
  natural key; objects that are not in the manifest keep the server's names;
- keep every field that the manifest does not manage;
- report the result: `Applied.value` is read from the server's response, never copied from the plan.

`read` is called before `apply` on the same driver object and receives everything that is wanted of the server, so that
`apply` can use what it learned (ids by natural key). The driver keeps nothing beyond the life of that object.

The driver does not sign in. `DriverInfo.sign_in` returns the authentication that the `AdminClient` adds to every request. If
a server requires a token, `drivers.sign_in.TokenAuth` fetches it (RFC 6749) with `SignIn.token_client`, a client that can
only send a POST to that one path, so that a plan still cannot write.

It may declare that one request carries several changes (`batch_key`); the engine then passes them together. It may read
single objects by key (`read_again`), so that each is checked again just before its write. It must not read files, the
environment or the clock (a server's own `Date` is the clock), keep anything between runs, import another driver, or log a
secret. The one exception is what a server gives only once and without which its objects cannot be managed: it belongs in a
file that the server entry names, encrypted (`rfc7591`).

Errors are those of `core.errors`; a response that violates the server's own protocol is an `UnexpectedAnswer`.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.values import LateTyped
from oauthdeploy.model.capabilities import Capabilities, DriverFacts
from oauthdeploy.model.fields import Model, Unparsed
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Object, Trust
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveToken, ServerState, TokenCount
from oauthdeploy.planning.changes import Change, Lockout

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from oauthdeploy.drivers.examination import Examination, WriteProbe
    from oauthdeploy.drivers.http import AdminClient

API_VERSION = 1
"""The version of this interface. A driver for another major version is rejected with a message."""


class DriverInfo(LateTyped, frozen=True):
    """A driver as it is registered: its facts, how to open it, and the version of this interface that it implements.

    `open` is None for a driver whose server is never connected to (`external`). `sign_in` returns the authentication of
    requests; if it is None or returns None, requests carry none. It sends nothing itself: a token is fetched with the first
    request. `bundle` builds a file that such a server can load instead of being written to; None if there is no such file.
    It raises ManifestInvalid for objects that the file cannot hold. `bundle_format` is the name of the file's format.
    """

    facts: DriverFacts
    open: Callable[[Connection], Driver] | None
    api_version: int = API_VERSION
    sign_in: Callable[[SignIn], AuthBase | None] | None = None
    bundle: Callable[[BundleRequest], bytes] | None = None
    bundle_format: str = "bundle"


class BundleRequest(Struct, frozen=True):
    """The input of a server's file: the server's name, its validated options and the whole desired state."""

    name: str
    options: Model
    desired: DesiredState


class SignIn(LateTyped, frozen=True):
    """The input of a sign-in: the validated credentials and options of a server entry.

    `token_client` creates an HTTP client with the entry's TLS, proxy and limits that can only send a POST to the given path
    below the server's URL, in any run.
    """

    credentials: Model
    options: Model
    token_client: Callable[[str], AdminClient]


class Connection(LateTyped, frozen=True):
    """The input of a driver: its server's name and entry, the validated driver-specific parts, and the HTTP client.

    `base` is the folder that relative paths in the entry start from.
    """

    name: str
    server: Server
    credentials: Model
    options: Model
    http: AdminClient
    base: Path = Path()


class Wanted(Struct, frozen=True):
    """What to read from a server.

    `objects` are the desired objects on this server, `absent` the objects to delete, `moved` former names. `kinds` are the
    kinds to read; other kinds are not read. `everything` also requests objects that the manifest does not name (prune,
    export, drift); without it a driver may read by key. `accounts` are users whose existence is to be checked
    (`ServerState.accounts`); one may be the account of the client of that key, which a server may name by the client's id.
    `client_accounts` asks for every user instead, because some may be accounts of clients whose ids another server knows, and
    `memberships` for their groups (`ServerState.memberships`).
    `owner` is the manifest's name, by which a driver distinguishes its own marks from others.

    `identities` are the natural keys of clients that are not in `objects`: clients to delete, clients that are only
    mentioned, or clients in a journal. A live client has the address of its key, whichever of its names (key, name and
    version, id) a document uses. `external` are objects of other manifests that must exist; they are read like `objects`.
    `whole` requests each object completely, also fields that the manifest does not write or cannot hold, for exports and
    comparisons: the last fields of `LiveObject`. `listed` are the clients whose list of scopes the manifest writes. They
    keep no other scope that it names, so a driver creates them without those that their server would add. `cut_at`
    are the times, in seconds since 1970, at which a `tokens: all` was carried out according to journals: it does not include
    tokens issued at that time or later. `urgent`: a cut-off waits for the answer, and nobody looks at it first, so a driver reads
    only what decides whether there is something to do (`TokenCount.counted`); it tells the rest afterwards (`Applied.found`).
    """

    objects: Mapping[Address, Object]
    kinds: frozenset[Kind]
    absent: frozenset[Address] = frozenset()
    moved: Mapping[Address, str] = field(default_factory=lambda: MappingProxyType({}))
    everything: bool = True
    accounts: frozenset[str] = frozenset()
    client_accounts: bool = False
    memberships: bool = False
    owner: str = ""
    identities: Mapping[Address, Identity] = field(default_factory=lambda: MappingProxyType({}))
    external: frozenset[Address] = frozenset()
    whole: bool = False
    listed: frozenset[str] = frozenset()
    cut_at: Mapping[Address, float] = field(default_factory=lambda: MappingProxyType({}))
    urgent: bool = False


class ServerReport(Struct, frozen=True):
    """The result of `check`: the product and its version, the account of this tool, findings, and the capabilities and fields
    for which this server differs from the driver's table. Plans follow these, and refuse what a manifest requires of a server
    that says no. `in_memory`: the server keeps its objects only in memory and loses them in a restart.
    """

    product: str
    version: str
    account: str
    capabilities: Capabilities = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    in_memory: bool = False


class Applied(Struct, frozen=True):
    """The result of a change: the object as the server now has it (None if it was deleted), its id, and the secret that the
    server generated, if any; it is delivered with `client_id` if that differs from the id. `note` is shown in the report.
    `requests` is the number of requests. `unparsed` are values of fields that the model cannot represent
    (`LiveObject.unparsed`); `lost` names what the object had before and should have kept but is missing from the response,
    by the server's own names (`drivers.untouched`). `cut_at` is the time that ended a client's tokens (`LiveObject.cut_at`);
    resource servers that trust this server then get the same time.

    `looked` is False if the response did not contain the object and the driver did not read it: `value` is then None, and the
    verification that ends the apply reads it. The driver then reports `lost` in `ServerState.lost`. `secret_made`: the server
    generated a secret that was not read, because it is delivered nowhere. `found` are the tokens that a cut-off ended, if they
    were counted only then.
    """

    address: Address
    value: Object | None
    identity: str = ""
    fingerprint: str = ""
    secret: Secret | None = None
    note: str = ""
    requests: int = 1
    client_id: str = ""
    unparsed: Mapping[str, Unparsed] = field(default_factory=lambda: MappingProxyType({}))
    lost: tuple[str, ...] = ()
    cut_at: float | None = None
    looked: bool = True
    secret_made: bool = False
    found: TokenCount | None = None


Deliver = Callable[[Secret | None, str], None]
"""Delivers a generated secret with its client_id; does nothing without a secret. Raises nothing of its own."""
SecretHandover = Callable[[Change], Deliver]


def _no_handover(change: Change) -> Deliver:  # noqa: ARG001
    return lambda _secret, _client_id: None


class Prover(Protocol):
    """Tries a token that should be revoked. Changes nothing, and shows nothing of the token."""

    def is_active(self, server: str, token: Secret) -> bool | None:
        """Whether the authorization server calls the token active (RFC 7662); None if its entry has no introspection
        settings.

        Raises ServerError.
        """

    def introspects(self, trust: Trust) -> bool | None:
        """Whether the account or client of a trust may introspect at its endpoint (RFC 7662 section 2.1), tried with a token
        that nobody has issued; None if the manifest does not have its secret.

        Raises ServerError, and UnexpectedAnswer if the response is not about an inactive token.
        """

    def has_keys(self, trust: Trust) -> None:
        """Check that the authorization server of a trust by signature publishes keys (RFC 7517) and, if it publishes metadata
        (RFC 8414), names the issuer of the trust. Raises ServerError, and UnexpectedAnswer if it does not.
        """

    def is_taken(self, url: str, token: Secret) -> bool:
        """Whether a protected resource accepts the token (RFC 6750): False for 401 and 403. Raises ServerError for other
        errors.
        """


def token_handle(identity: str) -> str:
    """A short name that distinguishes a token from others, computed from its id, which may be the bearer value itself.

    Twelve hexadecimal digits of a digest: it gives no access, and a token of 128 random bits (RFC 6749 section 10.10) cannot
    be recovered from it.
    """
    return hashlib.sha256(b"oauthdeploy token\0" + identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Driver(ABC):
    """One server, for one run. Methods may be called from several threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._handover: SecretHandover = _no_handover

    @property
    def name(self) -> str:
        """The server's name in the manifest."""
        return self.connection.name

    @abstractmethod
    def check(self) -> ServerReport:
        """Check the product of the server and whether it supports what the driver needs. Only reads.

        Raises Unreachable, Unauthorized, Forbidden, Unsupported, UnexpectedAnswer.
        """

    @abstractmethod
    def read(self, wanted: Wanted) -> ServerState:
        """Read the wanted kinds. A kind that is forbidden or garbled is reported as unreadable, not as absent.

        Raises Unreachable and Unauthorized; nothing can be planned then.
        """

    def check_and_read(self, wanted: Wanted) -> tuple[ServerReport, ServerState]:
        """`check` and `read`. A driver whose `read` does not build on `check` sends the requests of both at once.

        Default: one after the other. Raises what they raise.
        """
        report = self.check()
        return report, self.read(wanted)

    @abstractmethod
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out the changes of one batch and return their results in the same order.

        Raises ServerError; no change of the batch counts as made then.
        """

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:
        """Read the objects of one batch by their keys, just before they are written; None if only lists can be read.

        `wanted` names only these objects. It must take only one or two requests, and must keep what `read` learned. Default:
        None; an object is then read only at the start of an apply, and not again before its write.
        """
        return None

    def read_tokens(self) -> tuple[Sequence[LiveToken], int] | None:
        """All active tokens, and the number of requests; called only for plans after which tokens remain valid, and to list
        tokens for people. The server's id of a token is passed through `token_handle`.

        Default: None, for a server that does not list tokens. Raises ServerError.
        """
        return None

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Write the mark of the manifest `owner` on a live object and change nothing else of it (`adopt`).

        For drivers with Capability.MARKS. Raises ServerError; default: Unsupported.
        """
        raise Unsupported(
            f"'{self.name}' cannot record the owner of {address}",
            server=self.name,
            fix="No mark is needed: the object is matched by its natural key.",
        )

    def examine(self) -> Examination:
        """Look at the forms of the server's answers, and compare them with what the driver expects. Reads only.

        No value of an answer may be in it, but for the words with which the server names its version. Raises ServerError;
        default: product and version, as `check` found them.
        """
        report = self.check()
        return Examination({"product": f"{report.product} {report.version}".strip()})

    def try_writing(self, tag: str) -> WriteProbe:
        """Create, change and remove throwaway objects whose names contain `tag`, and report how the server responded.

        They are removed even if this is interrupted. Raises ServerError; default: Unsupported.
        """
        raise Unsupported(
            f"The driver of '{self.name}' has no trial of writing",
            server=self.name,
            fix=f"Leave out --write-probe; the tag would have been {tag}.",
        )

    def batch_key(self, change: Change) -> str:
        """The name of the request that carries the change: changes with the same key are passed together."""
        return str(change.address)

    def writes(self, changes: Sequence[Change]) -> int:
        """The number of requests that `apply` will send for a batch; shown in the plan. Default: one."""
        return 1 if changes else 0

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:
        """Findings about objects that this server cannot hold, beyond the capability table. Default: none."""
        return ()

    def refusals(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """Findings about changes of a plan that this server would reject, according to `check` and `read`. Default: none."""
        return ()

    def stops(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """Safety stops about changes of a plan, besides those of the engine: nothing is applied until `--allow` names the rule.

        Default: none.
        """
        return ()

    def losses(self, changes: Sequence[Change]) -> Mapping[Address, Sequence[str]]:
        """What is permanently deleted by changes that have side effects (`DriverFacts.side_effects`), in words.

        It is shown in the plan and kept in the journal, so that a rollback can name what it cannot restore. It must take
        only a few requests for a few changes. Default: nothing beyond the facts.
        """
        return {}

    def lockouts(self, changes: Sequence[Change]) -> Sequence[Lockout]:
        """The changes of a plan after which the driver could no longer sign in, or be answered at its address.

        Everything that the sign-in depends on counts: the client, the user, the grant, the client authentication, the
        contents of its tokens, options of the realm, HTTPS. The deletion or block of a client with the name of
        `ServerReport.account` is found without this. Default: none, for a driver whose `DriverFacts.lockouts` says no, with
        the reason.
        """
        return ()

    def set_stop_event(self, stop: threading.Event) -> None:
        """Once `stop` is set, end the waits between retries at once and retry nothing more."""
        self.connection.http.set_stop_event(stop)

    def set_secret_handover(self, handover: SecretHandover) -> None:
        """From now on, `hand_over` delivers secrets through this function."""
        self._handover = handover

    def hand_over(self, change: Change) -> Deliver:
        """Call this just before the request that generates a secret for a client, and what it returns as soon as the secret is
        known: it is then delivered at once, before any further request, and whatever happens afterwards.

        The old secret may no longer work by then. `Applied.secret` contains the secret nevertheless. A driver that does not call
        this has its secrets delivered when `apply` returns.
        """
        return self._handover(change)

    def allow_writes(self) -> None:
        """From now on writes may be sent through a driver that was opened for reading: its plan was reviewed and passed."""
        self.connection.http.allow_writes()

    def close(self) -> None:
        """Close the connections."""
        self.connection.http.close()
