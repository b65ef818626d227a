"""A report as JUnit XML, for pipelines that show test reports.

The run itself is a case that fails if the command fails, so that a report is never empty: some viewers treat an empty one as
a broken run. Each object of each server is a case: it fails for a difference or a failed change, passes for a change that is
planned or was made, and is skipped if the change was not tried or the object cannot be compared. Each finding is a case,
named by its rule and object and not by its line, so that it stays the same case when lines move; an error fails its case, a
warning or an information passes with its text as output.

Viewers distinguish cases by class and name (GitLab) and show the text of a failure rather than its `message`, so both have
the full text. Viewers that annotate pull requests read `file` and `line`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Severity, SourceSpan, path_text
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.planning.outcome import Status
from oauthdeploy.reports.document import Item, Report, Run, Verdict
from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.results import finding_of, item_text

_CLAIMS: Final = {
    Run.PLAN: "the plan can be carried out",
    Run.APPLY: "every change was made",
    Run.DRIFT: "the servers match the manifest",
    Run.VALIDATE: "the manifest is valid",
    Run.COMPARE: "both sides are equal",
}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: Report) -> str:
    """The report as an XML text: the run itself, then a suite for each server or side, then one for each file."""
    command = report.run.value
    suites = [_run_suite(report)]
    suites += [_server_suite(report, name) for name in report.columns]
    by_file: dict[str, list[Diagnostic]] = {file: [] for file in report.files}
    for item in sorted((*report.all_findings, *_stop_findings(report)), key=lambda item: item.sort_key):
        by_file.setdefault(item.span.file if item.span is not None else "", []).append(item)
    suites += [_suite(file or command, command, found) for file, found in by_file.items() if found]
    root = ET.Element("testsuites", {"name": f"oauthdeploy {command}"} | _sums(suites))
    root.extend(suites)
    ET.indent(root)
    text = disarmed(ET.tostring(root, encoding="unicode"), colon="&#58;", hash_sign="&#35;")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _stop_findings(report: Report) -> Iterator[Diagnostic]:
    """Safety stops: a rule that is lifted for this run does not fail its case."""
    for stop in report.stops:
        yield replace(stop.finding, severity=Severity.WARNING) if stop.lifted else stop.finding


def _run_suite(report: Report) -> ET.Element:
    """The suite of the run itself: one case with the overall status."""
    command = report.run.value
    suite = ET.Element("testsuite", {"name": f"oauthdeploy {command}"})
    case = ET.SubElement(suite, "testcase", {"classname": command, "name": _CLAIMS[report.run], "time": "0"})
    if report.verdict is Verdict.FAILED or (report.verdict is Verdict.WAITING and report.run is not Run.PLAN):
        failure = ET.SubElement(case, "failure", {"message": _clean(report.headline), "type": report.verdict.value})
        failure.text = _clean(f"{report.headline} The cases of the other suites say why.")
    else:
        ET.SubElement(case, "system-out").text = _clean(report.headline)
    return _counted(suite)


# -- objects ------------------------------------------------------------------------------------------------------------


def _server_suite(report: Report, server: str) -> ET.Element:
    """A case for each object of a server. Planned and completed changes pass, differences and failed changes fail."""
    suite = ET.Element("testsuite", {"name": _clean(server)})
    for row in report.rows:
        item = row.items.get(server)
        if item is not None:
            suite.append(_item_case(report, item, f"{report.run.value}.{server}", row.name))
    return _counted(suite)


def _item_case(report: Report, item: Item, group: str, name: str) -> ET.Element:
    seconds = f"{item.end.seconds:.3f}" if item.end is not None else "0"
    attributes = {"classname": _clean(group), "name": _clean(f"{item.state.word} {name}"), "time": seconds}
    case = ET.Element("testcase", attributes | _location(item.place))
    found = finding_of(report, item)
    text = "\n".join(_clean(line) for line in item_text(item).split("\n"))
    if found is None:
        ET.SubElement(case, "system-out").text = f"{text}\n{item.end.words if item.end is not None else ''}"
    elif found.severity is Severity.ERROR:
        unknown = item.end is not None and item.end.status is Status.UNKNOWN
        kind = "error" if unknown else "failure"
        failure = ET.SubElement(case, kind, {"message": _clean(found.summary), "type": _clean(found.rule)})
        failure.text = f"{text}\n{_text(found)}" if item.end is not None else text
    elif report.run is Run.PLAN:
        ET.SubElement(case, "system-out").text = text
    else:
        ET.SubElement(case, "skipped", {"message": _clean(f"{found.summary}: {found.detail}")})
    return case


def _location(span: SourceSpan | None) -> dict[str, str]:
    return {"file": _clean(span.file), "line": str(span.line)} if span is not None else {}


# -- findings -----------------------------------------------------------------------------------------------------------


def _suite(name: str, command: str, found: Sequence[Diagnostic]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _clean(name)})
    names: Counter[str] = Counter()
    for item in found:
        label = _label(item)
        names[label] += 1
        number = f" ({names[label]})" if names[label] > 1 else ""
        suite.append(_case(item, f"{command}.{name}", label + number))
    return _counted(suite)


def _label(item: Diagnostic) -> str:
    where = item.address or path_text(item.path)
    field = item.path[2:] if item.address and len(item.path) > 2 else ()
    return " ".join(part for part in (item.rule, where, path_text(field)) if part)


def _case(item: Diagnostic, group: str, name: str) -> ET.Element:
    attributes = {"classname": _clean(group), "name": _clean(name), "time": "0"}
    case = ET.Element("testcase", attributes | _location(item.span))
    if item.severity is Severity.ERROR:
        failure = ET.SubElement(case, "failure", {"message": _clean(item.summary), "type": item.severity.value})
        failure.text = _text(item)
    else:
        ET.SubElement(case, "system-out").text = f"{item.severity.value}: {_text(item)}"
    return case


def _text(item: Diagnostic) -> str:
    place = ", ".join(part for part in (str(item.span or ""), item.address, path_text(item.path)) if part)
    lines = (f"{item.summary} [{item.rule}]", place, item.detail, item.fix)
    return "\n".join(_clean(line) for text in lines for line in text.split("\n") if line)


def _clean(text: str) -> str:
    """Text that XML can contain: other characters, and those that a log viewer would interpret or hide, are escaped."""
    return _NOT_XML.sub("\ufffd", visible(text))


def _counted(suite: ET.Element) -> ET.Element:
    ends = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    suite.attrib |= {"tests": str(len(suite))}
    suite.attrib |= {name: str(len(suite.findall(f"testcase/{kind}"))) for name, kind in ends.items()}
    suite.attrib["time"] = f"{sum(float(case.attrib['time']) for case in suite):.3f}"
    return suite


def _sums(suites: Sequence[ET.Element]) -> dict[str, str]:
    """The totals of the report; Jenkins' schema has no `skipped` here."""
    return {name: str(sum(int(suite.attrib[name]) for suite in suites)) for name in ("tests", "failures", "errors")}
