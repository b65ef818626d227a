"""`oauthdeploy drift`: report how the servers differ from the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import host_and_port, leave, option
from oauthdeploy.cli.options import Reach, Source, bundle, duration, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output, say_unread
from oauthdeploy.cli.plan import plan_exit
from oauthdeploy.cli.reporting import FORMS, view_of
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import date

    from oauthdeploy.cli.metrics import Metrics
    from oauthdeploy.manifest.api import Manifest
    from oauthdeploy.manifest.baselines import BaselineFile
    from oauthdeploy.planning.drift.classification import DriftReport
    from oauthdeploy.workflow import DriftRound, RunOptions


class Known(Struct, frozen=True):
    """Which differences count, and how new ones are recorded."""

    unnamed: str = "drift"
    baseline: str | None = None
    write_baseline: bool = False
    owner: str = ""
    reason: str = ""
    expires: str = "90d"

    def read(self) -> BaselineFile | None:
        """The baseline; None if none was named, or if it is still to be written. Raises ManifestInvalid."""
        from oauthdeploy.workflow import read_baseline

        if self.baseline is None:
            if self.write_baseline:
                raise click.UsageError("--write-baseline needs --baseline FILE to write to.")
            return None
        if self.write_baseline and not Path(self.baseline).exists():
            return None
        return read_baseline(self.baseline)

    def options(self, reach: Reach) -> RunOptions:
        """The options for `workflow`: a baseline that names no servers gets them when it is written."""
        from oauthdeploy.workflow.server_identity import NOT_RECORDED

        options = reach.options()
        return replace(options, allow=(*options.allow, NOT_RECORDED)) if self.write_baseline else options


_known_flags = (
    option(
        "--unnamed",
        env="UNNAMED",
        type=click.Choice(["drift", "ignore"]),
        default="drift",
        show_default=True,
        help="Count live scopes, clients and associations that the manifest does not name as drift.",
    ),
    option(
        "--baseline",
        env="BASELINE",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Accept known drift: a YAML file with the owner, reason and last day of each entry.",
    ),
    option(
        "--write-baseline",
        env="WRITE_BASELINE",
        is_flag=True,
        help="Add the current drift to the baseline, keeping its entries and comments.",
    ),
    option("--owner", env="BASELINE_OWNER", default="", metavar="NAME", help="Owner of the added entries."),
    option("--reason", env="BASELINE_REASON", default="", metavar="TEXT", help="Reason for the added entries."),
    option(
        "--expires",
        env="BASELINE_EXPIRES",
        default="90d",
        show_default=True,
        metavar="WHEN",
        help="Last day of the added entries: a date such as 2027-01-31, or a duration from today.",
    ),
)


class Watch(Struct, frozen=True):
    """How often to check, and where metrics are written."""

    watch: int | None = None
    metrics_listen: tuple[str, int] | None = None
    metrics_file: str | None = None


def _interval(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    seconds = duration(context, parameter, value)
    if seconds < 1:
        raise click.BadParameter("write at least 1s.")
    return seconds


_watch_flags = (
    option(
        "--watch",
        env="WATCH",
        metavar="INTERVAL",
        callback=_interval,
        help="Check repeatedly, for example every 5m, until Ctrl-C or SIGTERM. A server that is down does not end the watch.",
    ),
    option(
        "--metrics-listen",
        env="METRICS_LISTEN",
        metavar="HOST:PORT",
        callback=host_and_port,
        help="Serve Prometheus metrics at this address while watching; :PORT listens on 127.0.0.1.",
    ),
    option(
        "--metrics-file",
        env="METRICS_FILE",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Write metrics to this file after each check, for the node exporter's textfile collector.",
    ),
)


@command(
    examples=(
        ("oauthdeploy drift", "compare the servers with the manifest"),
        ("oauthdeploy drift --watch 10m", "look again every ten minutes"),
    ),
    main=("file", "environment", "baseline", "watch", "sinks"),
)
@manifest_options
@reach_options
@bundle(Known, "known", _known_flags)
@bundle(Watch, "watch", _watch_flags)
@output_options(*FORMS)
def drift(source: Source, reach: Reach, known: Known, watch: Watch, output: Output) -> None:
    """Report how the servers differ from the manifest, by class.

    \b
    missing          in the manifest, but not on the server
    unexpected       on the server, but not in the manifest
    changed          a field that the manifest sets differs
    sides disagree   a resource server and its authorization server differ
    cannot compare   the server does not return a field; never drift
    unreadable       the server refused to list a kind of object; never drift

    Exit code 8 if something that the manifest manages could not be read, 5 if repairing the drift needs a change of the risk
    that --fail-on names, 2 if there is drift that no baseline accepts; a watch that you stop ends with 0. The servers are read
    over connections that refuse to write.
    """
    baseline = known.read()
    if watch.metrics_listen is not None and watch.watch is None:
        raise click.UsageError("--metrics-listen needs --watch INTERVAL; --metrics-file works without it.")
    if watch.watch is not None:
        if known.write_baseline:
            raise click.UsageError("--write-baseline cannot be combined with --watch.")
        if source.takes_stdin:
            raise click.UsageError(
                "--watch reads the manifest again for each check, but standard input can be read only once."
            )
        _watch(source, reach, known, watch, baseline, output)
        return
    until = _last_day(known.expires) if known.write_baseline else None
    report, manifest = _once(source, reach, known, watch, baseline, output)
    drifted = report.drifted
    if until is not None:
        drifted = _write(report, manifest, known, baseline, until, output)
    say_unread(report.plan.unread, output)
    code = plan_exit(report.plan, reach, detailed=False)
    leave(code or (ExitCode.CHANGES if drifted else ExitCode.DONE))


def _once(
    source: Source, reach: Reach, known: Known, watch: Watch, baseline: BaselineFile | None, output: Output
) -> tuple[DriftReport, Manifest]:
    """Check once and report. Writes the metrics file before it raises an error."""
    from oauthdeploy import workflow
    from oauthdeploy.core.errors import ServersFailed
    from oauthdeploy.reports.builders.drift import drift_report

    unnamed = known.unnamed == "drift"
    metrics = _metrics(watch)
    if metrics is None or watch.metrics_file is None:
        report, manifest = workflow.detect_drift(
            source.request(), known.options(reach), unnamed=unnamed, baseline=baseline
        )
        output.emit_report(drift_report(report, view_of(manifest)))
        return report, manifest
    found = _look(source, reach, known)
    metrics.take(found)
    metrics.write(Path(watch.metrics_file))
    down = list(found.down.values())
    if found.error is not None:
        raise found.error
    if found.report is None or found.manifest is None or down:
        raise ServersFailed(down) if len(down) > 1 else down[0]
    _emit(found, output)
    return found.report, found.manifest


def _look(source: Source, reach: Reach, known: Known) -> DriftRound:
    from oauthdeploy import workflow

    existing = known.baseline if known.baseline is not None and Path(known.baseline).exists() else None
    baseline = existing if known.write_baseline else known.baseline
    return workflow.look_for_drift(
        source.request(), known.options(reach), unnamed=known.unnamed == "drift", baseline=baseline
    )


def _emit(found: DriftRound, output: Output, *, lines: bool = False) -> None:
    """Write the report, if anything could be read; `lines`: JSON on one line."""
    from oauthdeploy.reports.builders.drift import drift_report

    if found.report is not None:
        output.emit_report(drift_report(found.report, view_of(found.manifest)), one_line=lines)


# -- watch ------------------------------------------------------------------------------------------------------------


def _metrics(watch: Watch) -> Metrics | None:
    if watch.metrics_file is None and watch.metrics_listen is None:
        return None
    from oauthdeploy.cli.metrics import Metrics

    return Metrics()


def _watch(
    source: Source, reach: Reach, known: Known, watch: Watch, baseline: BaselineFile | None, output: Output
) -> None:
    from oauthdeploy.cli.watch import Stop
    from oauthdeploy.reports.diagnostics import render_error
    from oauthdeploy.workflow.connections import load
    from oauthdeploy.workflow.server_identity import require_own_baseline

    # An error that exists from the start is not waited out.
    manifest = load(source.request(), known.options(reach))
    if baseline is not None:
        require_own_baseline(baseline.baseline, baseline.source.name, manifest, known.options(reach))
    metrics = _metrics(watch)
    number = 0

    def look() -> None:
        nonlocal number
        found = _look(source, reach, known)
        number += 1
        if metrics is not None:
            metrics.take(found)
            if watch.metrics_file is not None:
                metrics.write(Path(watch.metrics_file))
        state = "incomplete" if not found.complete else "drift" if found.report and found.report.drifted else "no drift"
        output.talk(f"\n{found.begun:%Y-%m-%dT%H:%M:%SZ}  check {number}: {state}, in {found.seconds:.1f} s")
        _emit(found, output, lines=True)
        for error in (found.error, *found.down.values()):
            if error is not None:
                streams.write_talk(render_error(error, output.talk_look()))

    try:
        if metrics is not None and watch.metrics_listen is not None:
            host, _ = watch.metrics_listen
            port = metrics.listen(*watch.metrics_listen)
            shown = f"[{host}]" if ":" in host else host
            output.talk(f"Metrics at http://{shown}:{port}/metrics")
        with Stop() as stop:
            stop.every(watch.watch or 1, look)
    finally:
        if metrics is not None:
            metrics.close()
    output.talk(f"Stopped after {number} checks.")


# -- the baseline -----------------------------------------------------------------------------------------------------


def _last_day(text: str) -> date:
    """The last day for `--expires`. Raises click.BadParameter."""
    from datetime import timedelta

    from oauthdeploy.model.fields import parse_date, parse_duration
    from oauthdeploy.running.clock import utc_now

    try:
        return parse_date(text)
    except ValueError:
        pass
    try:
        return (utc_now() + timedelta(seconds=parse_duration(text))).date()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            "write a date such as 2027-01-31 or a duration such as 90d.", param_hint="--expires"
        ) from None


def _write(
    report: DriftReport, manifest: Manifest, known: Known, baseline: BaselineFile | None, until: date, output: Output
) -> bool:
    """Write the differences that count and the servers into the baseline; returns whether drift is left that it does not
    accept.
    """
    from oauthdeploy.manifest.editing.baseline_entries import with_entries
    from oauthdeploy.manifest.editing.files import create_file, replace_file
    from oauthdeploy.planning.drift.baseline import Baseline, entries_for, overdue
    from oauthdeploy.reports.formatting import counted
    from oauthdeploy.running.clock import utc_now
    from oauthdeploy.workflow.server_identity import baseline_servers

    name = known.baseline or ""
    has = baseline.baseline if baseline is not None else Baseline(version=1)
    entries = entries_for(
        report, has, utc_now().date(), owner=known.owner.strip(), reason=known.reason.strip(), expires=until
    )
    left = len(overdue(report, has, utc_now().date()))
    servers = baseline_servers(manifest, report.plan, has)
    bound = has.servers == servers and has.environment == manifest.environment
    if entries or (baseline is not None and not bound):
        source = baseline.source if baseline is not None else None
        written = with_entries(source, entries, servers, manifest.environment)
        text = streams.without_secrets(written, references=False).encode("utf-8")
        if baseline is None:
            create_file(name, text)
        else:
            replace_file(name, Path(name).read_bytes(), text)
    if not bound and baseline is not None:
        output.talk(f"{name} is now about {', '.join(sorted(servers))}.")
    if entries:
        output.talk(f"Added {counted(len(entries), 'entry', 'entries')} to {name}, accepted until {until}.")
        if not (known.owner.strip() and known.reason.strip()):
            output.talk(
                f"Add an owner and a reason to each entry, by hand or with --owner and --reason; until then {name} is refused."
            )
    else:
        output.talk(f"Nothing to add to {name}.")
    if left:
        output.talk(f"{counted(left, 'difference')} remain: their entries have expired. Set a later date by hand.")
    return left > 0
