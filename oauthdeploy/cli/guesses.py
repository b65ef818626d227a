"""Words that people know from other tools (Terraform, kubectl, decK, git), and their equivalents here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import click

_APPLY = "`plan` shows what would change, and `apply` changes the servers to match the manifest."
_REMOVE = (
    "Write `state: absent` at a client or scope, and run `apply`; to delete what the manifest no longer names, set policy.prune. "
    "`revoke CLIENT` cuts a client off at once."
)
_STATE = (
    "There is no state file: every command reads the servers themselves. `drift` shows how they differ from the manifest, "
    "`export` writes what they hold, and `journal` shows what a run did."
)
_LOOK = "`export` writes what the servers hold, `drift` shows how they differ from the manifest, `tokens list` shows live tokens."
_IMPORT = "`adopt` takes over objects that the manifest names; `export` writes objects of the servers into a manifest."
_CHECK = "`validate` checks the manifest without contacting any server; --online checks it against the servers too."
_SIGN_IN = "Credentials are part of each server in the manifest; `ping` checks that signing in works."
_ENVIRONMENT = "Environments are a section of the manifest; --env NAME chooses one for a command."

COMMANDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("import", "pull", "discover", "adopt-all"), _IMPORT),
    **dict.fromkeys(("sync", "deploy", "push", "up", "rollout", "run", "reconcile", "converge", "update"), _APPLY),
    **dict.fromkeys(("destroy", "delete", "remove", "rm", "down", "prune"), _REMOVE),
    **dict.fromkeys(("state", "refresh", "show-state"), _STATE),
    **dict.fromkeys(("get", "list", "ls", "describe", "read", "clients", "scopes"), _LOOK),
    **dict.fromkeys(("lint", "check", "verify", "test"), _CHECK),
    **dict.fromkeys(("login", "logout", "auth", "configure"), _SIGN_IN),
    **dict.fromkeys(("workspace", "env", "environment", "stack", "context"), _ENVIRONMENT),
    **dict.fromkeys(
        ("status",),
        "`ping` checks each server; `drift` shows how the servers differ from the manifest.",
    ),
    **dict.fromkeys(("providers", "plugins"), "`drivers` lists the drivers and what each can do."),
    **dict.fromkeys(
        ("taint", "rotate"),
        "Raise secret.revision of the client in the manifest, and run `apply`: the server makes a new secret.",
    ),
    **dict.fromkeys(("undo", "revert", "restore"), "`rollback JOURNAL` undoes the changes of a run."),
    **dict.fromkeys(("history", "log", "logs", "runs"), "`journal` shows what a run did; --list lists the runs."),
    **dict.fromkeys(
        ("ban", "block", "kill", "disable", "cut-off"), "`revoke CLIENT` cuts a client off on all servers at once."
    ),
    **dict.fromkeys(("unlock",), "`force-unlock` removes a lock whose run has died."),
    **dict.fromkeys(("format",), "`fmt` writes manifests in canonical form."),
    **dict.fromkeys(("convert", "backup", "download"), "`export` writes the objects of live servers into a manifest."),
    **dict.fromkeys(
        ("doc", "docs", "man"), "`explain` explains a rule, a field or an object; `help COMMAND` a command."
    ),
    **dict.fromkeys(("output", "console"), "-o FORMAT prints what a command found as JSON and in other formats."),
    **dict.fromkeys(("new", "create", "setup", "start"), "`init` writes a first manifest."),
    **dict.fromkeys(("upgrade", "self-update"), "Upgrade the package as you installed it, with pip, pipx or uv."),
}
"""Names of commands in other tools, and a sentence about the equivalent here."""

FLAGS: Final[Mapping[str, str]] = {
    "json": "Write -o json.",
    "format": "Write -o FORMAT.",
    "input": "Write --no-input to never be asked.",
    "dry-run": "`plan` shows what `apply` would do, and writes nothing.",
    "refresh-only": "`drift` shows how the servers differ from the manifest.",
    "refresh": "Every command reads the servers.",
    "destroy": _REMOVE,
    "replace": "Raise secret.revision of a client to renew its secret.",
    "chdir": "Write -f FOLDER.",
    "state": _STATE,
    "config": "Write -f FILE.",
    "manifest": "Write -f FILE.",
    "environment": "Write --env NAME.",
    "workspace": "Write --env NAME.",
    "force": "Name the rule that stops with --allow RULE.",
    "debug": "Write --trace to see each HTTP request.",
    "auto-approve": "Write --yes; this command does not ask.",
    "yes": "This command does not ask.",
    "only": "Write --target ADDRESS.",
    "select-tag": "Write --target ADDRESS, with a glob.",
}
"""Flags of other tools that no command has under this name."""

_LONG = re.compile(r"--?([a-z][a-z0-9-]+)(=.*)?\Z")


def foreign_flag(command: click.Command, arguments: Sequence[str]) -> str:
    """A sentence about the first argument that is a flag in the style of other tools: with one hyphen (`-target`), or with
    another name; "" if there is none.
    """
    if isinstance(command, click.Group):
        return ""  # The flags are those of its commands.
    own = {
        name
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }
    for argument in _flags(command, arguments):
        found = _LONG.match(argument)
        if found is None or (argument.startswith("--") and f"--{found[1]}" in own):
            continue
        name = found[1]
        if f"--{name}" in own:
            return f"Long flags have two hyphens: write --{name} instead of -{name}."
        if (argument.startswith("--") or not _clustered(name, own)) and name in FLAGS:
            return f"There is no flag '{argument.partition('=')[0]}'.\n{FLAGS[name]}"
    return ""


def _flags(command: click.Command, arguments: Iterable[str]) -> Iterator[str]:
    """The arguments that begin with a hyphen and are not values of the flag before them."""
    takes = {
        name
        for param in command.params
        if isinstance(param, click.Option) and not param.is_flag and not param.count
        for name in (*param.opts, *param.secondary_opts)
    }
    value = False
    for argument in arguments:
        if argument == "--":
            return
        if not value and argument.startswith("-"):
            yield argument
        value = not value and argument in takes


def _clustered(name: str, own: set[str]) -> bool:
    """True if all letters are short flags, such as -qv."""
    return all(f"-{letter}" in own for letter in name)
