"""From a text to its tree with every comment in its place.

A comment beside a value belongs to it. A comment on a line of its own belongs to the entry below it, unless it stands further in
than that entry: then it ends the block that it is aligned with. One that silences a finding belongs to what is right below it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from yaml import tokens as t

from oauthdeploy.manifest.editing.tree import IGNORE_MARK, Alias, Collection, Entry, Scalar, Text, Value
from oauthdeploy.manifest.editing.trivia import BlockText, Trivia, read_steps

_NO_CONTENT = (t.KeyToken, t.ValueToken, t.BlockEndToken, t.BlockEntryToken, t.FlowEntryToken, t.FlowSequenceEndToken,
               t.FlowMappingEndToken, t.DocumentEndToken, t.StreamEndToken)  # fmt: skip
_BLOCKS = (t.BlockMappingStartToken, t.BlockSequenceStartToken)


def read_text(text: str) -> Text:
    """Read a text with LF line ends that the loader has accepted."""
    return _Reader(text).read()


class _Reader:
    """Walks over the tokens; the trivia before a token are handed out before the token is taken."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._steps = read_steps(text)
        self._trivia: deque[Trivia] = deque()
        self._token: Any = None
        self._block: BlockText | None = None
        self._advance()

    def read(self) -> Text:
        """The whole file."""
        self._advance()
        made = Text(Entry(Scalar()))
        while isinstance(self._peek(), t.DirectiveToken):
            mark = self._take()
            made.header += [item.text for item in self._before(mark.start_mark.index)]
            made.directives.append(self._text[mark.start_mark.index : mark.end_mark.index].rstrip())
        if isinstance(self._peek(), t.DocumentStartToken):
            mark = self._take()
            made.header += [item.text for item in self._before(mark.start_mark.index)]
            made.start = [item.text for item in self._beside()]
        self._value(made.root, indentless=False)
        while self._token is not None:
            self._advance()
        rest = _hand_out(made.root, -1, self._before(len(self._text) + 1))
        made.root.below += rest
        return made

    # -- tokens and trivia ------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        step = next(self._steps)
        self._token, self._block = step.token, step.block
        self._trivia += step.before

    def _peek(self) -> Any:
        return self._token

    def _take(self) -> Any:
        token = self._token
        self._advance()
        return token

    def _before(self, index: int) -> list[Trivia]:
        """Take the trivia up to a place."""
        found = []
        while self._trivia and self._trivia[0].index < index:
            found.append(self._trivia.popleft())
        return found

    def _beside(self) -> list[Trivia]:
        """Take the comment on the line of the token before, if there is one."""
        if self._trivia and not self._trivia[0].own and self._trivia[0].index < self._peek().start_mark.index:
            return [self._trivia.popleft()]
        return []

    # -- values -----------------------------------------------------------------------------------------------------

    def _value(self, entry: Entry, *, indentless: bool, flow: bool = False) -> None:
        """Read the value of an entry, with its anchor and the comments around it."""
        anchor = ""
        self._lead_in(entry, flow=flow, indentless=indentless)
        while isinstance(self._peek(), t.AnchorToken):
            anchor = self._take().value
            self._lead_in(entry, flow=flow, indentless=indentless)
        value = self._content(entry, indentless=indentless, flow=flow)
        value.anchor = anchor
        entry.value = value
        if not flow:
            entry.beside += [item.text for item in self._beside()]

    def _lead_in(self, entry: Entry, *, flow: bool, indentless: bool) -> None:
        """Comments between a key (or dash, or anchor) and what follows it."""
        token = self._peek()
        if isinstance(token, _NO_CONTENT) and not (indentless and isinstance(token, t.BlockEntryToken)):
            if not flow:
                entry.head += [item.text for item in self._beside()]
            return
        if isinstance(token, (*_BLOCKS, t.BlockEntryToken)):
            entry.head += [item.text for item in self._beside()]
            return
        for item in self._before(token.start_mark.index):
            if item.text:
                (entry.above if item.own else entry.head).append(item.text)

    def _content(self, entry: Entry, *, indentless: bool, flow: bool) -> Value:
        token = self._peek()
        if isinstance(token, t.ScalarToken):
            return self._scalar(flow=flow)
        if isinstance(token, t.AliasToken):
            return Alias(self._take().value)
        if isinstance(token, t.BlockMappingStartToken):
            self._take()
            return self._block_map(token.start_mark.column)
        if isinstance(token, t.BlockSequenceStartToken):
            self._take()
            made = self._block_list(token.start_mark.column)
            self._take()
            return made
        if isinstance(token, t.BlockEntryToken) and indentless:
            return self._block_list(token.start_mark.column)
        if isinstance(token, t.FlowMappingStartToken | t.FlowSequenceStartToken):
            return self._flow(entry, mapping=isinstance(token, t.FlowMappingStartToken))
        return Scalar(in_flow=flow)

    def _scalar(self, *, flow: bool) -> Scalar:
        block = self._block
        token = self._take()
        start, end = token.start_mark.index, token.end_mark.index
        style = "" if token.plain else token.style or ""
        if block is not None:
            return Scalar(token.value, block.header, style, flow, lines=block.lines)
        return Scalar(token.value, self._text[start:end], style, flow)

    def _block_map(self, column: int) -> Collection:
        made = Collection(mapping=True, column=column)
        while isinstance(self._peek(), t.KeyToken):
            start = self._take().start_mark.index
            entry = Entry(Scalar(), above=self._above(made, start))
            if not isinstance(self._peek(), _NO_CONTENT):
                self._value(entry, indentless=True)
                entry.key = entry.value if isinstance(entry.value, Scalar) else None
                entry.head, entry.beside = [*entry.head, *entry.beside], []
                entry.value = Scalar()
            if isinstance(self._peek(), t.ValueToken):
                place = self._take().start_mark.index
                entry.above += [item.text for item in self._before(place) if item.text]
                self._value(entry, indentless=True)
            made.entries.append(entry)
        self._take()
        return made

    def _block_list(self, column: int) -> Collection:
        made = Collection(mapping=False, column=column)
        while isinstance(self._peek(), t.BlockEntryToken):
            start = self._take().start_mark.index
            entry = Entry(Scalar(), above=self._above(made, start))
            self._value(entry, indentless=False)
            made.entries.append(entry)
        return made

    def _above(self, block: Collection, start: int) -> list[str]:
        """The lines above the entry that starts there, after those that belong to the end of the entry before it."""
        items = self._before(start)
        if not items:
            return []
        return _hand_out(block.entries[-1], block.column, items) if block.entries else [item.text for item in items]

    # -- flow collections -------------------------------------------------------------------------------------------

    def _flow(self, holder: Entry, *, mapping: bool) -> Collection:
        first = self._take().start_mark.line
        made = Collection(mapping, flow=True)
        end = t.FlowMappingEndToken if mapping else t.FlowSequenceEndToken
        while True:
            above = self._flow_lines(holder, made)
            if isinstance(self._peek(), end):
                made.tail += above
                break
            if isinstance(self._peek(), t.FlowEntryToken):
                self._take()
                made.tail += above
                continue
            # What was noted before a comma belongs above the entry that follows it.
            entry = Entry(Scalar(in_flow=True), above=[*made.tail, *above])
            made.tail = []
            self._flow_entry(entry, mapping=mapping)
            made.entries.append(entry)
        made.one_line = self._take().end_mark.line == first
        return made

    def _flow_lines(self, holder: Entry, made: Collection) -> list[str]:
        """Hand out the comments before the next token; gives those on lines of their own."""
        own: list[str] = []
        for item in self._before(self._peek().start_mark.index):
            if item.own and item.text:
                own.append(item.text)
            elif item.text:
                (made.entries[-1].beside if made.entries else holder.head).append(item.text)
        return own

    def _flow_entry(self, entry: Entry, *, mapping: bool) -> None:
        if not isinstance(self._peek(), t.KeyToken):
            self._value(entry, indentless=False, flow=True)
            if mapping:
                entry.key = entry.value if isinstance(entry.value, Scalar) else None
                entry.value = Scalar(in_flow=True)
            return
        pair = entry if mapping else Entry(Scalar(in_flow=True))
        self._take()
        if not isinstance(self._peek(), _NO_CONTENT):
            self._value(pair, indentless=False, flow=True)
            pair.key = pair.value if isinstance(pair.value, Scalar) else None
            pair.value = Scalar(in_flow=True)
        if isinstance(self._peek(), t.ValueToken):
            place = self._take().start_mark.index
            pair.above += [item.text for item in self._before(place) if item.text]
            self._value(pair, indentless=False, flow=True)
        if not mapping:  # `[a: b]` is a list with a mapping of one entry in it
            entry.value = Collection(mapping=True, flow=True, entries=[pair], one_line=True)


def _hand_out(last: Entry, column: int, items: list[Trivia]) -> list[str]:
    """Give the lines after `last`, an entry of a block at `column`, to what they are aligned with.

    Gives those that are not further in than the block: they stand above what follows. Lines keep their order, so what comes
    after a line that belongs further out is never put further in.
    """
    levels: list[tuple[int, list[str]]] = []
    entry, at = last, column
    while isinstance(entry.value, Collection) and not entry.value.flow and entry.value.entries:
        at = entry.value.column
        levels.append((at, entry.value.tail))
        entry = entry.value.entries[-1]
    if not (isinstance(entry.value, Scalar) and entry.value.block):
        levels.append((at + 1, entry.below))
    levels = [level for level in levels if level[0] > column]
    waiting: list[str] = []
    # Nothing stands below the end of a file.
    speaking = _first_speaking(items) if column >= 0 else len(items)
    for number, item in enumerate(items):
        if number == speaking:
            levels = []
        waiting.append(item.text)
        if not item.text:
            continue
        while levels and levels[-1][0] > item.column:
            levels.pop()
        if not levels:
            return waiting + [later.text for later in items[number + 1 :]]
        levels[-1][1].extend(waiting)
        waiting = []
    return waiting


def _first_speaking(items: list[Trivia]) -> int:
    """Where the comments begin that go with what follows, however they are aligned: one that silences a finding there."""
    found = len(items)
    for number in range(len(items) - 1, -1, -1):
        if not items[number].text:
            break
        if IGNORE_MARK in items[number].text:
            found = number
    return found
