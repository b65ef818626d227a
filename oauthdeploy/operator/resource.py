"""OAuthEstate, the custom resource: one manifest and how it is kept true.

The CustomResourceDefinition is made from these models.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

GROUP: Final = "oauthdeploy.example.com"
VERSION: Final = "v1alpha1"
KIND: Final = "OAuthEstate"
PLURAL: Final = "oauthestates"
SINGULAR: Final = "oauthestate"
SHORT: Final = "oae"

APPROVE: Final = f"{GROUP}/approve"
"""The annotation that names the digest of the plan to apply."""
RUN: Final = f"{GROUP}/run"
"""The annotation whose change asks for a run now; its value means nothing."""
FINALIZER: Final = f"{GROUP}/remove"

MOST_FINDINGS: Final = 10
MOST_WORDS: Final = 300
"""The longest text of a finding in a status."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Key = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
KeyGlob = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9*?]+$", max_length=253)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Part(BaseModel):
    """Anything in the resource. Unknown fields are ignored: the API server has pruned them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Mode(StrEnum):
    """What a run may do."""

    REPORT = "report"
    APPLY = "apply"
    APPROVE = "approve"


class DeletionPolicy(StrEnum):
    """What happens on the servers when the estate is deleted."""

    ORPHAN = "orphan"
    REMOVE = "remove"


class KeysOf(Part):
    """Keys of a ConfigMap."""

    name: Name = Field(description="The ConfigMap, in the namespace of the estate.")
    keys: Annotated[tuple[KeyGlob, ...], Field(min_length=1, max_length=32)] = Field(
        ("*.yaml", "*.yml"), description="Which of its keys are files of the manifest; * and ? are wildcards."
    )


class ManifestSource(Part):
    """Where the manifest comes from. All files together are one manifest, as with several -f."""

    inline: Annotated[str, StringConstraints(min_length=1, max_length=262144)] | None = Field(
        None, description="The text of the manifest."
    )
    config_maps: Annotated[tuple[KeysOf, ...], Field(max_length=16)] = Field(
        (), description="ConfigMaps whose keys are files of the manifest."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.inline is None and not self.config_maps:
            raise ValueError("write inline or configMaps")
        return self


class KeyOf(Part):
    """One key of a Secret or ConfigMap."""

    name: Name = Field(description="Its name, in the namespace of the estate.")
    key: Key = Field(description="The key.")
    optional: bool = Field(False, description="Leave the variable unset if the object or the key is missing.")


class ValueFrom(Part):
    """Where a value comes from: exactly one of the two."""

    secret_key_ref: KeyOf | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: KeyOf | None = Field(None, description="A key of a ConfigMap.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError("write either secretKeyRef or configMapKeyRef")
        return self


class Value(Part):
    """A value for ${env:NAME} in the manifest. The manifest sees no other environment variables."""

    name: Variable = Field(description="The NAME in ${env:NAME}.")
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(None, description="The value itself.")
    value_from: ValueFrom | None = Field(None, description="Where the value comes from.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.value_from is None):
            raise ValueError("write either value or valueFrom")
        return self


class Files(Part):
    """Files beside the manifest, for example of certificate authorities: exactly one of secret and configMap."""

    path: Annotated[str, StringConstraints(pattern=r"^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$", max_length=64)] = Field(
        description="The folder beside the manifest that receives the files."
    )
    secret: Name | None = Field(None, description="The Secret whose keys are the files.")
    config_map: Name | None = Field(None, description="The ConfigMap whose keys are the files.")
    keys: Annotated[tuple[KeyGlob, ...], Field(min_length=1, max_length=32)] = Field(
        ("*",), description="Which keys; * and ? are wildcards."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.secret is None) == (self.config_map is None):
            raise ValueError("write either secret or configMap")
        return self


class EstateSpec(Part):
    """What the estate should be, and how it is kept so."""

    manifest: ManifestSource = Field(description="The manifest.")
    environment: Words | None = Field(None, description="The environment of the manifest, as --env.")
    variables: dict[Variable, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default_factory=dict, description="Values of the manifest's variables, as --var; not for secrets."
    )
    env: Annotated[tuple[Value, ...], Field(max_length=64)] = Field((), description="Values for ${env:NAME}.")
    files: Annotated[tuple[Files, ...], Field(max_length=16)] = Field((), description="Files beside the manifest.")
    mode: Mode = Field(
        Mode.REPORT,
        description="report: tell the differences. apply: repair them. approve: make a plan, and apply it when the "
        "annotation oauthdeploy.example.com/approve names its digest.",
    )
    interval: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(s|m|h)$")] = Field(
        "10m", description="How often to look at the servers, give or take a tenth."
    )
    suspend: bool = Field(False, description="Do nothing until it is false again.")
    allow: Annotated[tuple[Words, ...], Field(max_length=32)] = Field(
        (), description="Safety rules to lift, as --allow."
    )
    targets: Annotated[tuple[Words, ...], Field(max_length=64)] = Field(
        (), description="Only these objects, as --target."
    )
    deletion_policy: DeletionPolicy = Field(
        DeletionPolicy.ORPHAN,
        description="When the estate is deleted: orphan leaves the servers as they are; remove deletes the clients and "
        "scopes that carry the mark of the manifest.",
    )

    @property
    def interval_seconds(self) -> int:
        """The interval in seconds."""
        return int(self.interval[:-1]) * {"s": 1, "m": 60, "h": 3600}[self.interval[-1]]

    def references(self) -> frozenset[tuple[str, str]]:
        """The ConfigMaps and Secrets that a run reads, by kind and name."""
        found = {("ConfigMap", item.name) for item in self.manifest.config_maps}
        for value in self.env:
            if value.value_from is not None and value.value_from.secret_key_ref is not None:
                found.add(("Secret", value.value_from.secret_key_ref.name))
            if value.value_from is not None and value.value_from.config_map_key_ref is not None:
                found.add(("ConfigMap", value.value_from.config_map_key_ref.name))
        for item in self.files:
            found.add(("Secret", item.secret) if item.secret is not None else ("ConfigMap", item.config_map or ""))
        return frozenset(found)


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Part):
    """A condition, by the conventions of the Kubernetes API."""

    type: Annotated[str, StringConstraints(max_length=64)] = Field(description="What it is about.")
    status: ConditionStatus = Field(description="Whether it holds.")
    observed_generation: int | None = Field(None, description="The generation of the estate that it is about.")
    last_transition_time: datetime = Field(description="When its status last changed.")
    reason: Annotated[str, StringConstraints(max_length=64)] = Field(description="Why, in one word.")
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(description="Why, in a sentence.")


class Counts(Part):
    """Numbers of the last run."""

    create: int = Field(0, description="Objects to create.")
    update: int = Field(0, description="Objects to update or replace.")
    delete: int = Field(0, description="Objects to delete.")
    drift: int = Field(0, description="Differences between the servers and the manifest.")
    applied: int = Field(0, description="Changes that the run made.")
    errors: int = Field(0, description="Findings that are errors.")
    warnings: int = Field(0, description="Findings that are warnings.")


class StatusFinding(Part):
    """One finding of the last run, without values."""

    rule: str = Field(description="The rule id; oauthdeploy explain RULE describes it.")
    severity: str = Field(description="error, warning or info.")
    address: str = Field("", description="The object that it is about.")
    message: str = Field(description="What was found.")


class Input(Part):
    """A ConfigMap or Secret that the last run read."""

    kind: str = Field(description="ConfigMap or Secret.")
    name: str = Field(description="Its name.")
    resource_version: str = Field(description='Its version; "" if it did not exist.')


class PendingPlan(Part):
    """A plan that waits for approval."""

    digest: str = Field(description="The digest to write into the annotation oauthdeploy.example.com/approve.")
    secret: str = Field(description="The Secret that contains the plan, as oauthdeploy show reads it.")
    made: datetime = Field(description="When it was made.")
    changes: int = Field(description="The number of its changes.")
    risk: str = Field(description="The greatest risk of any of them.")
    generation: int = Field(description="The generation of the estate that it is for.")


class LastRun(Part):
    """The last run."""

    time: datetime = Field(description="When it began.")
    seconds: float = Field(description="How long it took.")
    exit_code: int = Field(description="The exit code that the command line would have ended with.")
    reason: str = Field(description="The reason of that exit code.")


class LastApply(Part):
    """The last run that wrote to a server."""

    time: datetime = Field(description="When it began.")
    changes: int = Field(description="The number of changes that were made.")
    complete: bool = Field(description="Whether all changes were made.")
    digest: str = Field("", description="The digest of the approved plan that it applied.")


class EstateStatus(Part):
    """What was found, and what is next."""

    observed_generation: int | None = Field(None, description="The generation that the last run was for.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        (),
        description="Ready, InSync, PlanPending, Stalled and Degraded.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    summary: str = Field("", description="The last run in a few words.")
    counts: Counts = Field(default_factory=Counts, description="Numbers of the last run.")
    findings: Annotated[tuple[StatusFinding, ...], Field(max_length=MOST_FINDINGS)] = Field(
        (), description="The first findings of the last run."
    )
    findings_left_out: int = Field(0, description="How many findings are not listed.")
    servers: Annotated[tuple[str, ...], Field(max_length=64)] = Field((), description="The servers of the manifest.")
    inputs: Annotated[tuple[Input, ...], Field(max_length=256)] = Field(
        (), description="The ConfigMaps and Secrets that the last run read."
    )
    pending_plan: PendingPlan | None = Field(None, description="The plan that waits for approval.")
    last_run: LastRun | None = Field(None, description="The last run.")
    last_apply: LastApply | None = Field(None, description="The last run that wrote to a server.")
    next_run: datetime | None = Field(None, description="When the next run is due, unless something changes.")
    failures: int = Field(0, description="Failed runs in a row; each makes the wait for the next longer.")
    handled_run: str = Field("", description="The value of the annotation oauthdeploy.example.com/run at the last run.")
    handled_approval: str = Field(
        "", description="The value of the annotation oauthdeploy.example.com/approve at the last run."
    )


def spec_of(body: Any) -> EstateSpec:
    """The spec of an estate. Raises pydantic.ValidationError."""
    return EstateSpec.model_validate(body.get("spec") or {})


def status_of(body: Any) -> EstateStatus:
    """The status of an estate; an empty one if there is none, or if it is of another form."""
    try:
        return EstateStatus.model_validate(body.get("status") or {})
    except ValueError:
        return EstateStatus()
