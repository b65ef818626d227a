"""What a saved plan is bound to, and how to come by it again."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    """A part of the binding, whose shape `schemas/plan.v2.schema.json` has checked where it was read from a file."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SecretSource(_Part):
    """One secret of a manifest: where it stands, and the reference as it was written (`manifest` for a literal).

    `unset` are the environment variables of the reference that were not set or empty, so that its default held.
    """

    path: str
    origin: str
    unset: tuple[str, ...] = ()


class VariableSource(_Part):
    """A variable that was given a value, and by what: `--var`, a file's name, `environment` or `default`.

    `value` is that of `--var`, which nothing else remembers; None for other sources, and for a variable that is sensitive
    or reaches a secret.
    """

    name: str
    source: str
    value: str | None = None


class DriverUse(_Part):
    """A driver that the plan was made with: the package that offers it, its version, and that of the driver interface."""

    name: str
    package: str
    version: str
    api_version: int


class Asked(_Part):
    """How the manifest was asked for. `base` is the way from the plan file's folder to the one that `files` and `var_files`
    start from; both are written with `/`.
    """

    base: str
    files: tuple[str, ...]
    environment: str | None
    variables: tuple[VariableSource, ...]
    var_files: tuple[str, ...]
    severities: dict[str, str]


class Selection(_Part):
    """The part of the estate that was planned: `--server`, `--target` and `--exclude`."""

    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


class Binding(_Part):
    """What a saved plan is bound to, and how to come by it again. `tool` is the release that saved it; `parts` are the
    digests of the manifest's sections and server entries.
    """

    tool: str
    drivers: tuple[DriverUse, ...]
    request: Asked
    selection: Selection
    secrets: tuple[SecretSource, ...]
    parts: dict[str, str]
