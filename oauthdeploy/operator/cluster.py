"""The API server, as far as the operator needs it: estates, ConfigMaps, Secrets, Events. Typed by lightkube."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import EventSource, ObjectReference
from lightkube.models.meta_v1 import ObjectMeta, OwnerReference
from lightkube.resources.core_v1 import ConfigMap, Event, Secret
from lightkube.types import PatchType
from msgspec import Struct

from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.operator.resource import FINALIZER, GROUP, KIND, PLURAL, VERSION, EstateStatus
from oauthdeploy.reports.escape import visible

Estate = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
MANAGER: Final = "oauthdeploy-operator"
PLAN_KEY: Final = "plan.json"
MOST_PLAN_BYTES: Final = 900_000
"""A Secret holds at most 1 MiB."""
_MOST_EVENT_WORDS: Final = 1000


class PlanNotStored(OAuthDeployError):
    """A plan that waits for approval cannot be kept."""

    rule = "plan-not-stored"


class Stored(Struct, frozen=True):
    """The content of a ConfigMap or Secret, and its version. Never printed: it may be secret."""

    data: Mapping[str, bytes]
    version: str

    def __repr__(self) -> str:
        return f"Stored({sorted(self.data)}, version={self.version})"


class Cluster:
    """What the operator asks the API server. Every method raises lightkube.ApiError and httpx2.HTTPError."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def estate(self, namespace: str, name: str) -> dict[str, Any] | None:
        """An estate as it is now; None if there is none."""
        try:
            return dict(self.client.get(Estate, name, namespace=namespace))
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise

    def stored(self, kind: str, namespace: str, name: str) -> Stored | None:
        """A ConfigMap or Secret; None if there is none."""
        try:
            if kind == "Secret":
                secret = self.client.get(Secret, name, namespace=namespace)
                data = {key: base64.b64decode(text) for key, text in (secret.data or {}).items()}
                return Stored(data, _version(secret.metadata))
            found = self.client.get(ConfigMap, name, namespace=namespace)
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise
        data = {key: base64.b64decode(text) for key, text in (found.binaryData or {}).items()}
        data |= {key: text.encode() for key, text in (found.data or {}).items()}
        return Stored(data, _version(found.metadata))

    def write_status(self, namespace: str, name: str, status: EstateStatus) -> dict[str, Any] | None:
        """Replace the status; returns the estate, or None if it is gone."""
        document = status.model_dump(mode="json", by_alias=True)
        try:
            patched = self.client.patch(
                Estate.Status, name, {"status": document}, namespace=namespace, patch_type=PatchType.MERGE
            )
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise
        return dict(patched)

    def set_finalizer(self, body: Mapping[str, Any], wanted: bool) -> None:
        """Add or remove our finalizer, if that changes anything."""
        metadata = body["metadata"]
        before = list(metadata.get("finalizers") or [])
        after = [item for item in before if item != FINALIZER] + ([FINALIZER] if wanted else [])
        if sorted(before) == sorted(after):
            return
        patch = {"metadata": {"finalizers": after, "resourceVersion": metadata["resourceVersion"]}}
        self.client.patch(Estate, metadata["name"], patch, namespace=metadata["namespace"], patch_type=PatchType.MERGE)

    def store_plan(self, body: Mapping[str, Any], document: str) -> str:
        """Keep a plan in a Secret that belongs to the estate; returns its name. Raises PlanNotStored too."""
        metadata = body["metadata"]
        name = plan_secret(metadata["name"])
        if len(document.encode()) > MOST_PLAN_BYTES:
            raise PlanNotStored(
                "The plan is too large to wait for approval",
                detail=f"It has {len(document.encode())} bytes, and a Secret holds about {MOST_PLAN_BYTES}.",
                fix="Split the manifest, or select a part of it with targets.",
            )
        secret = Secret(
            metadata=ObjectMeta(
                name=name,
                namespace=metadata["namespace"],
                labels={"app.kubernetes.io/managed-by": MANAGER},
                ownerReferences=[_owner(body)],
            ),
            type=f"{GROUP}/plan",
            stringData={PLAN_KEY: document},
        )
        try:
            known = self.client.get(Secret, name, namespace=metadata["namespace"])
        except ApiError as error:
            if error.status.code != 404:
                raise
            self.client.create(secret, namespace=metadata["namespace"])
            return name
        owners = (known.metadata.ownerReferences or []) if known.metadata is not None else []
        if known.metadata is None or not any(owner.uid == metadata["uid"] for owner in owners):
            raise PlanNotStored(
                "The plan cannot be stored",
                detail=f"The Secret {name} exists, and does not belong to this estate.",
                fix="Delete the Secret, or rename the estate.",
            )
        assert secret.metadata is not None
        secret.metadata.resourceVersion = known.metadata.resourceVersion
        self.client.replace(secret)
        return name

    def event(self, body: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        """Tell what a person should see, as an Event of the estate; `kind` is Normal or Warning. A failure is ignored."""
        metadata, moment = body["metadata"], datetime.now(UTC)
        event = Event(
            metadata=ObjectMeta(
                name=f"{metadata['name'][:200]}.{uuid.uuid4().hex[:16]}", namespace=metadata["namespace"]
            ),
            involvedObject=ObjectReference(
                apiVersion=f"{GROUP}/{VERSION}",
                kind=KIND,
                name=metadata["name"],
                namespace=metadata["namespace"],
                uid=metadata["uid"],
                resourceVersion=metadata.get("resourceVersion"),
            ),
            type=kind,
            reason=reason,
            message=shown(message, _MOST_EVENT_WORDS),
            source=EventSource(component=MANAGER),
            firstTimestamp=moment,
            lastTimestamp=moment,
            count=1,
        )
        try:
            self.client.create(event, namespace=metadata["namespace"])
        except ApiError:
            return


def plan_secret(estate: str) -> str:
    """The name of the Secret with the plan of an estate."""
    return f"{estate[:230]}-oauth-plan"


def shown(text: str, most: int) -> str:
    """A text for a status, an Event or a log: one bounded line, without secrets and without commands to a reader of it."""
    clean = disarmed(visible(" ".join(KNOWN.clean(text)[0].split())))
    return clean if len(clean) <= most else f"{clean[: most - 3]}..."


def document_text(document: Mapping[str, Any]) -> str:
    """The text of a saved plan. Raises PlanNotStored if it would contain a secret."""
    text = json.dumps(document, ensure_ascii=False)
    if KNOWN.clean(text, references=False)[1]:
        raise PlanNotStored(
            "The plan was not stored",
            detail="It would have contained a secret. This is a bug in oauthdeploy.",
            fix="Please report it. The mode apply needs no stored plan.",
        )
    return text


def _owner(body: Mapping[str, Any]) -> OwnerReference:
    metadata = body["metadata"]
    return OwnerReference(apiVersion=f"{GROUP}/{VERSION}", kind=KIND, name=metadata["name"], uid=metadata["uid"])


def _version(metadata: ObjectMeta | None) -> str:
    return (metadata.resourceVersion or "") if metadata is not None else ""
