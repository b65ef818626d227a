"""JUnit XML: what viewers of test reports make of findings."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import junitparser
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.model.state import DesiredState
from oauthdeploy.reports.builders.validation import validation_report
from oauthdeploy.reports.document import Report
from oauthdeploy.reports.junit import render_junit
from tests.reports.test_sarif import ERROR

WARNING = Diagnostic(
    "scope-opens-nothing",
    "Scope gives access to nothing",
    severity=Severity.WARNING,
    address="scope/x",
    span=SourceSpan("deploy/shop.yaml", 7, 3),
)


def report_of(*items: Diagnostic, files: tuple[str, ...] = ("deploy/shop.yaml",), valid: bool = False) -> Report:
    return validation_report(files, Diagnostics(items), DesiredState("shop", {}, {}) if valid else None)


def read(*items: Diagnostic, files: tuple[str, ...] = ("deploy/shop.yaml",), valid: bool = False) -> Any:
    """The report as an independent reader sees it."""
    text = render_junit(report_of(*items, files=files, valid=valid))
    return junitparser.JUnitXml.fromstring(text.encode())


def cases(report: Any) -> list[Any]:
    return [case for suite in report for case in suite]


def test_an_error_fails_and_a_warning_does_not() -> None:
    """The report fails where the command does; a warning is told in the output of its case."""
    report = read(WARNING, ERROR)
    assert (report.tests, report.failures, report.errors, report.skipped) == (3, 2, 0, 0)
    assert [suite.name for suite in report] == ["oauthdeploy validate", "deploy/shop.yaml"]
    _, warning, error = cases(report)
    assert warning.is_passed
    assert warning.system_out.startswith("warning: Scope gives access to nothing [scope-opens-nothing]")
    (failure,) = error.result
    assert failure.message == "Redirect URI is not secure"
    assert failure.text.splitlines() == [
        "Redirect URI is not secure [redirect-uri-not-https]",
        "deploy/shop.yaml:41:21, client/web-shop, clients.web-shop.redirect_uris[0]",
        ERROR.detail,
        "Use https.",
    ]


def test_a_case_names_file_and_line_for_those_who_annotate() -> None:
    """And its own name has no line in it, so that it is the same case when lines move."""
    text = render_junit(report_of(ERROR))
    case = ET.fromstring(text).find("testsuite[2]/testcase")
    assert case is not None
    assert case.attrib == {
        "classname": "validate.deploy/shop.yaml",
        "name": "redirect-uri-not-https client/web-shop redirect_uris[0]",
        "time": "0",
        "file": "deploy/shop.yaml",
        "line": "41",
    }


def test_a_report_without_findings_is_not_empty() -> None:
    """Viewers take an empty report for a run that broke."""
    report = read(valid=True)
    assert (report.tests, report.failures) == (1, 0)
    assert [(case.name, case.is_passed) for case in cases(report)] == [("the manifest is valid", True)]


def test_equal_findings_are_cases_of_their_own() -> None:
    """Viewers know a case by class and name, and would show only one of two with the same."""
    assert ERROR.span is not None
    report = read(ERROR, replace(ERROR, span=replace(ERROR.span, line=50)), replace(ERROR, span=None, detail="x"))
    names = [(case.classname, case.name) for case in cases(report)]
    assert len(set(names)) == len(names) == 4


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.text(min_size=1), st.sampled_from(Severity)), max_size=5))
def test_any_text_makes_xml_that_counts_right(found: list[tuple[str, str, str, Severity]]) -> None:
    """Control characters, lone surrogates, markup: always well-formed, with one case for each finding."""
    items = [Diagnostic("x", a, b, severity=s, address=a, span=SourceSpan(file, 1, 1)) for a, b, file, s in found]
    report = read(*items, valid=True)
    unique = list(dict.fromkeys(items))
    assert report.tests == 1 + len(items)
    assert report.failures == sum(item.severity is Severity.ERROR for item in items)
    assert len({(suite.name, case.classname, case.name) for suite in report for case in suite}) >= len(unique)
