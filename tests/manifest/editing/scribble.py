"""Documents as careless people write them: every style of YAML, odd indentation, comments and empty lines anywhere."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.manifest.test_yaml_reader import TRICKY

SECTIONS = [
    "version", "name", "variables", "servers", "settings", "scopes", "clients", "associations", "revocations", "resource_owners",
    "policy", "environments", "typo",
]  # fmt: skip
FIELDS = [
    "description", "type", "redirect_uris", "grants", "tokens", "secret", "enabled", "on", "state", "id", "client", "scopes",
    "role", "driver", "url", "credentials", "tls", "overrides", "access_token_lifetime", "require_https", "a", "x y", "007",
    "b: c",
]  # fmt: skip
WORDS = [text for text in TRICKY if text.isprintable() and text] + [
    "web-shop", "orders.read", "https://shop.example.com/cb?x=1,2", "http://127.0.0.1:8400/callback", "10m", "1.0", "0o7", "y",
    "a" * 60, "long words " * 12 + "end",
]  # fmt: skip
IGNORE = "# oauthdeploy: ignore[redirect-uri-not-https] for the test"


class Scribbler:
    """Draws one document. `comments` are all that were written, in their order."""

    def __init__(self, draw: Any, *, ignores: bool = False) -> None:
        self.draw = draw
        self.comments: list[str] = []
        self._numbers = count()
        self._anchors: list[str] = []
        self._ignores = ignores

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def document(self) -> str:
        """The whole text."""
        lines = self.trivia(0)
        if self.one_of(0, 0, 0, 1):
            lines.append(f"---{self.beside()}")
        lines += self.mapping(0, SECTIONS, depth=0)
        end: str = self.one_of("\n", "\n", "", "\n\n")
        return "\n".join([*lines, *self.trivia(self.one_of(0, 0, 2, 4))]) + end

    # -- what is between ---------------------------------------------------------------------------------------------

    def comment(self) -> str:
        text = self.one_of("# note %d;", "#note %d;", "# key: [%d;", "# \u00fc 'quote %d;", "#! %d;")
        text = text % next(self._numbers)
        if self._ignores and self.one_of(0, 0, 1):
            text = f"{IGNORE} {text[1:]}"
        self.comments.append(text)
        return str(text)

    def trivia(self, indent: int) -> list[str]:
        kinds = self.one_of("", "", "", "", "c", "b", "bc", "cb", "cc", "bbcb")
        return [" " * indent + self.comment() if kind == "c" else self.one_of("", "  ") for kind in kinds]

    def beside(self) -> str:
        return f"{self.one_of(' ', '    ')}{self.comment()}" if self.one_of(0, 0, 0, 1) else ""

    # -- blocks ------------------------------------------------------------------------------------------------------

    def mapping(self, indent: int, names: list[str], depth: int) -> list[str]:
        keys = self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
        lines: list[str] = []
        for key in keys:
            lines += self.trivia(self.one_of(indent, indent, indent + 2, max(0, indent - 2)))
            lines += self.entry(f"{' ' * indent}{self.key(key)}:", indent, depth, in_list=False)
        return lines

    def sequence(self, indent: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.one_of(1, 1, 2, 3)):
            lines += self.trivia(indent)
            lines += self.entry(f"{' ' * indent}-", indent, depth, in_list=True)
        return lines

    def key(self, text: str) -> str:
        style = self.one_of("plain", "plain", "plain", "double", "single")
        if style == "single":
            return f"'{text}'"
        return json.dumps(text) if style == "double" or ": " in text else text

    def entry(self, start: str, indent: int, depth: int, *, in_list: bool) -> list[str]:
        anchor = self.anchor()
        start += f" &{anchor}" if anchor else ""
        kinds = ["text", "text", "flow", "null", "literal", "lines", "alias"]
        kinds += ["block", "block", "list"] if depth < 3 else []
        kind = self.one_of(*kinds)
        deeper = indent + self.one_of(1, 2, 2, 4)
        if kind == "alias" and self._anchors and not anchor:
            return [f"{start} *{self.one_of(*self._anchors)}{self.beside()}"]
        lines = self.value(kind, start, indent, deeper, depth, compact=in_list and not anchor)
        if anchor:
            self._anchors.append(anchor)
        return lines

    def value(self, kind: str, start: str, indent: int, deeper: int, depth: int, *, compact: bool) -> list[str]:
        if kind == "block":
            if compact and self.one_of(0, 1):
                inner = self.mapping(indent + 2, FIELDS, depth + 1)
                first = next(number for number, line in enumerate(inner) if line.strip() and line.strip()[0] != "#")
                if first == 0:
                    return [f"{start} {inner[0][indent + 2 :]}", *inner[1:]]
                return [start, *inner]
            return [start + self.beside(), *self.mapping(deeper, FIELDS, depth + 1)]
        if kind == "list":
            same = not compact and start.rstrip().endswith(":")
            return [start + self.beside(), *self.sequence(self.one_of(deeper, indent) if same else deeper, depth + 1)]
        if kind == "flow":
            return self.flow_entry(start, deeper)
        if kind == "null":
            return [f"{start}{self.one_of('', ' null', ' ~')}{self.beside()}"]
        if kind == "literal":
            return self.literal(start, deeper)
        if kind == "lines":
            return self.over_lines(start, deeper)
        text = self.scalar(flow=False)
        if self.one_of(0, 0, 0, 1):
            return [start + self.beside(), *self.trivia(deeper), f"{' ' * deeper}{text}{self.beside()}"]
        return [f"{start} {text}{self.beside()}"]

    def anchor(self) -> str:
        return self.one_of("", "", "", "", "", "one", "two")  # type: ignore[no-any-return]

    # -- texts -------------------------------------------------------------------------------------------------------

    def scalar(self, *, flow: bool) -> str:
        text = self.one_of(*WORDS)
        style = self.one_of("plain", "double", "single")
        harmless = (
            text[0] not in " '\"\\-?:,[]{}#&*!|>%@`" and ": " not in text and " #" not in text and text[-1] not in " :"
        )
        if style == "plain" and harmless and not (flow and any(sign in text for sign in "[]{},")):
            return str(text)
        return "'" + text.replace("'", "''") + "'" if style == "single" else json.dumps(text, ensure_ascii=False)

    def literal(self, start: str, deeper: int) -> list[str]:
        header = self.one_of("|", ">") + self.one_of("", "-", "+")
        lines = [
            self.one_of("text # no comment", "key: x", "- x", "", "  further in") for _ in range(self.one_of(1, 2, 3))
        ]
        lines = ["text", *lines, *self.one_of([], [""], ["", ""])]
        return [f"{start} {header}{self.beside()}", *(" " * deeper + line if line else "" for line in lines)]

    def over_lines(self, start: str, deeper: int) -> list[str]:
        words = self.one_of(["one", "two"], ["a" * 50, "b" * 70, "c"], ["one", "", "two # x"], ["x", "- y"])
        sign = self.one_of('"', "'", "")
        if not sign:
            words = [word.replace(" #", "#") for word in words]
        lines = [f"{start} {sign}{words[0]}", *(" " * deeper + word if word else "" for word in words[1:])]
        lines[-1] += sign + self.beside()
        return lines

    # -- brackets ----------------------------------------------------------------------------------------------------

    def flow_entry(self, start: str, deeper: int) -> list[str]:
        text = self.flow(deeper, self.one_of("line", "line", "lines"), 0)
        return f"{start} {text}{self.beside()}".split("\n")

    def flow(self, indent: int, form: str, depth: int) -> str:
        mapping = self.one_of(True, False)
        parts = []
        names = self.draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True))
        for name in names:
            nested = depth < 2 and self.one_of(0, 0, 0, 1)
            text = self.flow(indent, form, depth + 1) if nested else self.scalar(flow=True)
            parts.append(f"{self.key(name)}: {text}" if mapping else text)
        left, right = "{}" if mapping else "[]"
        if form == "line":
            return f"{left}{', '.join(parts)}{right}"
        pad = " " * indent
        text = left
        for part in parts:
            text += f"{self.beside()}\n" if self.one_of(0, 1) else f"\n{pad}{self.comment()}\n"
            text += f"{pad}{part},"
        return f"{text}{self.beside()}\n{pad}{right}"


@st.composite
def scribbles(draw: Any, *, ignores: bool = False) -> tuple[str, list[str]]:
    """A text and the comments that stand in it."""
    scribbler = Scribbler(draw, ignores=ignores)
    return scribbler.document(), scribbler.comments
