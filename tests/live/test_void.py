"""What is written and can't have an effect is told by every command that plans, and a comment beside its line silences it."""

from __future__ import annotations

import pytest

from tests.live.conftest import Pair, PairFactory

pytestmark = pytest.mark.live


DRIFT = 2


def rules(pair: Pair, command: str, *flags: str) -> list[str]:
    found = pair.run(command, "-o", "json", *flags)
    assert found.code in (0, DRIFT if command == "drift" else 0), found.out + found.err
    return [item["rule"] for item in found.json["diagnostics"]]


VOID = [
    ("policy: {prune: {clients: managed}}", "prune-without-marks"),
    ("policy: {protect: [client/none-*]}", "protect-matches-nothing"),
    ("revocations: [{id: A, client: web-shop}]", "revocation-does-nothing"),
    ("revocations: [{id: A, client: web-shop, owner: alice, block: [resource]}]", "revocation-selection-unused"),
    ("revocations: [{id: A, client: web-shop, tokens: all, expires: 2020-01-01}]", "revocation-expired"),
]


@pytest.mark.parametrize(("written", "rule"), VOID)
def test_what_has_no_effect_is_told_by_validate_and_by_plan(deployed: Pair, written: str, rule: str) -> None:
    """ "No changes" beside a policy or a cut-off that does nothing would be a promise that nobody keeps."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    before = manifest.read_text()
    if "block" in written:
        assert deployed.run("revoke", "web-shop", "--yes", "--no-write").code == 0
    manifest.write_text(f"{before}\n{written}\n")
    for command in ("validate", "plan", "drift"):
        assert rule in rules(deployed, command), command
        assert rule not in rules(deployed, command, "--ignore", rule), command
    applied = deployed.run("apply", "--yes", "-v")
    assert applied.code == 0
    assert f"[{rule}]" in applied.out
    manifest.write_text(f"{before}\n{written}  # oauthdeploy: ignore[{rule}] known\n")
    for command in ("validate", "plan", "drift"):
        assert {rule, "unused-ignore"}.isdisjoint(rules(deployed, command)), command


def test_a_comment_beside_a_line_silences_a_finding_of_the_plan(make_pair: PairFactory) -> None:
    """As --ignore does for all lines; a safety stop needs --allow, whatever a comment says."""
    pair = make_pair(accept_client_id=False)
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    text = manifest.read_text().replace(given, "secret: {generate: true, deliver_to: {file: out/x.env}}")
    manifest.write_text(text)
    assert pair.run("apply", "--yes").code == 0
    assert rules(pair, "plan").count("client-id-differs") == 2
    mark = "  # oauthdeploy: ignore[client-id-differs] known\n"
    manifest.write_text(text.replace("  web-shop:\n", f"  web-shop:{mark}"))
    assert rules(pair, "plan").count("client-id-differs") == 1
    assert rules(pair, "drift").count("client-id-differs") == 1
    assert "unused-ignore" not in rules(pair, "validate")

    assert pair.run("revoke", "web-shop", "--yes", "--no-write").code == 4
    mark = "  # oauthdeploy: ignore[undoes-cut-off] known\n    enabled: true\n"
    manifest.write_text(text.replace("  web-shop:\n", f"  web-shop:{mark}"))
    assert pair.run("apply", "--yes").code == 5
