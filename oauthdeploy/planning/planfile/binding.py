"""What a saved plan is bound to, so that it can be made again."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    """A part of the binding. A binding from a file has been checked against `schemas/plan.v2.schema.json`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SecretSource(_Part):
    """One secret of a manifest: its path, and the reference as written (`manifest` for a literal).

    `unset` are the environment variables of the reference that were unset or empty, so that its default was used.
    """

    path: str
    origin: str
    unset: tuple[str, ...] = ()


class VariableSource(_Part):
    """A variable and the source of its value: `--var`, a file's name, `environment` or `default`.

    `value` is that of `--var`, which is recorded nowhere else; None for other sources, and for a variable that is sensitive
    or part of a secret.
    """

    name: str
    source: str
    value: str | None = None


class DriverUse(_Part):
    """A driver that the plan was made with: its package, the package's version, and the version of the driver interface."""

    name: str
    package: str
    version: str
    api_version: int


class Asked(_Part):
    """The options that selected the manifest. `base` is the relative path from the plan file's folder to the folder of
    `files` and `var_files`, with `/` as separator.
    """

    base: str
    files: tuple[str, ...]
    environment: str | None
    variables: tuple[VariableSource, ...]
    var_files: tuple[str, ...]
    severities: dict[str, str]


class Selection(_Part):
    """The selected part: `--server`, `--target` and `--exclude`."""

    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


class Binding(_Part):
    """What a saved plan is bound to, so that it can be made again. `tool` is the release that saved it; `parts` are the
    digests of the manifest's sections and server entries.
    """

    tool: str
    drivers: tuple[DriverUse, ...]
    request: Asked
    selection: Selection
    secrets: tuple[SecretSource, ...]
    parts: dict[str, str]
