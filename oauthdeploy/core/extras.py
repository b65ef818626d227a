"""Extras of the package: a missing one is reported in one sentence, with the command that installs it here.

Imports nothing of the project but the errors, so that the embedded server can use it too.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oauthdeploy.core.errors import OAuthDeployError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

PACKAGE = "oauthdeploy"


class ExtraMissing(OAuthDeployError, ImportError):
    """`what` (in the user's words: "`oauthdeploy demo`") needs an extra that is not installed.

    Also an ImportError, for Python callers, who get everything in one line.
    """

    rule = "extra-missing"

    def __init__(self, extra: str, what: str) -> None:
        self.command = install_command(extra)
        super().__init__(f"{what} needs the extra '{extra}'", fix=f"Install it:\n  {self.command}")

    def __str__(self) -> str:
        return f"{self.summary}. Install it: {self.command}"


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Wraps imports of what the extra provides, for `what`. Raises ExtraMissing if something is not installed."""
    try:
        yield
    except ExtraMissing:
        raise ExtraMissing(extra, what) from None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == PACKAGE:
            raise
        raise ExtraMissing(extra, what) from None


def install_command(extra: str) -> str:
    """The command that adds the extra to this installation, made by pip, pipx or uv.

    Based on where it was installed from (PEP 610), since the name alone may lead to nothing, or to somebody else's package.
    """
    # Imported here because it takes long, and only a message about a missing extra needs it.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        installed = distribution(PACKAGE)
    except PackageNotFoundError:
        return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(f'{PACKAGE}[{extra}]')}"
    wanted = _requirement(installed, extra)
    here = Path(sys.prefix)
    if (here / "pipx_metadata.json").is_file():
        return f"pipx install --force {wanted}"
    if (here / "uv-receipt.toml").is_file():
        return f"uv tool install --force {wanted}"
    python = shlex.quote(sys.executable)
    if (installed.read_text("INSTALLER") or "").strip() == "uv":
        return f"uv pip install --python {python} {wanted}"
    return f"{python} -m pip install {wanted}"


def _requirement(installed: Distribution, extra: str) -> str:
    """The argument for pip, as one word of the shell (two for an editable installation)."""
    from urllib.parse import unquote, urlsplit

    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if not url:
        return shlex.quote(f"{PACKAGE}[{extra}]")
    if origin.get("dir_info", {}).get("editable"):
        return f"-e {shlex.quote(f'{unquote(urlsplit(url).path)}[{extra}]')}"
    if source := origin.get("vcs_info"):
        url = f"{source.get('vcs', 'git')}+{url}@{source.get('commit_id', '')}"
    return shlex.quote(f"{PACKAGE}[{extra}] @ {url}")
