"""What a driver is: a guide for those who write one.

A driver speaks to one server for one run. It is made by its `DriverInfo.open` with a validated `Connection` and must

- implement `check`, `read` and `apply`;
- send every request through the `AdminClient` that it was given, so that timeouts, retries, limits, redaction and, while
  planning, the refusal to write are the same for all;
- name live objects by the manifest's addresses: it is told what the manifest wants (`Wanted`) and matches by the server's
  natural key; objects that the manifest doesn't know keep a name of the server's;
- keep every field that the manifest doesn't manage;
- say what it left behind: `Applied.value` is read from the server's answer, never copied from the plan.

`read` comes before `apply` on the same driver object and is told all that is wanted of the server, so that a driver may use
in `apply` what it learned there (ids by natural key). What it learned ends with the object.

Signing in is not the driver's business but that of its `DriverInfo.sign_in`, which gives the authentication that the
`AdminClient` puts on every request. Where a server wants a token, `drivers.sign_in.TokenAuth` fetches it (RFC 6749), with
`SignIn.token_client`: a client that can send nothing but a POST to that one path, so that a plan still can't write.

It may declare that several changes go in one request (`batch_key`); the engine then hands them over together. It may read
single objects by key (`read_again`), so that each is looked at once more just before its write. It must not read files, the
environment or the clock (a server's own `Date` is the clock), remember anything between runs, import another driver, or log
a secret.

Errors are those of `core.errors`; an answer that breaks the server's own protocol is an `UnexpectedAnswer`.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import Capabilities, DriverFacts
from oauthdeploy.model.fields import Model, Unparsed
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Object
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveToken, ServerState
from oauthdeploy.planning.changes import Change, Lockout

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from oauthdeploy.drivers.http import AdminClient

API_VERSION = 1
"""Version of this interface. A driver made for another major version is refused with a message."""


@dataclass(frozen=True)
class DriverInfo:
    """A driver as it is registered: its facts, how to open it, and the version of this interface that it was made for.

    `open` is None for a driver that is never connected to (`external`). `sign_in` makes the authentication of requests
    from what it is given; None, or where it gives None: requests carry none. It sends nothing itself: a token is fetched
    with the first request. `bundle` makes a file that such a server can load instead of being written to; None: there is no
    such file. It raises ManifestInvalid for what the file can't hold.
    """

    facts: DriverFacts
    open: Callable[[Connection], Driver] | None
    api_version: int = API_VERSION
    sign_in: Callable[[SignIn], AuthBase | None] | None = None
    bundle: Callable[[BundleRequest], bytes] | None = None


@dataclass(frozen=True)
class BundleRequest:
    """What a server's file is made from, without the server: its name, its validated options and the whole desired state."""

    name: str
    options: Model
    desired: DesiredState


@dataclass(frozen=True)
class SignIn:
    """What a sign-in is made from: the validated credentials and options of a server entry.

    `token_client` makes an HTTP client with the entry's TLS, proxy and limits that sends nothing but a POST to the given path
    below the server's address, whatever the run may write.
    """

    credentials: Model
    options: Model
    token_client: Callable[[str], AdminClient]


@dataclass(frozen=True)
class Connection:
    """What a driver is opened with: its server's name and entry, the validated own parts, and the HTTP client."""

    name: str
    server: Server
    credentials: Model
    options: Model
    http: AdminClient


@dataclass(frozen=True)
class Wanted:
    """What to read from a server.

    `objects` are the desired objects on this server, `absent` what shall go, `moved` former names. `kinds` are the kinds to
    read; of other kinds nothing is asked. `everything` asks for objects too that the manifest doesn't name (prune, export,
    drift); without it a driver may read by key. `accounts` are users whose existence is asked for (`ServerState.accounts`);
    one may stand for the client of that key, whose account a server may name by the client's id. `owner` is the manifest's
    name, by which a driver tells its own marks from those of others.

    `identities` say by what the server may know a client, beyond what is asked for in `objects`: clients that shall go, that are
    only spoken of, or that a journal names. A live client stands at the address of its key, whichever of its names (key, name
    and version, id) a document uses. `external` are objects of other manifests that must be there; they are read as `objects`
    are. `whole` asks for all of each object, also what the manifest doesn't write and what no manifest can hold, for exports and
    comparisons: the last fields of `LiveObject`. `listed` are the clients whose list of scopes the manifest writes: they keep no
    other scope that it names, so a driver makes them without those that their server would give them.
    """

    objects: Mapping[Address, Object]
    kinds: frozenset[Kind]
    absent: frozenset[Address] = frozenset()
    moved: Mapping[Address, str] = field(default_factory=lambda: MappingProxyType({}))
    everything: bool = True
    accounts: frozenset[str] = frozenset()
    owner: str = ""
    identities: Mapping[Address, Identity] = field(default_factory=lambda: MappingProxyType({}))
    external: frozenset[Address] = frozenset()
    whole: bool = False
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ServerReport:
    """What `check` found: the product and its version, who we are there, findings, and the answers that are others on this server
    than in the driver's table.
    """

    product: str
    version: str
    account: str
    capabilities: Capabilities = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: Diagnostics = field(default_factory=Diagnostics)


@dataclass(frozen=True)
class Applied:
    """What a change left behind: the object as the server now has it (None when it is gone), its id, and the secret that
    the server made, if it made one; it is delivered with `client_id`, where that isn't the id. `note` is said in the report.
    `requests` were sent. `unparsed` is what stands in fields that the model has no place for (`LiveObject.unparsed`);
    `lost` names what the object held before, was not to be changed, and is gone from the answer, by the server's own names
    (`drivers.untouched`). `cut_at` is the moment that ended a client's tokens (`LiveObject.cut_at`): resource servers that trust
    this server are then given the same one.
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


class Prover(Protocol):
    """Tries a token that should be dead. Changes nothing, and shows nothing of the token."""

    def is_active(self, server: str, token: Secret) -> bool | None:
        """What an authorization server says of the token (RFC 7662); None where its entry doesn't say how to ask.

        Raises ServerError.
        """

    def is_taken(self, url: str, token: Secret) -> bool:
        """Whether a protected resource takes the token (RFC 6750): False for 401 and 403. Raises ServerError for other errors."""


def token_handle(identity: str) -> str:
    """A short name that distinguishes a token from others, made from its id, which may be the bearer value itself.

    Twelve hexadecimal digits of a digest: neither does it open anything, nor can a token of 128 random bits (RFC 6749, 10.10) be
    found from it.
    """
    return hashlib.sha256(b"oauthdeploy token\0" + identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Driver(ABC):
    """One server, for one run. Methods may be called from several threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def name(self) -> str:
        """The server's name in the manifest."""
        return self.connection.name

    @abstractmethod
    def check(self) -> ServerReport:
        """Ask who the server is and whether it offers what the driver needs. Reads only.

        Raises Unreachable, Unauthorized, Forbidden, Unsupported, UnexpectedAnswer.
        """

    @abstractmethod
    def read(self, wanted: Wanted) -> ServerState:
        """Read the wanted kinds. A kind that is forbidden or garbled is reported as unreadable, not as absent.

        Raises Unreachable and Unauthorized: then nothing can be planned.
        """

    @abstractmethod
    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out the changes of one batch and say what each left behind, in the same order.

        Raises ServerError; then none of the batch may be taken as done.
        """

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:
        """Read the objects of one batch by their keys, just before they are written; None where only lists can be read.

        `wanted` names these objects alone. It must cost a request or two, and must not forget what `read` learned. Default:
        None; then an object is looked at with all others at the start of an apply, and not once more before its write.
        """
        return None

    def read_tokens(self) -> tuple[Sequence[LiveToken], int] | None:
        """Every token that works, and how many requests that took; asked only where a plan leaves tokens behind, and to list
        them for people: an id that the server gives a token goes through `token_handle`.

        Default: None, for a server that doesn't list tokens. Raises ServerError.
        """
        return None

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Write the mark of the manifest `owner` on a live object and leave all else of it as it is (`adopt`).

        For drivers with Capability.MARKS. Raises ServerError; default: Unsupported.
        """
        raise Unsupported(
            f"'{self.name}' cannot record the owner of {address}",
            server=self.name,
            fix="No mark is needed: the object is matched by its natural key.",
        )

    def batch_key(self, change: Change) -> str:
        """The name of the request that carries the change: changes of one key are handed over together."""
        return str(change.address)

    def writes(self, changes: Sequence[Change]) -> int:
        """How many requests `apply` will send for a batch; shown in the plan. Default: one."""
        return 1 if changes else 0

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:
        """Findings about what this very server can't hold, beyond the capability table. Default: none."""
        return ()

    def refusals(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """Findings about changes of a plan that this very server would refuse, by what `check` and `read` saw. Default: none."""
        return ()

    def losses(self, changes: Sequence[Change]) -> Mapping[Address, Sequence[str]]:
        """What exactly goes for good along with changes that have side effects (`DriverFacts.side_effects`), in words.

        It is said in the plan and kept in the journal, so that a rollback can name what it can't bring back. It must read
        little: some requests for each of few changes. Default: nothing beyond the facts.
        """
        return {}

    def lockouts(self, changes: Sequence[Change]) -> Sequence[Lockout]:
        """The changes of a plan after which the driver could no longer sign in, or be answered at its address.

        Whatever the sign-in depends on counts: the client, the user, the grant, how the client proves itself, what its tokens
        carry, options of the realm, HTTPS. The deletion or the block of a client that is called as `ServerReport.account` is
        found without this. Default: none, for a driver whose `DriverFacts.lockouts` says no, and why.
        """
        return ()

    def set_stop_event(self, stop: threading.Event) -> None:
        """Once `stop` is set, end the waits between repetitions at once and repeat nothing more."""
        self.connection.http.set_stop_event(stop)

    def close(self) -> None:
        """Give back connections."""
        self.connection.http.close()
