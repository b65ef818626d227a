"""Which capabilities of the drivers concern a field, and the drivers' answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from oauthdeploy.model.capabilities import QUESTIONS, Capability, DriverFacts, Support, supports, table_for
from oauthdeploy.model.explanation import DriverAnswer
from oauthdeploy.model.servers import Role

BEYOND_NAMES: Final[Mapping[str, tuple[Capability, ...]]] = {
    "clients.type": (Capability.CLIENT_TYPE_CHANGE,),
    "clients.secret": (Capability.CLIENT_SECRET_READ, Capability.CLIENT_SECRET_ROTATE),
    "clients.secret.value": (Capability.CLIENT_SECRET_CHOICE,),
    "clients.secret.generate": (Capability.CLIENT_SECRET_GENERATE,),
    "clients.secret.revision": (Capability.CLIENT_SECRET_ROTATE,),
    "clients.moved_from": (Capability.CLIENT_RENAME,),
    "clients": (Capability.CLIENT_ID_CHOICE, Capability.CLIENTS_LIST, Capability.CLIENT_UPDATE),
    "servers.authorization_server": (
        Capability.TRUST,
        Capability.TRUST_REMOTE,
        Capability.TRUST_EXTERNAL,
        Capability.TRUST_JWT,
    ),
    "servers.issuer": (Capability.TRUST_JWT,),
    "servers.jwks_uri": (Capability.TRUST_JWT,),
    "servers.audience": (Capability.TRUST_JWT,),
    "servers.introspection": (Capability.TRUST_REMOTE, Capability.TRUST_EXTERNAL),
    "revocations.tokens": (Capability.TOKENS_LIST, Capability.TOKENS_DELETE, Capability.TOKENS_REFUSE),
    "revocations.tokens.issued_before": (Capability.TOKENS_BY_TIME,),
    "revocations.owner": (Capability.TOKENS_BY_OWNER,),
    "revocations.scope": (Capability.TOKENS_BY_SCOPE,),
    "revocations.handles": (Capability.TOKENS_BY_HANDLE,),
    "revocations.block": (Capability.BLOCK_CLIENT,),
    "resource_owners": (Capability.USERS_LIST,),
    "policy.prune": (Capability.MARKS,),
    "name": (Capability.MARKS, Capability.LEASE),
}
"""Capabilities that are not named after the field that they concern; all others are."""


def questions_about(path: str) -> tuple[str, ...]:
    """The capabilities and fields that decide about a field: the nearest one named after it or after a field around it, those
    named after its values, and those with other names.
    """
    around = path.replace(".overrides.", ".")
    named: list[str] = []
    while around and not named:
        named += [question for question in QUESTIONS if question == around]
        around = around.rpartition(".")[0]
    inside = [question for question in QUESTIONS if "." in path and question.startswith(f"{path}.")]
    return tuple(dict.fromkeys([*named, *inside, *BEYOND_NAMES.get(path, ())]))


def answers(path: str, drivers: Mapping[str, DriverFacts]) -> tuple[DriverAnswer, ...]:
    """What each driver answers about a field; roles with the same answer are merged."""
    return tuple(
        answer
        for question in questions_about(path)
        for name, facts in sorted(drivers.items())
        if facts.writable
        for answer in _answers(name, facts, question)
    )


def _answers(name: str, facts: DriverFacts, question: str) -> Iterator[DriverAnswer]:
    found: dict[Support, list[str]] = {}
    for role in Role:
        if role in facts.roles:
            found.setdefault(supports(table_for(facts, role), question), []).append(role.value)
    for support, roles in found.items():
        yield DriverAnswer(name, tuple(roles), question, support.answer.value, support.note)
