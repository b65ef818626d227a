"""Builds the audit record of a cut-off, server by server, from its plan, live state and outcomes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.capabilities import Answer, Capability, DriverFacts, Support, supports, table_for
from oauthdeploy.model.objects import IssuedBefore, Revocation, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.planning.pending_revocations import BLOCKED
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.revocation.audit_schema import AskedRecord, FoundRecord, ProblemRecord, ServerRecord, State
from oauthdeploy.planning.revocation.request import DOUBTS, PROVED, CutOff, is_there, unproved, unreadable


class _Ending(Struct, frozen=True):
    """How a revocation ended on a server, what prevented it, and whether reading the server again confirmed it."""

    state: State
    problems: Sequence[Diagnostic | OAuthDeployError]
    verified: bool = False


def request_records(revocations: Mapping[str, Revocation]) -> tuple[AskedRecord, ...]:
    """What was requested."""
    return tuple(
        AskedRecord(
            id=key,
            client=item.client,
            tokens=item.tokens is not None,
            owner=item.owner,
            scope=item.scope,
            handles=item.handles,
            issued_before=item.tokens.issued_before if isinstance(item.tokens, IssuedBefore) else None,
            block=tuple(side.value for side in item.block or ()),
        )
        for key, item in revocations.items()
    )


def server_records(
    request: CutOff,
    plan: Plan,
    live: LiveState,
    down: Mapping[str, OAuthDeployError],
    report: ApplyReport | None,
    seen: Diagnostics,
    effective: Mapping[Address, float],
    facts: Mapping[str, DriverFacts],
) -> tuple[ServerRecord, ...]:
    """One record for each cut-off on each server, including those that could not be made.

    `seen` is what reading the servers again and trying tokens showed; `effective` are the seconds until a cut-off was made,
    by address; `facts` are by driver name. A cut-off that a server's own answer does not prove is not called verified.
    """
    objects = live.objects
    outcomes = {item.change.address: item for item in (report.outcomes if report else ())}
    records = []
    for address in sorted({*request.addresses, *_gap_addresses(request)}):
        role = request.desired.servers[address.server].role.value
        live_object = objects.get(address)
        outcome = outcomes.get(address)
        findings = [item for item in seen if item.address == str(address)]
        ending = _ending(address, request, plan, live, down, report, findings, live_object, outcome)
        records.append(
            ServerRecord(
                server=address.server,
                revocation=address.name,
                role=role,
                state=ending.state,
                found=None if live_object is None else _found_record(live_object, outcome),
                done=tuple(_steps_done(outcome)),
                seconds=round(effective[address], 3) if address in effective else None,
                verified=ending.verified,
                proved=tuple(item.detail for item in findings if item.rule == PROVED),
                problems=tuple(_problem_record(item) for item in ending.problems),
            )
        )
    return tuple(_without_unproved(records, request, facts))


def _without_unproved(
    records: Sequence[ServerRecord], request: CutOff, facts: Mapping[str, DriverFacts]
) -> Iterator[ServerRecord]:
    """The records, with `verified` if the server's own answer, a token, or its authorization server proves the cut-off.

    A resource server that introspects every token refuses those that its authorization server has revoked.
    """
    servers = request.desired.servers

    def proof(name: str) -> Support:
        unknown = Support(Answer.UNTESTED, "its driver does not say that it does")
        return facts[servers[name].driver].block_proof.get(servers[name].role, unknown)

    def introspects(name: str) -> bool:
        return not supports(table_for(facts[servers[name].driver], servers[name].role), Capability.TRUST_JWT)

    ending = {
        (record.server, record.revocation)
        for record in records
        if record.state == "client-not-there"
        or (record.verified and _ends_tokens(request, record) and proof(record.server).answer is Answer.YES)
    }
    for record in records:
        support = proof(record.server)
        asks = (servers[record.server].authorization_server or "", record.revocation)
        elsewhere = asks in ending and introspects(record.server)
        if not record.verified or record.proved or elsewhere or support.answer is Answer.YES:
            yield record
            continue
        problem = _problem_record(unproved(record.server, support.note))
        yield record.model_copy(update={"verified": False, "problems": (*record.problems, problem)})


def _ends_tokens(request: CutOff, record: ServerRecord) -> bool:
    wanted = request.desired.objects.get(Address(Kind.REVOCATION, record.revocation, record.server))
    return isinstance(wanted, Revocation) and wanted.tokens is not None


def lifted_records(
    report: ApplyReport, desired: DesiredState
) -> tuple[tuple[AskedRecord, ...], tuple[ServerRecord, ...]]:
    """The records of the cut-offs that the changes of an apply undid."""
    requests: dict[tuple[str, str], AskedRecord] = {}
    servers: list[ServerRecord] = []
    for outcome in report.outcomes:
        change = outcome.change
        if outcome.status is not Status.DONE or not change.undoes:
            continue
        client, server = change.address.name, desired.servers[change.address.server]
        sides = tuple(side.value for side in (Side.AUTHORIZATION, Side.RESOURCE))
        requests[change.undoes, client] = AskedRecord(id=change.undoes, client=client, tokens=False, block=sides)
        identity = change.live.identity if change.live is not None else outcome.identity
        servers.append(
            ServerRecord(
                server=change.address.server,
                revocation=change.undoes,
                role=server.role.value,
                state="lifted",
                found=FoundRecord(client=change.live is not None, identity=identity or None),
                verified=report.verified,
            )
        )
    return tuple(requests.values()), tuple(servers)


def failed_records(request: CutOff, error: OAuthDeployError) -> tuple[ServerRecord, ...]:
    """The records if one error prevented everything."""
    problem = ProblemRecord(rule=error.rule, summary=error.summary, detail=error.detail, fix=error.fix)
    return tuple(
        ServerRecord(
            server=address.server,
            revocation=address.name,
            role=request.desired.servers[address.server].role.value,
            state="failed",
            found=None,
            done=(),
            seconds=None,
            verified=False,
            proved=(),
            problems=(problem,),
        )
        for address in sorted(request.addresses)
    )


def result_of(servers: Sequence[ServerRecord]) -> Literal["done", "partial", "failed"]:
    """Done if nothing prevented any cut-off; failed if nothing is cut off."""
    cut = [item.state in ("cut-off", "nothing-to-do") for item in servers]
    if not any(cut):
        return "failed"
    good = all(
        item.state in ("cut-off", "nothing-to-do", "client-not-there")
        and all(problem.rule in DOUBTS for problem in item.problems)
        for item in servers
    )
    return "done" if good else "partial"


def _ending(
    address: Address,
    request: CutOff,
    plan: Plan,
    live: LiveState,
    down: Mapping[str, OAuthDeployError],
    report: ApplyReport | None,
    proofs: Sequence[Diagnostic],
    live_object: LiveObject | None,
    outcome: Outcome | None,
) -> _Ending:
    """How a revocation ended on one server: the first thing that prevented it, or what reading it again showed."""
    gaps = [item for item in request.gaps if item.address == str(address)]
    if address.server in down:
        return _Ending("unreachable", [down[address.server]])
    if address not in request.addresses:
        return _Ending("not-offered", gaps)
    if (obstacles := _obstacles(address, plan, live, outcome)) is not None:
        return _Ending("failed", [*obstacles, *gaps])
    problems = [item for item in proofs if item.rule != PROVED]
    if len(problems) == len(proofs):
        # A token that was tried and refused outweighs a doubt. Without one, a doubtful cut-off is not called verified.
        problems += [item for item in plan.diagnostics if item.address == str(address) and item.rule in DOUBTS]
    if any(item.severity is Severity.ERROR for item in problems):
        return _Ending("failed", [*problems, *gaps])
    if outcome is not None:
        verified = report is not None and report.verified and not problems
        return _Ending("cut-off", [*problems, *gaps], verified)
    if live_object is None or not is_there(live_object):
        return _Ending("client-not-there", [*problems, *gaps])
    return _Ending("nothing-to-do", [*problems, *gaps], verified=not problems)


def _obstacles(
    address: Address, plan: Plan, live: LiveState, outcome: Outcome | None
) -> Sequence[Diagnostic | OAuthDeployError] | None:
    """What prevented the revocation, with or without details; None if nothing did."""
    if unread := unreadable(live, address.server):
        return [unread]
    if errors := [item for item in plan.diagnostics.errors if item.address == str(address)]:
        return errors
    if outcome is not None and outcome.status is not Status.DONE:
        return [outcome.because] if outcome.because else []
    return None


def _gap_addresses(request: CutOff) -> Iterator[Address]:
    for item in request.gaps:
        yield Address.parse(item.address)


def _found_record(live: LiveObject, outcome: Outcome | None) -> FoundRecord:
    tokens = live.tokens
    if tokens is not None and not tokens.counted:
        tokens = outcome.found if outcome is not None else None
    return FoundRecord(
        client=is_there(live),
        identity=live.identity or None,
        enabled=None if live.blocked is None else not live.blocked,
        active_tokens=tokens.active if tokens else None,
        tokens=tokens.total if tokens else None,
    )


def _steps_done(outcome: Outcome | None) -> Iterator[str]:
    if outcome is None or outcome.status is not Status.DONE:
        return
    if any(field.path == BLOCKED for field in outcome.change.fields):
        yield "Client disabled."
    if outcome.note:
        yield outcome.note


def _problem_record(item: Diagnostic | OAuthDeployError) -> ProblemRecord:
    return ProblemRecord(rule=item.rule, summary=item.summary, detail=item.detail, fix=item.fix)
