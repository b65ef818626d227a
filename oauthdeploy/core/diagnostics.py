"""A finding: what is wrong, where, why, and how to fix it; the one type for the findings of every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

MAX_FINDINGS = 1000
"""How many findings are kept and shown; the rest are counted."""
REST = "more-findings"
"""The rule id of the finding that counts those left out."""

Path = tuple[str | int, ...]
"""The path from the top of a document to a value: keys and list positions."""


class Severity(StrEnum):
    """How severe a finding is: an error stops the run, a warning is shown, information is only shown on request."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Errors first."""
        return list(Severity).index(self)


class SourceSpan(Struct, frozen=True):
    """A place in a file. Lines and columns count from 1.

    `text` is the source line, or the part of it around the place. Secrets are masked in it, which can move the place: `caret`
    is its column in `text`, from 1 (0: same as the column).
    """

    file: str
    line: int
    column: int
    text: str = ""
    caret: int = 0

    @property
    def place(self) -> tuple[str, int, int]:
        """What two spans are compared by."""
        return (self.file, self.line, self.column)

    def __eq__(self, other: object) -> bool:
        return self.place == other.place if isinstance(other, SourceSpan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.place)

    def __lt__(self, other: SourceSpan) -> bool:
        return self.place < other.place

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def path_text(path: Path) -> str:
    """Write a path for people: `clients.web-shop.redirect_uris[0]`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def value_at(tree: Any, path: Path) -> Any:
    """The value at a path of nested mappings and lists; None if there is none."""
    for part in path:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


class Diagnostic(Struct, frozen=True):
    """One finding.

    `rule` is a stable id; `summary` is fixed for the rule; `detail` holds the names and the reason; `fix` says what to do.
    `address` is the written form of an object's address, if the finding is about one. `path` leads to the value in the
    manifest; `span` is its place in a file, located from the path only for a report.
    """

    rule: str
    summary: str
    detail: str = ""
    fix: str = ""
    severity: Severity = Severity.ERROR
    address: str = ""
    path: Path = ()
    span: SourceSpan | None = None

    def at(self, span: SourceSpan | None) -> Diagnostic:
        """The same finding with its place."""
        return replace(self, span=span)

    @property
    def sort_key(self) -> tuple[str, int, int, str, str, str]:
        """By place; findings without one come first, by address."""
        place = ("", 0, 0) if self.span is None else (self.span.file, self.span.line, self.span.column)
        return (*place, self.address, self.rule, self.detail)


class Diagnostics(Struct, frozen=True):
    """An immutable, ordered collection of findings.

    `beyond` counts what `first` left out: rule, severity, number.
    """

    items: tuple[Diagnostic, ...] = ()
    beyond: tuple[tuple[str, Severity, int], ...] = ()

    @classmethod
    def of(cls, items: Iterable[Diagnostic]) -> Diagnostics:
        """Collect findings from any iterable."""
        return cls(tuple(items))

    def sorted(self) -> Diagnostics:
        """The same findings by place, without repetitions."""
        return Diagnostics(tuple(sorted(dict.fromkeys(self.items), key=lambda item: item.sort_key)), self.beyond)

    def first(self, limit: int = MAX_FINDINGS) -> Diagnostics:
        """At most `limit` findings in their order, then one that counts the rest by rule id.

        Errors are kept before warnings, and warnings before information.
        """
        if len(self.items) <= limit:
            return self
        ranked = sorted(range(len(self.items)), key=lambda index: (self.items[index].severity.rank, index))
        kept = tuple(self.items[index] for index in sorted(ranked[:limit]))
        rest = Counter((self.items[index].rule, self.items[index].severity) for index in ranked[limit:])
        rules: Counter[str] = Counter()
        for (rule, _), number in rest.items():
            rules[rule] += number
        listed = ", ".join(f"{rule} {number:,}" for rule, number in sorted(rules.items()))
        last = Diagnostic(
            REST,
            "Not all findings are shown",
            f"And {rest.total():,} more, by rule: {listed}.",
            "Fix the findings above and run the command again.",
            min((severity for _, severity in rest), key=lambda severity: severity.rank),
        )
        counted = tuple((rule, severity, number) for (rule, severity), number in sorted(rest.items()))
        return Diagnostics((*kept, last), self.beyond + counted)

    def count(self, severity: Severity) -> int:
        """The number of findings of a severity, including those that were left out."""
        shown = sum(item.severity is severity and item.rule != REST for item in self.items)
        return shown + sum(number for _, weight, number in self.beyond if weight is severity)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that stop the run."""
        return tuple(item for item in self.items if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that are shown but do not stop the run."""
        return tuple(item for item in self.items if item.severity is Severity.WARNING)

    def __add__(self, other: Diagnostics) -> Diagnostics:
        return Diagnostics(self.items + other.items, self.beyond + other.beyond)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return bool(self.items)
