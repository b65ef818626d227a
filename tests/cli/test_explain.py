"""`oauthdeploy explain`: the three kinds of question, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import EXAMPLE, Runner

CANARY = "canary-22aa-never-shown"
INCIDENT = EXAMPLE.parent / "incident.yaml"
NAMES = "LOGIN_PASSWORD ORDERS_PASSWORD LOGIN_CA ORDERS_CA INTROSPECTION_PASSWORD NIGHTLY_BATCH_SECRET"


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The flags for the quick start with its incident; every secret of it is a canary."""
    for name in NAMES.split():
        monkeypatch.setenv(name, CANARY)
    return ("-f", str(EXAMPLE), "-f", str(INCIDENT))


def test_a_rule_is_explained_without_a_manifest(oauthdeploy: Runner) -> None:
    """A finding names its rule in brackets; this is where people go next."""
    found = oauthdeploy("explain", "redirect-uri-not-https")
    assert (found.code, found.err) == (0, "")
    for said in (
        "Redirect URI is not secure",
        "RFC 9700",
        "https://www.rfc-editor.org/rfc/rfc9700#section-2.6",
        "bad:",
        "good:",
    ):
        assert said in found.out
    assert "--ignore redirect-uri-not-https" in found.out
    structural = oauthdeploy("explain", "yaml-syntax").out
    assert "cannot be changed" in structural
    assert "--ignore" not in structural


def test_a_field_is_explained_without_a_manifest(oauthdeploy: Runner) -> None:
    """Type, meaning of absence, drivers, rules."""
    found = oauthdeploy("explain", "clients.web-shop.redirect_uris")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("clients.redirect_uris\n  Where authorization responses may be sent.\n")
    for said in ("a list of strings", "not managed: never compared", "webmethods", "redirect-uri-not-https"):
        assert said in found.out
    own = oauthdeploy("explain", "servers.credentials.password").out
    assert "servers.credentials.password  of the driver webmethods" in own.splitlines()


def test_an_object_is_explained_with_value_origin_and_servers(oauthdeploy: Runner, estate: tuple[str, ...]) -> None:
    """Each value with its line, what stays away from which side, and what bears on it."""
    found = oauthdeploy("explain", "client/nightly-batch", *estate)
    assert (found.code, found.err) == (0, "")
    lines = {line.split()[0]: line for line in found.out.splitlines() if line.startswith("  ") and line.strip()}
    written = Path(EXAMPLE).read_text(encoding="utf-8").splitlines().index("  nightly-batch:") + 1
    assert f"{EXAMPLE}:{written}:3" in found.out
    assert "10m" in lines["tokens.access_lifetime"]
    assert "(secret from env:NIGHTLY_BATCH_SECRET)" in lines["secret.value"]
    assert "not on orders: it belongs to the authorization side" in found.out
    assert "revocation/INC-2041 blocks the client" in " ".join(found.out.split())
    assert "not managed: contacts, groups, options" in found.out
    assert CANARY not in found.out


@pytest.mark.parametrize(
    "subject", ["trust@orders", "settings", "settings@login", "client/nightly-batch", "redirect-uri-not-https"]
)
def test_every_answer_is_a_document_too(oauthdeploy: Runner, estate: tuple[str, ...], subject: str) -> None:
    """For editors and chat bots; without any secret."""
    found = oauthdeploy("explain", subject, *estate, "-o", "json")
    assert found.code == 0
    document = json.loads(found.out)
    assert document["format"] == "oauthdeploy/explanation"
    assert document["about"] == ("object" if set(subject) & set("/@") else "rule" if "-" in subject else "field")
    assert CANARY not in found.out


def test_findings_about_an_object_are_shown_with_it(
    oauthdeploy: Runner, estate: tuple[str, ...], tmp_path: Path
) -> None:
    """A warning about a client is part of what there is to know of it."""
    text = EXAMPLE.read_text().replace(
        "grants: [authorization_code, refresh_token]", "grants: [authorization_code, implicit]"
    )
    (tmp_path / "m.yaml").write_text(text)
    found = oauthdeploy("explain", "client/web-shop", "-f", "m.yaml")
    assert found.code == 0
    assert "[implicit-grant]" in found.out
    assert "[implicit-grant]" not in oauthdeploy("explain", "client/nightly-batch", "-f", "m.yaml").out


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("redirect-uri-not-http", "Did you mean 'redirect-uri-not-https'?"),
        ("clients.redirect_uri", "Did you mean 'clients.redirect_uris'?"),
        ("description", "'clients.description'"),
        ("qqqqqq", "an address such as client/web-shop@login"),
        ("client/web-shopp", "Did you mean 'client/web-shop'?"),
        ("client/web-shop@logn", "Did you mean 'client/web-shop@login'?"),
        ("klient/web-shop", "'klient' is none of trust, settings, scope, client"),
        ("", "an address such as client/web-shop@login"),
    ],
)
def test_what_is_not_there_is_wrong_usage_with_a_suggestion(
    oauthdeploy: Runner, estate: tuple[str, ...], subject: str, said: str
) -> None:
    """64, since the question is wrong and not the manifest."""
    found = oauthdeploy("explain", subject, *estate)
    assert (found.code, found.out) == (64, "")
    assert said in " ".join(found.err.split())
    assert "@-" not in found.err


def test_an_object_of_an_invalid_manifest_is_3(oauthdeploy: Runner, tmp_path: Path) -> None:
    """All its problems are shown, as for every command."""
    (tmp_path / "oauthdeploy.yaml").write_text("version: 1\nname: x\nservers: {}\nclints: {}\n")
    found = oauthdeploy("explain", "client/web")
    assert (found.code, found.out) == (3, "")
    assert "[unknown-key]" in found.err


def test_a_terminal_sees_no_control_characters(oauthdeploy: Runner, estate: tuple[str, ...], tmp_path: Path) -> None:
    """Names and texts of others are shown, not obeyed."""
    text = EXAMPLE.read_text().replace("description: The shop's front end", 'description: "a\\e[31mred\\u202e"')
    (tmp_path / "m.yaml").write_text(text)
    found = oauthdeploy("explain", "client/web-shop", "-f", "m.yaml")
    assert found.code == 0
    assert "\\x1b[31mred\\u202e" in found.out
    assert all(char.isprintable() or char == "\n" for char in found.out)
