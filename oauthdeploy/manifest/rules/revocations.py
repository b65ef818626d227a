"""Revocations that do nothing, contradict another entry, or affect more than they should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.document import RevocationEntry
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.identities import Identity, key_of
from oauthdeploy.model.objects import IssuedBefore, Side

EXPIRED: Final = "revocation-expired"


def _entries(context: RuleContext) -> Iterator[tuple[int, RevocationEntry]]:
    """The entries that have not expired, each with its client's key: an entry may name the client by its label."""
    if not context.document.revocations:
        # Few manifests with many clients have any, and every rule of this module uses this.
        return
    clients = {key: Identity(entry.name, entry.version) for key, entry in (context.document.clients or {}).items()}
    for index, entry in enumerate(context.document.revocations):
        if entry.is_expired(context.today):
            continue
        key = key_of(entry.client, clients)
        yield index, entry if key == entry.client else entry.model_copy(update={"client": key})


def _found(index: int, entry: RevocationEntry, field: str, detail: str) -> Finding:
    path: Path = ("revocations", index, field) if field else ("revocations", index)
    return Finding(path, detail, object_address(Kind.REVOCATION, entry.id))


@rule(
    "revocation-does-nothing",
    Severity.WARNING,
    "Revocation does nothing",
    reason="Without tokens or block, the entry has no effect, although it looks as if the client were cut off.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Write tokens: all, tokens: {issued_before: ...} or block: [resource].",
    bad="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, reason: telephone stolen}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, reason: telephone stolen, tokens: {issued_before: "2026-11-20T08:00:00Z"}}
""",
    void=True,
)
def does_nothing(context: RuleContext) -> Iterator[Finding]:
    """Neither tokens nor block."""
    for index, entry in _entries(context):
        if entry.tokens is None and not entry.block:
            yield _found(index, entry, "", f"{entry.client} is not cut off.")


@rule(
    "revocation-selection-unused",
    Severity.WARNING,
    "Revocation selects tokens but deletes none",
    reason="owner, scope and handles select which tokens to delete; a block always disables the whole client.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Write tokens, or remove owner, scope and handles.",
    bad="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, owner: alice, block: [resource]}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, owner: alice, tokens: {issued_before: "2026-11-20T08:00:00Z"}}
""",
    void=True,
)
def selection_unused(context: RuleContext) -> Iterator[Finding]:
    """owner, scope or handles without tokens."""
    for index, entry in _entries(context):
        for field in ("owner", "scope", "handles"):
            if getattr(entry, field) is not None and entry.tokens is None:
                yield _found(index, entry, field, f"{field} has no effect without tokens.")


@rule(
    "revocation-without-server",
    Severity.WARNING,
    "Revocation applies to no server",
    reason="Tokens are deleted on authorization servers, and a block disables the client on the servers of that "
    "side that have it. Without such a server, nothing happens.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Correct block, or add the server to the client's on.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [resource]}
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [authorization]}
""",
    void=True,
)
def without_server(context: RuleContext) -> Iterator[Finding]:
    """A side to cut off for which no server of the manifest has this client."""
    for index, entry in _entries(context):
        for side in dict.fromkeys(entry.block or ()):
            if not _reached(context, entry, side):
                yield _found(index, entry, "block", f"No {side} server has {entry.client}.")
        if entry.tokens is not None and not _reached(context, entry, Side.AUTHORIZATION):
            yield _found(index, entry, "tokens", f"No authorization server has {entry.client}.")


def _reached(context: RuleContext, entry: RevocationEntry, side: Side) -> bool:
    return any(
        side in context.servers[server].role.sides and context.holds(server, Kind.REVOCATION, entry.id)
        for server in context.servers
    )


@rule(
    "enabled-and-blocked",
    Severity.WARNING,
    "Client is both enabled and blocked",
    reason="The block takes precedence: the client is disabled on the blocked side, and enabled: true has no "
    "effect there.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Remove enabled: true, or remove the block when the incident is over.",
    bad="""
clients:
  mobile: {type: public, enabled: true}
revocations:
  - {id: INC-2041, client: mobile, block: [resource]}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [resource]}
""",
)
def enabled_and_blocked(context: RuleContext) -> Iterator[Finding]:
    """enabled: true on a client that a revocation blocks."""
    enabled = {key for key, client in context.clients if client.enabled} if context.document.revocations else set()
    for index, entry in _entries(context):
        if entry.block and entry.client in enabled:
            yield _found(index, entry, "block", f"{entry.client} is enabled under clients but blocked here.")


@rule(
    "revoked-and-absent",
    Severity.INFO,
    "Client is revoked and marked absent",
    reason="Deleting a client also deletes its tokens, so the revocation has no effect once the client is gone.",
    source="webMethods Integration Server, Deleting Clients; RFC 7592 section 2.3",
    fix="Keep the revocation for the record, or remove it.",
    bad="""
clients:
  mobile: {state: absent}
revocations:
  - {id: INC-2041, client: mobile, tokens: all}
""",
    good="""
clients:
  mobile: {state: absent}
""",
)
def revoked_and_absent(context: RuleContext) -> Iterator[Finding]:
    """A revocation of a client that is to be removed."""
    for index, entry in _entries(context):
        if entry.client in context.absent_clients:
            yield _found(index, entry, "client", f"{entry.client} is marked absent, so its tokens are deleted with it.")


@rule(
    "revoked-and-granted",
    Severity.WARNING,
    "Client is revoked but still has scopes",
    reason="webMethods keeps no record of a cut-off. Without the journal of the run that made it, tokens: all deletes all tokens "
    "again, including those that the client has since obtained with the scopes that this manifest grants.",
    source="RFC 7009 section 2.1; oauthdeploy manifest, version 1: revocations",
    fix="Write tokens: {issued_before: ...} to keep new tokens, or block the client, or remove its associations.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
revocations:
  - {id: INC-2041, client: mobile, tokens: all}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
revocations:
  - {id: INC-2041, client: mobile, tokens: {issued_before: "2026-11-20T08:00:00Z"}}
""",
)
def revoked_and_granted(context: RuleContext) -> Iterator[Finding]:
    """tokens: all for a client that is not blocked and may request a scope that the revocation covers."""
    revoked = {entry.client for _, entry in _entries(context) if entry.tokens == "all"}
    if not revoked:
        return
    blocked = {entry.client for _, entry in _entries(context) if entry.block}
    switched_off = {key for key, client in context.clients if client.enabled is False}
    granted: dict[str, list[str]] = {}
    for pair in context.pairs:
        if pair.client in revoked and pair.client not in context.absent_clients:
            granted.setdefault(pair.client, []).append(pair.scope)
    for index, entry in _entries(context):
        if entry.tokens != "all" or entry.client in blocked or entry.client in switched_off:
            continue
        scopes = [scope for scope in granted.get(entry.client, ()) if entry.scope in (None, scope)]
        if scopes:
            yield _found(
                index,
                entry,
                "tokens",
                f"{entry.client} may request {scopes[0]}, but without the journal of this cut-off, each apply deletes its "
                "new tokens.",
            )


@rule(
    "revocations-contradict",
    Severity.WARNING,
    "Two revocations of a client expire on different days",
    reason="Both block the same side. When you remove one entry because it has expired, the other still blocks "
    "the client.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Give both the same expires, or merge them into one entry.",
    bad="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [resource], expires: "2027-01-31"}
  - {id: INC-2042, client: mobile, block: [resource], expires: "2027-06-30"}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [resource], expires: "2027-06-30"}
""",
)
def contradict(context: RuleContext) -> Iterator[Finding]:
    """The same side of the same client is blocked with different expires."""
    seen: dict[tuple[str, Side], RevocationEntry] = {}
    for index, entry in _entries(context):
        for side in dict.fromkeys(entry.block or ()):
            other = seen.setdefault((entry.client, side), entry)
            if other.expires != entry.expires:
                until = "never" if other.expires is None else f"on {other.expires}"
                yield _found(
                    index, entry, "block", f"The block of {side} by {other.id} ends {until}, this one otherwise."
                )
                break


@rule(
    "revocation-redundant",
    Severity.INFO,
    "Another revocation covers this one",
    reason="Another entry already deletes all tokens that this entry deletes.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Remove it, unless you keep it for the record.",
    bad="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, tokens: all}
  - {id: INC-2042, client: mobile, tokens: {issued_before: "2026-11-20T08:00:00Z"}}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, tokens: all}
""",
)
def redundant(context: RuleContext) -> Iterator[Finding]:
    """The tokens of one entry are among those of another. Only the widest entry of each selection is kept, so the cost is
    linear.
    """
    widest: dict[tuple[str, str | None, str | None, tuple[str, ...] | None], tuple[int, RevocationEntry]] = {}
    for index, entry in _entries(context):
        if entry.tokens is None:
            continue
        key = (entry.client, entry.owner, entry.scope, entry.handles)
        if key not in widest or _until(entry) > _until(widest[key][1]):
            widest[key] = (index, entry)
    for index, entry in _entries(context):
        if entry.tokens is None or entry.block:
            continue
        for key in dict.fromkeys(
            (entry.client, owner, scope, handles)
            for owner in (None, entry.owner)
            for scope in (None, entry.scope)
            for handles in (None, entry.handles)
        ):
            if key in widest and widest[key][0] != index and _until(widest[key][1]) >= _until(entry):
                yield _found(index, entry, "tokens", f"{widest[key][1].id} already deletes these tokens.")
                break


def _until(entry: RevocationEntry) -> float:
    """The time before which tokens are deleted, in seconds since 1970."""
    return entry.tokens.issued_before.timestamp() if isinstance(entry.tokens, IssuedBefore) else float("inf")


@rule(
    EXPIRED,
    Severity.WARNING,
    "A revocation has expired",
    reason="After its last day, an entry has no effect: it deletes no tokens and blocks no clients. A client that "
    "it blocked stays disabled until you remove the entry.",
    source="oauthdeploy manifest, version 1: revocations",
    fix="Remove the entry; the client is then enabled or disabled as written under clients, and enabling it needs "
    "--allow undoes-cut-off once. To continue the cut-off, write a later day.",
    bad="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, tokens: all, expires: "2020-01-31"}
""",
    good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, tokens: all, expires: "2999-01-31"}
""",
    void=True,
)
def expired(context: RuleContext) -> Iterator[Finding]:
    """The last day of an entry is over."""
    for index, entry in enumerate(context.document.revocations or ()):
        if entry.is_expired(context.today):
            yield _found(index, entry, "", f"Its last day was {entry.expires}.")


RULES: tuple[Rule, ...] = (
    expired,
    does_nothing,
    selection_unused,
    without_server,
    enabled_and_blocked,
    revoked_and_absent,
    revoked_and_granted,
    contradict,
    redundant,
)
