"""The plan: one frozen value that is reviewed, saved, applied and reported."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostics, Severity
from oauthdeploy.core.garbage_collector import paused
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, Lockout, Risk
from oauthdeploy.planning.cross_side import disagreements, side_findings, unnamed_disagreements
from oauthdeploy.planning.diff import compare
from oauthdeploy.planning.json_documents import Document, change_document, diagnostic_documents
from oauthdeploy.planning.name_conflicts import name_conflicts
from oauthdeploy.planning.ordering import order, own_batch
from oauthdeploy.planning.possible_renames import possible_renames
from oauthdeploy.planning.requirements import unoffered
from oauthdeploy.planning.safety import check_safety
from oauthdeploy.planning.side_effects import in_words
from oauthdeploy.planning.surviving_tokens import SurvivingTokens, unread_tokens
from oauthdeploy.planning.two_writes import write_steps
from oauthdeploy.planning.unkept import Unkept
from oauthdeploy.planning.unmanaged import Kept, counted, kept_documents
from oauthdeploy.planning.unread import Unread, unread_documents, unread_of

PLAN_FORMAT: Final = "oauthdeploy/plan"
PLAN_FORMAT_VERSION: Final = "2.0"
"""The minor version is raised for additions, the major version for changes that an older reader would misread."""


def _none() -> Mapping[Any, Any]:
    return MappingProxyType({})


class ServerSummary(Struct, frozen=True):
    """One server in a plan: its entry, and the numbers of requests for reading and writing."""

    name: str
    role: str
    driver: str
    url: str
    product: str = ""
    reads: int = 0
    writes: int = 0


class Plan(Struct, frozen=True):
    """All changes in a stable order: equal input gives an equal plan and equal bytes.

    `diagnostics` are findings about the plan (the two sides, unsupported or unreadable kinds, incomparable fields); `stops`
    are the safety rules that it violates: `plan` shows them, and `apply` refuses until `--allow` names each rule.
    `incomparable` lists fields that cannot be compared, as `(address, dotted field)`; they are never drift. `fingerprints`
    are those of the live objects that the plan was made from, by written address; "" for an object that did not exist.
    `manifest_digest` is the digest of the manifest. `kept` are live objects that the manifest does not name and that stay,
    by address. `unread` are needed kinds that could not be read; nothing is planned for them. `disagreeing` are objects that
    differ between two sides and that the plan does not change. `unkept` are fields that earlier runs sent and a server did not
    store.
    """

    name: str
    changes: tuple[Change, ...]
    servers: tuple[ServerSummary, ...] = ()
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    stops: Diagnostics = field(default_factory=Diagnostics)
    incomparable: tuple[tuple[Address, str], ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=_none)
    manifest_digest: str = ""
    kept: tuple[Kept, ...] = ()
    unread: tuple[Unread, ...] = ()
    disagreeing: tuple[Address, ...] = ()
    unkept: tuple[Unkept, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to do."""
        return not self.changes

    @property
    def differs(self) -> bool:
        """True if there is something to do: changes, or objects that this manifest created and that no apply would delete."""
        return bool(self.changes) or any(item.severity is not Severity.INFO for item in counted(self.kept))

    @property
    def counts(self) -> Mapping[Action, int]:
        """The number of changes of each action."""
        found = Counter(change.action for change in self.changes)
        return {action: found.get(action, 0) for action in Action}

    @property
    def risk(self) -> Risk:
        """The greatest risk of any change."""
        return max((change.risk for change in self.changes), default=Risk.NONE)


# -- building a plan --------------------------------------------------------------------------------------------------


def _one_request(_server: str, changes: Sequence[Change]) -> int:
    return 1 if changes else 0


def _no_lockouts(_changes: Sequence[Change]) -> Sequence[Lockout]:
    return ()


def build_plan(
    desired: DesiredState,
    live: LiveState,
    facts: Mapping[str, DriverFacts],
    *,
    digest: str = "",
    accounts: Mapping[str, str] = MappingProxyType({}),
    products: Mapping[str, str] = MappingProxyType({}),
    batch_key: Callable[[str, Change], str] = own_batch,
    writes: Callable[[str, Sequence[Change]], int] = _one_request,
    lockouts: Callable[[Sequence[Change]], Sequence[Lockout]] = _no_lockouts,
    unkept: Sequence[Unkept] = (),
) -> Plan:
    """Compare, order the changes, check them for safety, and count requests.

    `facts` are by driver name; everything else is by server name: `accounts` that the tool signs in with, `products` as the
    servers report them, `batch_key` of the request that carries a change, `writes` as the number of requests of one batch.
    `lockouts` returns the changes that would lock a driver out. `digest` is that of the manifest; `unkept` as in the
    plan. Raises OrderCycle, and UsageError for an invalid limit of the policy.
    """
    with paused():
        comparison = compare(desired, live, facts, unkept)
        trusting_two = {name: facts[server.driver].trusts_two for name, server in desired.servers.items()}
        ordered = order(comparison.changes, desired, live, batch_key, trusting_two)
        # The changes without their place in the order are as large as those with it.
        comparison = replace(comparison, changes=())
        survivors = SurvivingTokens(desired, live, facts)
        changes = tuple(_with_token_note(change, survivors) for change in ordered)
        conflicts = list(name_conflicts(changes, desired, live, facts))
        taken = {item.address for item in conflicts}
        renames = possible_renames(changes, comparison.kept, desired, live, facts)
        found = Diagnostics.of(
            [
                *unoffered(desired, live),
                *side_findings(desired, live, changes, facts),
                *conflicts,
                # A name that is taken is told with the same fix.
                *(item for item in renames if item.address not in taken),
            ]
        )
        return Plan(
            name=desired.name,
            changes=changes,
            servers=_summaries(desired, live, changes, products, writes),
            diagnostics=(comparison.diagnostics + found).sorted(),
            stops=check_safety(changes, desired, live, accounts, lockouts(changes)).sorted(),
            incomparable=comparison.incomparable,
            fingerprints=MappingProxyType(_fingerprints(changes)),
            manifest_digest=digest,
            kept=comparison.kept,
            unread=unread_of(desired, live),
            disagreeing=() if changes or not desired.whole else _disagreeing(desired, live, facts),
            unkept=tuple(unkept),
        )


def _disagreeing(desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]) -> tuple[Address, ...]:
    found = (*disagreements(desired, live), *unnamed_disagreements(desired, live, facts))
    return tuple(sorted({item.address for item in found}, key=lambda address: address.sort_key))


def with_losses(plan: Plan, lost: Mapping[Address, Sequence[str]], reads: Mapping[str, int]) -> Plan:
    """Add what is deleted along with the changes, and the number of requests, by server, for reading that."""

    def with_note(change: Change) -> Change:
        more = tuple(lost.get(change.address, ()))
        note = f"{change.note} {in_words(more)}".strip()
        return replace(change, lost=(*change.lost, *more), note=note) if more else change

    return replace(
        plan,
        changes=tuple(with_note(change) for change in plan.changes),
        servers=tuple(replace(server, reads=server.reads + reads.get(server.name, 0)) for server in plan.servers),
    )


def with_survivors(
    plan: Plan, desired: DesiredState, live: LiveState, servers: Collection[str], facts: Mapping[str, DriverFacts]
) -> Plan:
    """The plan with findings about surviving tokens, after the tokens of `servers` were read into `live`."""
    survivors = SurvivingTokens(desired, live, facts)
    return replace(
        plan,
        changes=tuple(
            _with_token_note(change, survivors) if change.address.server in servers else change
            for change in plan.changes
        ),
        servers=tuple(
            replace(server, reads=live.servers[server.name].requests) if server.name in servers else server
            for server in plan.servers
        ),
        diagnostics=(plan.diagnostics + Diagnostics.of(unread_tokens(desired, live))).sorted(),
    )


def _with_token_note(change: Change, survivors: SurvivingTokens) -> Change:
    note = survivors.note(change)
    return replace(change, note=f"{change.note} {note}".strip()) if note and note not in change.note else change


def _summaries(
    desired: DesiredState,
    live: LiveState,
    changes: Sequence[Change],
    products: Mapping[str, str],
    writes: Callable[[str, Sequence[Change]], int],
) -> tuple[ServerSummary, ...]:
    batches: dict[tuple[str, int, str], list[Change]] = defaultdict(list)
    for change in write_steps(changes):
        batches[change.address.server, change.stage, change.batch].append(change)
    requests: Counter[str] = Counter()
    for (server, _stage, _key), batch in batches.items():
        requests[server] += writes(server, batch)
    return tuple(
        ServerSummary(
            name=name,
            role=entry.role.value,
            driver=entry.driver,
            url=_shown_url(entry.url or ""),
            product=products.get(name, ""),
            reads=live.servers[name].requests if name in live.servers else 0,
            writes=requests[name],
        )
        for name, entry in sorted(desired.servers.items())
    )


def _shown_url(url: str) -> str:
    """The URL without any password in it."""
    if "@" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _fingerprints(changes: Sequence[Change]) -> dict[str, str]:
    found: dict[str, str] = {}
    for change in changes:
        if change.former is not None or change.live is None:
            found[str(change.address)] = ""
        if change.live is not None:
            found[str(change.live_address)] = change.live.fingerprint
    return {address: found[address] for address in sorted(found)}


# -- as a document ----------------------------------------------------------------------------------------------------


def plan_document(plan: Plan) -> Document:
    """The plan as JSON (`schemas/plan.v2.schema.json`): equal plans give equal documents, and none holds a secret.

    It contains neither desired nor live objects. An apply must resolve secrets again, so a reader makes a new plan from the
    manifest with `manifest_digest`, checks `fingerprints`, and compares the two documents.
    """
    counts = plan.counts
    return {
        "format": PLAN_FORMAT,
        "format_version": PLAN_FORMAT_VERSION,
        "name": plan.name,
        "manifest_digest": plan.manifest_digest,
        "summary": {
            "changes": len(plan.changes),
            "actions": {action.value: counts[action] for action in Action},
            "risk": str(plan.risk),
            "stops": len(plan.stops),
            "incomparable": len(plan.incomparable),
            "kept": len(plan.kept),
            "unexpected": len(counted(plan.kept)),
            "unread": len(plan.unread),
            "reads": sum(server.reads for server in plan.servers),
            "writes": sum(server.writes for server in plan.servers),
        },
        "servers": [_server_document(server) for server in plan.servers],
        "changes": [change_document(change) for change in plan.changes],
        "diagnostics": diagnostic_documents(plan.diagnostics),
        "stops": diagnostic_documents(plan.stops),
        "incomparable": [{"address": str(address), "path": path} for address, path in plan.incomparable],
        "kept": list(kept_documents(plan.kept)),
        "unread": list(unread_documents(plan.unread)),
        "disagreeing": [str(address) for address in plan.disagreeing],
        "fingerprints": dict(sorted(plan.fingerprints.items())),
    }


def _server_document(server: ServerSummary) -> Document:
    return {
        "name": server.name,
        "role": server.role,
        "driver": server.driver,
        "url": server.url,
        "product": server.product,
        "reads": server.reads,
        "writes": server.writes,
    }
