"""Export: live servers to a manifest whose plan is empty, verified by making that plan before the manifest is returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path, Severity
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, UsageError
from oauthdeploy.core.garbage_collector import paused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Driver, ServerReport, Wanted
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.editing.export_merge import Exported, with_ignores, write_export
from oauthdeploy.manifest.editing.format import format_source
from oauthdeploy.manifest.input_files import read_sources
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.severities import is_structural
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.suggestions import did_you_mean
from oauthdeploy.model.capabilities import Capabilities, DriverFacts, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.target_limits import ALLOWING
from oauthdeploy.planning.export.values import Export, ExportOptions, Left
from oauthdeploy.planning.inventory import Inventory, kinds_to_read
from oauthdeploy.planning.omissions import Omission, beyond, findings_of
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unread import Unread, unread_among
from oauthdeploy.running.read import check_and_read_wanted, read_live, read_wanted, with_answers
from oauthdeploy.workflow.connections import connected, narrowed
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.planner import plan_for

_ROUNDS: Final = 6
"""The number of attempts, each without the fields that a manifest turned out not to express, before the export fails."""

_STAND_IN: Final = "export-checks-its-plan"
"""The placeholder for unknown secrets while the plan of an export is checked; it is never sent."""

_TELLING: Final = 6
"""The length from which a secret that occurs in a text is no coincidence."""

_OF_SERVERS: Final = frozenset({"name-not-accepted", "not-supported", "value-not-accepted"})
"""The rules about what a server accepts."""

_SECTIONS: Final = {"scopes": Kind.SCOPE, "clients": Kind.CLIENT}


class NotExported(OAuthDeployError):
    """The live objects cannot be exported to a manifest whose plan is empty."""

    rule = "not-exported"


class ExportedFile(Struct, frozen=True):
    """A file of the manifest: its text, and its original text. Files that the export does not affect are unchanged."""

    name: str
    text: str
    before: str

    @property
    def changed(self) -> bool:
        """Whether the text differs from the original."""
        return self.text != self.before


class ExportReport(Struct, frozen=True):
    """`files` are those of the manifest, in order; `variables` the environment variables that new entries read, by name with
    their purpose; `findings` say what could not be expressed, and what the rules find in the live objects. `holds_secret` is
    true if a text contains a secret from the manifest itself and must not be shown. `unread` are the kinds that could not be
    read. `omissions` are what the export leaves out by object and field, which `findings` report too; `beyond` says what is
    never exported.
    """

    files: tuple[ExportedFile, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    findings: Diagnostics = field(default_factory=Diagnostics)
    holds_secret: bool = False
    unread: tuple[Unread, ...] = ()
    omissions: tuple[Omission, ...] = ()
    beyond: str = ""

    @property
    def changed(self) -> bool:
        """Whether any file differs from the original."""
        return any(file.changed for file in self.files)


def export_manifest(
    request: ManifestRequest, options: RunOptions | None = None, wanted: ExportOptions | None = None
) -> ExportReport:
    """Read the servers of a manifest (which needs only version, name and servers) and write the live objects into its text.

    With several files, each object is written into the file that has it, a new one into the last file with its section, or
    else the first; other files do not change by a byte. Writes no file and to no server.

    Raises what `make_plan` raises, UsageError for servers that the manifest does not name, NotExported and NotChangeable.
    """
    options, wanted = options or RunOptions(), wanted or ExportOptions()
    sources, problems = read_sources(request)
    if problems:
        raise ManifestInvalid(Diagnostics.of(problems))
    made = _Export(request, options, wanted, sources, driver_facts())
    with connected(made.manifest, made.options, read_only=True) as drivers:
        return made.run(drivers)


def export_over(
    request: ManifestRequest,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    facts: Mapping[str, DriverFacts],
) -> ExportReport:
    """`export_manifest` through drivers that are open already; `facts` are by driver name."""
    sources, problems = read_sources(request)
    if problems:
        raise ManifestInvalid(Diagnostics.of(problems))
    return _Export(request, options, ExportOptions(), sources, facts).run(drivers)


def _holds_secret(manifest: Manifest, text: str) -> bool:
    """Whether a text contains a secret of the manifest. Secrets as short as a word do not count."""
    parts = (manifest.document, *manifest.credentials.values(), *manifest.options.values())
    return any(
        len(secret.reveal()) >= _TELLING and secret.reveal() in text for part in parts for secret in _secrets_in(part)
    )


def _secrets_in(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Model):
        for name in value.model_fields_set:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets_in(inner)


def require_readable(manifest: Manifest, names: Iterable[str]) -> None:
    """Reject servers that the manifest does not name or that cannot be read. Raises UsageError."""
    known, facts = manifest.desired.servers, driver_facts()
    for name in names:
        if name not in known:
            fix = did_you_mean(name, sorted(known), what="Servers are")
            raise UsageError(f"No server '{name}' in the manifest", fix=fix)
        if not facts[known[name].driver].writable:
            raise UsageError(
                f"The server '{name}' cannot be read",
                detail=f"The driver '{known[name].driver}' only describes a server.",
                fix="Leave it out.",
            )


def read_estate(
    manifest: Manifest,
    drivers: Mapping[str, Driver],
    kinds: Iterable[Kind],
    facts: Mapping[str, DriverFacts] | None = None,
) -> Inventory:
    """All objects of some kinds on the servers of `drivers`, read in parallel. Raises what `make_plan` raises."""
    return _check_and_read_estate(manifest, drivers, tuple(kinds), driver_facts() if facts is None else facts)[1]


def _check_and_read_estate(
    manifest: Manifest, drivers: Mapping[str, Driver], kinds: Sequence[Kind], facts: Mapping[str, DriverFacts]
) -> tuple[Mapping[str, ServerReport], Inventory]:
    """What the servers report of themselves, and all objects of some kinds."""
    desired = manifest.desired
    tables = {
        name: table_for(facts[entry.driver], entry.role)
        for name, entry in desired.servers.items()
        if facts[entry.driver].writable
    }
    wanted = {name: _all_of(desired, name, tables[name], kinds) for name in drivers}
    reports, live = check_and_read_wanted(drivers, wanted)
    tables |= {name: {**tables[name], **reports[name].capabilities} for name in drivers}
    told = {name: _all_of(desired, name, tables[name], kinds) for name in drivers}
    if told != wanted:
        # A server said that it holds other kinds than its driver's table has.
        live = read_wanted(drivers, told)
    return reports, Inventory(desired, LiveState({name: live.servers[name] for name in drivers}), facts, tables)


def _all_of(desired: DesiredState, server: str, table: Capabilities, kinds: Iterable[Kind]) -> Wanted:
    """All objects of those of `kinds` that a server holds according to `table`."""
    return Wanted(
        objects=desired.on(server),
        kinds=kinds_to_read(desired.servers[server], table, kinds),
        absent=frozenset(address for address in desired.absent if address.server == server),
        moved={address: former for address, former in desired.moved.items() if address.server == server},
        owner=desired.name,
        external=frozenset(address for address in desired.external if address.server == server),
        identities={address: known for address, known in desired.identities.items() if address.server == server},
        whole=True,
    )


class _Export:
    """One export: reads once, then writes, checks and leaves out until the plan is empty."""

    def __init__(
        self,
        request: ManifestRequest,
        options: RunOptions,
        wanted: ExportOptions,
        sources: tuple[Source, ...],
        facts: Mapping[str, DriverFacts],
    ) -> None:
        self.request = request
        self.sources = sources
        self.facts = facts
        self.manifest = self._load()
        self.wanted = wanted
        self.options = replace(options, servers=self._servers(options))
        self.left: set[Left] = set()
        self.omissions: list[Omission] = []
        self.reports: Mapping[str, ServerReport] = {}

    def run(self, drivers: Mapping[str, Driver]) -> ExportReport:
        """The export, checked."""
        with paused():
            return self._run(drivers)

    def _run(self, drivers: Mapping[str, Driver]) -> ExportReport:
        self.reports, estate = _check_and_read_estate(self.manifest, drivers, self.wanted.kinds, self.facts)
        for _ in range(_ROUNDS):
            found = export(estate, self.wanted, self.left)
            made = write_export(self.sources, found, self.request.environment)
            report = self._checked(drivers, made, found)
            if report is not None:
                texts = (file.text for file in report.files)
                shows = any(_holds_secret(self.manifest, text) for text in texts)
                seen = beyond(estate, estate.live.servers)
                return replace(report, holds_secret=shows, unread=self._unread(estate), beyond=seen)
        raise NotExported(
            "The servers hold objects that a manifest cannot express",
            detail="\n".join(f"{item.address}: {item.detail}" for item in findings_of(self.omissions[-5:])),
            fix="Export a part: --kind, --name and --server select.",
        )

    # -- reading ----------------------------------------------------------------------------------------------------

    def _unread(self, inventory: Inventory) -> tuple[Unread, ...]:
        kinds = {
            name: kinds_to_read(inventory.desired.servers[name], inventory.tables[name], self.wanted.kinds)
            for name in inventory.live.servers
        }
        return unread_among(inventory.live, kinds)

    def _load(self) -> Manifest:
        manifest, found = load_manifest(self.request, self.facts, self.sources)
        if manifest is None:
            raise ManifestInvalid(found)
        return manifest

    def _servers(self, options: RunOptions) -> tuple[str, ...]:
        wanted = self.wanted
        ends = tuple(name for name in (wanted.source, wanted.target) if name is not None)
        require_readable(self.manifest, (*options.servers, *ends))
        if len(ends) == 1 or len(set(ends)) < len(ends):
            raise UsageError("An export from one server to another needs two servers", fix="Write --from A --to B.")
        return ends or options.servers

    # -- checking ---------------------------------------------------------------------------------------------------

    def _checked(self, drivers: Mapping[str, Driver], exported: Exported, found: Export) -> ExportReport | None:
        """The report, if the plan of the texts is empty; None if more is left out for the next attempt."""
        stand_ins = dict.fromkeys(exported.variables, _STAND_IN)
        request = replace(self.request, environ={**stand_ins, **self.request.environ})
        sources = exported.files
        manifest: Manifest | None = self.manifest
        findings = Diagnostics()
        if sources != self.sources:
            manifest, findings = load_manifest(request, self.facts, sources, exported.trees)
        rules = [item for item in findings.errors if item.span is not None and self._can_be_ignored(item)]
        if manifest is None and rules and len(rules) == len(findings.errors):
            sources = tuple(with_ignores(source, rules) for source in exported.files)
            manifest, again = load_manifest(request, self.facts, sources)
            findings = again if manifest is None else findings
        if manifest is None:
            if not self._leave_out(self._as_a_whole(_unsayable(findings.errors))):
                raise ManifestInvalid(findings)
            return None
        if self._leave_out(self._as_a_whole(self._undone(self._plan(narrowed(manifest, self.options), drivers)))):
            return None
        kept = [replace(item, severity=Severity.WARNING) for item in rules]
        omissions = (*found.omissions, *self.omissions)
        findings_now = Diagnostics.of([*found.findings, *findings_of(omissions), *kept]).sorted()
        files = tuple(
            _file(source, before, canonical=source in exported.files)
            for source, before in zip(sources, self.sources, strict=True)
        )
        return ExportReport(files, exported.variables, findings_now, omissions=omissions)

    def _plan(self, manifest: Manifest, drivers: Mapping[str, Driver]) -> Plan:
        """The plan of what was written, from the servers as they are now; who they are was checked by this run already."""
        live = with_answers(read_live(drivers, manifest.desired), self.reports)
        return plan_for(manifest, drivers, self.options, self.reports, live, self.facts, bound=False)[0]

    def _can_be_ignored(self, item: Diagnostic) -> bool:
        """Whether a value may stay although it violates a rule. A copy takes no value along that its target does not accept."""
        return not is_structural(item.rule) and (self.wanted.target is None or item.rule not in _OF_SERVERS)

    def _as_a_whole(self, found: Iterable[tuple[Left, str]]) -> Iterator[tuple[Left, str]]:
        """Leave a client out of a copy if the target does not take a field whose default may allow more."""
        for (kind, name, path), why in found:
            whole = self.wanted.levels and kind == Kind.CLIENT and path in ALLOWING
            yield (kind, name, "" if whole else path), why

    def _undone(self, plan: Plan) -> Iterator[tuple[Left, str]]:
        """Leave out of the manifest what the plan would still change."""
        for change in plan.changes:
            if self.wanted.target is not None and change.address.server != self.wanted.source:
                continue
            if change.address.kind is Kind.REVOCATION:
                continue
            yield from _left_of(change, self.manifest)
        for item in plan.diagnostics.errors:
            try:
                address = Address.parse(item.address)
            except ValueError:
                continue
            if address.server in self.reports:
                name = address.server if address.kind.is_singleton else address.name
                yield (address.kind.value, name, _field_of(item.path)), item.detail or item.summary

    def _leave_out(self, found: Iterable[tuple[Left, str]]) -> bool:
        """Record what cannot be expressed; True if it is new."""
        new = False
        for left, why in found:
            if left in self.left:
                continue
            new = True
            self.left.add(left)
            kind, name, path = left
            self.omissions.append(
                Omission(_address_of(kind, name), path, why, fix="It stays unmanaged; add it by hand if you need it.")
            )
        return new


def _address_of(kind: str, name: str) -> str:
    """The address of an omission; for associations, all those of a client."""
    if kind == Kind.ASSOCIATION:
        return f"{Kind.ASSOCIATION}/{Address.association(name, '*', '').name}"
    return object_address(Kind(kind), name) if kind in (Kind.SCOPE, Kind.CLIENT) else f"{kind}@{name}"


def _left_of(change: Change, manifest: Manifest) -> Iterator[tuple[Left, str]]:
    address = change.address
    kind = address.kind
    if kind is Kind.ASSOCIATION:
        yield (kind.value, address.client, ""), "The server does not return its associations as they were written."
    elif kind.is_singleton:
        name = address.server
        paths = [field.path for field in change.fields] if kind is Kind.SETTINGS else [""]
        for path in paths:
            yield (kind.value, name, path), f"{name} does not return it as it was written."
    elif change.action is Action.UPDATE and change.fields:
        for field in change.fields:
            if not field.path.startswith("secret."):
                why = f"{address.server} does not return it as it was written."
                yield (kind.value, address.name, field.path), why
    elif address in manifest.desired.objects or change.action is not Action.DELETE:
        yield (
            (kind.value, address.name, ""),
            f"{address.server} does not return it under anything that a manifest can express.",
        )


def _unsayable(errors: Iterable[Diagnostic]) -> Iterator[tuple[Left, str]]:
    """The fields that the errors in the text are about."""
    for item in errors:
        path: Path = item.path
        why = f"{item.detail or item.summary} [{item.rule}]"
        if len(path) >= 2 and path[0] in _SECTIONS:
            kind = _SECTIONS[str(path[0])]
            field_path = ".".join(
                str(part) for part in path[4 if path[2:3] == ("overrides",) else 2 :] if isinstance(part, str)
            )
            yield (kind.value, str(path[1]), "" if field_path in ("on", "state") else field_path), why
        elif len(path) >= 4 and path[:2] == ("settings", "overrides"):
            yield (Kind.SETTINGS.value, str(path[2]), str(path[3])), why
        elif len(path) >= 3 and path[0] == "servers" and path[2] == "authorization_server":
            yield (Kind.TRUST.value, str(path[1]), ""), why


def _field_of(path: Path) -> str:
    """The dotted path of the field at a position of the manifest; "" for a whole object."""
    above = 2 if path[:1] != ("settings",) else 3 if path[1:2] == ("overrides",) else 1
    return ".".join(str(part) for part in path[above:] if isinstance(part, str))


def _file(written: Source, before: Source, *, canonical: bool) -> ExportedFile:
    """The file as it is to be; `canonical`: it was written in canonical form, or is unchanged."""
    if canonical or written.text == before.text:
        return ExportedFile(before.name, written.text, before.text)
    formatted = format_source(written)
    return ExportedFile(before.name, written.text if formatted.problems else formatted.text, before.text)
