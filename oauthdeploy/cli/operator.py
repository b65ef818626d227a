"""`oauthdeploy operator`: keep the estates of a Kubernetes cluster in line with their manifests."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import host_and_port, option
from oauthdeploy.core.extras import needs_extra


@command(
    examples=(
        ("oauthdeploy operator", "keep all estates of the cluster"),
        ("oauthdeploy operator --namespace shop --workers 2", "keep those of one namespace"),
    ),
    main=("namespaces", "workers", "allow_server", "state_dir"),
)
@option(
    "--namespace",
    "namespaces",
    env="OPERATOR_NAMESPACE",
    multiple=True,
    metavar="NAME",
    help="Watch only this namespace. Repeatable.  [default: the whole cluster]",
)
@option(
    "--workers",
    env="OPERATOR_WORKERS",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Runs at the same time.",
)
@option(
    "--per-namespace",
    env="OPERATOR_PER_NAMESPACE",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Runs at the same time for estates of one namespace.",
)
@option(
    "--per-server",
    env="OPERATOR_PER_SERVER",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Runs at the same time that use one server.",
)
@option(
    "--allow-server",
    env="OPERATOR_ALLOW_SERVER",
    multiple=True,
    metavar="ORIGIN",
    help="Let manifests use only servers such as https://*.example.com. One without a wildcard may also be loopback or "
    "link-local. Repeatable.  [default: any server]",
)
@option(
    "--state-dir",
    env="OPERATOR_STATE_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep journals and audit records of every estate below this folder.  [default: they end with the run]",
)
@option(
    "--claim-seconds",
    env="OPERATOR_CLAIM_SECONDS",
    type=click.IntRange(3, 600),
    default=30,
    show_default=True,
    help="How long another replica waits for one that does not answer before it takes over an estate.",
)
@option(
    "--lease-namespace",
    env="OPERATOR_LEASE_NAMESPACE",
    metavar="NAME",
    help="Keep the Leases by which replicas share servers in this namespace, the same for all.  [default: that of the pod, "
    "or of the kubeconfig]",
)
@option(
    "--health-listen",
    env="OPERATOR_HEALTH_LISTEN",
    metavar="HOST:PORT",
    callback=host_and_port,
    help="Answer probes at /healthz of this address; :PORT listens on 127.0.0.1.",
)
@option(
    "--metrics-listen",
    env="OPERATOR_METRICS_LISTEN",
    metavar="HOST:PORT",
    callback=host_and_port,
    help="Serve Prometheus metrics at this address; :PORT listens on 127.0.0.1.",
)
@option(
    "--log-format",
    env="OPERATOR_LOG_FORMAT",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the log on standard error.",
)
def operator(
    namespaces: tuple[str, ...],
    workers: int,
    per_namespace: int,
    per_server: int,
    allow_server: tuple[str, ...],
    state_dir: Path | None,
    claim_seconds: int,
    lease_namespace: str | None,
    health_listen: tuple[str, int] | None,
    metrics_listen: tuple[str, int] | None,
    log_format: str,
) -> None:
    """Keep the estates of a Kubernetes cluster in line with their manifests.

    An estate is an OAuthEstate, a custom resource. The operator signs in with the service account of its pod, else with
    KUBECONFIG. Several replicas share the estates. Ctrl-C and SIGTERM let requests in flight finish.
    """
    with needs_extra("operator", "`oauthdeploy operator`"):
        import kopf

        from oauthdeploy.operator.bounds import Bounds
        from oauthdeploy.operator.cluster import Cluster
        from oauthdeploy.operator.handlers import Operator, Options, serve
        from oauthdeploy.operator.worker import Settings, Worker
    from oauthdeploy.running.lease import kubernetes_client

    kopf.configure(log_format=kopf.LogFormat.JSON if log_format == "json" else kopf.LogFormat.FULL)
    for noisy in ("httpx2", "kopf.objects"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = Options(namespaces, workers, per_namespace, per_server, health_listen)
    settings = Settings(Bounds(allow_server), per_server, state_dir, claim_seconds, lease_namespace or "")
    worker = Worker(Cluster(kubernetes_client()), settings)

    def make() -> Operator:
        made = Operator(worker, options)
        if metrics_listen is not None:
            port = made.metrics.listen(*metrics_listen)
            streams.write_talk(f"Metrics at http://{metrics_listen[0]}:{port}/metrics\n")
        return made

    serve(make, options)
