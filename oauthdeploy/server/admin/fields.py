"""The fields of the admin API's objects, declared once: bodies are validated by them, and the document shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from flask import Request
from msgspec import Struct

from oauthdeploy.server.admin.errors import invalid, shown
from oauthdeploy.server.profile import Profile

Kind = Literal["text", "boolean", "integer", "texts", "version"]
Value = str | bool | int | list[str] | None

INT32 = 2**31 - 1
LONGEST_NAME = 255


class Field(Struct, frozen=True):
    """One member of a JSON object.

    Args:
        name: the member's name.
        attribute: the column that holds it.
        kind: its JSON type; `version` is an integer in strict mode, and an integer or text otherwise.
        description: what it means, for the document.
        default: what an unnamed or null member becomes.
        choices: the only texts allowed.
        minimum: the smallest integer allowed.
        required: whether a whole object must have it, and not empty.
        write_only: never in an answer.
        output_only: only in answers.
        loose: in tolerant mode, the other spellings of the value that are taken as well.
    """

    name: str
    attribute: str
    kind: Kind
    description: str
    default: Value = None
    choices: tuple[str, ...] = ()
    minimum: int = 0
    required: bool = False
    write_only: bool = False
    output_only: bool = False
    loose: Literal["", "case", "yes_no", "digits"] = ""


def read_body(request: Request, *, merge_patch: bool = False) -> dict[str, object]:
    """The JSON object in a request.

    Raises:
        AdminError: 400 for another content type, or a body that is not a JSON object.
    """
    allowed = ["application/json"] + (["application/merge-patch+json"] if merge_patch else [])
    if request.mimetype not in allowed:
        raise invalid(f"The content type must be {' or '.join(allowed)}.")
    try:
        body = json.loads(request.get_data(cache=False).decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError as problem:
        raise invalid("The body is nested too deeply.") from problem
    except ValueError as problem:
        raise invalid("The body is not valid JSON.") from problem
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def read_fields(
    body: Mapping[str, object], fields: Sequence[Field], *, strict: bool, partial: bool = False
) -> dict[str, Value]:
    """The values of a body by attribute.

    Args:
        body: the JSON object.
        fields: what it may hold.
        strict: refuse unknown members and every spelling but the document's.
        partial: a merge patch (RFC 7396): unnamed members are left out of the result, null ones get their
            default. Otherwise unnamed members get their default, too.

    Raises:
        AdminError: 400 naming the first member that is wrong.
    """
    if strict:
        unknown = next((name for name in body if all(name != field.name for field in fields)), None)
        if unknown is not None:
            raise invalid(f"Unknown field {shown(_printable(unknown))}.")
    values: dict[str, Value] = {}
    for field in fields:
        if partial and field.name not in body:
            continue
        raw = body.get(field.name)
        value = _default(field) if raw is None else _checked(field, raw, strict)
        if field.required and value in (None, ""):
            raise invalid(f"Field '{field.name}' is required.")
        values[field.attribute] = value
    return values


def patch_of(
    profile: Profile, body: Mapping[str, object], key: Mapping[str, object], *, partial: bool
) -> tuple[Mapping[str, object], bool]:
    """The body of a PUT, or of a PATCH (`partial`), and whether fields that it does not name keep their values (of a PATCH, the
    profile decides).

    Of a PATCH the profile says whether they do.

    `key` are the fields of the natural key as they are.
    """
    if not partial:
        return body, False
    match profile.patch:
        case "merges":
            return body, True
        case "clears":
            return {**key, **body}, False
        case "replaces":
            return body, False


def _default(field: Field) -> Value:
    return [] if field.kind == "texts" else field.default


def _checked(field: Field, raw: object, strict: bool) -> Value:
    match field.kind:
        case "boolean":
            if isinstance(raw, bool):
                return raw
            raise invalid(f"Field '{field.name}' must be true or false.")
        case "integer":
            return _integer(field, raw, strict)
        case "version":
            return _version(field, raw, strict)
        case "texts":
            if not isinstance(raw, list):
                raise invalid(f"Field '{field.name}' must be an array of strings.")
            return list(dict.fromkeys(_text(f"{field.name}[{index}]", item) for index, item in enumerate(raw)))
        case "text":
            return _choice(field, _spelled(field, raw, strict), strict)


def _integer(field: Field, raw: object, strict: bool) -> int:
    if not strict and field.loose == "digits" and isinstance(raw, str) and raw.isascii() and raw.isdigit():
        raw = int(raw[:12])
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise invalid(f"Field '{field.name}' must be an integer.")
    if not field.minimum <= raw <= INT32:
        raise invalid(f"Field '{field.name}' must be between {field.minimum} and {INT32}.")
    return raw


def _version(field: Field, raw: object, strict: bool) -> str | int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        if -INT32 - 1 <= raw <= INT32:
            return raw
        raise invalid(f"Field '{field.name}' must fit into 32 bits.")
    if strict:
        raise invalid(f"Field '{field.name}' must be an integer.")
    return _text(field.name, raw)


def _spelled(field: Field, raw: object, strict: bool) -> str:
    if not strict and field.loose == "yes_no" and isinstance(raw, bool):
        return "yes" if raw else "no"
    return _text(field.name, raw)


def _choice(field: Field, text: str, strict: bool) -> str:
    if not field.choices or text in field.choices:
        return text
    if not strict and field.loose in ("case", "yes_no"):
        for choice in field.choices:
            if text.lower() == choice.lower():
                return choice
    raise invalid(f"Field '{field.name}' must be one of {', '.join(field.choices)}.")


def _text(name: str, raw: object) -> str:
    if not isinstance(raw, str):
        raise invalid(f"Field '{name}' must be a string.")
    if any((character < " " and character not in "\t\r\n") or "\ud800" <= character <= "\udfff" for character in raw):
        raise invalid(f"Field '{name}' contains characters that are not text.")
    return raw


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def check_name(field: str, value: str, forbidden: str, longest: int = LONGEST_NAME) -> None:
    """Check a name: not empty, not too long, on one line, and without the forbidden characters.

    Raises:
        AdminError: 400 naming the field and the character.
    """
    if not value.strip() or len(value) > longest:
        raise invalid(f"Field '{field}' must have 1 to {longest} characters.")
    for character in value:
        if character in forbidden or not character.isprintable():
            raise invalid(f"Field '{field}' must not contain {shown(character)}.")
