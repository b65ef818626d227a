"""Metrics of a watch for Prometheus: at their own address, or in a file for the node exporter's textfile collector.

The numbers are those of the last check. What could not be read has no number of differences, since it is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.extras import needs_extra
from oauthdeploy.planning.drift.classification import DriftClass

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from oauthdeploy.workflow import DriftRound

_PREFIX: Final = "oauthdeploy_drift"


class MetricsFailed(OAuthDeployError):
    """Metrics cannot be written or served."""

    rule = "metrics-failed"


class Metrics:
    """Keeps the last check and serves its metrics. Raises ExtraMissing if the library is not installed."""

    def __init__(self) -> None:
        with needs_extra("metrics", "`oauthdeploy drift` with metrics"):
            from prometheus_client import CollectorRegistry
        self._last: DriftRound | None = None
        self._rounds: Counter[str] = Counter()
        self._name = ""
        self._seen: dict[str, float] = {}
        self._registry: CollectorRegistry = CollectorRegistry()
        self._registry.register(_Collector(self._families))
        self._stop: Callable[[], None] = lambda: None

    def take(self, found: DriftRound) -> None:
        """Record one check."""
        self._last = found
        result = "failed" if not found.complete else "drift" if found.report and found.report.drifted else "clean"
        self._rounds[result] += 1
        if found.manifest is not None:
            self._name = found.manifest.desired.name
        if found.report is not None:
            moment = found.begun.timestamp() + found.seconds
            self._seen.update(dict.fromkeys(found.report.requests, moment))

    def listen(self, host: str, port: int) -> int:
        """Serve `/metrics`; returns the port, which the system chooses for 0. Raises MetricsFailed."""
        from prometheus_client import start_http_server

        try:
            server, thread = start_http_server(port, host, self._registry)
        except OSError as error:
            raise MetricsFailed(
                "Metrics cannot be served",
                detail=f"{host}:{port}: {error.strerror}.",
                fix="Choose another address with --metrics-listen HOST:PORT.",
            ) from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(timeout=5)

        self._stop = stop
        return int(server.server_port)

    def close(self) -> None:
        """Stop serving."""
        self._stop()

    def write(self, path: Path) -> None:
        """Write a file in one step, readable by all: a collector runs under another account. Raises MetricsFailed."""
        from prometheus_client import generate_latest

        from oauthdeploy.cli.output import write_file

        write_file(path, generate_latest(self._registry).decode("utf-8"))

    # -- metrics ------------------------------------------------------------------------------------------------------

    def _families(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        found, name = self._last, self._name

        def gauge(what: str, about: str, labels: tuple[str, ...] = ()) -> Any:
            return GaugeMetricFamily(f"{_PREFIX}_{what}", about, labels=("manifest", *labels))

        rounds = CounterMetricFamily(f"{_PREFIX}_rounds", "Drift checks by result.", labels=("manifest", "result"))
        for result in ("clean", "drift", "failed"):
            rounds.add_metric((name, result), self._rounds[result])
        yield rounds
        seen = gauge("last_success_timestamp_seconds", "When the server was last read, in Unix time.", ("server",))
        for server, moment in sorted(self._seen.items()):
            seen.add_metric((name, server), moment)
        yield seen
        if found is None:
            return
        for what, about, value in (
            ("last_run_timestamp_seconds", "When the last check began, in Unix time.", found.begun.timestamp()),
            ("duration_seconds", "How long the last check took.", found.seconds),
            ("complete", "1 if the last check read every server.", float(found.complete)),
        ):
            one = gauge(what, about)
            one.add_metric((name,), value)
            yield one
        yield self._up(gauge("server_up", "1 if the server answered the last check.", ("server",)), found)
        if found.report is not None:
            yield from self._differences(gauge, found)

    def _up(self, up: Any, found: DriftRound) -> Any:
        read = found.report.requests if found.report is not None else {}
        for server in sorted({*read, *found.down}):
            up.add_metric((self._name, server), 0.0 if server in found.down else 1.0)
        return up

    def _differences(self, gauge: Callable[..., Any], found: DriftRound) -> Iterator[Metric]:
        report = found.report
        if report is None:
            return
        detected = gauge("detected", "1 if there is drift that no baseline accepts.")
        detected.add_metric((self._name,), float(report.drifted))
        yield detected
        counted = Counter((item.address.server, item.kind) for item in report.items if item.accepted is None)
        accepted = Counter((item.address.server, item.kind) for item in report.accepted)
        for what, about, numbers in (
            ("items", "Differences by server and class, without accepted ones.", counted),
            ("accepted_items", "Differences that the baseline accepts, by server and class.", accepted),
        ):
            family = gauge(what, about, ("server", "class"))
            for server in sorted(report.requests):
                for kind in DriftClass:
                    family.add_metric((self._name, server, kind.value), numbers[server, kind])
            yield family
        requests = gauge("requests", "Requests of the last check, by server.", ("server",))
        for server, number in report.requests.items():
            requests.add_metric((self._name, server), number)
        yield requests
        left = gauge("left_alone_objects", "Live objects that the manifest does not name and that were left out.")
        left.add_metric((self._name,), report.left_alone)
        yield left
        if report.baseline is not None:
            entries = gauge("baseline_entries", "Baseline entries by state.", ("state",))
            use = report.baseline
            states = (("active", use.active), ("expired", len(use.expired)), ("unused", len(use.unused)))
            for state, number in states:
                entries.add_metric((self._name, state), number)
            yield entries


class _Collector:
    """Called by the library for the metrics."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The metrics of the last check."""
        return self._families()
