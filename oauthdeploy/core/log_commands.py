"""Escapes commands that build servers read from a job's log, so that text from a live server cannot become one.

    GitHub Actions    a line that begins with `::`, and `##[` anywhere in a line
    Azure Pipelines   `##vso[` anywhere in a line, and `##[` at its start
    TeamCity          `##teamcity[` at the start of a line

Otherwise, whoever may change a description on a server could run commands in the job that prints it. GitLab's section marks
begin with an escape character, which is never in the output.

Source: the runners' own parsers (actions/runner, ActionCommand.cs; microsoft/azure-pipelines-agent, Command.cs).
"""

from __future__ import annotations

import re
from typing import Final

_AT_START: Final = re.compile(r"(?:(?<=[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|\A)([^\S\n]*):(?=:)")
_ANYWHERE: Final = re.compile(r"#(?=#\w*\[)")


def disarmed(text: str, *, colon: str = ": ", hash_sign: str = "# ") -> str:
    """The text with every such mark broken: its first character is replaced by `colon` or `hash_sign`.

    A format with escapes uses those, so that its readers get the text back; otherwise, a space is inserted.
    """
    if "::" in text:
        text = _AT_START.sub(lambda found: f"{found[1]}{colon}", text)
    return _ANYWHERE.sub(lambda _found: hash_sign, text) if "##" in text else text
