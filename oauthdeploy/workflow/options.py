"""Options of a run, and the result of a ping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.values import LateTyped
from oauthdeploy.drivers.base import ServerReport
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.unread import Unread

if TYPE_CHECKING:
    from oauthdeploy.drivers.egress import Egress
    from oauthdeploy.running.lease import LeaseHome


class RunOptions(LateTyped, frozen=True):
    """Options of a run.

    `servers` restricts the run to some servers; `targets` and `excludes` are address globs. `parallelism` caps the requests
    at the same time for every server. `max_deletes` overrides the manifest's limit. `allow` names the safety rules to lift.
    `fail_on` triggers the safety rule `risk-too-high` for changes of at least that risk. `lock_timeout` is
    in seconds. `verify` reads touched objects again after an apply. `overwrite` lets a
    delivery replace what oauthdeploy did not write. `state_dir` holds journals and lock files (default:
    `.oauthdeploy` beside the manifest). `audit` is the audit file of cut-offs (default: `audit.jsonl` there).
    `asks` is whether `confirm` may wait for somebody's answer; otherwise an apply straight after its own plan does not read the
    servers once more.
    `lease` is where the lock is kept as Leases of Kubernetes if the manifest sets no `lock`; None: the lock is a file.
    `on_manifest` receives the manifest after it is read and before any request: reports take positions from it.
    `egress` is what all requests pass if several runs of a process share limits; None: the limits are those of this run.
    """

    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    parallelism: int | None = None
    max_deletes: str | None = None
    allow: tuple[str, ...] = ()
    fail_on: Risk | None = None
    lock_timeout: int = 0
    verify: bool = True
    overwrite: bool = False
    state_dir: Path | None = None
    audit: Path | None = None
    asks: bool = True
    lease: LeaseHome | None = None
    on_manifest: Callable[[Manifest], None] | None = None
    egress: Egress | None = None


class PingResult(Struct, frozen=True):
    """The answer of one `server`, with its `driver`, `role` and `url`: its `report`, or the `error` that prevented it.

    `seconds` is the duration. `unread` are kinds that the manifest needs and that the account cannot read.
    """

    server: str
    driver: str
    role: str
    url: str
    report: ServerReport | None
    error: OAuthDeployError | None
    seconds: float
    unread: tuple[Unread, ...] = ()
