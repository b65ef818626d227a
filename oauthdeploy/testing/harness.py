"""From a manifest to a live server, with every step checked; scenarios are written with these functions."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Driver, DriverInfo, ServerReport, SignIn
from oauthdeploy.drivers.registry import connect
from oauthdeploy.drivers.transport import tls_context
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.rules import CATALOGUE
from oauthdeploy.model.capabilities import QUESTIONS, Capabilities, DriverFacts, supports, table_for, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import field_name, fields_of
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.normalize import flatten, same
from oauthdeploy.planning.outcome import ApplyReport, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.batch_executor import unkept
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.precondition import Freshness
from oauthdeploy.running.read import read_live
from oauthdeploy.testing.proxy import Proxy, Seen
from oauthdeploy.testing.secret_listener import Catcher, Ears
from oauthdeploy.testing.site import Site
from oauthdeploy.workflow.export import export_over
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.planner import plan_now

Parts = Mapping[str, Any]
"""Sections of a manifest. `server` adds keys to the entry of the site's server, `others` to its other entries by name."""

_QUIET: Final = {name: "ignore" for name, rule in CATALOGUE.items() if not rule.structural}
NAME: Final = "contract"
"""The manifest's name."""


class Breach(AssertionError):
    """The driver violated the interface."""


class Planned(Struct, frozen=True):
    """A plan and all that it was made from."""

    plan: Plan
    live: LiveState
    manifest: Manifest
    requests: tuple[Seen, ...]

    @property
    def actions(self) -> dict[str, str]:
        """What is planned, by address without the server."""
        return {change.address.without_server: change.action.value for change in self.plan.changes}


class Batch(Struct):
    """One call of `Driver.apply`: its arguments, its result, and the requests that the server received meanwhile."""

    changes: Sequence[Change]
    applied: Sequence[Applied]
    requests: int
    promised: int


class Ran(Struct):
    """An apply: its plan, its report, and the calls of the driver."""

    planned: Planned
    report: ApplyReport
    batches: list[Batch] = field(default_factory=list)
    rested: Planned | None = None

    @property
    def after(self) -> Planned:
        """The plan that was made afterwards, and was empty."""
        assert self.rested is not None
        return self.rested

    def applied(self, address: str) -> Applied:
        """What the driver returned for an address (without the server)."""
        return next(one for batch in self.batches for one in batch.applied if one.address.without_server == address)


class Bench:
    """One site behind a proxy, for one scenario. `opened` are capabilities that count as supported whatever `table` says, which
    is what the server supports according to the driver.
    """

    def __init__(
        self,
        site: Site,
        folder: Path,
        opened: frozenset[str] = frozenset(),
        table: Capabilities | None = None,
    ) -> None:
        self.site = site
        self.folder = folder
        self.ears = Ears()
        self.secrets = Catcher(self.ears)
        self.environ: dict[str, str] = {}
        self.story: list[str] = []
        self._opened = opened
        self.table: Capabilities = {**(table or {}), **dict.fromkeys(opened, yes())}
        tls = Server.model_validate({"role": "both", "driver": "x", "tls": site.entry.get("tls", {})}).tls
        context = tls_context(site.server, tls, folder) if site.url.startswith("https:") else None
        if isinstance(context, ssl.SSLContext) and tls.server_name:
            context.check_hostname = False
        self.proxy = Proxy(site.url, context)

    def __enter__(self) -> Bench:
        log = logging.getLogger("oauthdeploy")
        self._level = log.level
        log.addHandler(self.ears)
        log.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_error: object) -> None:
        log = logging.getLogger("oauthdeploy")
        log.removeHandler(self.ears)
        log.setLevel(self._level)
        self.proxy.close()

    # -- the driver ----------------------------------------------------------------------------------------------------

    @cached_property
    def info(self) -> DriverInfo:
        """The driver with this scenario's table, and with sign-ins registered at the proxy."""
        info = self.site.info
        facts = info.facts.answering(self.site.role, dict.fromkeys(self._opened, yes()))
        sign_in = info.sign_in
        if sign_in is None:
            return replace(info, facts=facts)

        def signing(given: SignIn) -> Any:
            def client(path: str) -> Any:
                self.proxy.excuse(path)
                return given.token_client(path)

            return sign_in(replace(given, token_client=client))

        return replace(info, facts=facts, sign_in=signing)

    @property
    def facts(self) -> dict[str, DriverFacts]:
        """The facts of this driver, and of those of its other entries."""
        from oauthdeploy.drivers.registry import driver_facts

        known = driver_facts()
        used = {str(entry["driver"]) for entry in self.site.others.values()} - {self.site.driver}
        return {**{name: known[name] for name in used}, self.site.driver: self.info.facts}

    def manifest(self, parts: Parts, *, credentials: Mapping[str, Any] | None = None, name: str = NAME) -> Manifest:
        """The manifest of some sections for this site. Raises Breach if the driver's own parts are not valid."""
        manifest, found = load_manifest(self.request(parts, credentials=credentials, name=name), self.facts)
        if manifest is None:
            raise Breach(
                "the manifest is refused: " + "; ".join(f"[{i.rule}] {i.detail or i.summary}" for i in found.errors)
            )
        for model in (*manifest.credentials.values(), *manifest.options.values()):
            for whose, secret in _secrets_of(model):
                self.ears.learn(whose, secret)
        return manifest

    def request(
        self, parts: Parts, *, credentials: Mapping[str, Any] | None = None, name: str = NAME
    ) -> ManifestRequest:
        """The manifest of some sections for this site, not yet read."""
        site = self.site
        own = {"role": site.role.value, "driver": site.driver, "url": self.proxy.url, **site.entry}
        own.pop("tls", None)
        limits = {"retries": 1, "timeout": 20, "parallel": 1}
        own["limits"] = {**limits, **site.entry.get("limits", {})}
        if credentials is not None:
            own["credentials"] = credentials
        extra, more = dict(parts.get("server", {})), parts.get("others", {})
        others = {name: {**entry, **more.get(name, {})} for name, entry in site.others.items()}
        document = {
            "version": 1,
            "name": name,
            "servers": {site.server: {**own, **extra}, **others},
            **{key: value for key, value in parts.items() if key not in ("server", "others")},
        }
        return ManifestRequest(
            files=("-",),
            stdin=json.dumps(document, ensure_ascii=False),
            environ=self.environ,
            severities=_QUIET,
            allow_commands=False,
        )

    @contextmanager
    def drivers(self, manifest: Manifest, *, read_only: bool) -> Iterator[dict[str, Driver]]:
        """The open driver of the site, by its server's name."""
        name = self.site.server
        driver = connect(
            self.info,
            name,
            manifest.desired.servers[name],
            manifest.credentials[name],
            manifest.options[name],
            read_only=read_only,
            base=self.folder,
        )
        try:
            yield {name: driver}
        finally:
            driver.close()

    def report(self) -> ServerReport:
        """The server's report about itself, through the driver."""
        with self.drivers(self.manifest({}), read_only=True) as drivers:
            return drivers[self.site.server].check()

    # -- plan and apply ------------------------------------------------------------------------------------------------

    def plan(self, parts: Parts, *, credentials: Mapping[str, Any] | None = None, name: str = NAME) -> Planned:
        """Plan on a connection that cannot write, and check that nothing was written."""
        manifest = self.manifest(parts, credentials=credentials, name=name)
        first = len(self.proxy.seen())
        try:
            with self.drivers(manifest, read_only=True) as drivers:
                plan, live, _reports = plan_now(manifest, drivers, RunOptions(), self.facts)
        except OAuthDeployError as error:
            self.ears.hear_error(error)
            self._require_silence()
            raise
        requests = self.proxy.seen(first)
        wrote = [str(seen) for seen in requests if seen.writes]
        if wrote:
            raise Breach(f"planning wrote: {', '.join(wrote[:5])}")
        self.ears.hear_plan(plan, live)
        self._require_silence()
        return Planned(plan, live, manifest, requests)

    def apply(self, planned: Planned) -> Ran:
        """Apply a plan, and check each result of the driver against the plan."""
        manifest = planned.manifest
        if errors := planned.plan.diagnostics.errors:
            raise Breach("the plan cannot be carried out: " + "; ".join(item.detail or item.summary for item in errors))
        batches: list[Batch] = []
        with (
            self.drivers(manifest, read_only=False) as drivers,
            Journal.create(self.folder / "journal", manifest.desired.name, now=utc_now) as journal,
        ):
            for driver in drivers.values():
                self._watch(driver, batches)
            try:
                report = apply_plan(
                    planned.plan,
                    drivers,
                    desired=manifest.desired,
                    facts=self.facts,
                    journal=journal,
                    base=self.folder,
                    sinks=self.secrets,
                    allowed=[stop.rule for stop in planned.plan.stops],
                    fresh=Freshness(planned.plan, drivers, manifest.desired, always=True),
                )
            except OAuthDeployError as error:
                self.ears.hear_error(error)
                self._require_silence()
                raise
        for batch in batches:
            for one in batch.applied:
                if one.secret is not None:
                    self.ears.learn(f"the secret of {one.address}", one.secret)
        self.ears.hear_report(report, journal.path.read_text(encoding="utf-8"))
        self.ears.said.append(("repr of what the driver returned", repr(batches)))
        self._require_silence()
        return Ran(planned, report, batches)

    def _watch(self, driver: Driver, batches: list[Batch]) -> None:
        original = driver.apply

        def apply(changes: Sequence[Change]) -> Sequence[Applied]:
            promised, first = driver.writes(changes), len(self.proxy.seen())
            applied = original(changes)
            batches.append(Batch(changes, applied, len(self.proxy.seen(first)), promised))
            return applied

        driver.apply = apply  # type: ignore[method-assign]

    def step(self, title: str, parts: Parts, expect: Mapping[str, str] | None = None, *, name: str = NAME) -> Ran:
        """One step of a scenario: plan, check the plan, apply, and plan again in three ways.

        `expect` maps addresses without the server to actions; None: something must be planned. Raises Breach.
        """
        self.story.append(title)
        planned = self.plan(parts, name=name)
        if expect is None and planned.plan.is_empty:
            raise Breach("nothing is planned, although the server cannot match the manifest")
        if expect is not None and planned.actions != dict(expect):
            raise Breach(f"planned {planned.actions}, expected {dict(expect)}")
        return self.carry_out(parts, planned, name=name)

    def settle(self, title: str, parts: Parts) -> Planned:
        """Bring the server to the state of the manifest, whatever that takes, and check that a second plan is empty. Raises
        Breach.
        """
        self.story.append(title)
        planned = self.plan(parts)
        return planned if planned.plan.is_empty else self.carry_out(parts, planned).after

    def carry_out(self, parts: Parts, planned: Planned, *, name: str = NAME) -> Ran:
        """Apply a plan as a step does, and check that a second plan is empty. Raises Breach."""
        ran = self.apply(planned)
        _require_outcomes(ran)
        ran.rested = self.rest(parts, ran, name=name)
        self.export_over(parts, name=name)
        return ran

    def export_over(self, parts: Parts, *, name: str = NAME) -> None:
        """Export over a manifest that the server matches: every written field stays, and the plan is empty. Raises Breach."""
        request = self.request(parts, name=name)
        before = self.manifest(parts, name=name)
        with self.drivers(before, read_only=True) as drivers:
            report = export_over(request, drivers, RunOptions(servers=(self.site.server,)), self.facts)
            request = replace(
                request,
                stdin=report.files[0].text,
                environ={**dict.fromkeys(report.variables, "unset"), **self.environ},
            )
            manifest, found = load_manifest(request, self.facts)
            if manifest is None:
                raise Breach(f"an export is not a valid manifest: {found.errors}")
            lost = [
                f"{address}: {path}"
                for address, value in before.desired.objects.items()
                for path in flatten(value)
                if address.server == self.site.server
                and (address not in manifest.desired.objects or path not in flatten(manifest.desired.objects[address]))
            ]
            if lost:
                raise Breach(f"an export over the manifest drops what it writes: {', '.join(lost[:5])}")
            plan, _live, _reports = plan_now(manifest, drivers, RunOptions(), self.facts)
        # The secrets of clients that only the export added to the manifest are unknown.
        plan = replace(
            plan,
            changes=tuple(
                change
                for change in plan.changes
                if change.address in before.desired.objects or any(f.path != "secret.value" for f in change.fields)
            ),
        )
        if not plan.is_empty:
            raise Breach(f"a plan after an export over the manifest is not empty: {_summary(plan)}")

    def rest(self, parts: Parts, ran: Ran | None = None, *, name: str = NAME) -> Planned:
        """Plan again with a fresh driver, by lists and by keys, and expect nothing. Raises Breach."""
        again = self.plan(parts, name=name)
        if not again.plan.is_empty:
            raise Breach(f"a second plan is not empty: {_summary(again.plan)}")
        unread = [item for state in again.live.servers.values() for item in state.unreadable.values()]
        if unread:
            raise Breach(f"a kind cannot be read: {unread[0].summary}: {unread[0].detail}")
        desired = again.manifest.desired
        with self.drivers(again.manifest, read_only=True) as drivers:
            by_key = read_live(drivers, desired, everything=False)
        _require_equal(desired, again.live, by_key)
        if ran is not None:
            _require_answers(ran, again.live)
        return again

    def address(self, text: str) -> Address:
        """The address on this server of one that is written without a server."""
        return Address.parse(f"{text}@{self.site.server}")

    def live(self, planned: Planned, address: str) -> LiveObject:
        """The live object at an address without the server. Raises Breach if there is none."""
        found = planned.live.objects.get(self.address(address))
        if found is None:
            raise Breach(f"{address} does not exist")
        return found

    def secret(self, name: str, text: str) -> str:
        """Put a secret into the environment and return its reference."""
        self.environ[name] = text
        self.ears.learn(f"the secret of the variable {name}", text)
        return f"${{env:{name}}}"

    def finish(self) -> None:
        """Check that no secret has been disclosed since the last check. Raises Breach."""
        self._require_silence()

    def _require_silence(self) -> None:
        if leaks := list(self.ears.leaks()):
            raise Breach(f"a secret was disclosed: {leaks[0]}")


# -- invariants -------------------------------------------------------------------------------------------------------


def _summary(plan: Plan) -> str:
    return "; ".join(
        f"{change.action.symbol} {change.address} ({', '.join(item.path for item in change.fields)})"
        for change in plan.changes[:5]
    )


def _require_outcomes(ran: Ran) -> None:
    for outcome in ran.report.outcomes:
        if outcome.status is not Status.DONE:
            cause = outcome.because
            words = f"{cause.summary}: {cause.detail}" if cause else ""
            raise Breach(f"{outcome.change.action} {outcome.change.address} {outcome.status}: {words}")
    for item in ran.report.verification:
        raise Breach(f"verification finds: {item.address}: {item.summary}: {item.detail}")
    if not ran.report.verified:
        raise Breach("what was made could not be read again")
    for batch in ran.batches:
        for change, one in zip(batch.changes, batch.applied, strict=True):
            is_delete = change.action.value == "delete"
            if is_delete and one.value is not None:
                raise Breach(f"{change.address} was deleted, and the driver returns an object")
            if not is_delete and one.value is None and one.looked:
                raise Breach(f"{change.address} was {change.action}d, and the driver returns no object")
            if found := unkept(change, one):
                raise Breach(f"what the driver returns is not what was planned: {found[0].summary}: {found[0].detail}")


def _require_answers(ran: Ran, live: LiveState) -> None:
    """What the driver returned is what the server has: each field that is in both."""
    last = {one.address: one for batch in ran.batches for one in batch.applied}
    for address, one in last.items():
        found = live.objects.get(address)
        if one.value is None or found is None or address.kind is Kind.REVOCATION:
            continue
        returned, read_back = flatten(one.value), flatten(found.value)
        for path in returned.keys() & read_back.keys() - found.incomparable:
            if isinstance(returned[path], Secret) or isinstance(read_back[path], Secret):
                continue
            if not same(returned[path], read_back[path]):
                raise Breach(
                    f"{address}: the driver returned {returned[path]!r} for {path}, and the server has {read_back[path]!r}"
                )
        if one.identity and found.identity and one.identity != found.identity:
            raise Breach(f"{address}: the driver returned another id than the server has")


def _require_equal(desired: DesiredState, lists: LiveState, keys: LiveState) -> None:
    for address in sorted(desired.objects):
        if address.kind is Kind.REVOCATION:
            continue
        if lists.objects.get(address) != keys.objects.get(address):
            raise Breach(f"{address} differs between reading by its key and reading the list")


def _secrets_of(model: Model) -> Iterator[tuple[str, Secret]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Secret):
            yield f"{name} of the server entry", value
        elif isinstance(value, Model):
            yield from _secrets_of(value)


def answered(report: ServerReport, facts: DriverFacts, site: Site) -> Capabilities:
    """The table of a server: what the driver found there, and its general one for everything else."""
    table = table_for(facts, site.role)
    questions = (*QUESTIONS, *(field_name(Kind.TRUST, path) for path in fields_of(Kind.TRUST)))
    return {question: report.capabilities.get(question, supports(table, question)) for question in questions}
