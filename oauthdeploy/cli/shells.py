"""How shells request completions: click's way, except for bash."""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

_BASH = """\
_oauthdeploy_completion() {
    # The line itself, because bash tears words at @, = and :, of which addresses are full.
    local line=${COMP_LINE:0:COMP_POINT} type value word response
    response=$(env COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    word=${line##*[[:space:]]}
    local torn=${word%%"${word##*[@=:]}"}
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                # Only what comes after the last sign at which bash tears replaces what stands there.
                if [[ -n $torn && $value == "$torn"* ]]; then value=${value#"$torn"}; fi
                COMPREPLY+=("$value")
                ;;
        esac
    done <<< "$response"
}
complete -o nosort -F _oauthdeploy_completion oauthdeploy
"""


class Bash(BashComplete):
    """Completion based on the line as typed. click uses bash's words, so that nothing after an @ or = was completed."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the start of the one at it."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        incomplete = words.pop() if words and not line[-1:].isspace() else ""
        return words[1:], incomplete


def completion_of(shell: str) -> type[ShellComplete]:
    """The completion for a shell, which is registered with click. Raises LookupError for a shell without one."""
    add_completion_class(Bash)
    found = get_completion_class(shell)
    if found is None:
        raise LookupError(shell)
    return found
