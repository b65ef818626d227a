"""What a scenario is, and helpers for writing scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Side
from oauthdeploy.planning.normalize import flatten, same
from oauthdeploy.testing.harness import Bench, Breach, Parts, Planned

Run = Callable[[Bench], None]


class NoHook(Exception):
    """The site has no hook for what the scenario must do without the driver."""


class NotDeclared(Exception):
    """The driver declares nothing that the scenario could check against the server."""


class Scenario(Struct, frozen=True):
    """One scenario for a driver. It runs if every capability of `needs` is supported. If `proves` is declared as not supported,
    it runs all the same, to check that.
    """

    name: str
    title: str
    run: Run
    needs: frozenset[str]
    proves: str | None

    @property
    def group(self) -> str:
        """The group that it belongs to."""
        return self.name.partition("/")[0]


SCENARIOS: Final[dict[str, Scenario]] = {}
"""All scenarios by name, from easy to hard."""


def scenario(name: str, *needs: str, proves: str | None = None) -> Callable[[Run], Run]:
    """Turn a function into a scenario; its docstring is the title."""

    def register(run: Run) -> Run:
        title = (run.__doc__ or "").strip().partition("\n")[0]
        SCENARIOS[name] = Scenario(name, title, run, frozenset(needs), proves)
        return run

    return register


def can(bench: Bench, capability: str) -> bool:
    """Whether the server supports it, according to the driver."""
    return bool(bench.table[capability])


def sample(bench: Bench, path: str, first: Any, second: Any) -> tuple[Any, Any]:
    """Two values for a path: the site's own if it has some."""
    given = bench.site.samples.get(path)
    return (given[0], given[1]) if given else (first, second)


def changed_by(bench: Bench) -> str:
    """The action with which a client changes: a server that cannot change clients gets another one."""
    return "update" if can(bench, Capability.CLIENT_UPDATE) else "replace"


# -- objects ----------------------------------------------------------------------------------------------------------

CALLBACK: Final = "https://shop.example.com/callback"


def public(**more: Any) -> dict[str, Any]:
    """A client that needs no secret."""
    return {"type": "public", "grants": ["authorization_code"], "redirect_uris": [CALLBACK], **more}


def confidential(bench: Bench, key: str, **more: Any) -> dict[str, Any]:
    """A client for client credentials, with a secret from server or manifest, if clients sign in at this server at all."""
    redirects = list(bench.site.samples.get("clients.redirect_uris", ([],))[0])
    fields: dict[str, Any] = {
        "type": "confidential",
        "grants": ["client_credentials"],
        "redirect_uris": redirects,
        **more,
    }
    if Side.AUTHORIZATION in bench.site.role.sides:
        if can(bench, Capability.CLIENT_SECRET_GENERATE):
            fields["secret"] = {"generate": True, "deliver_to": {"file": f"{key}.json", "format": "json"}}
        elif can(bench, Capability.CLIENT_SECRET_CHOICE):
            fields["secret"] = {"value": bench.secret(f"SECRET_OF_{key}".upper(), f"given-to-{key}-5a1c9e07b3")}
    return fields


def credentials(bench: Bench, key: str, planned: Planned) -> tuple[str, str]:
    """The id and secret of a `confidential` client, as delivered."""
    caught = bench.secrets.caught.get(f"{key}.json")
    if caught is not None:
        return caught
    live = bench.live(planned, f"client/{key}")
    return live.client_id or live.identity or key, bench.environ[f"SECRET_OF_{key}".upper()]


def token(bench: Bench, key: str, planned: Planned, *, scope: str = "", owner: str = "") -> str:
    """A token of a `confidential` client. Raises NoHook."""
    issued = bench.site.token(*credentials(bench, key, planned), scope=scope, owner=owner)
    if issued is None:
        raise NoHook("token")
    bench.ears.learn("a token", issued)
    return issued


def active(bench: Bench, bearer: str) -> bool:
    """Whether a token still works. Raises NoHook."""
    found = bench.site.is_active(bearer)
    if found is None:
        raise NoHook("is_active")
    return found


# -- steps ------------------------------------------------------------------------------------------------------------


def hold(bench: Bench, planned: Planned, address: str, values: Mapping[str, Any]) -> None:
    """Check that fields of a live object (dotted paths) have these values. Raises Breach."""
    have = flatten(bench.live(planned, address).value)
    for path, value in values.items():
        if isinstance(value, Secret):
            continue
        if path not in have:
            raise Breach(f"{address}: the server returns nothing for {path}")
        if not same(have[path], value):
            raise Breach(f"{address}: {path} is {have[path]!r}, and should be {value!r}")


def require_written(bench: Bench, planned: Planned, address: str, path: str) -> None:
    """Check that a field of a live object is as in the manifest. Raises Breach if either has none."""
    want = flatten(planned.manifest.desired.objects[bench.address(address)])
    if path not in want:
        raise Breach(f"{address}: the manifest's {path} does not reach this server")
    hold(bench, planned, address, {path: want[path]})


def back_and_forth(
    bench: Bench, what: str, address: str, path: str, parts: Callable[[Any], Parts], values: Any
) -> None:
    """Give a field one value, then the other, then the first again; each time, a second plan must be empty."""
    first, second = values[:2]
    require_written(bench, bench.settle(f"{what} is {first}", parts(first)), address, path)
    action = changed_by(bench) if address.startswith(f"{Kind.CLIENT}/") else "update"
    for value in (second, first):
        ran = bench.step(f"{what} becomes {value}", parts(value), {address: action})
        require_written(bench, ran.after, address, path)
