"""The address of an object, `kind/name@server`, used in plans, errors, reports and `--target`."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from urllib.parse import quote, unquote

from msgspec import Struct


class Kind(StrEnum):
    """The kinds of objects, in the order in which reports list them."""

    TRUST = "trust"
    SETTINGS = "settings"
    SCOPE = "scope"
    CLIENT = "client"
    ASSOCIATION = "association"
    REVOCATION = "revocation"

    # As a string, without the call that an enum's own would take.
    __hash__ = str.__hash__

    @property
    def rank(self) -> int:
        """The position of the kind in every listing."""
        return _RANK[self]

    @property
    def is_singleton(self) -> bool:
        """True if a server has exactly one object of the kind, so that it needs no name."""
        return self in _SINGLETONS


_RANK = {kind: rank for rank, kind in enumerate(Kind)}
_SINGLETONS = frozenset({Kind.TRUST, Kind.SETTINGS})
_HEADS = {kind: f"{kind.value}/" for kind in Kind}
# Looking a member up in its class takes as long as the rest of what uses these.
_SCOPE, _CLIENT, _ASSOCIATION = Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION


class AddressError(ValueError):
    """A string is not an address; the message says what an address looks like."""


def _quote_name(name: str, *, also: str = "") -> str:
    """Escape `%`, control characters and the character `also`; everything else stays readable."""
    if "%" not in name and name.isprintable() and (not also or also not in name):
        return name
    # Servers can send lone surrogates in JSON; they must not cause an encoding error.
    return "".join(
        quote(c, safe="", errors="surrogatepass") if c in "%" + also or not c.isprintable() else c for c in name
    )


def _unquote_name(text: str) -> str:
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="surrogatepass")
    except UnicodeDecodeError:
        raise AddressError(f"'{text}' is not part of an address: its percent-encoding is not UTF-8") from None


class Address(Struct, frozen=True, gc=False, cache_hash=True):
    """`kind/name@server`; `settings@server` and `trust@server` for kinds of which a server has exactly one object.

    The name of an association is `client:scope`. Names keep every character: `%`, control characters and, in the client of an
    association, `:` are percent-encoded in the written form, so that it round-trips.

    There may be hundreds of thousands, as keys of several mappings, so each is as small as possible, and hashed once.
    """

    kind: Kind
    name: str
    server: str

    @classmethod
    def association(cls, client: str, scope: str, server: str) -> Self:
        """The address of the permission of `client` to request `scope` at `server`."""
        return cls(_ASSOCIATION, f"{_quote_name(client, also=':')}:{scope}", server)

    @classmethod
    def singleton(cls, kind: Kind, server: str) -> Self:
        """The address of the one object of `kind` on `server`."""
        return cls(kind, "", server)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the written form. Raises AddressError."""
        head, at, server = text.rpartition("@")
        kind_text, slash, name = head.partition("/")
        if not at or not server:
            raise AddressError(f"'{text}' is not an address: write kind/name@server, such as client/web-shop@login")
        try:
            kind = Kind(kind_text)
        except ValueError:
            kinds = ", ".join(Kind)
            raise AddressError(f"'{text}' is not an address: '{kind_text}' is none of {kinds}") from None
        if kind.is_singleton:
            if slash:
                raise AddressError(f"'{text}' is not an address: {kind} has no name, write {kind}@{server}")
            return cls(kind, "", server)
        if not name:
            raise AddressError(f"'{text}' is not an address: a {kind} needs a name, write {kind}/name@{server}")
        if kind is Kind.ASSOCIATION:
            client, colon, scope = name.partition(":")
            if not colon or not client or not scope:
                raise AddressError(f"'{text}' is not an address: write association/client:scope@{server}")
            return cls(kind, f"{client}:{_unquote_name(scope)}", server)
        return cls(kind, _unquote_name(name), server)

    @property
    def client(self) -> str:
        """The client of the object. Raises ValueError for kinds without one."""
        if self.kind is _CLIENT:
            return self.name
        if self.kind is _ASSOCIATION:
            return _unquote_name(self.name.partition(":")[0])
        raise ValueError(f"{self} names no client")

    @property
    def scope(self) -> str:
        """The scope of the object. Raises ValueError for kinds without one."""
        if self.kind is _SCOPE:
            return self.name
        if self.kind is _ASSOCIATION:
            return self.name.partition(":")[2]
        raise ValueError(f"{self} names no scope")

    @property
    def sort_key(self) -> tuple[int, str, str]:
        """Kind, then name, then server: the two sides of one object are adjacent."""
        return (_RANK[self.kind], self.name, self.server)

    def __lt__(self, other: Address) -> bool:
        return (_RANK[self.kind], self.name, self.server) < (_RANK[other.kind], other.name, other.server)

    @property
    def without_server(self) -> str:
        """The written form up to the `@`, such as `client/web-shop`: the object on every server that has it."""
        kind, name = self.kind, self.name
        if kind in _SINGLETONS:
            return kind.value
        if kind is _ASSOCIATION:
            client, _, scope = name.partition(":")
            return f"association/{client}:{_quote_name(scope)}"
        return _HEADS[kind] + _quote_name(name)

    def __str__(self) -> str:
        return f"{self.without_server}@{self.server}"


def object_address(kind: Kind, name: str) -> str:
    """The written address of an object on every server that has it: `client/web-shop`."""
    return Address(kind, name, "").without_server
