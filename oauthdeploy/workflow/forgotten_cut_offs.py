"""Cut-offs that a server without lasting storage has forgotten: a restart took them away, and only the audit file has them.

`revoke` writes no manifest unless it is asked to. Where a server keeps its objects in memory, the next apply after a restart
would fill it from the manifest alone, and the client would be let in again. So what the audit file has on record is planned too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.drivers.base import Driver, ServerReport
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.model.objects import Client, Object, Revocation
from oauthdeploy.model.state import LiveState, ServerState
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.recorded_cut_offs import RecordedCutOff
from oauthdeploy.running.audit import recorded_cut_offs
from oauthdeploy.workflow.locking import audit_file
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.planner import known_unkept, plan_now, with_findings


class Remembered(Struct, frozen=True):
    """A plan with the forgotten cut-offs in it, what the servers hold, and the manifest with these cut-offs."""

    plan: Plan
    live: LiveState
    manifest: Manifest


def plan_with_cut_offs(manifest: Manifest, drivers: Mapping[str, Driver], options: RunOptions) -> Remembered:
    """Plan; where a server has forgotten cut-offs of the audit file, plan once more with them. Raises what `plan_now` raises."""
    unkept = known_unkept(manifest, options)
    plan, live, reports = plan_now(manifest, drivers, options, unkept=unkept)
    forgotten = tuple(_forgotten(manifest, live, reports, options))
    if not forgotten:
        return Remembered(plan, live, manifest)
    whole = _with(manifest, forgotten)
    plan, live, _reports = plan_now(whole, drivers, options, unkept=unkept)
    return Remembered(with_findings(plan, map(_finding, forgotten), manifest), live, whole)


def _forgotten(
    manifest: Manifest, live: LiveState, reports: Mapping[str, ServerReport], options: RunOptions
) -> Iterator[RecordedCutOff]:
    """The recorded cut-offs that a server in memory does not have, unless the manifest says what becomes of the client."""
    in_memory = {name for name, report in reports.items() if report.in_memory}
    if not in_memory:
        return
    recorded, _unread = recorded_cut_offs(audit_file(manifest, options))
    for cut in recorded:
        state = live.servers.get(cut.server)
        if cut.server not in in_memory or state is None or state.unreadable or _says(manifest, cut):
            continue
        client = manifest.desired.objects.get(_client(manifest, cut))
        enabled = isinstance(client, Client) and client.enabled is True
        if not enabled and _has_forgotten(state, cut, wanted=client is not None):
            yield cut


def _has_forgotten(state: ServerState, cut: RecordedCutOff, *, wanted: bool) -> bool:
    """Whether a server lacks a cut-off. It needs no block of a client that it does not have and that is not `wanted` there,
    such as one that was deleted since.
    """
    if not state.objects and not state.cut_offs:
        return True
    known = {cut.client, cut.identity}
    there = [
        live.value
        for address, live in state.objects.items()
        if isinstance(live.value, Client) and known & {address.name, live.identity}
    ]
    disabled = any(client.enabled is False for client in there)
    return cut.blocks and bool(there or wanted) and not disabled and not known & state.cut_offs.keys()


def _says(manifest: Manifest, cut: RecordedCutOff) -> bool:
    """Whether the manifest has a revocation of the client there."""
    return any(
        isinstance(value, Revocation) and address.server == cut.server and value.client in (cut.client, cut.identity)
        for address, value in manifest.desired.objects.items()
    )


def _client(manifest: Manifest, cut: RecordedCutOff) -> Address:
    by_id = Address(Kind.CLIENT, cut.identity or cut.client, cut.server)
    return by_id if by_id in manifest.desired.objects else Address(Kind.CLIENT, cut.client, cut.server)


def _with(manifest: Manifest, forgotten: Sequence[RecordedCutOff]) -> Manifest:
    """The manifest with the clients disabled and the tokens refused."""
    objects: dict[Address, Object] = dict(manifest.desired.objects)
    for cut in forgotten:
        address = _client(manifest, cut)
        client = objects.get(address)
        if cut.blocks and isinstance(client, Client):
            objects[address] = client.model_copy(update={"enabled": False})
        if cut.tokens is not None:
            named = cut.tokens.model_copy(update={"client": address.name})
            objects[Address(Kind.REVOCATION, cut.name, cut.server)] = named
    return replace(manifest, desired=replace(manifest.desired, objects=MappingProxyType(objects)))


def _finding(cut: RecordedCutOff) -> Diagnostic:
    return Diagnostic(
        "cut-off-forgotten",
        "A server has lost a cut-off, and the plan makes it again",
        f"{cut.client} was cut off on {cut.server} ({cut.record}). The server keeps its objects in memory and no longer has it.",
        "Write the cut-off into the manifest: a revocation, or enabled: false.",
        Severity.WARNING,
        str(Address(Kind.CLIENT, cut.client, cut.server)),
    )
