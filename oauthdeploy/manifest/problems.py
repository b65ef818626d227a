"""Translates pydantic's errors into findings: rule, place, what is wrong and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from msgspec.structs import replace
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import MAX_FINDINGS, Diagnostic, Path, path_text, value_at
from oauthdeploy.core.secrets import SourcedText
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.interpolate import Unknown
from oauthdeploy.manifest.secret_paths import is_secret_path
from oauthdeploy.manifest.suggestions import closest, did_you_mean, listed, shortened
from oauthdeploy.manifest.translations import meant_by
from oauthdeploy.model.fields import Model

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_KINDS = {"scopes": Kind.SCOPE, "clients": Kind.CLIENT}
_WANTED = {
    "string_type": "write a string",
    "bool_type": "write true or false",
    "tuple_type": "write a list",
    "list_type": "write a list",
    "dict_type": "write a mapping of keys to values",
    "mapping_type": "write a mapping of keys to values",
    "model_type": "write a mapping of keys to values",
    "model_attributes_type": "write a mapping of keys to values",
    "string_too_short": "write at least one character",
}


def problems_of(error: ValidationError, tree: Any, model: type[Model], prefix: Path = ()) -> list[Diagnostic]:
    """Every error about `tree` (validated as `model`) as a finding; several about one value become one."""
    found: dict[tuple[Path, str], list[ErrorDetails]] = {}
    for item in error.errors(include_url=False):
        path = real_path(item, tree)
        group = "" if item["type"] not in ("missing", "extra_forbidden") else item["type"]
        found.setdefault((path, group), []).append(item)
    # If something inside is wrong, the errors of a union's other branches about the whole add nothing.
    around = {path[:end] for path, _ in found for end in range(1, len(path))}
    findings: list[Diagnostic] = []
    for (path, _), items in found.items():
        unresolved = isinstance(items[0]["input"], Unknown) and not _is_misplaced(path, items[0]["type"])
        if not unresolved and path not in around:
            # Of thousands of errors, most are only counted, and finding suggestions costs more than everything else.
            findings.append(_finding(path, items, tree, model, prefix, guess=len(findings) < 2 * MAX_FINDINGS))
    return findings


def _is_misplaced(path: Path, kind: str) -> bool:
    """True if the finding holds whatever the value is: about the key, or about a secret that is not a mapping."""
    return kind == "extra_forbidden" or (len(path) == 3 and path[0] == "clients" and path[2] == "secret")


def real_path(item: ErrorDetails, tree: Any) -> Path:
    """The path of the value, without the labels that pydantic adds for unions and keys."""
    path: list[str | int] = []
    here = tree
    for part in item["loc"]:
        in_list = isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, Mapping) and part in here):
            path.append(part)
            here = here[part]
    if item["type"] == "missing":
        path.append(item["loc"][-1])
    return tuple(path)


def _finding(
    path: Path, items: list[ErrorDetails], tree: Any, model: type[Model], prefix: Path, *, guess: bool = True
) -> Diagnostic:
    whole = prefix + path
    address = address_of(whole)
    kind = items[0]["type"]
    last = str(path[-1]) if path else ""
    if kind == "missing":
        around = path_text(whole[:-1]) or "the manifest"
        detail = f"'{last}' is required in {around}."
        fix = _description(model, path) or f"Write {last}."
        return Diagnostic("missing-key", "A required key is missing", detail, fix, address=address, path=whole)
    meant = (
        meant_by(path, tree)
        if guess and model is Document and (kind == "extra_forbidden" or _is_reshaped(path, items))
        else None
    )
    if kind == "extra_forbidden":
        fix = (
            meant.fix
            if meant
            else _meant_key(last, path[:-1], tree, model)
            if guess
            else "Remove it, or correct its name."
        )
        detail = f"'{last}' is not a key of {path_text(whole[:-1]) or 'a manifest'}."
        return Diagnostic("unknown-key", "A key is not known", detail, fix, address=address, path=whole)
    found = _wrong_value(items, whole, address, _description(model, path))
    return replace(found, fix=meant.fix) if meant and found.rule == "wrong-value" else found


_LISTS: Final = frozenset({"redirect_uris", "grants", "contacts", "on", "resources"})


def _is_reshaped(path: Path, items: list[ErrorDetails]) -> bool:
    """True if the value has the shape of something else that is easily written in its place: a text for a list, a list for a
    mapping.
    """
    value = items[0]["input"]
    if len(path) == 3:
        return isinstance(value, str | Unknown) and path[2] in (*_LISTS, "secret")
    return len(path) == 1 or (len(path) == 2 and path[0] == "associations")


def _meant_key(written: str, around: Path, tree: Any, model: type[Model]) -> str:
    """The key that may have been meant; preferably one that is not written yet."""
    known = _keys_at(model, around)
    present = value_at(tree, around)
    free = [key for key in known if not isinstance(present, Mapping) or key not in present]
    return did_you_mean(written, free if closest(written, free) else known, what="Known keys are")


def _wrong_value(items: list[ErrorDetails], path: Path, address: str, description: str) -> Diagnostic:
    value = items[0]["input"]
    if isinstance(value, SourcedText) and value.sensitive and not is_secret_path(path):
        return secret_in_plain_field(path, value.origin)
    shown = _shown(value, path)
    allowed = [word for item in items for word in _allowed(item)]
    if allowed and all(item["type"] in ("enum", "literal_error", "model_type") for item in items):
        rule, summary = "not-allowed-value", "A value is not allowed"
        guess = closest(value, allowed) if isinstance(value, str) else None
        fix = (
            f"Did you mean '{guess}'? Allowed are: {listed(allowed)}." if guess else f"Allowed are: {listed(allowed)}."
        )
        return Diagnostic(rule, summary, f"{path_text(path)} is {shown}.", fix, address=address, path=path)
    words = list(dict.fromkeys(_complaint(item) for item in items))
    about = path_text(path) or "The manifest"
    whole = items[0]["type"] == "value_error" and isinstance(value, Mapping)
    detail = f"{about} is incomplete or contradictory." if whole else f"{about} is {shown}."
    fix = " or ".join(words)
    fix = f"{fix[:1].upper()}{fix[1:]}." if fix else description or "Correct the value."
    return Diagnostic("wrong-value", "A value is not valid", detail, fix, address=address, path=path)


def secret_in_plain_field(path: Path, origin: str) -> Diagnostic:
    """The finding about a secret where everyone could read it."""
    return Diagnostic(
        "secret-in-plain-field",
        "A secret is in a field that is shown",
        f"{origin} is secret, but {path_text(path)} is shown in plans and reports.",
        "Write the value itself, or use ${var:NAME} with a variable that the manifest declares sensitive: false.",
        address=address_of(path),
        path=path,
    )


def _shown(value: Any, path: Path) -> str:
    if value is None:
        return "null"
    if isinstance(value, Unknown):
        return f"what {value.written} gives" if value.written.startswith("${") else "not a text of its own"
    if isinstance(value, SourcedText):
        return f"what {value.origin} gives"
    if isinstance(value, str):
        if is_secret_path(path):
            return "a string (not shown)"
        return f"'{shortened(value)}'"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else "not of the right type"


def _allowed(item: ErrorDetails) -> list[str]:
    if item["type"] not in ("enum", "literal_error"):
        return []
    return [match.replace("\\'", "'") for match in _QUOTED.findall(str(item.get("ctx", {}).get("expected", "")))]


def _complaint(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind in _WANTED:
        return _WANTED[kind]
    context = item.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", "the value is not valid"))
    if kind == "string_pattern_mismatch":
        return f"it must match {context.get('pattern')}"
    message = item["msg"]
    return message[0].lower() + message[1:]


def address_of(path: Path) -> str:
    """The address, as far as the path in the manifest determines it: `client/web-shop`; empty if no object is meant."""
    if len(path) >= 2 and path[0] in _KINDS and isinstance(path[1], str):
        return object_address(_KINDS[str(path[0])], path[1])
    return ""


# -- the model at a path ------------------------------------------------------------------------------------------------


def _keys_at(model: type[Model], path: Path) -> list[str]:
    found: list[str] = []
    for inner in models_at(model, path):
        found += [name for name in inner.model_fields if name not in found]
    return found


def _description(model: type[Model], path: Path) -> str:
    """What the field at the path is for, from its description; empty if there is none."""
    if not path or not isinstance(path[-1], str):
        return ""
    for inner in models_at(model, path[:-1]):
        info = inner.model_fields.get(path[-1])
        if info is not None and info.description:
            return f"Write {path[-1]}: {info.description}"
    return ""


def models_at(model: type[Model], path: Path) -> list[type[Model]]:
    """The models that a value at the path may have."""
    annotations: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for annotation in annotations:
            for one in _alternatives(annotation):
                if isinstance(one, type) and issubclass(one, Model):
                    if isinstance(part, str) and part in one.model_fields:
                        following.append(one.model_fields[part].annotation)
                elif get_origin(one) is not None:
                    following.append(get_args(one)[-1] if isinstance(part, str) else get_args(one)[0])
        annotations = following
    return [
        one
        for annotation in annotations
        for one in _alternatives(annotation)
        if isinstance(one, type) and issubclass(one, Model)
    ]


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union, without Annotated around them."""
    if hasattr(annotation, "__metadata__"):
        yield from _alternatives(annotation.__origin__)
    elif get_origin(annotation) is not None and (get_origin(annotation).__name__ in ("Union", "UnionType")):
        for inner in get_args(annotation):
            yield from _alternatives(inner)
    else:
        yield annotation
