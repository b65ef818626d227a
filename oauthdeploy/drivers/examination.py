"""The shape of a server's responses without their content: types and keys, for records that can be sent to others.

Pure, except for `look`, which sends a request.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct, field

from oauthdeploy.core.errors import ServerError, Unauthorized, Unreachable
from oauthdeploy.core.secrets import is_masked

if TYPE_CHECKING:
    from oauthdeploy.drivers.http import AdminClient
    from oauthdeploy.drivers.json_wire import Route

Shape: TypeAlias = Any
"""JSON: an object of shapes by key, a list of one shape or none, or a string that names a type."""

Verdict = Literal["as expected", "differs", "unknown"]

ABSENT: Final = "absent"
ANY_KEY: Final = "*"
_DEEPEST: Final = 8
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}")


class Observation(Struct, frozen=True):
    """One request and the shape of its response. `path` is a template without ids; `shape` is None for an error response."""

    name: str
    method: str
    path: str
    status: int | None
    shape: Shape = None


class Judgement(Struct, frozen=True):
    """What an examination found about one thing that the driver relies on."""

    subject: str
    verdict: Verdict
    detail: str = ""


class Examination(Struct, frozen=True):
    """The result of an examination of a server.

    `product` are strings with which it names its version and fixes. `digest` is that of its own API document, if it has one.
    `facts` answer the questions that the documentation of its API leaves open, by name.
    """

    product: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    digest: str = ""
    observations: tuple[Observation, ...] = ()
    facts: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))
    judgements: tuple[Judgement, ...] = ()


class WriteProbe(Struct, frozen=True):
    """The result of a trial of writing. `left` names what could not be removed again."""

    observations: tuple[Observation, ...]
    facts: Mapping[str, str | int | bool]
    judgements: tuple[Judgement, ...]
    left: tuple[str, ...] = ()


class Trial(ABC):
    """A trial of writing: its steps make and change throw-away objects, all called `name`, and `clean_up` removes them."""

    def __init__(self, http: AdminClient, name: str) -> None:
        self.http = http
        self.name = name
        self.seen: list[Observation] = []
        self.facts: dict[str, str | int | bool] = {}
        self.judgements: list[Judgement] = []
        self.left: list[str] = []

    @abstractmethod
    def steps(self) -> Iterator[None]:
        """Yields after each step, where the trial may end. Raises ServerError."""

    @abstractmethod
    def clean_up(self) -> None:
        """Removes what the steps made, also where the response to a create was lost; names the rest in `left`."""

    def carry_out(self) -> WriteProbe:
        """Takes the steps until the client's stop event is set, and cleans up whatever happens.

        Raises the ServerError that ended a trial which left nothing; if something is left, the result names it.
        """
        failed: ServerError | None = None
        try:
            for _step in self.steps():
                if self.http.is_stopping:
                    break
        except ServerError as error:
            failed = error
        finally:
            self.clean_up()
        if failed is not None and not self.left:
            raise failed
        if failed is not None:
            self.judgements.append(Judgement("trial of writing", "unknown", failed.summary))
        return WriteProbe(tuple(self.seen), self.facts, tuple(self.judgements), tuple(self.left))

    def say(self, subject: str, good: bool, otherwise: str) -> None:
        """Add a judgement; `otherwise` says what was seen if it is not as expected."""
        self.judgements.append(Judgement(subject, "as expected" if good else "differs", "" if good else otherwise))

    def send(
        self, name: str, method: str, route: Route | str, template: str, body: Any = None
    ) -> tuple[int | None, Any]:
        """Send once; returns the status of a refusal, None for success, and the body. Raises Unreachable and Unauthorized."""
        try:
            answer = self.http.request(method, route, body)
        except (Unreachable, Unauthorized):
            raise
        except ServerError as error:
            self.seen.append(Observation(name, method, template, error.status))
            return error.status or 0, None
        self.seen.append(Observation(name, method, template, answer.status, shape_of(answer.body)))
        return None, answer.body

    def attempt(self, name: str, method: str, template: str, step: Callable[[], object]) -> int | None:
        """Take one step by a function of the driver; returns the status of a refusal, None for success."""
        try:
            step()
        except (Unreachable, Unauthorized):
            raise
        except ServerError as error:
            self.seen.append(Observation(name, method, template, error.status))
            return error.status or 0
        self.seen.append(Observation(name, method, template, None))
        return None


def look(
    http: AdminClient,
    name: str,
    template: str,
    route: Route | str,
    params: Mapping[str, str] | None = None,
    open_keys: frozenset[str] = frozenset(),
) -> tuple[Observation, Any]:
    """Send one request; returns the observation and the body, None if the server refused. Raises Unreachable and Unauthorized."""
    try:
        answer = http.get(route, params)
    except (Unreachable, Unauthorized):
        raise
    except ServerError as error:
        if error.status is None:
            raise
        return Observation(name, "GET", template, error.status), None
    return Observation(name, "GET", template, answer.status, shape_of(answer.body, open_keys)), answer.body


def shape_of(value: Any, open_keys: frozenset[str] = frozenset(), depth: int = 0) -> Shape:
    """The shape of a JSON value. The keys of an object under one of `open_keys`, and keys that are not identifiers, are
    user-chosen names: they become `*`.
    """
    if depth > _DEEPEST:
        return "deeper"
    match value:
        case Mapping():
            return _object(value, open_keys, depth)
        case list():
            shapes = [shape_of(item, open_keys, depth + 1) for item in value]
            return [merged(shapes)] if shapes else []
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case None:
            return "null"
        case _:
            return _kind_of_text(str(value))


def _object(value: Mapping[str, Any], open_keys: frozenset[str], depth: int) -> Shape:
    told: dict[str, Shape] = {}
    chosen: list[Shape] = []
    for key, inner in value.items():
        if key in open_keys and isinstance(inner, Mapping):
            inside = [shape_of(one, open_keys, depth + 2) for one in inner.values()]
            told[str(key)] = {ANY_KEY: merged(inside)} if inside else {}
        elif _KEY.match(str(key)):
            told[str(key)] = shape_of(inner, open_keys, depth + 1)
        else:
            chosen.append(shape_of(inner, open_keys, depth + 1))
    return {**dict(sorted(told.items())), **({ANY_KEY: merged(chosen)} if chosen else {})}


def _kind_of_text(text: str) -> str:
    kinds: Sequence[tuple[str, Callable[[str], object]]] = (
        ("empty", lambda one: not one),
        ("mask", is_masked),
        ("number", lambda one: one.removeprefix("-").isdigit()),
        ("flag", lambda one: one.lower() in ("true", "false")),
        ("time", _TIME.match),
        ("address", lambda one: one.startswith(("http://", "https://"))),
        ("path", lambda one: one.startswith("/")),
    )
    kind = next((name for name, fits in kinds if fits(text)), "")
    return f"text: {kind}" if kind else "text"


def merged(shapes: Sequence[Shape]) -> Shape:
    """One shape for several values; a key that some objects lack may be absent."""
    if all(isinstance(one, Mapping) for one in shapes):
        keys = sorted({key for one in shapes for key in one})
        return {key: merged([one.get(key, ABSENT) for one in shapes]) for key in keys}
    if all(isinstance(one, list) for one in shapes):
        inner = [one[0] for one in shapes if one]
        return [merged(inner)] if inner else []
    words = {word for one in shapes for word in (one.split(" | ") if isinstance(one, str) else [_word(one)])}
    return " | ".join(sorted(words))


def _word(shape: Shape) -> str:
    return "object" if isinstance(shape, Mapping) else "list"


def flat(shape: Shape, path: str = "") -> Mapping[str, str]:
    """A shape as one line for each place: `clients[].name` and the type there; an object or list without content is empty."""
    match shape:
        case Mapping() if shape:
            inner = (flat(one, f"{path}.{key}" if path else str(key)) for key, one in shape.items())
            return {place: kind for part in inner for place, kind in part.items()}
        case list() if shape:
            return flat(shape[0], f"{path}[]")
        case Mapping() | list():
            return {path or ".": "empty"}
        case _:
            return {path or ".": str(shape)}


def differences(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[tuple[str, str, str]]:
    """The differences between two JSON objects of a record: dotted path, then both values in words."""
    found: list[tuple[str, str, str]] = []
    for key in sorted({*before, *after}):
        here = f"{path}.{key}" if path else str(key)
        had, has = before.get(key, ABSENT), after.get(key, ABSENT)
        if isinstance(had, Mapping) and isinstance(has, Mapping):
            found += differences(had, has, here)
        elif had != has:
            found.append((here, _told(had), _told(has)))
    return found


def _told(value: Any) -> str:
    return "an object" if isinstance(value, Mapping) else str(value)
