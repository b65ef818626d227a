"""What is wrong, where, why, and how to put it right: one value for every finding of every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

MAX_FINDINGS = 1000
"""How many findings are kept and shown; the rest is counted."""
REST = "more-findings"
"""The rule of the finding that stands for those that were left out."""

Path = tuple[str | int, ...]
"""The path from the top of a document to a value: keys and list positions."""


class Severity(StrEnum):
    """How much a finding weighs: an error stops, a warning is shown, information is for the interested."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Errors first."""
        return list(Severity).index(self)


@dataclass(frozen=True, order=True)
class SourceSpan:
    """A place in a file. Lines and columns count from 1.

    `text` is the source line for showing, or the part of it around the place; secrets are masked in it, so the place may stand
    elsewhere in it than at its column: `caret` is its place in `text`, from 1 (0: at the column).
    """

    file: str
    line: int
    column: int
    text: str = field(default="", compare=False)
    caret: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def path_text(path: Path) -> str:
    """Write a path as people do: `clients.web-shop.redirect_uris[0]`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


@dataclass(frozen=True)
class Diagnostic:
    """One finding.

    `rule` is a stable id; `summary` is fixed for the rule; `detail` holds the names and the reason; `fix` says what to do.
    `address` is the written form of an object's address, where the finding is about one. `path` leads to the value in the
    manifest; `span` is its place in a file, found from the path when there is a report to make.
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
        """By place; what has no place comes first, by address."""
        place = ("", 0, 0) if self.span is None else (self.span.file, self.span.line, self.span.column)
        return (*place, self.address, self.rule, self.detail)


@dataclass(frozen=True)
class Diagnostics:
    """An ordered collection of findings; a value, so that steps hand it on instead of writing to it.

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
        """At most `limit` findings in their order, then one that counts the rest by rule.

        Errors are kept before warnings and those before information, since a warning must not hide what stops.
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
        """How many findings of a severity there are, with those that were left out."""
        shown = sum(item.severity is severity and item.rule != REST for item in self.items)
        return shown + sum(number for _, weight, number in self.beyond if weight is severity)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that stop."""
        return tuple(item for item in self.items if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that are shown and don't stop."""
        return tuple(item for item in self.items if item.severity is Severity.WARNING)

    def __add__(self, other: Diagnostics) -> Diagnostics:
        return Diagnostics(self.items + other.items, self.beyond + other.beyond)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return bool(self.items)
