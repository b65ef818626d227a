"""Findings as JUnit XML, for pipelines that show test reports.

One test case for each finding, since viewers name a case, link its file and line, and show its text; the case is named by the
rule and the object, not by the line, so that it stays the same case when lines move. An error fails its case. A warning and an
information pass, with their text as output: the command didn't fail on them either. One more case for the manifest as a whole
passes where it is valid, so that a report is never empty, which some viewers take for a broken run.

The suite is the file. Viewers tell cases apart by class and name (GitLab) and show the text of a failure rather than its
`message`, so both hold all of it. `file` and `line` are read by those that annotate a pull request.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, path_text
from oauthdeploy.reports.words import visible

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(files: Sequence[str], diagnostics: Diagnostics, *, command: str, valid: bool) -> str:
    """The findings of one run of `command` over `files` as an XML text. `valid` says whether the command can go on."""
    by_file: dict[str, list[Diagnostic]] = {file: [] for file in files}
    for item in sorted(diagnostics, key=lambda item: item.sort_key):
        by_file.setdefault(item.span.file if item.span is not None else "", []).append(item)
    suites = [_suite(file or command, command, found) for file, found in by_file.items() if found]
    suites.insert(0, _whole(command, files, valid))
    root = ET.Element("testsuites", {"name": f"oauthdeploy {command}"} | _sums(suites))
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _whole(command: str, files: Sequence[str], valid: bool) -> ET.Element:
    """The suite of the run itself: one case that says whether the manifest is valid."""
    suite = ET.Element("testsuite", {"name": f"oauthdeploy {command}"})
    case = ET.SubElement(suite, "testcase", {"classname": command, "name": "the manifest is valid", "time": "0"})
    if not valid:
        failure = ET.SubElement(case, "failure", {"message": "The manifest is not valid", "type": "error"})
        failure.text = _clean(f"{', '.join(files)}: the cases of the other suites say why.")
    return _counted(suite)


def _suite(name: str, command: str, found: Sequence[Diagnostic]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _clean(name)})
    taken: Counter[str] = Counter()
    for item in found:
        label = _label(item)
        taken[label] += 1
        number = f" ({taken[label]})" if taken[label] > 1 else ""
        suite.append(_case(item, f"{command}.{name}", label + number))
    return _counted(suite)


def _label(item: Diagnostic) -> str:
    where = item.address or path_text(item.path)
    field = item.path[2:] if item.address and len(item.path) > 2 else ()
    return " ".join(part for part in (item.rule, where, path_text(field)) if part)


def _case(item: Diagnostic, group: str, name: str) -> ET.Element:
    attributes = {"classname": _clean(group), "name": _clean(name), "time": "0"}
    if item.span is not None:
        attributes |= {"file": _clean(item.span.file), "line": str(item.span.line)}
    case = ET.Element("testcase", attributes)
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
    """Text that XML can hold: what it can't, and what a log viewer would obey or hide, is written as an escape."""
    return _NOT_XML.sub("\ufffd", visible(text))


def _counted(suite: ET.Element) -> ET.Element:
    failures = len(suite.findall("testcase/failure"))
    suite.attrib |= {"tests": str(len(suite)), "failures": str(failures), "errors": "0", "skipped": "0", "time": "0"}
    return suite


def _sums(suites: Sequence[ET.Element]) -> dict[str, str]:
    return {
        name: str(sum(int(suite.attrib[name]) for suite in suites))
        for name in ("tests", "failures", "errors", "skipped")
    }
