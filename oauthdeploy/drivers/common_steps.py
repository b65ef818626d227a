"""Steps that drivers of all kinds of servers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final, TypeVar

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import Rejected, ServerError, Unauthorized, UnexpectedAnswer, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.field_table import Table
from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.request_count import Tally, counting
from oauthdeploy.drivers.transport import SAFE_METHODS
from oauthdeploy.model.objects import Revocation, Side
from oauthdeploy.model.state import LiveObject, Ownership
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.normalize import OPTIONS, wanted_fields

S = TypeVar("S")
T = TypeVar("T")

APART: Final = ("secret", f"{OPTIONS}.")
"""Fields that drivers send in separate steps."""

_ATTEMPTS: Final = 4
OVERLOADED: Final = frozenset({429, 503})
"""Statuses of an overloaded server; none of them says whether the request was carried out."""
GONE: Final = "It was already gone."
ADOPTED: Final = "The answer was lost; reading the server again showed the change."


@contextmanager
def writing() -> Iterator[Tally]:
    """Count requests, and mark a failed read after a write as uncertain, because the result of the write is unknown."""
    with counting() as tally:
        try:
            yield tally
        except ServerError as error:
            error.uncertain = error.uncertain or (tally.writes > 0 and error.method in SAFE_METHODS)
            raise


def warning_of(error: ServerError) -> Diagnostic:
    """Why something could not be read, as a finding that by itself stops nothing."""
    return Diagnostic(error.rule, error.summary, detail=error.detail, fix=error.fix, severity=Severity.WARNING)


@contextmanager
def reading_kinds(
    unreadable: dict[Kind, Diagnostic], objects: dict[Address, LiveObject], *kinds: Kind
) -> Iterator[None]:
    """Record a kind that cannot be read as unreadable, without any of its objects, and continue with the others.

    Raises Unreachable and Unauthorized, after which no kind can be read.
    """
    try:
        yield
    except (Unreachable, Unauthorized):
        raise
    except ServerError as error:
        for kind in kinds:
            unreadable[kind] = warning_of(error)
            for address in [address for address in objects if address.kind is kind]:
                del objects[address]


def parsed(server: str, method: str, path: str, read: Callable[[], T]) -> T:
    """Parse a response. Raises UnexpectedAnswer if it is garbled; a write was made nevertheless."""
    try:
        return read()
    except Garbled as problem:
        raise UnexpectedAnswer(
            f"The answer of '{server}' cannot be used: {problem}",
            server=server,
            method=method,
            path=path,
            uncertain=method not in SAFE_METHODS,
        ) from None


def create_or_find(post: Callable[[], T], find: Callable[[], T | None]) -> tuple[T, bool]:
    """Create something; if the response gets lost, look for it before trying again.

    An overloaded server is tried more often; before each request the client waits as long as the server requested. Returns
    the live object, and whether it was found instead of returned by the response.
    """
    last: ServerError | None = None
    for attempt in range(_ATTEMPTS):
        try:
            return post(), False
        except ServerError as error:
            if not error.uncertain and last is None:
                raise
            overloaded = error.status in OVERLOADED
            last = last or error
        found = find()
        if found is not None:
            return found, True
        if attempt and not overloaded:
            break
    assert last is not None
    raise last


def at_once(parallel: int, step: Callable[[S], T], items: Iterable[S]) -> Sequence[T]:
    """Do a step for many items, `parallel` at a time, counted in the caller's tally; returns the results in order.

    All are tried before the first error is raised.
    """
    with ThreadPoolExecutor(parallel, thread_name_prefix="driver") as pool:
        started = [pool.submit(copy_context().run, step, item) for item in items]
    return [one.result() for one in started]


def all_pages(
    read: Callable[[int], Sequence[Mapping[str, Any]]],
    *,
    size: int,
    parallel: int,
    key: str,
    known: int = 0,
    likely: int = 0,
) -> Sequence[Mapping[str, Any]]:
    """Every object of a list that is read by pages of `size`, by their offsets; an object that moves meanwhile is returned once.

    The number of pages is unknown, so they are requested in growing groups, at most `parallel` at a time, until one is not
    full: first those of the `known` objects, then those of the `likely` ones. `key` is the field with an object's id.
    """
    found: dict[str, Mapping[str, Any]] = {}
    begun, group = 0, min(known // size + 1, parallel)
    while True:
        pages = at_once(group, read, range(begun * size, (begun + group) * size, size))
        for page in pages:
            found.update({str(one.get(key)): one for one in page})
        if len(pages[-1]) < size:
            return list(found.values())
        begun += group
        group = min(max(likely // size + 1 - begun, 2 * group), parallel)


def route_to(server: str, template: str, *segments: str | Secret, method: str = "") -> Route:
    """A path with escaped segments in place of its `{}`. Raises Rejected for a text that cannot be part of a path."""
    try:
        return Route.to(template, *segments)
    except ValueError as problem:
        raise unroutable(server, template, str(problem), method) from None


def unroutable(server: str, path: str, why: str, method: str = "") -> Rejected:
    """The error for a name with which no request can be sent."""
    return Rejected(
        f"'{server}' cannot be sent this request: {why}",
        server=server,
        method=method,
        path=path,
        fix="Choose another name.",
    )


def changed_values(change: Change, table: Table) -> dict[str, Any]:
    """The fields to send, by dotted path, without nulls, secrets and options.

    All managed ones for a new object, otherwise those that change. null requests the server's default, which `table` has by
    path. A field whose default is unknown is left out.
    """
    assert change.desired is not None
    values = wanted_fields(change.desired)
    if change.action is Action.UPDATE:
        after = {field.path: field.after for field in change.fields}
        values = {path: values.get(path, value) for path, value in after.items()}
    defaults = {path: declared.default for path, declared in table.items()}
    filled = {path: defaults.get(path) if value is None else value for path, value in values.items()}
    return {path: value for path, value in filled.items() if value is not None and not path.startswith(APART)}


def ownership_of(owner: str, ours: str) -> Ownership:
    """Whose object it is, by the owner in its mark ("" for none); `ours` is the manifest's name."""
    if not owner:
        return Ownership.UNMARKED
    return Ownership.OURS if owner == ours else Ownership.FOREIGN


def changed_options(change: Change, driver: str) -> frozenset[str]:
    """The driver's own options that a change is about, by their top-level names."""
    prefix = f"{OPTIONS}.{driver}."
    paths = (field.path.removeprefix(prefix) for field in change.fields if field.path.startswith(prefix))
    return frozenset(re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths)


def blocks(change: Change, sides: Iterable[Side]) -> bool:
    """Whether a cut-off disables the client on a server of these sides."""
    assert isinstance(change.desired, Revocation)
    return bool(set(change.desired.block or ()) & set(sides)) and _asks(change, "blocked")


def deletes_tokens(change: Change, sides: Iterable[Side]) -> bool:
    """Whether a cut-off deletes tokens on a server of these sides."""
    assert isinstance(change.desired, Revocation)
    return change.desired.tokens is not None and Side.AUTHORIZATION in set(sides) and _asks(change, "tokens")


def _asks(change: Change, what: str) -> bool:
    """Whether the plan requests this part of a cut-off; a plan that names no part requests all."""
    return not change.fields or any(field.path.partition(".")[0] == what for field in change.fields)
