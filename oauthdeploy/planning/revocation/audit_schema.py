"""The record of a cut-off: who requested it, why, what was found and what was done. No record holds a token or a secret."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from oauthdeploy.model.fields import Model

VERSION: Final = 1


class AskedRecord(Model):
    """One cut-off that was asked for."""

    id: str = Field(description="The name of the revocation.")
    client: str = Field(description="The client.")
    tokens: bool = Field(description="Whether its tokens are deleted.")
    owner: str | None = Field(None, description="Only tokens of this resource owner.")
    scope: str | None = Field(None, description="Only tokens with this scope.")
    handles: tuple[str, ...] | None = Field(None, description="Only these tokens, by their handles.")
    issued_before: datetime | None = Field(None, description="Only tokens issued before this moment.")
    block: tuple[Literal["authorization", "resource"], ...] = Field((), description="Where the client is disabled.")


class FoundRecord(Model):
    """What stood on a server before."""

    client: bool = Field(description="Whether the server has the client.")
    identity: str | None = Field(None, description="The server's own id of the client.")
    enabled: bool | None = Field(None, description="Whether it was enabled, where that is known.")
    active_tokens: int | None = Field(None, description="Its tokens that were still active.", ge=0)
    tokens: int | None = Field(
        None, description="All of its tokens that the server listed, including expired ones.", ge=0
    )


class ProblemRecord(Model):
    """Why something was not done, or is not known to be done."""

    rule: str = Field(description="Stable id.")
    summary: str = Field(description="What happened.")
    detail: str = Field(description="Why, with names.")
    fix: str = Field(description="What to do.")


State = Literal["cut-off", "nothing-to-do", "client-not-there", "not-offered", "failed", "unreachable", "lifted"]


class ServerRecord(Model):
    """One server and one cut-off."""

    server: str = Field(description="The server entry of the manifest.")
    revocation: str = Field(description="The name of the revocation.")
    role: Literal["authorization", "resource", "both"] = Field(description="The server's role.")
    state: State = Field(
        description="cut-off: done and verified as far as `verified` says; nothing-to-do: it was already cut off; "
        "client-not-there; not-offered: the server does not support it; failed; unreachable; lifted: the client may work again."
    )
    found: FoundRecord | None = Field(None, description="The state before, where it could be read.")
    done: tuple[str, ...] = Field((), description="What was done, in words.")
    seconds: float | None = Field(
        None, description="Time from the start of the cut-off until it took effect here.", ge=0
    )
    verified: bool = Field(description="Whether reading the server again afterwards confirmed the cut-off.")
    proved: tuple[str, ...] = Field((), description="What the token you supplied showed afterwards, in words.")
    problems: tuple[ProblemRecord, ...] = Field((), description="What prevented it.")


class AuditRecord(Model):
    """One line of the audit trail."""

    version: int = Field(VERSION, description="Version of this document.", ge=VERSION, le=VERSION)
    format: Literal["oauthdeploy/audit"] = Field("oauthdeploy/audit", description="The name of the audit trail.")
    type: Literal["started", "finished", "lifted"] = Field(
        description="Before the first write, or after the last; lifted: a later run gave back what the cut-off took away."
    )
    id: str = Field(description="The same in both records of a cut-off.")
    at: datetime = Field(description="Time of the record, in UTC.")
    command: Literal["revoke", "tokens delete", "apply"] = Field(description="The command that was run.")
    tool: str = Field(description="Release of oauthdeploy.")
    manifest: str = Field(description="The name of the manifest.")
    environment: str | None = Field(None, description="The environment of the manifest.")
    who: str = Field(description="Who requested it: the name you gave, or else the account.")
    account: str = Field(description="The operating-system account.")
    host: str = Field(description="The machine.")
    reason: str | None = Field(None, description="Why.")
    ticket: str | None = Field(None, description="The incident or ticket.")
    asked: tuple[AskedRecord, ...] = Field(description="What was requested.")
    servers: tuple[ServerRecord, ...] = Field((), description="One entry per server; complete in the last record.")
    result: Literal["done", "partial", "failed"] | None = Field(
        None, description="The outcome; only in the last record."
    )
    seconds: float | None = Field(None, description="The total duration.", ge=0)
    journal: str | None = Field(None, description="The journal of the run.")
