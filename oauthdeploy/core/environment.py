"""The environment variables of this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_PLUGINS: Final = "PYDANTIC_DISABLE_PLUGINS"
_added: set[str] = set()
"""The variables that this process has added to its own."""


def without_plugins() -> None:
    """Keep plugins of pydantic out of this process, unless its user has set the variable for that.

    A plugin that another package brings, such as an instrumentation, is handed every value that is validated, secrets included.
    Looking for plugins also takes a tenth of a short run.
    """
    if _PLUGINS not in os.environ:
        os.environ[_PLUGINS] = "__all__"
        _added.add(_PLUGINS)


def given_environment() -> Mapping[str, str]:
    """The variables as this process was given them, for a manifest and for programs that are started. Raises nothing."""
    return {name: value for name, value in os.environ.items() if name not in _added}
