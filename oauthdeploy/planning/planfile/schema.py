"""The shape of a plan's document, as `schemas/plan.v1.schema.json` has it; a test holds the two together.

Models, since checking a plan of twenty thousand changes with a JSON Schema takes nine seconds, and with these a tenth of one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictInt, ValidationError

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.changes import Action, Reason

_ADDRESS = "^(trust|settings|scope|client|association|revocation)(/.+)?@.+$"
WrittenAddress = Annotated[str, Field(pattern=_ADDRESS)]
Count = Annotated[int, Strict(), Field(ge=0)]
RiskName = Literal["none", "low", "medium", "high"]
StageName = Literal[
    "cut-off-resource",
    "cut-off-authorization",
    "widen-resource",
    "widen-authorization",
    "narrow-authorization",
    "narrow-resource",
]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Shape(BaseModel):
    """A part of the document: frozen, without keys that are not known, silent about values in its messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SecretSource(Shape):
    """One secret of a manifest: where it stands, and the reference as it was written (`manifest` for a literal).

    `unset` are the environment variables of the reference that were not set or empty, so that its default held.
    """

    path: str
    origin: str
    unset: tuple[str, ...] = ()


class VariableSource(Shape):
    """A variable that was given a value, and by what: `--var`, a file's name, `environment` or `default`.

    `value` is that of `--var`, which nothing else remembers; None for other sources, and for a variable that is sensitive
    or reaches a secret.
    """

    name: str
    source: str
    value: str | None = None


class DriverUse(Shape):
    """A driver that the plan was made with: the package that offers it, its version, and that of the driver interface."""

    name: str
    package: str
    version: str
    api_version: StrictInt


class Asked(Shape):
    """How the manifest was asked for. `base` is the way from the plan file's folder to the one that `files` and `var_files`
    start from; both are written with `/`.
    """

    base: str
    files: tuple[str, ...]
    environment: str | None
    variables: tuple[VariableSource, ...]
    var_files: tuple[str, ...]
    severities: dict[str, str]


class Selection(Shape):
    """The part of the estate that was planned: `--server`, `--target` and `--exclude`."""

    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


class Binding(Shape):
    """What a saved plan is bound to, and how to come by it again. `tool` is the release that saved it; `parts` are the
    digests of the manifest's sections and server entries.
    """

    tool: str
    drivers: tuple[DriverUse, ...]
    request: Asked
    selection: Selection
    secrets: tuple[SecretSource, ...]
    parts: dict[str, Digest]


class _Actions(Shape):
    create: Count
    update: Count
    replace: Count
    delete: Count
    disable: Count
    revoke: Count


class _Summary(Shape):
    changes: Count
    actions: _Actions
    risk: RiskName
    stops: Count
    blind: Count
    kept: Count
    reads: Count
    writes: Count


class _Server(Shape):
    name: str
    role: Role
    driver: str
    url: str
    product: str
    reads: Count
    writes: Count


class _Field(Shape):
    path: str
    before: Any
    after: Any


class _Change(Shape):
    address: WrittenAddress
    kind: Kind
    name: str
    server: str
    action: Action
    reason: Reason
    stage: StageName
    risk: RiskName
    fields: list[_Field]
    depends_on: list[WrittenAddress]
    batch: str
    place: list[StrictInt | str]
    note: str
    live_address: WrittenAddress | None
    identity: str


class _Finding(Shape):
    rule: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    severity: Severity
    summary: str
    detail: str
    fix: str
    address: str
    path: str
    file: str | None
    line: Annotated[int, Strict(), Field(ge=1)] | None
    column: Annotated[int, Strict(), Field(ge=1)] | None


class _Blind(Shape):
    address: WrittenAddress
    path: str


class _Kept(Shape):
    server: str
    kind: Kind
    count: Annotated[int, Strict(), Field(ge=1)]


class PlanShape(Shape):
    """The whole document. `saved` and `content_digest` are there in a plan that was saved to be applied."""

    format: Literal["oauthdeploy/plan"]
    format_version: Annotated[str, Field(pattern="^1\\.[0-9]+$")]
    name: str
    manifest_digest: str
    summary: _Summary
    servers: list[_Server]
    changes: list[_Change]
    diagnostics: list[_Finding]
    stops: list[_Finding]
    blind: list[_Blind]
    kept: list[_Kept]
    fingerprints: dict[WrittenAddress, str]
    saved: Binding | None = None
    content_digest: Digest | None = None


def shape_problem(document: Any) -> str:
    """The first place where the document isn't in shape, in words without its values; "" where it is."""
    try:
        PlanShape.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in problem["loc"]) or "the document"
        return f"{place}: {problem['msg']}"
    return ""
