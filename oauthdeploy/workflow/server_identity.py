"""Checks that a document (journal, saved plan or baseline) is about the servers of the manifest.

A server is identified by its normalized URL, its driver, the options that select a part of it, such as a realm, and its
product. The name of its entry is not enough: with `--env prod`, other servers have the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.planning.drift.baseline import Baseline, BaselineServer
from oauthdeploy.planning.plan import Plan
from oauthdeploy.workflow.options import RunOptions

SERVER_MOVED: Final = "server-moved"
"""The rule that `--allow` lifts if it is the same server at another URL."""
NOT_RECORDED: Final = "servers-not-recorded"
"""The rule that `--allow` lifts for a document that does not say which servers it is about."""


_NOTHING: Final = "Nothing was written."


class OtherServer(OAuthDeployError):
    """A document is about other servers than those that the manifest names now; nothing was written."""

    exit_code = ExitCode.STALE
    rule = SERVER_MOVED


class ServersNotRecorded(OtherServer):
    """A document does not say which servers it is about; nothing was written."""

    rule = NOT_RECORDED


def identities(manifest: Manifest) -> dict[str, Any]:
    """What a document records of the manifest's servers; of each name in `servers`, and the environment."""
    return {
        "environment": manifest.environment,
        "servers": {name: _identity(manifest, name) for name in sorted(manifest.desired.servers)},
    }


def _identity(manifest: Manifest, name: str) -> dict[str, str]:
    entry = manifest.desired.servers[name]
    given = manifest.options.get(name)
    located = driver_facts()[entry.driver].located_by if given is not None else ()
    place = ", ".join(f"{option} {getattr(given, option)}" for option in located)
    return {"driver": entry.driver, "url": normalized_url(entry.url or ""), "place": place}


def require_same_servers(
    recorded: Mapping[str, Any],
    manifest: Manifest,
    options: RunOptions,
    document: str,
    plan: Plan | None = None,
    record: str = "",
) -> None:
    """Reject a document that is about other servers; with a `plan`, also if a server is now another product.

    `document` is its description, such as `The journal x.jsonl`; `record` says how to record the servers in it. Raises
    OtherServer, and ServersNotRecorded for a document that names no servers.
    """
    if not recorded.get("servers") and NOT_RECORDED not in options.allow:
        raise ServersNotRecorded(
            f"{document} does not say which servers it is about",
            detail="Servers of the same name in another environment cannot be told from its own.",
            fix=f"{_NOTHING} {record}If it belongs to the servers of this manifest, lift the rule once: --allow {NOT_RECORDED}",
        )
    moved = [] if SERVER_MOVED in options.allow else list(_moved(recorded, manifest, options, plan))
    if moved:
        raise OtherServer(
            f"{document} is of other servers",
            detail="\n".join(moved),
            fix=f"{_NOTHING} Use the environment and the manifest that it was made with. Where it is the same server at "
            f"another address, lift the rule once: --allow {SERVER_MOVED}",
        )


def require_own_baseline(
    baseline: Baseline, name: str, manifest: Manifest, options: RunOptions, plan: Plan | None = None
) -> None:
    """The same for the baseline file `name`, unless it has no entries. Raises what `require_same_servers` raises."""
    if not baseline.accepted:
        return
    servers = {key: entry.model_dump(exclude_none=True) for key, entry in (baseline.servers or {}).items()}
    recorded = {"environment": baseline.environment, "servers": servers}
    record = "Add them with --write-baseline. "
    require_same_servers(recorded, manifest, options, f"The baseline {name}", plan, record)


def baseline_servers(manifest: Manifest, plan: Plan, before: Baseline) -> dict[str, BaselineServer]:
    """What a baseline records of each server of a manifest, by name. The product of a server that was not asked is kept."""
    found = {}
    for name, entry in identities(manifest)["servers"].items():
        product = next((_kind_of(server.product) for server in plan.servers if server.name == name), "")
        former = (before.servers or {}).get(name)
        product = product or (former.product if former is not None else None) or ""
        found[name] = BaselineServer(**{word: text for word, text in (entry | {"product": product}).items() if text})
    return found


def _moved(recorded: Mapping[str, Any], manifest: Manifest, options: RunOptions, plan: Plan | None) -> Iterator[str]:
    servers: Mapping[str, Mapping[str, str]] = recorded.get("servers") or {}
    if servers and recorded.get("environment") != manifest.environment:
        then, now = (name or "none" for name in (recorded.get("environment"), manifest.environment))
        yield f"environment: it was {then}, and is {now} now."
    products = {server.name: server.product for server in plan.servers} if plan is not None else {}
    for name, before in servers.items():
        if options.servers and name not in options.servers:
            continue
        if name not in manifest.desired.servers:
            yield f"{name}: the manifest has no such server."
            continue
        now_there = _identity(manifest, name)
        for part, what in (("url", "its address"), ("driver", "its driver"), ("place", "its place")):
            if before.get(part, "") != now_there[part]:
                yield f"{name}: {what} was {before.get(part) or 'none'}, and is {now_there[part] or 'none'} now."
        product = products.get(name, "")
        if product and before.get("product") and _kind_of(product) != _kind_of(before["product"]):
            yield f"{name}: it was {before['product']}, and is {product} now."


def _kind_of(product: str) -> str:
    """The product without its version, because an upgraded server is still the same server."""
    return " ".join(word for word in product.split() if not word[:1].isdigit())
