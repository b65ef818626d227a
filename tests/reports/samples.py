"""Values to render: what planning, running and drivers give, made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path, Severity, SourceSpan
from oauthdeploy.core.errors import Unauthorized
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY
from oauthdeploy.model.objects import ClientType, Grant, Side
from oauthdeploy.model.state import Ownership
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Risk, Stage
from oauthdeploy.planning.drift.classification import DriftClass, DriftItem, DriftReport
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.planning.plan import Plan, ServerSummary
from oauthdeploy.planning.unmanaged import Kept
from oauthdeploy.reports.document import ManifestView
from oauthdeploy.reports.ping import ServerAnswer

CANARY = "canary-7b1e-never-shown"
LINES = {"settings": 24, "client": 31, "scope": 52, "association": 66, "revocation": 5, "trust": 20}
RS, AS = Stage.WIDEN_RESOURCE, Stage.WIDEN_AUTHORIZATION

SERVERS = (
    ServerSummary(
        "login", "authorization", "webmethods", "https://is-auth.example.com:5543", "Integration Server 10.11", 5, 9
    ),
    ServerSummary(
        "orders", "resource", "webmethods", "https://is-orders.example.com:5543", "Integration Server 10.11", 4, 6
    ),
)


def locate(path: Path) -> SourceSpan | None:
    """A manifest in which every kind stands at its own line."""
    if not path:
        return None
    file = "incident.yaml" if path[0] == "revocation" else "oauthdeploy.yaml"
    return SourceSpan(file, LINES[str(path[0])], 3)


MANIFEST = ManifestView(locate, ("oauthdeploy.yaml", "incident.yaml"))


def address(text: str) -> Address:
    return Address.parse(text)


def change(
    text: str, action: Action, reason: Reason, stage: Stage, *fields: tuple[str, Any, Any], **more: Any
) -> Change:
    at = address(text)
    return Change(
        at,
        action,
        reason,
        stage,
        fields=tuple(FieldChange(*field) for field in fields),
        place=more.pop("place", (at.kind.value, at.name)),
        **more,
    )


def create(text: str, *fields: tuple[str, Any], **more: Any) -> Change:
    stage = AS if text.endswith("@login") else RS
    return change(text, Action.CREATE, Reason.MISSING, stage, *((path, None, value) for path, value in fields), **more)


def update(text: str, *fields: tuple[str, Any, Any], **more: Any) -> Change:
    stage = AS if text.endswith("@login") else RS
    return change(text, Action.UPDATE, Reason.DIFFERS, more.pop("stage", stage), *fields, **more)


def on_both(make: Any, text: str, *fields: Any, **more: Any) -> Iterable[Change]:
    return (make(f"{text}@orders", *fields, **more), make(f"{text}@login", *fields, **more))


BATCH = (
    ("name", "Nightly Batch"),
    ("version", "1"),
    ("type", ClientType.CONFIDENTIAL),
    ("redirect_uris", ()),
    ("grants", (Grant.CLIENT_CREDENTIALS,)),
    ("tokens.access_lifetime", 600),
    ("tokens.refresh_count", 0),
    ("secret.value", Secret(CANARY, "env:NIGHTLY_BATCH_SECRET")),
)


def first_plan() -> Plan:
    """An estate that is set up: nearly all creates, on both sides."""
    changes = [
        create(
            "trust@orders",
            ("authorization_server", "login"),
            ("via", "remote"),
            ("endpoint", "https://is-auth.example.com:5543"),
            ("password", Secret(CANARY, "env:INTROSPECTION_PASSWORD")),
            risk=Risk.MEDIUM,
        ),
        update("settings@login", ("require_pkce", False, True), ("access_token_lifetime", 3600, 1800)),
        *on_both(
            create,
            "scope/orders.read",
            ("description", "Read orders"),
            ("resources", ("orders.v1:getOrder", "orders.v1:listOrders")),
        ),
        *on_both(create, "client/nightly-batch", *BATCH, risk=Risk.MEDIUM),
        create("association/nightly-batch:orders.read@login", risk=Risk.LOW),
        create("association/nightly-batch:reports.read@login", risk=Risk.LOW),
    ]
    return Plan(name="quickstart", changes=tuple(changes), servers=SERVERS)


def second_plan() -> Plan:
    """An estate in use: every action, findings, a safety stop, and what can't be compared."""
    cut_off = {"risk": Risk.LOW, "place": ("revocation", "INC-2041")}
    changes = [
        change(
            "revocation/INC-2041@orders",
            Action.DISABLE,
            Reason.CUT_OFF,
            Stage.CUT_OFF_RESOURCE,
            ("enabled", True, False),
            **cut_off,
        ),
        change(
            "revocation/INC-2041@login",
            Action.REVOKE,
            Reason.CUT_OFF,
            Stage.CUT_OFF_AUTHORIZATION,
            note="Deletes 3 tokens of nightly-batch; the last would have ended 2026-11-24T08:00:00Z.",
            **cut_off,
        ),
        update("settings@login", ("access_token_lifetime", 3600, "never"), risk=Risk.HIGH),
        update(
            "scope/reports.read@orders",
            ("description", "Read all of the reports that finance makes", "Read the reports of the day before"),
            ("resources", ("payroll", "reports", "stock"), ("reports", "stock", "sales")),
            stage=Stage.NARROW_RESOURCE,
        ),
        change(
            "client/web-shop@login",
            Action.REPLACE,
            Reason.DIFFERS,
            AS,
            ("type", ClientType.CONFIDENTIAL, ClientType.PUBLIC),
            ("redirect_uris", ("https://shop.example.com/cb",), ("https://shop.example.com/callback",)),
            ("secret.value", None, KNOWN_AFTER_APPLY),
            risk=Risk.HIGH,
            note="The server cannot change the type: the client is replaced, and its tokens stop working.",
        ),
        update("client/web-shop@orders", ("redirect_uris", ("https://shop.example.com/cb",), ())),
        change(
            "client/legacy@login",
            Action.DELETE,
            Reason.MARKED_ABSENT,
            Stage.NARROW_AUTHORIZATION,
            risk=Risk.HIGH,
            depends_on=(address("association/legacy:reports.read@login"),),
        ),
        change("client/legacy@orders", Action.DELETE, Reason.MARKED_ABSENT, Stage.NARROW_RESOURCE, risk=Risk.MEDIUM),
        change(
            "association/legacy:reports.read@login",
            Action.DELETE,
            Reason.NOT_IN_MANIFEST,
            Stage.NARROW_AUTHORIZATION,
            place=(),
        ),
    ]
    return Plan(
        name="payments",
        changes=tuple(changes),
        servers=SERVERS,
        diagnostics=Diagnostics((WARNING, Diagnostic("quiet", "Said to the curious", severity=Severity.INFO))),
        stops=Diagnostics((STOP,)),
        incomparable=(
            (address("client/nightly-batch@login"), "secret.value"),
            (address("client/nightly-batch@orders"), "secret.value"),
        ),
        kept=(
            Kept(
                address("client/legacy-shop@login"),
                Ownership.OURS,
                "payments",
                unexpected=True,
                severity=Severity.WARNING,
            ),
            *(
                Kept(address(f"client/partner-{number:02}@login"), unexpected=True, severity=Severity.INFO)
                for number in range(1, 24)
            ),
            Kept(address("scope/billing.read@orders"), Ownership.FOREIGN, "billing"),
        ),
    )


def empty_plan() -> Plan:
    return Plan(name="quickstart", changes=(), servers=SERVERS)


HOSTILE = "a\x1b[31mred\x1b[0m[bold]b[/bold]\u202ecilbup\u202c\r\n\x00\x9b31m\u200b:smile:\ud800"


def hostile_plan() -> Plan:
    """Names and values that try to draw on the terminal, hide, or look like markup."""
    changes = [
        create(str(Address(Kind.CLIENT, HOSTILE, "login")), ("name", HOSTILE), ("redirect_uris", (HOSTILE, "[link]x"))),
        update(str(Address(Kind.SCOPE, "[red]読み取り[/red]", "login")), ("description", HOSTILE, "日本語の説明" * 12)),
    ]
    found = Diagnostic("bad-thing", HOSTILE, HOSTILE, HOSTILE, Severity.WARNING, address=HOSTILE, path=(HOSTILE,))
    servers = (ServerSummary("login", "authorization", HOSTILE, f"https://{HOSTILE}", HOSTILE),)
    return Plan(name=HOSTILE, changes=tuple(changes), servers=servers, diagnostics=Diagnostics((found,)))


def wide_plan(servers: int) -> Plan:
    """One client on many resource servers."""
    names = [f"resource-server-{number:02}" for number in range(servers)]
    return Plan(
        name="estate",
        changes=tuple(create(f"client/web-shop@{name}", ("name", "Web Shop")) for name in names),
        servers=tuple(ServerSummary(name, "resource", "webmethods", f"https://{name}.example.com") for name in names),
    )


ERROR = Diagnostic(
    "redirect-uri-not-https",
    "Redirect URI is not secure",
    detail='"http://shop.example/cb" sends authorization codes in clear text.',
    fix="Use https. Plain http is accepted only for loopback addresses.",
    address="client/web-shop",
    path=("clients", "web-shop", "redirect_uris", 0),
    span=SourceSpan("shop.yaml", 41, 21, "    redirect_uris: [http://shop.example/cb]"),
)
WARNING = Diagnostic(
    "scope-opens-nothing",
    "No resource server opens the scope",
    detail="orders.admin can be granted, and no resource server lets anything through for it.",
    fix="Give it resources or url_templates, or remove it.",
    severity=Severity.WARNING,
    address="scope/orders.admin",
    path=("scopes", "orders.admin"),
    span=SourceSpan("oauthdeploy.yaml", 58, 3, "  orders.admin: {description: Administer orders}"),
)
STOP = Diagnostic(
    "too-many-deletes",
    "The plan deletes more than is allowed",
    detail="2 of 5 clients on login would be deleted, 40%; the limit is 30%.",
    fix="Check the deletes, or raise policy.limits.max_deletes.",
)
REFUSED = Diagnostic(
    "permission-denied",
    "The server does not allow the request",
    detail="POST /admin/oauth/client answered 403: Access Denied",
    fix="Give the account the right to administer OAuth.",
    address="client/nightly-batch@login",
)
MOMENT = datetime(2026, 11, 20, 8, tzinfo=UTC)
SIDES = (Side.RESOURCE,)


def done_report() -> ApplyReport:
    plan = first_plan()
    outcomes = tuple(
        Outcome(item, Status.DONE, identity="42", requests=1, seconds=0.012, note="3 tokens deleted." if not n else "")
        for n, item in enumerate(plan.changes)
    )
    return ApplyReport(
        plan,
        outcomes,
        verified=True,
        delivered=MappingProxyType({"client/nightly-batch@login": "out/batch.env"}),
        journal=".oauthdeploy/journal/quickstart.ndjson",
        seconds=1.24,
    )


def partial_report() -> ApplyReport:
    plan = first_plan()
    skipped = Diagnostic(
        "dependency-failed",
        "Skipped",
        "client/nightly-batch@login failed, and this depends on it.",
        severity=Severity.INFO,
    )
    ends: list[tuple[Status, Diagnostic | None]] = [(Status.DONE, None)] * len(plan.changes)
    ends[-4] = (Status.UNKNOWN, Diagnostic("answer-lost", "The answer never came", "The server may have made it."))
    ends[-3] = (Status.FAILED, REFUSED)
    ends[-2:] = [(Status.SKIPPED, skipped)] * 2
    outcomes = tuple(Outcome(item, status, because) for item, (status, because) in zip(plan.changes, ends, strict=True))
    return ApplyReport(
        plan,
        outcomes,
        verification=Diagnostics((Diagnostic("field-not-kept", "The server did not keep a field", "version is 2."),)),
        verified=True,
        allowed=("too-many-deletes",),
        interrupted=True,
        journal=".oauthdeploy/journal/quickstart.ndjson",
        seconds=75.2,
    )


def drift_report(items: tuple[DriftItem, ...] | None = None) -> DriftReport:
    found = (
        DriftItem(
            DriftClass.MISSING, address("client/web-shop@login"), "It does not exist.", place=("client", "web-shop")
        ),
        DriftItem(
            DriftClass.CHANGED,
            address("scope/reports.read@orders"),
            "",
            (
                FieldChange("resources", ("payroll", "reports"), ("reports",)),
                FieldChange("description", "x", "Reports"),
            ),
            ("scope", "reports.read"),
        ),
        DriftItem(DriftClass.UNEXPECTED, address("association/batch:orders.read@login"), "Nobody asked for it."),
        DriftItem(DriftClass.SIDES_DISAGREE, address("scope/orders.read@orders"), "login has it, orders lacks it."),
        DriftItem(DriftClass.CANNOT_COMPARE, address("client/batch@login"), "secret.value is never told."),
        DriftItem(DriftClass.UNREADABLE, address("settings@orders"), "GET /admin/oauth answered 403."),
    )
    return DriftReport(empty_plan(), found if items is None else items, Diagnostics((WARNING,)))


def ping_answers() -> tuple[ServerAnswer, ...]:
    error = Unauthorized(
        "orders doesn't accept the credentials",
        server="orders",
        method="GET",
        path="/admin/oauth/globalsetting",
        status=401,
        words="Access Denied",
        fix="Check credentials in the manifest.",
    )
    return (
        ServerAnswer(
            "login",
            "webmethods",
            "authorization",
            "https://is-auth.example.com:5543",
            "Integration Server",
            "10.11",
            "deployer",
            0.0124,
            diagnostics=Diagnostics((WARNING,)),
        ),
        ServerAnswer(
            "orders", "webmethods", "resource", "https://is-orders.example.com:5543", seconds=1.5, error=error
        ),
    )
