"""Collects everything that is output during a scenario, and every secret that must not be in it."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.reports.builders.apply import apply_report
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.console import Look
from oauthdeploy.reports.document import Report
from oauthdeploy.reports.json import render_json
from oauthdeploy.reports.markdown import render_markdown
from oauthdeploy.reports.ndjson import render_ndjson
from oauthdeploy.reports.text import render_text

_WIDE = Look(None, verbose=True)


class Ears(logging.Handler):
    """Collects the output, and the secrets known so far; as a logging handler, also the driver's log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[tuple[str, str]] = []
        self.secrets: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a log record."""
        self.said.append((f"log {record.name}", record.getMessage()))

    def learn(self, whose: str, secret: Secret | str) -> None:
        """A secret that must not be disclosed; strings so short that they may occur anywhere are ignored."""
        text = secret.reveal() if isinstance(secret, Secret) else secret
        if len(text) >= 6:
            self.secrets[text] = whose

    def hear_plan(self, plan: Plan, live: LiveState) -> None:
        """All forms of a plan: its repr, its document, its text, and the repr of what it was made from."""
        self.said += [
            ("repr of the plan", repr(plan)),
            ("repr of the live state", repr(live)),
            *_reports("plan", plan_report(plan)),
        ]

    def hear_report(self, report: ApplyReport, journal: str) -> None:
        """All forms of the result of an apply, including its journal."""
        self.said += [
            ("repr of the report", repr(report)),
            ("journal", journal),
            *_reports("apply", apply_report(report)),
        ]

    def hear_error(self, error: OAuthDeployError) -> None:
        """An error as users see it."""
        found = getattr(error, "diagnostics", Diagnostics())
        self.said.append(("error", "\n".join([repr(error), str(error), error.detail, error.fix, repr(found)])))

    def leaks(self) -> Iterator[str]:
        """Where a secret is disclosed, in clear or as encoded in URLs and HTTP Basic; never the secret itself."""
        forms = {form: whose for text, whose in self.secrets.items() for form in _forms(text)}
        for place, text in self.said:
            for form, whose in forms.items():
                if form in text:
                    yield f"{whose} is in {place}"
        self.said.clear()


def _reports(what: str, report: Report) -> Iterator[tuple[str, str]]:
    yield f"text report of the {what}", render_text(report, _WIDE)
    yield f"JSON report of the {what}", render_json(report)
    yield f"Markdown report of the {what}", render_markdown(report)
    yield f"NDJSON report of the {what}", render_ndjson(report)


def _forms(text: str) -> set[str]:
    return {text, quote(text, safe=""), b64encode(text.encode()).decode().rstrip("=")}


class Catcher:
    """A secret sink that keeps the secrets in memory instead of files."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self.caught: dict[str, tuple[str, str]] = {}

    def check(self, target: DeliverTo, address: Address) -> None:
        """Everything can be delivered."""

    def delivered(self, target: DeliverTo) -> Secret | None:
        """Nothing else writes here."""

    def deliver(self, secret: Secret, target: DeliverTo, address: Address, *, client_id: str) -> str:
        """Keep client_id and secret under the place that the manifest names."""
        self._ears.learn(f"the secret that {address.server} made for {client_id}", secret)
        place = target.own_place
        self.caught[place] = (client_id, secret.reveal())
        return place
