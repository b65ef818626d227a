"""A report as SARIF 2.1.0 (OASIS), so that a forge shows findings, planned changes and drift on the
changed lines of a pull request.

Built as plain JSON: the typed Python libraries for it are either no longer maintained (sarif-om) or accept anything
(sarif-pydantic), so neither would find a mistake; tests check the document against the schema instead.

A finding keeps its identity when lines move: its fingerprint is computed from the rule, the file, the object, the field and
the words of the line, but not from the line number. Equal findings are distinguished by their order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan, path_text
from oauthdeploy.model.explanation import RuleFacts
from oauthdeploy.planning.json_documents import Document
from oauthdeploy.planning.unread import Unread, not_known
from oauthdeploy.reports.document import Report
from oauthdeploy.reports.json import to_text
from oauthdeploy.reports.results import results_of

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "oauthdeployFinding/v1"
ROOT: Final = "%SRCROOT%"
NameFile = Callable[[str], Mapping[str, str]]
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render_sarif(report: Report, rules: Mapping[str, RuleFacts], *, version: str, base: str, root: str) -> str:
    """The report as a SARIF log; the parameters are those of `sarif_document`."""
    found = Diagnostics.of(results_of(report))
    return to_text(
        sarif_document(
            found,
            rules,
            command=report.run.value,
            version=version,
            files=report.files,
            base=base,
            root=root,
            unread=report.unread,
        )
    )


def sarif_document(
    diagnostics: Diagnostics,
    rules: Mapping[str, RuleFacts],
    *,
    command: str,
    version: str,
    files: Sequence[str] = (),
    base: str = "",
    root: str = "",
    unread: Sequence[Unread] = (),
) -> Document:
    """The findings of one run of `command` as a SARIF log.

    `rules` explains the rules by id; a missing one is described by its first finding. `version` is that of the tool. A
    finding without a position is shown at the top of the first of `files`, because forges reject one without. Relative file
    names start from the folder `base`; files below the repository's folder `root` are named from there, so that a forge
    finds them. Both are absolute paths; without them names are unchanged. `unread` is what could not be read, so that the
    results may be incomplete: the run is then not successful, and says why (section 3.20).
    """
    name_file = partial(_artifact, base=base, root=root)
    top = SourceSpan(files[0] if files else "-", 1, 1)
    found = sorted(diagnostics, key=lambda item: item.sort_key)
    order = {name: index for index, name in enumerate(sorted({item.rule for item in found}))}
    first = {item.rule: item for item in reversed(found)}
    driver: Document = {
        "name": "oauthdeploy",
        "semanticVersion": version,
        "rules": [_rule(first[name], rules.get(name)) for name in order],
    }
    run: Document = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"oauthdeploy/{command}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(unread)],
        "results": _results(found, order, top, name_file),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(unread: Sequence[Unread]) -> Document:
    invocation: Document = {"executionSuccessful": not unread}
    if unread:
        invocation["toolExecutionNotifications"] = [
            {"level": "error", "descriptor": {"id": "not-known"}, "message": {"text": not_known((item,))}}
            for item in unread
        ]
    return invocation


# -- rules --------------------------------------------------------------------------------------------------------------


def _rule(finding: Diagnostic, facts: RuleFacts | None) -> Document:
    if facts is None:
        words = finding.fix or finding.summary
        return {
            "id": finding.rule,
            "shortDescription": {"text": finding.summary},
            "help": {"text": words},
            "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        }
    descriptor: Document = {
        "id": facts.id,
        "name": "".join(part.capitalize() for part in facts.id.split("-")),
        "shortDescription": {"text": facts.title},
        "fullDescription": {"text": facts.reason},
        "help": {"text": _help(facts), "markdown": _help_markdown(facts)},
        "defaultConfiguration": {"level": _LEVELS[Severity(facts.severity)]},
        "properties": {"tags": ["oauth", "structural"] if facts.structural else ["oauth"], "source": facts.source},
    }
    if facts.links:
        descriptor["helpUri"] = facts.links[0]
    return descriptor


def _help(rule: RuleFacts) -> str:
    parts = [rule.reason, f"Source: {rule.source}.", f"Fix: {rule.fix}", f"Bad:\n{rule.bad}", f"Good:\n{rule.good}"]
    return "\n\n".join(parts)


def _help_markdown(rule: RuleFacts) -> str:
    source = ", ".join(f"[{link.rpartition('/')[2]}]({link})" for link in rule.links)
    lines = [
        rule.reason,
        "",
        f"**Source:** {rule.source}." + (f" {source}" if source else ""),
        "",
        f"**Fix:** {rule.fix}",
    ]
    for word, text in (("Bad", rule.bad), ("Good", rule.good)):
        lines += ["", f"{word}:", "", "```yaml", text, "```"]
    return "\n".join(lines)


# -- results ------------------------------------------------------------------------------------------------------------


def _results(
    found: Sequence[Diagnostic], order: Mapping[str, int], top: SourceSpan, name_file: NameFile
) -> list[Document]:
    seen: Counter[str] = Counter()
    results: list[Document] = []
    for item in found:
        digest = _digest(item, name_file)
        seen[digest] += 1
        results.append(
            {
                "ruleId": item.rule,
                "ruleIndex": order[item.rule],
                "level": _LEVELS[item.severity],
                "message": {"text": _message(item)},
                "locations": [_location(item, item.span or top, name_file)],
                "partialFingerprints": {FINGERPRINT: f"{digest}:{seen[digest]}"},
            }
        )
    return results


def _message(item: Diagnostic) -> str:
    """The detail, then the fix; a viewer lists the first sentence."""
    return "\n".join(part for part in (f"{item.summary}.", item.detail, item.fix) if part)


def _location(item: Diagnostic, span: SourceSpan, name_file: NameFile) -> Document:
    region = {"startLine": max(1, span.line), "startColumn": max(1, span.column)}
    location: Document = {"physicalLocation": {"artifactLocation": dict(name_file(span.file)), "region": region}}
    name = ", ".join(part for part in (item.address, path_text(item.path)) if part)
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": name}]
    return location


def _artifact(file: str, *, base: str, root: str) -> dict[str, str]:
    """A file as a URI: relative to the root of the repository if it is below that, otherwise absolute."""
    if file in ("", "-"):
        return {"uri": "stdin"}
    path = _normal(PurePath(base, file))
    if root and path.is_relative_to(root):
        path = path.relative_to(root)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix(), errors="surrogateescape"), "uriBaseId": ROOT}


def _normal(path: PurePath) -> PurePath:
    """The path without `..`, if that follows from the path alone."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", path.anchor):
            parts.pop()
        else:
            parts.append(part)
    return PurePath(*parts)


def _digest(item: Diagnostic, name_file: NameFile) -> str:
    file = name_file(item.span.file)["uri"] if item.span is not None else ""
    field = path_text(tuple(part for part in item.path if isinstance(part, str)))
    words = " ".join(item.span.text.split()) if item.span is not None and item.span.text else item.detail
    return _sha((item.rule, file, item.address, field, words))


def _sha(parts: Iterable[str]) -> str:
    text = "\x00".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
