"""The profiles of the embedded server that the suite runs on, with the scenarios that each could break."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.server import Profile, models
from oauthdeploy.server.admin import clients, settings
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.admin.services import FOLDER
from oauthdeploy.server.app import state_of
from oauthdeploy.server.store import get_settings
from oauthdeploy.testing import SCENARIOS
from tests.contract.webmethods import CLIENT, SETTINGS, WebMethodsSite
from tests.drivers.webmethods.site import ADMIN, start_site

LISTS = ("clients/life", "clients/prune", "associations/life", "scopes/life", "tokens/delete", "accounts/list")
MISSING = ("scopes/life", "clients/life", "vanished/client", "vanished/scope", "trust/external", "tokens/delete")
SECRETS = ("secrets/generated", "secrets/kept", "clients/type", "trust/external", "trust/remote", "unmanaged/client")
WRITES = (
    "unmanaged/client", "unmanaged/scope", "unmanaged/settings", "clients/tokens", "clients/grants", "clients/rename",
    "associations/all at once", "block/any", "trust/external", "trust/remote", "settings/together",
)  # fmt: skip
GROUPS = ("clients/groups",)
VALUES = ("clients/life", "clients/version", "clients/tokens", "scopes/life", "settings/together", "tokens/delete")
TOKENS = ("tokens/list", "tokens/delete", "tokens/by time", "tokens/by scope", "tokens/by owner", "tokens/by handle")


@dataclass(frozen=True)
class Case:
    """One profile, its scenarios, and the words with which a driver refuses, by scenario, where it cannot work."""

    switches: Mapping[str, Any]
    scenarios: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    takes_ids: bool = False

    @property
    def by_services(self) -> bool:
        return self.switches.get("administration") == "services"

    @property
    def profile(self) -> Profile:
        return Profile.model_validate(dict(self.switches))


AMBIGUOUS = ("clients/life", "scopes/prune")

CASES: dict[str, Case] = {
    "links": Case({"expand": "ignored"}, LISTS),
    "absolute-links": Case({"expand": "ignored", "links": "absolute"}, ("clients/life", "tokens/delete")),
    "partial-items": Case({"list_items": "partial"}, LISTS),
    "bare-lists": Case({"list_shape": "array"}, LISTS),
    "ids-beside-lists": Case({"list_shape": "with_ids"}, AMBIGUOUS, dict.fromkeys(AMBIGUOUS, "planned {}")),
    "missing-is-400": Case({"missing": 400}, MISSING),
    "missing-is-500": Case({"missing": 500}, ("scopes/life", "vanished/client", "tokens/delete")),
    "duplicate-is-400": Case({"duplicate": 400}, ("scopes/life", "clients/life", "writing/broken off")),
    "secrets-masked": Case({"secrets": "masked"}, SECRETS),
    "secrets-clear": Case({"secrets": "clear"}, SECRETS),
    "secret-later": Case({"secrets": "clear", "secret_at_creation": False}, ("secrets/generated", "secrets/kept")),
    "secret-never": Case(
        {"secret_at_creation": False}, ("secrets/generated", "clients/prune"), {"secrets/generated": "secret"}
    ),
    "patch-clears": Case({"patch": "clears"}, WRITES),
    "patch-replaces": Case({"patch": "replaces"}, WRITES),
    "groups-of-users": Case({"group_members": "users", "patch": "clears", "expand": "ignored"}, GROUPS),
    "patch-clears-ids": Case({"patch": "clears"}, ("unmanaged/client", "secrets/given", "clients/id"), takes_ids=True),
    "versions-as-text": Case({"versions": "text"}, VALUES),
    "values-as-text": Case({"values": "text", "patch": "clears"}, VALUES),
    "empty-is-null": Case({"empty": "null"}, VALUES),
    "empty-is-absent": Case({"empty": "absent"}, (*VALUES, "associations/life")),
    "two-token-lists": Case({"token_lists": "two"}, TOKENS),
    "one-deletion-each": Case({"token_lists": "two", "token_deletion": "single", "missing": 400}, TOKENS),
    "rows-of-either-kind": Case({"token_rows": "separate", "token_deletion": "single"}, ("tokens/delete", "tokens/list")),
    "all-at-once": Case(
        {
            "expand": "ignored", "links": "absolute", "missing": 400, "duplicate": 400, "secrets": "masked",
            "patch": "clears", "versions": "text", "values": "text", "empty": "null", "token_lists": "two",
            "token_deletion": "single",
        },
        ("clients/life", "associations/life", "unmanaged/client", "tokens/delete", "secrets/generated", "block/any"),
    ),
}  # fmt: skip


NOT_BY_SERVICES: dict[str, str] = {
    "refused/reader": "does not allow",  # The services have one ACL, for Administrators.
    # No service returns the secret of a client that becomes confidential, and this server hides it.
    "clients/replace": "is lost",
    "clients/type": "is lost",
    "requests/pages": "take",  # No list of the services shows whole objects: each is read.
}
"""Scenarios that a server without the Administrator API cannot pass, with the words that say so."""

# Limits of fields are checked before a server is asked, whatever its API.
ALTERED = ("answers/odd value", "answers/lossy write")
"""They change the member `description` of an answer, which the services call `notes`."""

CASES["services"] = Case(
    {"administration": "services"},
    tuple(name for name in SCENARIOS if name not in ALTERED and not name.startswith("limits/")),
    NOT_BY_SERVICES,
)
CASES["services-clear"] = Case(
    {
        "administration": "services", "service_errors": "status", "service_lists": "names", "secrets": "masked",
        "patch": "clears", "missing": 400,
    },
    ("clients/life", "scopes/life", "associations/all at once", "unmanaged/client", "block/any", "tokens/delete",
     "trust/external", "vanished/client", "vanished/scope", "secrets/generated"),
)  # fmt: skip


class ProfileSite(WebMethodsSite):
    """A server that plays a profile; what the suite does behind the driver's back avoids what the profile changes."""

    def stop(self) -> None:
        self._running.stop()

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        if kind not in (Kind.CLIENT, Kind.SETTINGS):
            return super().scribble(kind, identity, name)
        state = state_of(self._running.running.app)
        with state.store.write() as session:
            if kind is Kind.CLIENT:
                client = session.get_one(models.Client, identity)
                sealed = {**CLIENT, "registrationAccessToken": state.vault.seal(CLIENT["registrationAccessToken"])}
                _fill(client, sealed, clients.FIELDS)
                clients.set_secret(state, client, None)
            else:
                _fill(get_settings(session), SETTINGS, settings.FIELDS)
        return True


class ServicesSite(ProfileSite):
    """A server without the Administrator API; the suite looks at it by the same services as the driver."""

    @property
    def entry(self) -> Mapping[str, Any]:
        return {**super().entry, "options": {"api": "services"}}

    def group(self) -> str | None:
        return None

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        if kind is not Kind.SCOPE:
            return super().scribble(kind, identity, name)
        values = {"values": ["a.b", "c.d:e"], "urlTemplates": ["GET_a/b"], "description": "before"}
        self._invoke("putScope", {"name": name, **values})
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any]:
        match kind:
            case Kind.CLIENT:
                listed = self._invoke("listClientRegistrations", {})["clients"]
                (enabled,) = (one["enabled"] for one in listed if one["client_id"] == identity)
                return {**self._invoke("getClientRegistration", {"client_id": identity}), "enabled": enabled}
            case Kind.SCOPE:
                return self._invoke("getScope", {"name": name})
            case _:
                return self._invoke("getOAuthSettings", {})

    def native_fields(self, kind: Kind) -> frozenset[str]:
        return frozenset({{Kind.SETTINGS: "accessTokenLifetime", Kind.CLIENT: "notes"}.get(kind, "description")})

    def _invoke(self, service: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._running.http.post(f"{self.url}{FOLDER}/{service}", json=inputs, auth=ADMIN, timeout=20)
        assert answer.status_code == 200, answer.text
        told = dict(answer.json())
        assert "errorMessage" not in told, told
        return told


def _fill(row: object, values: Mapping[str, Any], fields: Iterable[Field]) -> None:
    attributes = {one.name: one.attribute for one in fields}
    for key, value in values.items():
        setattr(row, attributes[key], value)


def profile_site(folder: Path, case: Case) -> ProfileSite:
    """A server of its own with a profile, in strict mode."""
    # The services take versions as text, which the document of the strict mode does not.
    strict = not case.by_services
    running = start_site(folder, strict=strict, takes_ids=case.takes_ids, role="both", profile=case.profile)
    return ServicesSite(running, "services") if case.by_services else ProfileSite(running, "profile")
