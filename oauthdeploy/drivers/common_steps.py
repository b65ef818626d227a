"""Steps that drivers of every kind of server take alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final, TypeVar

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import ServerError, UnexpectedAnswer
from oauthdeploy.drivers.field_table import Table
from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.request_count import Tally, counting
from oauthdeploy.drivers.transport import SAFE_METHODS
from oauthdeploy.model.objects import Revocation, Side
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.normalize import OPTIONS, wanted_fields

S = TypeVar("S")
T = TypeVar("T")

APART: Final = ("secret", f"{OPTIONS}.")
"""What drivers send by steps of its own."""

_ATTEMPTS: Final = 4
OVERLOADED: Final = frozenset({429, 503})
"""Statuses of a server that has too much to do; none of them says whether the request was carried out."""
GONE: Final = "It was already gone."
ADOPTED: Final = "The answer was lost; reading the server again showed the change."


@contextmanager
def writing() -> Iterator[Tally]:
    """Count requests, and mark a failed read after a write as uncertain: nobody knows whether the write was carried out."""
    with counting() as tally:
        try:
            yield tally
        except ServerError as error:
            error.uncertain = error.uncertain or (tally.writes > 0 and error.method in SAFE_METHODS)
            raise


def warning_of(error: ServerError) -> Diagnostic:
    """Why something couldn't be read, as a finding that stops nothing by itself."""
    return Diagnostic(error.rule, error.summary, detail=error.detail, fix=error.fix, severity=Severity.WARNING)


def parsed(server: str, method: str, path: str, read: Callable[[], T]) -> T:
    """Read an answer. Raises UnexpectedAnswer where it is garbled; a write has happened all the same."""
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
    """Create something whose answer may get lost: then look for it before it is tried again.

    A server that is overloaded is tried more often; before each request the client waits as long as the server asked for. Gives
    what stands there now, and whether it was found rather than told by the answer.
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
    """Do a step for many items, `parallel` at a time, counted in the tally of the caller; gives the results in order.

    All are tried before the first trouble is raised.
    """
    with ThreadPoolExecutor(parallel, thread_name_prefix="driver") as pool:
        started = [pool.submit(copy_context().run, step, item) for item in items]
    return [one.result() for one in started]


def changed_values(change: Change, table: Table) -> dict[str, Any]:
    """The fields to send, by dotted path, without nulls, secrets and options.

    All managed ones for a new object, else those that change.
    null asks for the server's default, which `table` gives by path. A field whose default is not known is left out.
    """
    assert change.desired is not None
    values = wanted_fields(change.desired)
    if change.action is Action.UPDATE:
        after = {field.path: field.after for field in change.fields}
        values = {path: values.get(path, value) for path, value in after.items()}
    defaults = {path: held.default for path, held in table.items()}
    filled = {path: defaults.get(path) if value is None else value for path, value in values.items()}
    return {path: value for path, value in filled.items() if value is not None and not path.startswith(APART)}


def blocks(change: Change, sides: Iterable[Side]) -> bool:
    """Whether a cut-off disables the client on a server that stands on these sides."""
    assert isinstance(change.desired, Revocation)
    return bool(set(change.desired.block or ()) & set(sides)) and _asks(change, "blocked")


def deletes_tokens(change: Change, sides: Iterable[Side]) -> bool:
    """Whether a cut-off deletes tokens on a server that stands on these sides."""
    assert isinstance(change.desired, Revocation)
    return change.desired.tokens is not None and Side.AUTHORIZATION in set(sides) and _asks(change, "tokens")


def _asks(change: Change, what: str) -> bool:
    """Whether the plan asks for this part of a cut-off; a plan that names no part asks for all."""
    return not change.fields or any(field.path.partition(".")[0] == what for field in change.fields)
