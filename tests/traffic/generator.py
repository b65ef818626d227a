"""Asks for tokens and calls services without pause, as OAuth clients of their own, and notes what came of each question.

It runs beside the apply in one event loop: dozens of requests wait at a time, which threads would spend their time on.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import aiohttp

from tests.traffic.judge import Call, How, Question, Span

USER, USER_PASSWORD = "alice", "alice-pass-word"


class Places(Protocol):
    """Where an estate's servers are, and what clients know of themselves."""

    def token_url(self, server: str) -> str:
        """The token endpoint of an authorization server."""

    def call(self, server: str, service: str, token: str) -> tuple[str, Mapping[str, Any]]:
        """How a protected service is called with a token: the address, and the rest of a POST as aiohttp takes it."""

    def opens(self, status: int, said: Any) -> bool:
        """Whether the answer to a call is that of the service."""

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
    """When it was asked for; of one that was refreshed, when the first of its line was."""
    refresh: str = ""
    end: tuple[str, tuple[str, str]] | None = None
    """Where it can be ended, and by whom."""


@dataclass
class Purse:
    """Tokens that several questions are asked with, by authorization server, client and scope; and all that were got."""

    kept: dict[tuple[str, str, str], Token] = field(default_factory=dict)
    got: list[Token] = field(default_factory=list)


@dataclass
class Refusal(Exception):
    """An answer other than a token, or other than a service's."""

    detail: str


@dataclass
class Traffic:
    """The clients: `issuers` gives the authorization servers of a resource server, in the order in which they are tried."""

    places: Places
    http: aiohttp.ClientSession
    issuers: Callable[[str], Sequence[str]]
    hopeless: Callable[[Question], bool] = lambda _question: False
    """Whether a refusal can't be wrong, so that nobody need ask twice."""
    calls: list[Call] = field(default_factory=list)
    held: dict[Question, Token] = field(default_factory=dict)
    requests: int = 0
    _rounds: Sequence[Sequence[Question]] = ()
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

        def asked_with(question: Question) -> tuple[Any, ...]:
            own = question.how is not How.FRESH and question
            return (
                question.how,
                question.clients,
                question.scopes,
                tuple(self.issuers(question.server)),
                own and str(own),
            )

        self._rounds = [list(some) for _, some in groupby(sorted(kept, key=asked_with), key=asked_with)]

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
            some = self._rounds[self._next % len(self._rounds)]
            self._next += 1
            if some[0] in self._refreshing:
                await asyncio.sleep(0.001)
                continue
            if some[0].how is How.REFRESHED:
                self._refreshing.add(some[0])
            purse = Purse()
            begin = time.monotonic()
            for question in some:
                call = await self._ask(question, purse, begin)
                if call is not None:
                    self.calls.append(call)
            self._refreshing.discard(some[0])
            for token in purse.got:
                if token.end is not None:
                    await self._post(token.end[0], data={"token": token.access}, headers=basic(*token.end[1]))

    async def _ask(self, question: Question, purse: Purse, begin: float) -> Call | None:
        """Try one client and scope after the other; None where nobody is known who could ask.

        `begin` is when the first token in the purse may have been asked for. A client whose token is refused gets another.
        """
        details: list[str] = []
        got = Span(begin, begin)
        held = self.held.get(question)
        if held is not None:
            begin, got = time.monotonic(), held.got
        tries = 1 if question.how is not How.FRESH or self.hopeless(question) else 2
        for attempt in range(tries):
            if attempt:
                purse.kept.clear()
            async for token in self._tokens(question, purse):
                if isinstance(token, Refusal):
                    details.append(token.detail)
                    continue
                got = token.got
                status, said = await self._call(question, token)
                if self.places.opens(status, said):
                    issuer = None if held is None else held.issuer
                    return Call(question, Span(begin, time.monotonic()), got, True, issuer)
                details.append(f"{status} {said}")
        if not details:
            return None
        issuer = None if held is None else held.issuer
        return Call(question, Span(begin, time.monotonic()), got, False, issuer, "; ".join(details))

    async def _tokens(self, question: Question, purse: Purse) -> AsyncIterator[Token | Refusal]:
        held = self.held.get(question)
        if held is not None:
            yield await self._renewed(question, held) if question.how is How.REFRESHED else held
            return
        for server in self.issuers(question.server):
            for client in question.clients:
                known = self.places.credentials(client, server)
                for scope in question.scopes if known else ():
                    if (kept := purse.kept.get((server, client, scope))) is not None:
                        yield kept
                        continue
                    form = {"grant_type": "client_credentials", "scope": scope}
                    assert known is not None
                    try:
                        token = await self._token_of(client, server, known, form, scope)
                    except Refusal as refusal:
                        yield refusal
                        continue
                    purse.kept[server, client, scope] = token
                    purse.got.append(token)
                    yield token

    async def _renewed(self, question: Question, held: Token) -> Token | Refusal:
        """A token for the refresh token that is held, which the new one takes the place of."""
        refusal = Refusal("no client is known")
        for client in question.clients:
            known = self.places.credentials(client, held.issuer)
            if known is None:
                continue
            form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
            try:
                token = await self._token_of(client, held.issuer, known, form, question.scopes[0])
            except Refusal as why:
                refusal = why
                continue
            token.got = held.got
            if token.refresh:
                self.held[question] = token
            return token
        return refusal

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
        status, said = await self._post(self.places.token_url(server), data=form, headers=basic(*known))
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
        url, options = self.places.call(question.server, question.service, token.access)
        return await self._post(url, **options)

    async def _post(self, url: str, **options: Any) -> tuple[int, Any]:
        self.requests += 1
        try:
            async with self.http.post(url, **options) as answer:
                status, text = answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as problem:
            return 0, type(problem).__name__
        try:
            body = json.loads(text)
        except ValueError:
            body = text[:200]
        if status != 200 and isinstance(body, dict):
            body = f"{body.get('error')}: {body.get('error_description')}"
        return status, body


def basic(name: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic in UTF-8 (RFC 7617)."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}
