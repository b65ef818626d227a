"""Writes manifests: the formatter, edits, and the first manifest."""

from __future__ import annotations

from oauthdeploy.manifest.editing.format import Formatted, format_source

__all__ = ["Formatted", "format_source"]
