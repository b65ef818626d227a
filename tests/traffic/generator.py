"""Asks for tokens and calls services without pause, as OAuth clients of their own, and notes what came of each question.

It runs beside the apply in one event loop: dozens of requests wait at a time, which threads would spend their time on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from tests.traffic.judge import Call, How, Question, Span

USER, USER_PASSWORD = "alice", "alice-pass-word"


class Places(Protocol):
    """Where an estate's servers are, and what clients know of themselves."""

    def token_url(self, server: str) -> str:
        """The token endpoint of an authorization server."""

    def service_url(self, server: str, service: str) -> str:
        """The address of a protected service."""

    def revoke_url(self, server: str) -> str | None:
        """Where a client ends its own tokens (RFC 7009), so that a server that lists tokens doesn't drown in them."""

    def look_again(self) -> None:
        """Look where ids and secrets are delivered to."""

    def credentials(self, client: str, server: str) -> tuple[str, str] | None:
        """The id and secret of a client at an authorization server; None for one that isn't known there."""


@dataclass
class Token:
    """A token, when it was asked for, and the refresh token beside it."""

    access: str
    issuer: str
    got: Span
    refresh: str = ""
    end: tuple[str, tuple[str, str]] | None = None
    """Where it can be ended, and by whom."""


@dataclass
class Refusal(Exception):
    """An answer other than a token, or other than a service's."""

    detail: str


@dataclass
class Traffic:
    """The clients: `issuers` gives the authorization servers of a resource server, in the order in which they are tried."""

    places: Places
    http: httpx.AsyncClient
    issuers: Callable[[str], Sequence[str]]
    questions: Sequence[Question] = ()
    calls: list[Call] = field(default_factory=list)
    held: dict[Question, Token] = field(default_factory=dict)
    _refreshing: set[Question] = field(default_factory=set)
    _next: int = 0

    async def hold(self, questions: Sequence[Question]) -> None:
        """Get the tokens that the questions about held and refreshed tokens start from; one that is refused is not asked."""
        self.held = {}
        kept = []
        for question in questions:
            if question.how is not How.FRESH:
                try:
                    self.held[question] = await self._first_token(question)
                except Refusal:
                    continue
            kept.append(question)
        self.questions = kept

    @asynccontextmanager
    async def flowing(self, workers: int) -> AsyncIterator[None]:
        """Ask without pause until the block ends."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._flow(over))
            try:
                yield
            finally:
                over.set()

    async def more(self, count: int) -> None:
        """Wait until that many more questions have been answered."""
        wanted = len(self.calls) + count
        while len(self.calls) < wanted:
            await asyncio.sleep(0.005)

    async def _flow(self, over: asyncio.Event) -> None:
        while not over.is_set():
            question = self.questions[self._next % len(self.questions)]
            self._next += 1
            if question.how is How.REFRESHED and question in self._refreshing:
                await asyncio.sleep(0.001)
                continue
            self._refreshing.add(question)
            call = await self._ask(question)
            self._refreshing.discard(question)
            if call is not None:
                self.calls.append(call)

    async def _ask(self, question: Question) -> Call | None:
        """Try one client and scope after the other; None where nobody is known who could ask."""
        begin = time.monotonic()
        details = []
        got = Span(begin, begin)
        issuer = self.held[question].issuer if question in self.held else None
        async for attempt in self._tokens(question):
            if isinstance(attempt, Refusal):
                details.append(attempt.detail)
                continue
            got = attempt.got
            status, said = await self._call(question, attempt)
            end = time.monotonic()
            if question.how is How.FRESH and attempt.end is not None:
                await self._post(attempt.end[0], data={"token": attempt.access}, auth=attempt.end[1])
            if status == 200:
                return Call(question, Span(begin, end), got, True, issuer)
            details.append(f"{status} {said}")
        if not details:
            return None
        return Call(question, Span(begin, time.monotonic()), got, False, issuer, "; ".join(details))

    async def _tokens(self, question: Question) -> AsyncIterator[Token | Refusal]:
        if question.how is How.HELD:
            yield self.held[question]
            return
        held = self.held.get(question)
        for server in self.issuers(question.server) if held is None else (held.issuer,):
            for client in question.clients:
                known = self.places.credentials(client, server)
                for scope in question.scopes if known else ():
                    form = {"grant_type": "client_credentials", "scope": scope}
                    if question.how is How.REFRESHED:
                        form = {"grant_type": "refresh_token", "refresh_token": held.refresh if held else ""}
                    assert known is not None
                    try:
                        token = await self._token_of(client, server, known, form, scope)
                    except Refusal as refusal:
                        yield refusal
                        continue
                    if question.how is How.REFRESHED and token.refresh:
                        self.held[question] = token
                    yield token

    async def _first_token(self, question: Question) -> Token:
        for server in self.issuers(question.server):
            for client in question.clients:
                known = self.places.credentials(client, server)
                if known is None:
                    continue
                scope = question.scopes[0]
                form = {"grant_type": "client_credentials", "scope": scope}
                if question.how is How.REFRESHED:
                    form = {"grant_type": "password", "username": USER, "password": USER_PASSWORD, "scope": scope}
                return await self._token(server, known, form, scope)
        raise Refusal("no client is known")

    async def _token_of(
        self, client: str, server: str, known: tuple[str, str], form: dict[str, str], scope: str
    ) -> Token:
        """A token; a client that is refused looks whether it was given another id and secret, and asks once more with these."""
        try:
            return await self._token(server, known, form, scope)
        except Refusal:
            await asyncio.to_thread(self.places.look_again)
            renewed = self.places.credentials(client, server)
            if renewed is None or renewed == known:
                raise
            return await self._token(server, renewed, form, scope)

    async def _token(self, server: str, known: tuple[str, str], form: dict[str, str], scope: str) -> Token:
        begin = time.monotonic()
        status, said = await self._post(self.places.token_url(server), data=form, auth=known)
        if status != 200 or not isinstance(said, dict):
            raise Refusal(f"token {status} {said}")
        if scope not in str(said.get("scope", "")).split():
            raise Refusal(f"token without {scope}")
        end = self.places.revoke_url(server)
        return Token(
            str(said["access_token"]),
            server,
            Span(begin, time.monotonic()),
            str(said.get("refresh_token", "")),
            (end, known) if end is not None else None,
        )

    async def _call(self, question: Question, token: Token) -> tuple[int, Any]:
        url = self.places.service_url(question.server, question.service)
        return await self._post(url, headers={"Authorization": f"Bearer {token.access}"})

    async def _post(self, url: str, **options: Any) -> tuple[int, Any]:
        try:
            answer = await self.http.post(url, **options)
        except httpx.HTTPError as problem:
            return 0, type(problem).__name__
        try:
            body = answer.json()
        except ValueError:
            body = answer.text[:200]
        if answer.status_code != 200 and isinstance(body, dict):
            body = f"{body.get('error')}: {body.get('error_description')}"
        return answer.status_code, body
