"""A plan file: the plan's document, what it is bound to, and a digest over both.

    plan ──► saved_document ──► bytes ──► read_saved ──► SavedPlan

Nothing in it depends on the time or the machine, so equal plans give equal bytes. It contains no secret and no digest of
one: a secret is recorded by its origin and resolved again for the apply.

`content_digest` is SHA-256 over the canonical JSON of everything else (keys sorted, no spaces, ASCII). It detects that a
file was edited or damaged. It is not a signature: anybody who can write the file can also write the digest, so only those
who may approve plans should be able to write it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.planning.json_documents import Document
from oauthdeploy.planning.plan import PLAN_FORMAT_VERSION, Plan, plan_document
from oauthdeploy.planning.planfile.binding import Binding
from oauthdeploy.planning.planfile.decoding import NotAPlan, ShapeCheck, checked_version, saved_plan

MAX_PLAN_BYTES: Final = 256 * 1024 * 1024
"""A plan of 100,000 changes has about a quarter of this size."""

_DIGEST: Final = "content_digest"
_NEW_PLAN: Final = "Save a plan with `oauthdeploy plan --out PLANFILE`."


class PlanEdited(OAuthDeployError):
    """The file of a saved plan is not as it was saved."""

    rule = "plan-edited"


class SavedPlan(Struct, frozen=True):
    """A plan from a file. `plan` has what reports need, without the objects behind it; `document` is the whole file.

    `binding` is None for a document that `plan -o json` printed, which can be shown but not applied.
    """

    plan: Plan
    document: Mapping[str, Any]
    binding: Binding | None


def saved_document(plan: Plan, binding: Binding) -> Document:
    """The plan as it is saved (`schemas/plan.v2.schema.json`): equal plans of equal requests are equal documents."""
    document = plan_document(plan) | {"saved": binding.model_dump(mode="json")}
    return document | {_DIGEST: content_digest(document)}


def content_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON of the document without its own digest."""
    rest = {key: value for key, value in document.items() if key != _DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_saved(data: bytes, shape: ShapeCheck, file: str = "The plan") -> SavedPlan:
    """Read the bytes of a plan file. Raises NotAPlan, and PlanEdited if they are not as saved.

    `shape` and `file` are as for `saved_plan`.
    """
    document = _parsed(data)
    newer = checked_version(document)
    if _DIGEST in document or "saved" in document:
        _check_digest(document)
    plan = saved_plan(document, shape, file)
    saved = None if newer else document.get("saved")
    return SavedPlan(plan, document, None if saved is None else Binding.model_validate(saved))


def binding_of(saved: SavedPlan) -> Binding:
    """What the plan is bound to. Raises NotAPlan for a plan that can only be shown."""
    if saved.binding is not None:
        return saved.binding
    if "saved" in saved.document:
        raise NotAPlan(
            "The plan was saved by a newer release",
            detail=f"{_saved_by(saved.document)} Its format is {saved.document['format_version']}, and this release "
            f"applies plans up to {PLAN_FORMAT_VERSION}.",
            fix="Apply it with the release that saved it, or make a new plan.",
        )
    raise NotAPlan(
        "The plan can be shown but not applied",
        detail="It does not record which manifest options it was made with: it is what `plan -o json` prints.",
        fix=_NEW_PLAN,
    )


def _parsed(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_PLAN_BYTES:
        raise NotAPlan("The plan file is too large", detail="It holds more than 256 MiB.", fix=_NEW_PLAN)
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise NotAPlan("The plan file is not JSON", detail="It is truncated, or not a plan.", fix=_NEW_PLAN) from None
    return document if isinstance(document, dict) else {}


def _pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(items)
    if len(members) < len(items):
        # With a duplicate key, a reviewer could read one value, and the program the other.
        raise PlanEdited("The plan file was edited", detail="It has a duplicate key.", fix=_NEW_PLAN)
    return members


def _refused(_word: str) -> Any:
    raise ValueError("not a JSON number")


def _check_digest(document: Mapping[str, Any]) -> None:
    try:
        same = document.get(_DIGEST) == content_digest(document)
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise PlanEdited(
            "The plan file was edited",
            detail=f"{_saved_by(document)} Its content does not match its content_digest.".strip(),
            fix="Use the file exactly as saved, or make and review a new plan.",
        )


def _saved_by(document: Mapping[str, Any]) -> str:
    saved = document.get("saved")
    tool = saved.get("tool") if isinstance(saved, Mapping) else None
    return f"It was saved by oauthdeploy {tool}." if isinstance(tool, str) else ""
