"""The report formats that commands offer, and how a report is written in the requested ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oauthdeploy.cli.flags import REPORT_FORMATS
from oauthdeploy.reports.console import Look

if TYPE_CHECKING:
    from oauthdeploy.manifest.api import Manifest
    from oauthdeploy.reports.document import ManifestView, Report

Renderer = Callable[[Look], str]
Renderers = Mapping[str, Renderer]
"""The renderers of a command for each of its formats."""

FORMS: Final = REPORT_FORMATS


def view_of(manifest: Manifest | None) -> ManifestView:
    """What a report needs of a manifest."""
    from oauthdeploy.reports.document import ManifestView

    return ManifestView(manifest.locate, manifest.files, manifest.desired) if manifest is not None else ManifestView()


def renderers_of(report: Report) -> Renderers:
    """How the report is written in each format; a renderer's modules are imported on use."""
    return {
        "text": lambda look: _text(report, look),
        "json": lambda _look: _json(report),
        "ndjson": lambda _look: _ndjson(report),
        "markdown": lambda _look: _markdown(report),
        "html": lambda _look: _html(report),
        "junit": lambda _look: _junit(report),
        "sarif": lambda _look: _sarif(report),
    }


def _text(report: Report, look: Look) -> str:
    from oauthdeploy.reports.text import render_text

    return render_text(report, look)


def _json(report: Report) -> str:
    from oauthdeploy.reports.json import render_json

    return render_json(report)


def _ndjson(report: Report) -> str:
    from oauthdeploy.reports.ndjson import render_ndjson

    return render_ndjson(report)


def _markdown(report: Report) -> str:
    from oauthdeploy.reports.markdown import render_markdown

    return render_markdown(report)


def _html(report: Report) -> str:
    from oauthdeploy.reports.html.page import render_html

    return render_html(report)


def _junit(report: Report) -> str:
    from oauthdeploy.reports.junit import render_junit

    return render_junit(report)


def _sarif(report: Report) -> str:
    """Files are named relative to the root of the repository that contains the current folder."""
    from oauthdeploy.core.version import __version__
    from oauthdeploy.manifest.explaining.rules import all_rules
    from oauthdeploy.reports.sarif import render_sarif

    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return render_sarif(report, all_rules(), version=__version__, base=str(here), root=str(root))
