"""An embedded Integration Server, an Open Policy Agent, and many resource servers at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import Row, Run, bare, measured, oauthdeploy, row
from oauthdeploy.server import SeedUser, ServerConfig, start
from tests.servers.counting_proxy import proxies_apart
from tests.servers.opa import Opa

USER: Final = ("deployer", "a password of the benchmark")
BARE, OURS = "bare", "oauthdeploy"
NOTHING: Final = "plan, nothing to do"
PATH: Final = "oauth"


def webmethods(clients: int, rounds: int, folder: Path) -> Iterator[Row]:
    """A server on both sides with so many public clients and a tenth as many scopes."""
    runs: dict[tuple[str, str], list[Run]] = {}
    for number in range(rounds):
        for tool in (OURS, BARE):
            here = folder / f"{number}-{tool}"
            here.mkdir(parents=True)
            users = (SeedUser(*USER, ("Administrators",)),)
            config = ServerConfig(role="both", data_dir=here / "data", users=users, accept_client_id=True)
            with start(config) as server, proxies_apart([server.url]) as (proxy,):
                load = partial(bare, here, "batches", url=proxy.url, account=USER)
                # The first request of an account takes long, since passwords are hashed.
                load({"batches": [[("GET", "/admin/oauth/scope", None)]]})
                works: dict[str, Callable[[], object]]
                if tool == BARE:
                    works = {"create": partial(load, _bodies(clients)), NOTHING: partial(load, _LOOK)}
                else:
                    (here / "oauthdeploy.yaml").write_text(_manifest(proxy.url, clients), encoding="utf-8")
                    run = partial(oauthdeploy, here, {"P": USER[1]})
                    works = {
                        "create": partial(run, "apply", "--yes", "-q"),
                        NOTHING: partial(run, "plan", "--detailed-exitcode", "-q"),
                    }
                for work, do in works.items():
                    runs.setdefault((work, tool), []).append(measured(do, [proxy]))
    yield from _rows("webMethods (embedded)", runs)


def _rows(server: str, runs: dict[tuple[str, str], list[Run]]) -> Iterator[Row]:
    for work in dict.fromkeys(work for work, _tool in runs):
        bare = runs.get((work, BARE), [])
        if bare:
            yield row(server, work, BARE, bare)
        yield row(server, work, OURS, runs[work, OURS], bare)


def _manifest(url: str, clients: int) -> str:
    lines = [
        "version: 1\nname: bench\nservers:\n  main:\n    role: both\n    driver: webmethods",
        f"    url: {url}\n    credentials: {{username: {USER[0]}, password: '${{env:P}}'}}\nscopes:",
    ]
    lines += [
        f"  scope.{n}: {{description: Number {n}, resources: [orders.v{n}]}}" for n in range(max(1, clients // 10))
    ]
    lines.append("clients:")
    lines += [
        f'  client-{n}: {{name: Client {n}, version: "1", type: public, grants: [authorization_code], '
        f"redirect_uris: [https://app{n}.example.com/callback]}}"
        for n in range(clients)
    ]
    return "\n".join(lines) + "\n"


def _bodies(clients: int) -> Mapping[str, Any]:
    """The batches that make them."""
    scopes = [
        {"name": f"scope.{n}", "description": f"Number {n}", "values": [f"orders.v{n}"]}
        for n in range(max(1, clients // 10))
    ]
    bodies = [
        {
            "client_id": f"client-{n}",
            "name": f"Client {n}",
            "version": "1",
            "type": "public",
            "redirect_uris": [f"https://app{n}.example.com/callback"],
            "authorizationCodeGrant": True,
        }
        for n in range(clients)
    ]
    kinds: Mapping[str, Sequence[Any]] = {"scope": scopes, "client": bodies}
    return {"batches": [[("POST", f"/admin/oauth/{kind}", body) for body in some] for kind, some in kinds.items()]}


_LOOK: Final = {"batches": [[("GET", f"/admin/oauth/{kind}?expand=true", None) for kind in ("scope", "client")]]}


def opa(server: Opa, clients: int, rounds: int, folder: Path) -> Iterator[Row]:
    """A policy document with so many clients, each with two of fifty scopes."""
    runs: dict[tuple[str, str], list[Run]] = {}
    with proxies_apart([server.url]) as (proxy,):
        for number in range(rounds):
            here = folder / str(number)
            here.mkdir(parents=True)
            path = f"{PATH}{number}"
            _opa_manifest(here, {"orders": (proxy.url, path)}, clients)
            works = {
                "create": ("apply", "--yes", "-q"),
                NOTHING: ("plan", "--detailed-exitcode", "-q"),
                "drift, nothing to do": ("drift", "-q"),
                "export": ("export", "-q"),
            }
            for work, arguments in works.items():
                run = measured(partial(oauthdeploy, here, {}, *arguments), [proxy])
                runs.setdefault((work, OURS), []).append(run)
            document: Any = server.data(path)
            load = partial(bare, here, "batches", url=proxy.url)
            put = measured(partial(load, {"batches": [[("PUT", f"/v1/data/{path}b", document)]]}), [proxy])
            runs.setdefault(("create", BARE), []).append(put)
            for work in list(works)[1:]:
                got = measured(partial(load, {"batches": [[("GET", f"/v1/data/{path}", None)]]}), [proxy])
                runs.setdefault((work, BARE), []).append(got)
    yield from _rows("OPA", runs)


def many(server: Opa, count: int, delay: float, rounds: int, folder: Path) -> Iterator[Row]:
    """Works over so many resource servers, each of which answers after `delay` seconds; the chain is that over all of them."""
    runs: dict[tuple[str, str], list[Run]] = {}
    with proxies_apart([server.url] * count, delay) as proxies:
        for number in range(rounds):
            here = folder / str(number)
            here.mkdir(parents=True)
            places = {f"rs-{n}": (proxy.url, f"many{number}x{n}") for n, proxy in enumerate(proxies)}
            _opa_manifest(here, places, 2)
            works = {
                "create": ("apply", "--yes", "-q"),
                NOTHING: ("plan", "--detailed-exitcode", "-q"),
                "drift, nothing to do": ("drift", "-q"),
                "export": ("export", "-q"),
                "revoke": ("revoke", "client-1", "--yes", "--no-write"),
            }
            for work, arguments in works.items():
                run = measured(partial(oauthdeploy, here, {}, *arguments), proxies)
                runs.setdefault((work, OURS), []).append(run)
    yield from _rows(f"{count} OPAs, {delay * 1000:.0f} ms each", runs)


def _opa_manifest(folder: Path, servers: dict[str, tuple[str, str]], clients: int) -> None:
    lines = ["version: 1", "name: bench", "servers:"]
    lines.append(
        "  idp: {role: authorization, driver: external, issuer: 'https://idp.example', jwks_uri: 'https://idp.example/keys'}"
    )
    lines += [
        f"  {name}: {{role: resource, driver: opa, url: {json.dumps(url)}, authorization_server: idp, options: {{path: {path}}}}}"
        for name, (url, path) in servers.items()
    ]
    lines.append("scopes:")
    lines += [f"  scope.{n}: {{description: Number {n}, resources: [orders/{n}]}}" for n in range(min(50, clients))]
    lines.append("clients:")
    lines += [f"  client-{n}: {{name: Client {n}}}" for n in range(clients)]
    (folder / "oauthdeploy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
