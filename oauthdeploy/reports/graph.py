"""The graph of a manifest: clients, the scopes that they may request, and the servers on which scopes open something.

    client --may request--> scope --opens--> resource server --trusts--> authorization server

It is built only from the desired state, for every format the same; equal states give equal graphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Client, IssuedBefore, Revocation, Scope, Side, Trust
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import matches
from oauthdeploy.reports.formatting import counted


class NodeKind(StrEnum):
    """The three columns of the diagram."""

    CLIENT = "client"
    SCOPE = "scope"
    SERVER = "server"


class Mark(StrEnum):
    """Special states of a node."""

    CUT_OFF = "cut off"
    ABSENT = "to be removed"


class EdgeKind(StrEnum):
    """The kinds of edges."""

    MAY_ASK = "may request"
    OPENS = "opens"
    TRUSTS = "trusts"


class Badge(Struct, frozen=True):
    """The state of a node on one side: the server, a symbol, the name of its colour, and the state in words."""

    where: str
    symbol: str
    style: str
    title: str


class Node(Struct, frozen=True):
    """A client, a scope or a server. `id` is unique and plain ASCII; `lines` are details, the most important first; `badges`
    are its states in a report.
    """

    id: str
    kind: NodeKind
    name: str
    lines: tuple[str, ...] = ()
    mark: Mark | None = None
    badges: tuple[Badge, ...] = ()

    @property
    def title(self) -> str:
        """All details of the node in one text."""
        more = "; ".join((*self.lines, *(badge.title for badge in self.badges)))
        return ": ".join(part for part in (f"{self.kind} {self.name}", more) if part)


class Edge(Struct, frozen=True):
    """An edge between two nodes, by their ids. `label` is shown if it adds to the kind; `style` is the name of the colour of
    its state in a report.
    """

    source: str
    target: str
    kind: EdgeKind
    title: str
    label: str = ""
    style: str = ""


class Graph(Struct, frozen=True, dict=True):
    """Nodes by kind and name, edges by their ends. `name` is the manifest's."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def of(self, kind: NodeKind) -> tuple[Node, ...]:
        """The nodes of a column."""
        return tuple(node for node in self.nodes if node.kind is kind)

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}

    @property
    def summary(self) -> str:
        """A description of the diagram, for people who cannot see it."""
        counts = [counted(len(self.of(kind)), kind.value) for kind in NodeKind]
        lines = {kind: sum(edge.kind is kind for edge in self.edges) for kind in EdgeKind}
        edges = [f"{counted(number, 'line')} '{kind}'" for kind, number in lines.items() if number]
        cut = [node.name for node in self.nodes if node.mark is Mark.CUT_OFF]
        cut_text = f" Cut off: {', '.join(cut)}." if cut else ""
        return f"{', '.join([*counts, *edges])}.{cut_text}"


def shortened(text: str, most: int = 80) -> str:
    """A text of at most `most` characters, for labels that a layout does not shorten itself."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}\u2026"


def build_graph(desired: DesiredState, targets: Sequence[str] = ()) -> Graph:
    """The graph of a desired state.

    `targets` are globs for addresses, with or without their server: matching objects are shown with everything connected to
    them. A graph without nodes means that nothing matches.
    """
    maker = _Maker(desired, targets)
    nodes = tuple(maker.nodes())
    ids = {(node.kind, node.name): node.id for node in nodes}
    return Graph(desired.name, nodes, tuple(maker.edges(ids)))


class _Maker(Struct, frozen=True, dict=True):
    """Selects what is shown and builds its nodes and edges."""

    desired: DesiredState
    targets: Sequence[str]

    # -- objects ------------------------------------------------------------------------------------------------------

    @cached_property
    def _clients(self) -> Mapping[str, Client]:
        return {a.name: value for a, value in self.desired.objects.items() if isinstance(value, Client)}

    @cached_property
    def _scopes(self) -> Mapping[str, Scope]:
        """The scopes; if their forms differ, the one of a resource server with the most fields."""
        found: dict[str, tuple[tuple[bool, int], Scope]] = {}
        for address, value in self.desired.objects.items():
            if isinstance(value, Scope):
                opens = Side.RESOURCE in self.desired.servers[address.server].role.sides
                rank = (opens, len(value.model_fields_set))
                if address.name not in found or rank >= found[address.name][0]:
                    found[address.name] = rank, value
        return {name: value for name, (_rank, value) in found.items()}

    @cached_property
    def _revocations(self) -> Mapping[str, Mapping[str, list[tuple[str, Revocation]]]]:
        """By client and id: the servers of the revocation, and its effect there."""
        found: dict[str, dict[str, list[tuple[str, Revocation]]]] = {}
        for address, value in self.desired.objects.items():
            if isinstance(value, Revocation):
                found.setdefault(value.client, {}).setdefault(address.name, []).append((address.server, value))
        return found

    @cached_property
    def _pairs(self) -> Mapping[tuple[str, str], list[str]]:
        """Client and scope of each association, with the servers that hold it."""
        found: dict[tuple[str, str], list[str]] = {}
        for address in self.desired.objects:
            if address.kind is Kind.ASSOCIATION:
                found.setdefault((address.client, address.scope), []).append(address.server)
        return found

    @cached_property
    def _opens(self) -> Mapping[tuple[str, str], None]:
        """Scope and server, where the server has a resource side."""
        servers = self.desired.servers
        return {
            (address.name, address.server): None
            for address in self.desired.objects
            if address.kind is Kind.SCOPE and Side.RESOURCE in servers[address.server].role.sides
        }

    @cached_property
    def _absent(self) -> frozenset[tuple[Kind, str]]:
        return frozenset((address.kind, address.name) for address in self.desired.absent)

    # -- selection ----------------------------------------------------------------------------------------------------

    @cached_property
    def _hit(self) -> frozenset[tuple[Kind, str]]:
        """The objects that the targets match."""
        known = [*self.desired.objects, *self.desired.absent]
        return frozenset((a.kind, a.name) for a in known if matches(a, self.targets))

    @cached_property
    def _shown_pairs(self) -> frozenset[tuple[str, str]]:
        if not self.targets:
            return frozenset(self._pairs)
        return frozenset(
            (client, scope)
            for client, scope in self._pairs
            if (Kind.CLIENT, client) in self._hit
            or (Kind.SCOPE, scope) in self._hit
            or (Kind.ASSOCIATION, Address.association(client, scope, "").name) in self._hit
        )

    @cached_property
    def _shown_clients(self) -> frozenset[str]:
        names = {*self._clients, *self._revocations, *(name for kind, name in self._absent if kind is Kind.CLIENT)}
        if not self.targets:
            return frozenset(names)
        cut = {
            client
            for client, entries in self._revocations.items()
            for entry in entries
            if (Kind.REVOCATION, entry) in self._hit
        }
        joined = {client for client, _ in self._shown_pairs}
        return frozenset(name for name in names if name in joined | cut or (Kind.CLIENT, name) in self._hit)

    @cached_property
    def _shown_scopes(self) -> frozenset[str]:
        absent = (name for kind, name in self._absent if kind is Kind.SCOPE)
        # On servers where a scope is a word of its clients, associations alone name it.
        names = {*self._scopes, *absent, *(scope for _, scope in self._pairs)}
        if not self.targets:
            return frozenset(names)
        joined = {scope for _, scope in self._shown_pairs}
        return frozenset(name for name in names if name in joined or (Kind.SCOPE, name) in self._hit)

    @cached_property
    def _shown_servers(self) -> frozenset[str]:
        if not self.targets:
            return frozenset(self.desired.servers)
        singles = {a.server for a in self.desired.objects if a.kind.is_singleton and matches(a, self.targets)}
        opened = {server for scope, server in self._opens if scope in self._shown_scopes}
        issuing = {server for pair in self._shown_pairs for server in self._pairs[pair]}
        shown = singles | opened | issuing
        trusted = {target for server, target, _ in self._trusts if server in shown}
        return frozenset(shown | trusted)

    @cached_property
    def _trusts(self) -> tuple[tuple[str, str, str], ...]:
        """The trust between servers, and its kind."""
        return tuple(
            (address.server, value.authorization_server, value.via)
            for address, value in self.desired.objects.items()
            if isinstance(value, Trust)
        )

    # -- nodes and edges ----------------------------------------------------------------------------------------------

    def nodes(self) -> Iterator[Node]:
        """Clients, scopes and servers, each by name."""
        for number, name in enumerate(sorted(self._shown_clients), 1):
            yield self._client(f"c{number}", name)
        for number, name in enumerate(sorted(self._shown_scopes), 1):
            yield self._scope(f"s{number}", name)
        for number, name in enumerate(sorted(self._shown_servers), 1):
            yield self._server(f"v{number}", name)

    def _client(self, id: str, name: str) -> Node:
        client = self._clients.get(name)
        lines: list[str] = [_cut_off(entry, where) for entry, where in sorted(self._revocations.get(name, {}).items())]
        mark = Mark.CUT_OFF if lines else None
        if (Kind.CLIENT, name) in self._absent:
            return Node(id, NodeKind.CLIENT, name, (*lines, Mark.ABSENT.value), Mark.ABSENT)
        if client is None:
            return Node(id, NodeKind.CLIENT, name, (*lines, "not described in the manifest"), mark)
        if client.enabled is False and not lines:
            lines.append("disabled")
            mark = Mark.CUT_OFF
        kind = (client.type.value,) if client.type is not None else ()
        lines.append(", ".join((*kind, *(grant.value for grant in client.grants or ()))))
        lines.append(client.name if client.name and client.name != name else "")
        lines = [line for line in lines if line]
        return Node(id, NodeKind.CLIENT, name, tuple(lines), mark)

    def _scope(self, id: str, name: str) -> Node:
        if (Kind.SCOPE, name) in self._absent:
            return Node(id, NodeKind.SCOPE, name, (Mark.ABSENT.value,), Mark.ABSENT)
        scope = self._scopes.get(name, Scope())
        opened = [*sorted(scope.resources or ()), *sorted(scope.url_templates or ())]
        lines = [f"opens {', '.join(opened)}" if opened else "", scope.description or ""]
        return Node(id, NodeKind.SCOPE, name, tuple(line for line in lines if line))

    def _server(self, id: str, name: str) -> Node:
        server = self.desired.servers[name]
        role = "authorization and resource" if server.role is Role.BOTH else server.role.value
        lines = [f"{role} server, {server.driver}"]
        if any(one == name == other for one, other, _ in self._trusts):
            lines.append("trusts itself")
        return Node(id, NodeKind.SERVER, name, tuple(lines))

    def edges(self, ids: Mapping[tuple[NodeKind, str], str]) -> Iterator[Edge]:
        """Associations, then resources of scopes, then trust, each sorted by its ends."""
        everywhere = {server for servers in self._pairs.values() for server in servers}
        for client, scope in sorted(self._shown_pairs):
            on = sorted(self._pairs[client, scope])
            label = f"on {', '.join(on)}" if set(on) != everywhere else ""
            title = f"{client} may request {scope}" + (f" {label}" if label else "")
            yield Edge(ids[NodeKind.CLIENT, client], ids[NodeKind.SCOPE, scope], EdgeKind.MAY_ASK, title, label)
        for scope, server in sorted(self._opens):
            if scope in self._shown_scopes and server in self._shown_servers:
                title = f"{scope} opens services on {server}"
                yield Edge(ids[NodeKind.SCOPE, scope], ids[NodeKind.SERVER, server], EdgeKind.OPENS, title)
        for server, target, via in sorted(self._trusts):
            if server != target and {server, target} <= self._shown_servers:
                title = f"{server} trusts {target} ({via})"
                yield Edge(ids[NodeKind.SERVER, server], ids[NodeKind.SERVER, target], EdgeKind.TRUSTS, title)


def _cut_off(entry: str, where: Sequence[tuple[str, Revocation]]) -> str:
    """`cut off by INC-2041: all tokens deleted, blocked on orders`."""
    blocked = sorted(server for server, value in where if value.block)
    parts = []
    tokens = next((value.tokens for _, value in where if value.tokens is not None), None)
    if isinstance(tokens, IssuedBefore):
        parts.append(f"tokens from before {tokens.issued_before:%Y-%m-%d %H:%M} deleted")
    elif tokens is not None:
        parts.append("tokens deleted")
    if blocked:
        parts.append(f"blocked on {', '.join(blocked)}")
    return f"cut off by {entry}: {', '.join(parts)}"
