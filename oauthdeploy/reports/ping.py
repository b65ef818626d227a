"""Each server's product, version and account, and whether sign-in worked, for people."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.planning.unread import Unread, not_known
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.diagnostics import add_diagnostic
from oauthdeploy.reports.formatting import seconds_text, visible


class ServerAnswer(Struct, frozen=True):
    """What one server reports about itself, or the `error` that prevented it. `seconds` is the time that it took."""

    server: str
    driver: str
    role: str
    url: str
    product: str = ""
    version: str = ""
    account: str = ""
    seconds: float = 0.0
    error: OAuthDeployError | None = None
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    unread: tuple[Unread, ...] = ()


def render_ping(answers: Sequence[ServerAnswer], look: Look) -> str:
    """One line or two for each server, then its findings, then a count."""
    sheet = Sheet(look)
    width = max((len(answer.server) for answer in answers), default=0)
    roles = max((len(answer.role) for answer in answers), default=0)
    for answer in answers:
        failed = answer.error is not None or answer.unread
        mark = ("failed", "error") if failed else ("ok    ", "good")
        product = visible(f"{answer.product} {answer.version}".strip() or answer.driver)
        sheet.ends(
            [(answer.server.ljust(width), "name"), ("  ", ""), mark, (f"  {answer.role.ljust(roles)}  {product}", "")],
            (seconds_text(answer.seconds), "faint"),
            hang=width + 2,
        )
        endpoint = f"{visible(answer.url)}" + (f" as {visible(answer.account)}" if answer.account else "")
        sheet.add(" " * (width + 10), (endpoint, "faint"), hang=width + 10)
        if answer.error is not None:
            sheet.add(" " * (width + 10), (visible(answer.error.summary), ""), hang=width + 10)
        for item in answer.diagnostics:
            add_diagnostic(sheet, item, indent=width + 10)
    good = sum(answer.error is None for answer in answers)
    sheet.blank()
    sheet.add((f"{good} of {len(answers)} servers answered and accepted the credentials.", "strong"))
    if unread := [item for answer in answers for item in answer.unread]:
        sheet.add((not_known(unread), "error"))
    return sheet.text()
