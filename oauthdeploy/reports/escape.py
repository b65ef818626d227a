"""Escaping of untrusted text. Imports nothing, because even the help of a command needs it."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with every character that a terminal would interpret or hide written as an escape, such as `\\x1b` or
    `\\u202e`.

    That covers control characters, line breaks, bidirectional overrides, zero-width characters and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if short is not None:
        return short
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
