"""Compare two live servers, or two environments of a manifest."""

from __future__ import annotations

from msgspec.structs import replace

from oauthdeploy.core.errors import UsageError
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.planning.drift.comparison import SidesCompared, compare_desired, compare_servers
from oauthdeploy.planning.inventory import KINDS
from oauthdeploy.planning.plan import ServerSummary
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.export import read_estate, require_readable
from oauthdeploy.workflow.options import RunOptions

BASE = "-"
"""Stands for the manifest without an environment."""


def compare_live(
    request: ManifestRequest, left: str, right: str, options: RunOptions | None = None
) -> tuple[SidesCompared, Manifest]:
    """The differences between two servers of the manifest. Writes nothing.

    Raises what `make_plan` raises, and UsageError for servers that cannot be compared.
    """
    if left == right:
        raise UsageError("A server cannot be compared with itself", fix="Name two servers.")
    options = replace(options or RunOptions(), servers=(left, right))
    manifest = load(request, replace(options, servers=()))
    require_readable(manifest, (left, right))
    with connected(manifest, options, read_only=True) as drivers:
        estate = read_estate(manifest, drivers, KINDS)
    servers = tuple(_summary(manifest, name, estate.live.servers[name].requests) for name in (left, right))
    return compare_servers(estate, left, right, servers), manifest


def compare_environments(
    request: ManifestRequest, left: str, right: str, options: RunOptions | None = None
) -> tuple[SidesCompared, Manifest]:
    """The differences between two environments of the manifest, without any server; `-` is the manifest itself. Also returns
    the manifest of the second one. Raises ManifestInvalid and UsageError.
    """
    if left == right:
        raise UsageError(
            "An environment cannot be compared with itself", fix="Name two environments, or - for the manifest itself."
        )
    options = options or RunOptions()
    one, other = (load(replace(request, environment=None if name == BASE else name), options) for name in (left, right))
    shown = [one.desired.name if name == BASE else name for name in (left, right)]
    return compare_desired(shown[0], one.desired, shown[1], other.desired), other


def _summary(manifest: Manifest, name: str, reads: int) -> ServerSummary:
    entry = manifest.desired.servers[name]
    return ServerSummary(name=name, driver=entry.driver, role=entry.role.value, url=entry.url or "", reads=reads)
