"""Explains syntax errors of YAML, with fixes for common mistakes."""

from __future__ import annotations

import re
from typing import Final

import yaml

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.source import Source

MAX_DEPTH: Final = 64
"""How deep values may be nested."""
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_REFERENCE: Final = re.compile(r"\$\{[^{}]*\}|\$\{[^{}\s,\]]*")


def forbidden_character(source: Source) -> Diagnostic | None:
    """The first character that YAML forbids, or about which readers disagree; None if there is none."""
    match = _FORBIDDEN.search(source.text)
    if match is None:
        return None
    character = f"U+{ord(match[0]):04X}"
    return Diagnostic(
        "unsupported-yaml",
        "The file has a character that is not allowed in a manifest",
        f"{character} is invisible or not allowed in YAML, and parsers disagree about its meaning.",
        f'Remove it, or write it as an escape in double quotes: "\\u{ord(match[0]):04x}".',
        span=source.span_at(match.start()),
    )


def syntax_problem(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """Turn the parser's error into a finding, with fixes for common mistakes."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    what = str(getattr(error, "problem", None) or "the file cannot be parsed")
    context = getattr(error, "context", None)
    detail = f"{what[0].upper()}{what[1:]}{f' ({context})' if context else ''}."
    fix = "Check quotes, brackets and indentation here and in the line above."
    text = source.line(line)
    if "maximum nesting depth" in what:
        # libyaml's own limit (since 0.2.6), which it reaches while it searches for the end of a key.
        detail, fix = f"Values are nested more than {MAX_DEPTH} deep.", "Write flatter values."
        span = source.span(line, column)
        return Diagnostic("too-large", "The manifest is too large", detail, fix, span=span)
    if reference := _bare_reference(text, column):
        start, written = reference
        detail = f"Inside {{}} and [] YAML needs quotes around {written}, because braces have a meaning there."
        fix = f'Write "{written}" with the quotes.'
        column = start + 1
    elif "\t" in text[: max(column, 1)]:
        fix = "YAML does not allow tabs for indentation: use spaces."
    elif "cannot start any token" in what:
        fix = "Put the value in quotes."
    return Diagnostic("yaml-syntax", "The file is not valid YAML", detail, fix, span=source.span(line, column))


def _bare_reference(text: str, column: int) -> tuple[int, str] | None:
    """The unquoted `${...}` at or just before the column: its start (from 0) and text."""
    found = [
        (match.start(), match[0] if match[0].endswith("}") else match[0] + "}")
        for match in _REFERENCE.finditer(text)
        if text[: match.start()].count('"') % 2 == 0 and match.start() <= column + 1
    ]
    return found[-1] if found else None
