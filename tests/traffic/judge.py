"""Who may call what under a manifest, and whether an answer that was given while one manifest took the place of another is right.

Pure. It reads manifests as plain documents and shares no code with the planner, which it is the judge of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]


class How(StrEnum):
    """Where the token of a call comes from."""

    FRESH = "fresh"
    HELD = "held"
    REFRESHED = "refreshed"


@dataclass(frozen=True)
class Question:
    """May somebody call a service? By any of the clients and scopes, which are tried in this order.

    A renamed client has two keys, and whoever doesn't care for the scope names several: the service is to be had by one of them.
    """

    clients: tuple[str, ...]
    scopes: tuple[str, ...]
    server: str
    service: str
    how: How = How.FRESH

    def __str__(self) -> str:
        return f"{'|'.join(self.clients)} {'|'.join(self.scopes)} {self.service}@{self.server} ({self.how})"


@dataclass(frozen=True)
class Span:
    """A stretch of time, by the monotonic clock, in seconds."""

    begin: float
    end: float


@dataclass(frozen=True)
class Call:
    """A question that was put to the servers, from the first request to the last answer; `got`: when its token was asked for."""

    question: Question
    span: Span
    got: Span
    allowed: bool
    issuer: str | None = None
    """The authorization server of the token that was brought along; None where it was asked for on the way."""
    detail: str = ""


class Verdict(StrEnum):
    """What an answer was worth."""

    RIGHT = "right"
    WRONG_REFUSAL = "wrong refusal"
    WRONG_GRANT = "wrong grant"


_GRANTS = {How.FRESH: "client_credentials", How.REFRESHED: "refresh_token"}


@dataclass(frozen=True)
class View:
    """A manifest, asked."""

    manifest: Document

    def allows(self, question: Question, issuer: str | None = None) -> bool:
        """Whether one of the clients may call the service by one of the scopes, with a token of that issuer if one is named."""
        if issuer is not None and issuer != self.issuer(question.server):
            return False
        return any(self._may(client, scope, question) for client in question.clients for scope in question.scopes)

    def issuer(self, server: str) -> str | None:
        """The authorization server that a resource server trusts."""
        found = self.manifest["servers"].get(server, {}).get("authorization_server")
        return None if found is None else str(found)

    def scopes_of(self, client: str) -> Sequence[str]:
        """What a client may ask for."""
        entries = self.manifest.get("associations", ())
        return [scope for entry in entries if entry["client"] == client for scope in entry["scopes"]]

    def opened_by(self, scope: str) -> Iterable[tuple[str, str]]:
        """The services that a scope opens, with their resource servers."""
        entry = self.manifest["scopes"].get(scope, {})
        for name in self.manifest["servers"]:
            if self.issuer(name) is not None and _is_on(entry, name):
                yield from ((name, service) for service in entry.get("resources", ()))

    def cut_off(self) -> Set[str]:
        """The clients whose tokens end with the apply."""
        return {each["client"] for each in self.manifest.get("revocations", ()) if each.get("tokens") == "all"}

    def _may(self, client: str, scope: str, question: Question) -> bool:
        issuer = self.issuer(question.server)
        return (
            issuer is not None
            and self._stands(client, issuer, "authorization", question.how)
            and self._stands(client, question.server, "resource", None)
            and scope in self.scopes_of(client)
            and _is_on(self.manifest["scopes"].get(scope), issuer)
            and (question.server, question.service) in self.opened_by(scope)
        )

    def _stands(self, client: str, server: str, side: str, how: How | None) -> bool:
        entry = self.manifest["clients"].get(client)
        if not _is_on(entry, server) or entry.get("enabled", True) is False:
            return False
        if any(
            each["client"] == client and side in each.get("block", ()) for each in self.manifest.get("revocations", ())
        ):
            return False
        return how is None or how is How.HELD or _GRANTS[how] in entry["grants"]


def _is_on(entry: Document | None, server: str) -> bool:
    return entry is not None and entry.get("state") != "absent" and server in entry.get("on", (server,))


def judge(call: Call, old: View, new: View, change: Span) -> Verdict:
    """Judge an answer by the old manifest before the change began, by the new one after it ended, and by both in between.

    Where both say the same, the answer must be that at any time. `change` lasts from the start of the first apply to the return
    of the last one.
    """
    may: set[bool] = set()
    if call.span.begin <= change.end:
        may.add(old.allows(call.question, call.issuer))
    if call.span.end >= change.begin:
        may |= _under_new(call, new, change)
    if may == {True} and not call.allowed:
        return Verdict.WRONG_REFUSAL
    if may == {False} and call.allowed:
        return Verdict.WRONG_GRANT
    return Verdict.RIGHT


def _under_new(call: Call, new: View, change: Span) -> set[bool]:
    if not new.allows(call.question, call.issuer):
        return {False}
    if not new.cut_off() & set(call.question.clients) or call.got.begin > change.end:
        return {True}
    return {False} if call.got.end < change.begin else {True, False}
