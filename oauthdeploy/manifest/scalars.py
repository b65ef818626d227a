"""How a string is written: plain if YAML 1.2 allows it and every reader sees a string, else in double quotes."""

from __future__ import annotations

import re
from typing import Final

_TYPED = re.compile(
    r"(?=[~nN=<yYtTfFoO0-9+.-])(?:"
    r"~|null|Null|NULL|=|<<"
    r"|(?i:y|yes|n|no|true|false|on|off)"
    r"|[-+]?\.?[0-9][0-9_.:eE+-]*"
    r"|[-+]?0[xXoObB][0-9A-Fa-f_]+"
    r"|[-+]?\.(?i:inf)|\.(?i:nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9:.]+[ \t]*(?:Z|[-+][0-9:]+)?"
    r")"
)
"""Plain scalars that some reader of YAML 1.1 or 1.2 takes for something else: null, a boolean, a number, a time, a merge key.
"""

_START = r"(?![-.]{3})(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[A-Za-z0-9.]))"
_PLAIN = re.compile(_START)
_SIMPLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?:[ :][A-Za-z0-9_./-]+)*")
"""Strings that may be plain anywhere: most of a manifest's are, and are told by this alone."""

_NOT_PLAIN: Final = re.compile(r":(?: |\Z)| (?:#|\Z)")
_NOT_PLAIN_IN_FLOW: Final = re.compile(rf"[,\[\]{{}}?]|{_NOT_PLAIN.pattern}")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\x1b": "\\e"}


def is_typed(text: str) -> bool:
    """True if the quotes have a meaning: some reader would take the plain scalar for something else."""
    return text == "" or _TYPED.fullmatch(text) is not None


def can_be_plain(text: str, *, flow: bool) -> bool:
    """True if the string may be written without quotes (`flow`: between brackets) and means the same everywhere.

    Between brackets a question mark is refused too: YAML 1.2 allows it, and readers of YAML 1.1 stumble over it.
    """
    if _SIMPLE.fullmatch(text):
        return True
    refused = (_NOT_PLAIN_IN_FLOW if flow else _NOT_PLAIN).search(text)
    return refused is None and _PLAIN.match(text) is not None and text.isprintable()


def quoted(text: str) -> str:
    """The string in double quotes; invisible characters are escaped."""
    return f'"{"".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else _escape(sign)) for sign in text)}"'


def _escape(sign: str) -> str:
    code = ord(sign)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def written(text: str, *, flow: bool = False) -> str:
    """A string as a manifest has it, whatever it contains: for user input."""
    return text if can_be_plain(text, flow=flow) and not is_typed(text) else quoted(text)
