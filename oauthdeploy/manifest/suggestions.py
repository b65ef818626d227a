"""Suggestions and lists of names for messages."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, or None."""
    candidates = list(known)
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in reversed(candidates)}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Collection[str], *, what: str) -> str:
    """A fix: the word that was meant, or all known words."""
    guess = closest(word, known)
    if guess is not None:
        return f"Did you mean '{guess}'?"
    return f"{what}: {', '.join(known)}." if known else f"{what}: none."


def listed(words: Iterable[str], most: int = 10) -> str:
    """Words in their order, cut to `most` with the number of the rest."""
    items = list(words)
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def shortened(text: str, most: int = 60) -> str:
    """A string cut to `most` characters, with dots for the rest."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
