"""What formatting changes, as a unified diff that shows no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oauthdeploy.manifest.editing.alignment import Alignment
from oauthdeploy.manifest.locate import Index
from oauthdeploy.manifest.source import Source

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
_CONTEXT = 3


def unified_diff(before: Source, after: Source) -> Iterator[str]:
    """The lines of the diff, without line ends. Literal secrets are masked, so the diff is for reading, not for `patch`.

    A line that differs only in its end is shown too: a carriage return as `\\r`, a missing last line end as in diff.
    """
    old, new = _lines(before.text), _lines(after.text)
    matcher = Alignment(old, new)
    yield f"--- {before.name}"
    yield f"+++ {after.name} (formatted)"
    shown_old, shown_new = Index(before), Index(after)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from _side(" ", old, old_start, old_end, shown_old)
                continue
            yield from _side("-", old, old_start, old_end, shown_old)
            yield from _side("+", new, new_start, new_end, shown_new)


def _lines(text: str) -> list[tuple[str, str]]:
    """The lines, including their ends."""
    found = [(match[1], match[2]) for match in _LINE.finditer(text)]
    return found[:-1] if found and found[-1] == ("", "") else found


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _side(sign: str, lines: list[tuple[str, str]], start: int, end: int, index: Index) -> Iterator[str]:
    for number in range(start, end):
        ending = lines[number][1]
        yield f"{sign}{index.line(number + 1)}{'' if ending in ('', chr(10)) else ending.replace(chr(10), '')}"
        if not ending:
            yield "\\ No newline at end of file"
