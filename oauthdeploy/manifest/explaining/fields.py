"""Describes every field of a manifest, from the models' own JSON Schema: there is no second list of fields.

A path leaves out user-chosen names and list positions: `clients.redirect_uris`, `associations.scopes`. The driver-specific
parts of a server entry are under the same paths, once for each driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.manifest.explaining.rules import all_rules
from oauthdeploy.manifest.explaining.support import answers
from oauthdeploy.manifest.explaining.types import OWN_KEYS, Shape, shape_of
from oauthdeploy.manifest.schema import manifest_schema, own_schema
from oauthdeploy.manifest.suggestions import closest
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.explanation import FieldFacts
from oauthdeploy.model.fields import Model, NaturalKey, WriteOnly, format_duration, marked
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Server

_KINDS: Final = {"settings": Kind.SETTINGS, "scopes": Kind.SCOPE, "clients": Kind.CLIENT}
"""The sections whose fields are managed: compared with the servers if they are written."""

NOT_MANAGED: Final = "not managed: never compared, never changed"
FieldBook = Mapping[str, tuple[FieldFacts, ...]]
"""The fields by path; several at one path are those of several drivers."""


def all_fields(drivers: Mapping[str, DriverFacts]) -> FieldBook:
    """Every field by its path, in the order of the model. `drivers` are the known drivers by name."""
    found: dict[str, list[FieldFacts]] = {}
    for facts in _walk(_Reader(manifest_schema()), drivers):
        found.setdefault(facts.path, []).append(facts)
    for name, driver in sorted(drivers.items()):
        for part, model in (
            ("servers.credentials", driver.credentials),
            ("servers.options", driver.options),
            (f"settings.options.{name}", driver.settings_options),
            (f"scopes.options.{name}", driver.scope_options),
            (f"clients.options.{name}", driver.client_options),
        ):
            for facts in _own(part, name, model):
                found.setdefault(facts.path, []).append(facts)
    return {path: tuple(items) for path, items in found.items()}


def find_field(book: FieldBook, written: str) -> str | None:
    """The path of the field that `written` means, which may contain names of objects and positions, may go through an
    environment, or may be the end of a single path; None if there is no such field.
    """
    parts = re.sub(r"\[\d*\]", "", written).split(".")
    if parts[0] == "environments" and len(parts) > 2:
        parts = parts[2:]
    path = ".".join(parts)
    if path in book:
        return path
    found = {""}
    # A part that is not a field may be a user-chosen name, or a piece of one, since names can contain dots.
    for part in parts:
        found |= {way for before in found if (way := f"{before}.{part}".lstrip(".")) in book}
    ways = [way for way in found if way.endswith(f".{parts[-1]}") and way.startswith(f"{parts[0]}.")]
    if ways:
        return max(ways, key=lambda way: (way.count("."), way))
    endings = [known for known in book if known.endswith(f".{path}")]
    return endings[0] if len(endings) == 1 else None


def near_fields(book: FieldBook, written: str) -> tuple[str, ...]:
    """Suggestions for a field: the one with the most similar spelling, and those that end with the same words."""
    guess = closest(written, book)
    last = written.rpartition(".")[2]
    endings = [path for path in book if path.endswith(f".{last}")]
    if guess is None and not endings:
        alike = closest(last, {path.rpartition(".")[2]: None for path in book})
        endings = [path for path in book if path.rpartition(".")[2] == alike]
    return tuple(dict.fromkeys([*([guess] if guess is not None else []), *endings]))


class _Reader(Struct, frozen=True):
    """A JSON Schema and its definitions."""

    schema: Mapping[str, Any]

    def shape(self, schema: Mapping[str, Any]) -> Shape:
        return shape_of(schema, self.schema.get("$defs", {}))


def _walk(reader: _Reader, drivers: Mapping[str, DriverFacts]) -> Iterator[FieldFacts]:
    for path, schema, required in _fields(reader, reader.schema, ""):
        yield _facts(path, schema, reader.shape(schema), required, drivers)


def _own(part: str, driver: str, model: type[Model] | None) -> Iterator[FieldFacts]:
    if model is None:
        return
    schema = own_schema(model)
    reader = _Reader(schema)
    for path, inner, required in _fields(reader, schema, part):
        yield replace(_facts(path, inner, reader.shape(inner), required, {}), driver=driver)


def _fields(reader: _Reader, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Every property below a schema: its path, its schema, and whether it is required."""
    for parent in reader.shape(schema).objects:
        required = parent.get("required", ())
        for name, inner in parent.get("properties", {}).items():
            way = f"{path}.{name}".lstrip(".")
            yield way, inner, name in required or way in ("servers", "version", "name")
            yield from _fields(reader, inner, way)


def _facts(
    path: str, schema: Mapping[str, Any], shape: Shape, required: bool, drivers: Mapping[str, DriverFacts]
) -> FieldFacts:
    section, _, rest = path.partition(".")
    field = rest.removeprefix("overrides.") if section in ("settings", "scopes") else rest
    kind = _KINDS.get(section)
    managed = kind is not None and _has(MODEL_OF[kind], field)
    default = _default(schema, shape)
    return FieldFacts(
        path=path,
        description=str(schema.get("description") or shape.description),
        types=shape.words,
        values=shape.values,
        default=default,
        required=required,
        examples=tuple(schema.get("examples", shape.examples)),
        notes=tuple(_notes(section, kind, field, shape)),
        unset=_unset(required, managed, section if not rest else "", default, shape),
        # A secret has no default that a server could fall back to.
        null=_null(shape, managed and not field.startswith("secret."), required),
        empty=_empty(shape, managed),
        server_defaults=tuple(_server_defaults(kind, field, drivers)) if managed else (),
        keys=tuple(
            (name, str(inner.get("description", "")))
            for parent in shape.objects
            for name, inner in parent.get("properties", {}).items()
        ),
        support=answers(path, drivers),
        rules=tuple(_rules(path)),
    )


def _has(model: type[Model], field: str) -> bool:
    """Whether a dotted path leads to a field of an object, as servers hold it."""
    name, _, rest = field.partition(".")
    info = model.model_fields.get(name)
    if info is None or not rest:
        return info is not None
    return any(
        _has(inner, rest) for inner in get_args(info.annotation) if isinstance(inner, type) and issubclass(inner, Model)
    )


def _default(schema: Mapping[str, Any], shape: Shape) -> str | None:
    value = schema.get("default")
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not value:
        return "(empty list)"
    return format_duration(value) if shape.is_duration and isinstance(value, int) else str(value)


def _notes(section: str, kind: Kind | None, field: str, shape: Shape) -> Iterator[str]:
    model: type[Model] | None = Server if section == "servers" else MODEL_OF[kind] if kind is not None else None
    if shape.is_set:
        yield "the order has no meaning"
    if model is not None and field in marked(model, WriteOnly):
        yield "write-only: servers accept it but may never return it, so it cannot be compared"
    if model is not None and field in marked(model, NaturalKey):
        yield "servers that generate ids identify objects by it"


def _unset(required: bool, managed: bool, section: str, default: str | None, shape: Shape) -> str:
    if required:
        return "an error: it is required"
    if default is not None:
        return default
    if managed:
        return NOT_MANAGED
    if shape.words == (OWN_KEYS,) and not shape.nullable:
        return "the defaults of its keys"
    return "nothing in it is managed" if section in (*_KINDS, "associations", "revocations") else "there is none"


def _null(shape: Shape, managed: bool, required: bool) -> str:
    if not shape.nullable or required:
        return "refused"
    return "requests the server's default" if managed else "the same as not written"


def _empty(shape: Shape, managed: bool) -> str:
    if shape.is_list:
        return "a value: the list must be empty" if managed else "an empty list"
    if shape.is_text and managed:
        return "an empty string, which is a value"
    return ""


def _server_defaults(kind: Kind | None, field: str, drivers: Mapping[str, DriverFacts]) -> Iterator[tuple[str, str]]:
    for name, facts in sorted(drivers.items()):
        known = facts.defaults.get(kind, {}) if kind is not None else {}
        if field in known:
            yield name, _plain(field, known[field])


def _plain(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and field.endswith("_lifetime"):
        return format_duration(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "(empty list)"
    return str(value) if value != "" else "(empty text)"


def _rules(path: str) -> Iterator[tuple[str, str]]:
    """The rules about a field, about one around it (other than its section), or about one inside it."""
    for rule in all_rules().values():
        for name in rule.looks_at:
            around = "." in name and path.startswith(f"{name}.")
            inside = "." in path and name.startswith(f"{path}.")
            if name == path or around or inside:
                yield rule.id, rule.title
                break
