"""Every error that the tool raises on purpose. The class decides the exit code.

OAuthDeployError                     1
├── UsageError                      64   the command line is wrong
├── ManifestInvalid                  3   holds every diagnostic of the run
├── ServerError                      8   a server's answer; holds server, method, path, status, its words
│   ├── Unreachable                  8   no answer: refused, timed out, TLS failed
│   ├── Unauthorized                 8   401: the credentials are not accepted
│   ├── Forbidden                    8   403: accepted, but not for this
│   ├── NotFound                     8   404
│   ├── Conflict                     1   409: exists already, or in use
│   ├── RenewedElsewhere             1   another machine renews the secret that this run renews
│   ├── Rejected                     8   any other 4xx: the server declined the request
│   ├── UnexpectedAnswer             8   not the protocol: wrong status, type or shape
│   └── Unsupported                  8   the server answers, but lacks what the plan needs
├── ServersFailed                  1/8   several servers at once; 8 if any member's is; holds all members
├── WriteRefused                     1   a write on the read-only transport: a bug in oauthdeploy
├── DeliveryFailed                   1   a server-made secret could not be handed over
├── JournalFailed                    1   the journal could not be written or read
├── PartialApply                     4
├── SafetyStop                       5
├── StalePlan                        6
├── NotKnown                         8
├── LockBusy                         7
└── LockLost                         7
"""

from __future__ import annotations

from collections.abc import Sequence

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.exit_codes import ExitCode


class OAuthDeployError(Exception):
    """The root, which the entry point catches. `summary` says what, `detail` why, `fix` what to do."""

    exit_code: ExitCode = ExitCode.ERROR
    rule = "error"

    def __init__(self, summary: str, *, detail: str = "", fix: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.fix = fix


class UsageError(OAuthDeployError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE
    rule = "usage"


class ManifestInvalid(OAuthDeployError):
    """The manifest, or another file in its format (`what`), has errors; `diagnostics` has all of them, and the warnings."""

    exit_code = ExitCode.MANIFEST_INVALID
    rule = "manifest-invalid"

    def __init__(self, diagnostics: Diagnostics, *, what: str = "manifest") -> None:
        super().__init__(f"The {what} is not valid")
        self.diagnostics = diagnostics


class ServerError(OAuthDeployError):
    """A server did not carry out a request. `words` are the server's own, without secrets and shortened; `code` is the `error` of
    an OAuth error response (RFC 6749 section 5.2, RFC 7591 section 3.2.2), "" if there is none.

    `uncertain` is true for a write that was sent and may have been carried out. `asks_to_wait` is true for a response that has
    Retry-After, with which a server asks for the request again (RFC 9110 section 10.2.3). `address`, for the detail, is the
    server's base address, where the path alone does not show what was asked.

    A command that ends with this error could not read something; a write that fails is the outcome of its change.
    """

    exit_code = ExitCode.UNREACHABLE
    rule = "server-error"

    def __init__(
        self,
        summary: str,
        *,
        server: str,
        method: str = "",
        path: str = "",
        status: int | None = None,
        words: str = "",
        fix: str = "",
        uncertain: bool = False,
        address: str = "",
        code: str = "",
    ) -> None:
        where = f"{method} {address}{path}".strip()
        answer = f"answered {status}" if status is not None else ""
        detail = " ".join(part for part in (where, answer) if part)
        if words:
            detail = f"{detail}: {words}" if detail else words
        super().__init__(summary, detail=detail, fix=fix)
        self.server = server
        self.method = method
        self.path = path
        self.status = status
        self.words = words
        self.uncertain = uncertain
        self.asks_to_wait = False
        self.code = code


class Unreachable(ServerError):
    """No response: connection refused or reset, unknown name, timeout, or TLS failure."""

    rule = "server-unreachable"


class Unauthorized(ServerError):
    """401: the server does not accept the credentials."""

    rule = "credentials-refused"


class Forbidden(ServerError):
    """403: the credentials are accepted, but not for this request."""

    rule = "permission-denied"


class NotFound(ServerError):
    """404: the object does not exist."""

    rule = "not-found"


class Conflict(ServerError):
    """409: the object exists already, or is in use."""

    exit_code = ExitCode.ERROR
    rule = "conflict"


class RenewedElsewhere(ServerError):
    """Another run is renewing the same client's secret, or has done so since the plan was made."""

    exit_code = ExitCode.ERROR
    rule = "secret-renewed-elsewhere"


class Rejected(ServerError):
    """Another 4xx: the server understood and declined the request."""

    rule = "request-rejected"


class UnexpectedAnswer(ServerError):
    """The response does not follow the protocol."""

    rule = "unexpected-answer"


class Unsupported(ServerError):
    """The server works, but does not support what the plan needs."""

    rule = "server-lacks-api"


class ServersFailed(OAuthDeployError):
    """Several servers failed in one step. `members` are their errors, in the order of the servers' names.

    The exit code is 8 if any member's is, so that another server's error never hides that a server is down.
    """

    rule = "servers-failed"

    def __init__(self, members: Sequence[OAuthDeployError]) -> None:
        names = ", ".join(dict.fromkeys(member.server for member in members if isinstance(member, ServerError)))
        super().__init__(
            f"{len(members)} servers failed" + (f": {names}" if names else ""),
            detail="\n".join(": ".join(part for part in (str(m), m.detail) if part) for m in members),
            fix="\n".join(dict.fromkeys(member.fix for member in members if member.fix)),
        )
        self.members = tuple(members)
        unreachable = any(member.exit_code is ExitCode.UNREACHABLE for member in members)
        self.exit_code = ExitCode.UNREACHABLE if unreachable else ExitCode.ERROR


class WriteRefused(OAuthDeployError):
    """A mutating request reached the read-only transport."""

    rule = "write-refused"


class DeliveryFailed(OAuthDeployError):
    """A server-made secret could not be delivered."""

    rule = "secret-not-delivered"


class JournalFailed(OAuthDeployError):
    """The journal of an apply could not be written, so that nothing more may be sent, or it could not be read."""

    rule = "journal-failed"


class PartialApply(OAuthDeployError):
    """Some changes were made, and some were not."""

    exit_code = ExitCode.PARTIAL
    rule = "partial-apply"


class SafetyStop(OAuthDeployError):
    """A safety rule stopped the plan."""

    exit_code = ExitCode.SAFETY_STOP
    rule = "safety-stop"


class StalePlan(OAuthDeployError):
    """The plan is out of date."""

    exit_code = ExitCode.STALE
    rule = "stale-plan"


class NotKnown(OAuthDeployError):
    """What a command is about cannot be read, so it is unknown."""

    exit_code = ExitCode.UNREACHABLE
    rule = "not-known"


class LockBusy(OAuthDeployError):
    """Another run is applying."""

    exit_code = ExitCode.LOCK_BUSY
    rule = "lock-busy"


class LockLost(OAuthDeployError):
    """The lock was taken away during the apply, so the run has stopped."""

    exit_code = ExitCode.LOCK_BUSY
    rule = "lock-lost"
