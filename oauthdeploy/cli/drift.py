"""`oauthdeploy drift`: report how the servers differ from the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Reach, Source, bundle, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output
from oauthdeploy.cli.plan import risk_exit
from oauthdeploy.cli.reporting import FORMS, view_of

if TYPE_CHECKING:
    from datetime import date

    from oauthdeploy.manifest.baselines import BaselineFile
    from oauthdeploy.planning.drift import DriftReport

DRIFT = 2


@dataclass(frozen=True)
class Known:
    """Which differences count, and how new ones are written down."""

    unnamed: str = "drift"
    baseline: str | None = None
    write_baseline: bool = False
    owner: str = ""
    reason: str = ""
    expires: str = "90d"

    def read(self) -> BaselineFile | None:
        """The baseline; None where none was named, or where it is still to be written. Raises ManifestInvalid."""
        from oauthdeploy.workflow import read_baseline

        if self.baseline is None:
            if self.write_baseline:
                raise click.UsageError("--write-baseline needs --baseline FILE to write to.")
            return None
        if self.write_baseline and not Path(self.baseline).exists():
            return None
        return read_baseline(self.baseline)


_known_flags = (
    option(
        "--unnamed",
        env="UNNAMED",
        type=click.Choice(["drift", "ignore"]),
        default="drift",
        show_default=True,
        help="Whether live scopes, clients and associations that the manifest doesn't name are drift.",
    ),
    option(
        "--baseline",
        env="BASELINE",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Known drift to accept: a YAML file with owner, reason and last day of each entry.",
    ),
    option(
        "--write-baseline",
        env="WRITE_BASELINE",
        is_flag=True,
        help="Add what counts now to the baseline, keeping its entries and comments.",
    ),
    option("--owner", env="BASELINE_OWNER", default="", metavar="NAME", help="Owner of the entries that are added."),
    option("--reason", env="BASELINE_REASON", default="", metavar="TEXT", help="Reason of the entries that are added."),
    option(
        "--expires",
        env="BASELINE_EXPIRES",
        default="90d",
        show_default=True,
        metavar="WHEN",
        help="Last day of the entries that are added: a date such as 2027-01-31, or a duration from today.",
    ),
)


@click.command()
@manifest_options
@reach_options
@bundle(Known, "known", _known_flags)
@output_options(*FORMS)
def drift(source: Source, reach: Reach, known: Known, output: Output) -> None:
    """Report how the servers differ from the manifest, by class.

    \b
    missing          the manifest has it, the server doesn't
    unexpected       the server has it, the manifest doesn't name it
    changed          a field that the manifest writes differs
    sides disagree   a resource server and its authorization server differ
    cannot compare   a server won't tell a field; never drift
    unreadable       a server wouldn't show a kind; never drift

    Exit code 2 where there is drift that no baseline accepts, 5 where its repair has a change of the risk that --fail-on names.
    Reads the servers on connections that refuse to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.building.drift import drift_report

    baseline = known.read()
    until = _last_day(known.expires) if known.write_baseline else None
    report, manifest = workflow.detect_drift(
        source.request(), reach.options(), unnamed=known.unnamed == "drift", baseline=baseline
    )
    output.emit_report(drift_report(report, view_of(manifest)))
    drifted = report.drifted
    if until is not None:
        drifted = _write(report, known, baseline, until, output)
    leave(risk_exit(report.plan, reach) or (DRIFT if drifted else 0))


def _last_day(text: str) -> date:
    """The last day that `--expires` means. Raises click.BadParameter."""
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


def _write(report: DriftReport, known: Known, baseline: BaselineFile | None, until: date, output: Output) -> bool:
    """Write what counts into the baseline; gives whether drift is left that it doesn't accept."""
    from oauthdeploy.manifest.baselines import with_entries
    from oauthdeploy.manifest.editing.files import create_file, replace_file
    from oauthdeploy.planning.baseline import Baseline, entries_for, overdue
    from oauthdeploy.reports.words import counted
    from oauthdeploy.running.clock import utc_now

    name = known.baseline or ""
    has = baseline.baseline if baseline is not None else Baseline(version=1)
    entries = entries_for(
        report, has, utc_now().date(), owner=known.owner.strip(), reason=known.reason.strip(), expires=until
    )
    left = len(overdue(report, has, utc_now().date()))
    if entries:
        text = with_entries(baseline.source if baseline is not None else None, entries).encode("utf-8")
        if baseline is None:
            create_file(name, text)
        else:
            replace_file(name, Path(name).read_bytes(), text)
        output.talk(f"Added {counted(len(entries), 'entry', 'entries')} to {name}, accepted until {until}.")
        if not (known.owner.strip() and known.reason.strip()):
            output.talk(
                f"Fill in who answers for them and why: until then {name} is refused. --owner and --reason do it."
            )
    else:
        output.talk(f"Nothing to add to {name}.")
    if left:
        output.talk(f"{counted(left, 'difference')} stay: their entries have expired. Give them a later day by hand.")
    return left > 0
