"""Writing manifests: the formatter, and the first manifest of a new estate."""

from __future__ import annotations

from oauthdeploy.manifest.editing.format import Formatted, format_source

__all__ = ["Formatted", "format_source"]
