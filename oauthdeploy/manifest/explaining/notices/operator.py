"""Findings of the operator, and of locks in Kubernetes."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "lease-not-usable",
        "error",
        "A Lease cannot be used as a lock",
        "The lock of the manifest is a Lease in Kubernetes, and the API server refuses it or does not answer. Without a lock "
        "nothing is written.",
        "Allow get, create and update of leases (coordination.k8s.io) in the namespace, and check KUBECONFIG.",
    ),
    (
        "plan-not-stored",
        "error",
        "A plan that waits for approval cannot be stored",
        "The operator keeps the plan in a Secret beside the estate, which has room for about 900 kB.",
        "See the message. Select a part of the manifest with targets, or use the mode apply.",
    ),
    (
        "server-not-allowed",
        "error",
        "The operator must not reach this address",
        "The manifest of a tenant must not make the operator send requests to itself, to a metadata service, or to servers that "
        "its administrator did not allow.",
        "Name another server, or ask the administrator to add it: `oauthdeploy operator --allow-server ORIGIN`.",
    ),
    (
        "delivery-not-possible",
        "error",
        "The operator cannot deliver a secret",
        "A file of the operator is lost with the run, and the operator runs no programs for a manifest.",
        "Write the secret into a Secret of Kubernetes, and refer to it with spec.env.",
    ),
    (
        "lock-elsewhere",
        "error",
        "The lock of the manifest is in another namespace",
        "An estate takes Leases in its own namespace only. A pipeline that takes those of another one would not be locked out.",
        "Set lock.kubernetes.namespace to the namespace of the estate.",
    ),
)
