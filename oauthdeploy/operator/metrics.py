"""Metrics of the operator for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.operator.conditions import MEANINGS

_PREFIX: Final = "oauthdeploy_operator"


class MetricsNotServed(OAuthDeployError):
    """The address for metrics cannot be listened on."""

    rule = "metrics-failed"


class Metrics:
    """What the operator counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter(
            f"{_PREFIX}_runs", "Runs of estates, by the reason of their conditions", ["reason"], registry=self.registry
        )
        for meaning in MEANINGS.values():
            self._runs.labels(meaning.reason)
        self._seconds = Histogram(f"{_PREFIX}_run_seconds", "How long runs took", registry=self.registry)
        self._estates = Gauge(f"{_PREFIX}_estates", "Estates that the operator watches", registry=self.registry)
        self._running = Gauge(f"{_PREFIX}_running", "Runs in progress", registry=self.registry)
        self._overdue = Gauge(
            f"{_PREFIX}_overdue", "Estates that are due and wait for a worker", registry=self.registry
        )

    def count(self, code: ExitCode, seconds: float) -> None:
        """One run has ended."""
        self._runs.labels(MEANINGS[code].reason).inc()
        self._seconds.observe(seconds)

    def watch(self, estates: Callable[[], float], running: Callable[[], float], overdue: Callable[[], float]) -> None:
        """Take these numbers whenever somebody asks for them."""
        self._estates.set_function(estates)
        self._running.set_function(running)
        self._overdue.set_function(overdue)

    def listen(self, host: str, port: int) -> int:
        """Serve `/metrics`; returns the port, which the system chooses for 0. Raises MetricsNotServed."""
        try:
            server, _ = start_http_server(port, host, self.registry)
        except OSError as error:
            raise MetricsNotServed(
                "Metrics cannot be served",
                detail=f"{host}:{port}: {error.strerror or error}.",
                fix="Choose another address with --metrics-listen.",
            ) from None
        return int(server.server_port)
