"""Values that a shell completes: names of the manifest, rules, formats, journals.

Completion never shows an error, and never uses a server, a program or the environment: if the manifest cannot be read, nothing
is completed. Each function has click's signature for `shell_complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from oauthdeploy.manifest.api import Manifest

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[Any]]]


def _quietly(complete: Complete) -> Complete:
    """The same without errors: the shell would show them in the middle of a command line."""

    @wraps(complete)
    def call(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        try:
            return complete(ctx, parameter, incomplete)
        except Exception:  # noqa: BLE001 - a mistake in the manifest is told by `validate`
            return []

    return call


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem[Any]]:
    return [CompletionItem(word) for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _files(ctx: click.Context) -> tuple[str, ...]:
    """The manifest that the command line names so far, or the default."""
    from oauthdeploy.manifest.api import DEFAULT_FILE

    named = ctx.params.get("file") or ctx.params.get("manifest") or ()
    return tuple(name for name in (named if isinstance(named, tuple) else (str(named),)) if name != "-") or (
        DEFAULT_FILE,
    )


def _tree(ctx: click.Context) -> dict[str, Any]:
    """The manifest as it is written, even if it is not valid."""
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.manifest.input_files import read_sources
    from oauthdeploy.manifest.yaml_reader import read_tree

    found: dict[str, Any] = {}
    for source in read_sources(ManifestRequest(files=_files(ctx)))[0]:
        tree, _ = read_tree(source)
        for section, value in tree.items() if isinstance(tree, dict) else ():
            former = found.get(section)
            found[section] = {**former, **value} if isinstance(former, dict) and isinstance(value, dict) else value
    return found


def _keys(ctx: click.Context, section: str) -> list[str]:
    value = _tree(ctx).get(section)
    return [str(key) for key in value] if isinstance(value, dict) else []


def _manifest(ctx: click.Context) -> Manifest | None:
    """The manifest with its objects placed; every environment variable has a placeholder."""
    from oauthdeploy import workflow
    from oauthdeploy.manifest.interpolate import STAND_IN

    request = workflow.ManifestRequest(files=_files(ctx), unset_env=STAND_IN)
    return workflow.validate(request)[0]


def _keys_of(section: str) -> Complete:
    """The names in a section of the manifest."""
    return _quietly(lambda ctx, _parameter, incomplete: _beginning(_keys(ctx, section), incomplete))


servers: Final = _keys_of("servers")
environments: Final = _keys_of("environments")
clients: Final = _keys_of("clients")
scopes: Final = _keys_of("scopes")


@_quietly
def addresses(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Addresses of the manifest's objects."""
    manifest = _manifest(ctx)
    found = [] if manifest is None else sorted({*manifest.desired.objects, *manifest.desired.absent})
    return _beginning(map(str, found), incomplete)


@_quietly
def rules(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Rules whose severity can be changed."""
    from oauthdeploy.manifest.severities import changeable

    return _beginning(sorted(changeable()), incomplete)


@_quietly
def stops(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Safety rules, which --allow lifts."""
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.severities import liftable

    return _beginning(sorted(liftable(driver_facts())), incomplete)


@_quietly
def subjects(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """What `explain` explains: fields, rules, addresses."""
    if "/" in incomplete or "@" in incomplete:
        return addresses(ctx, parameter, incomplete)
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.explaining.fields import all_fields
    from oauthdeploy.manifest.explaining.rules import all_rules

    words = [*all_fields(driver_facts()), *all_rules()]
    return [*_beginning(words, incomplete), *addresses(ctx, parameter, incomplete)]


@_quietly
def drivers(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """The installed drivers."""
    from oauthdeploy.drivers.registry import driver_facts

    return _beginning(sorted(driver_facts()), incomplete)


@_quietly
def journals(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Journals of the manifest's folder, newest first."""
    from oauthdeploy.core.delivery_bounds import STATE_FOLDER
    from oauthdeploy.running.journal import JOURNALS, journals_in

    state = ctx.params.get("state_dir") or Path(_files(ctx)[0]).parent / STATE_FOLDER
    return _beginning((str(path) for path in reversed(journals_in(Path(state) / JOURNALS))), incomplete) or [
        CompletionItem(incomplete, type="file")
    ]


def formats(names: Iterable[str]) -> Complete:
    """Formats of a command's reports."""
    known = tuple(names)
    return lambda _ctx, _parameter, incomplete: _beginning(known, incomplete)
