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


@dataclass(frozen=True)
class Reach:
    """What an answer to one question can touch: the scenarios that a wrong driver would fail, and why there are no others.

    Everything else of the suite does the same on every profile, and runs on the documented answers (test_webmethods.py).
    """

    why: str
    scenarios: tuple[str, ...]


REACH: dict[str, Reach] = {
    "expand": Reach(
        "how a list of any kind is read",
        ("clients/life", "clients/prune", "associations/life", "scopes/life", "tokens/delete", "accounts/list"),
    ),
    "links": Reach("the address by which one entry of such a list is read", ("clients/life",)),
    "list_items": Reach(
        "lists and flags of clients and scopes, which are read one by one then",
        ("clients/life", "associations/life", "scopes/life"),
    ),
    "list_shape": Reach(
        "what stands around a list of any kind", ("clients/life", "scopes/life", "tokens/delete", "accounts/list")
    ),
    "missing": Reach(
        "what is looked for and not there: before a create, and when something vanished",
        ("scopes/life", "clients/life", "vanished/client", "vanished/scope", "trust/external", "tokens/delete"),
    ),
    "duplicate": Reach("a create of what exists, also by a lost answer", ("scopes/life", "writing/broken off")),
    "secrets": Reach(
        "objects that hold a secret: it must be compared with nothing and never be sent back",
        ("secrets/generated", "secrets/kept", "clients/type", "trust/external", "trust/remote", "unmanaged/client"),
    ),
    "secret_at_creation": Reach("the secret of a new client", ("secrets/generated", "secrets/kept")),
    "patch": Reach(
        "every update: what it does not name must survive",
        (
            "unmanaged/client", "unmanaged/scope", "unmanaged/settings", "clients/tokens", "clients/grants", "clients/rename",
            "associations/all at once", "block/any", "trust/external", "trust/remote", "settings/together",
        ),
    ),
    "group_members": Reach("the users of a group", ("clients/groups",)),
    "versions": Reach("the version of a client, and how it is found by it", ("clients/version",)),
    "values": Reach(
        "numbers and flags: those of settings, clients and tokens",
        ("settings/together", "clients/tokens", "tokens/delete"),
    ),
    "empty": Reach("empty lists and texts", ("clients/life", "scopes/life", "associations/life")),
    "token_lists": Reach(
        "the tokens of a server",
        ("tokens/list", "tokens/delete", "tokens/by time", "tokens/by scope", "tokens/by owner", "tokens/by handle"),
    ),
    "token_rows": Reach("what one row of the tokens means", ("tokens/delete", "tokens/list")),
    "token_deletion": Reach("what is left when a token was deleted", ("tokens/delete",)),
}  # fmt: skip
"""By the switch of a profile."""


@dataclass(frozen=True)
class Case:
    """One profile, and the words with which a driver refuses, by scenario, where it cannot work.

    It runs what its switches can touch, or `only` some of that: what another profile does not show already.
    """

    switches: Mapping[str, Any]
    only: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    takes_ids: bool = False

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios to run."""
        touched = (scenario for switch in self.switches for scenario in REACH[switch].scenarios)
        return self.only or tuple(dict.fromkeys(touched))

    @property
    def by_services(self) -> bool:
        return self.switches.get("administration") == "services"

    @property
    def profile(self) -> Profile:
        return Profile.model_validate(dict(self.switches))


AMBIGUOUS = ("clients/life", "scopes/prune")

CASES: dict[str, Case] = {
    "links": Case({"expand": "ignored"}),
    "absolute-links": Case({"expand": "ignored", "links": "absolute"}, REACH["links"].scenarios),
    "partial-items": Case({"list_items": "partial"}),
    "bare-lists": Case({"list_shape": "array"}),
    "ids-beside-lists": Case({"list_shape": "with_ids"}, AMBIGUOUS, dict.fromkeys(AMBIGUOUS, "planned {}")),
    "missing-is-400": Case({"missing": 400}),
    # Unlike 400, it is a status that is tried again.
    "missing-is-500": Case({"missing": 500}, ("vanished/client", "tokens/delete")),
    "duplicate-is-400": Case({"duplicate": 400}),
    "secrets-masked": Case({"secrets": "masked"}),
    "secrets-clear": Case({"secrets": "clear"}),
    "secret-later": Case({"secrets": "clear", "secret_at_creation": False}, REACH["secret_at_creation"].scenarios),
    "secret-never": Case(
        {"secret_at_creation": False}, ("secrets/generated", "clients/prune"), {"secrets/generated": "secret"}
    ),
    "patch-clears": Case({"patch": "clears"}),
    # It clears as well, and requires the natural key of each kind.
    "patch-replaces": Case(
        {"patch": "replaces"},
        ("unmanaged/client", "unmanaged/scope", "unmanaged/settings", "associations/all at once", "trust/external",
         "trust/remote"),
    ),
    "groups-of-users": Case(
        {"group_members": "users", "patch": "clears", "expand": "ignored"}, REACH["group_members"].scenarios
    ),
    "patch-clears-ids": Case({"patch": "clears"}, ("unmanaged/client", "secrets/given", "clients/id"), takes_ids=True),
    "versions-as-text": Case({"versions": "text"}),
    "values-as-text": Case({"values": "text", "patch": "clears"}, REACH["values"].scenarios),
    "empty-is-null": Case({"empty": "null"}, ("clients/life", "scopes/life")),
    "empty-is-absent": Case({"empty": "absent"}),
    "two-token-lists": Case({"token_lists": "two"}),
    "one-deletion-each": Case(
        {"token_lists": "two", "token_deletion": "single", "missing": 400},
        ("tokens/delete", "tokens/by time", "tokens/by handle"),
    ),
    "rows-of-either-kind": Case({"token_rows": "separate", "token_deletion": "single"}, REACH["token_rows"].scenarios),
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
}
"""Scenarios that a server without the Administrator API cannot pass, with the words that say so."""

# The services are another API with the same objects: everything runs on them but what they cannot touch.
UNTOUCHED: dict[str, str] = {
    **dict.fromkeys(
        ("answers/odd value", "answers/lossy write"),
        "they change the member `description` of an answer, which the services call `notes`",
    ),
    **dict.fromkeys(
        ("reading/401", "reading/404", "reading/500", "reading/429", "reading/a page"),
        "the HTTP client reads statuses and pages for either API; reading/403, garbage and other shapes stand for them",
    ),
    **dict.fromkeys(
        ("writing/refused", "writing/failing", "writing/429"),
        "the HTTP client reads statuses for either API; lost and garbled answers are looked up by the services, and run",
    ),
    **dict.fromkeys(
        ("clients/device grant", "clients/CIBA grant", "clients/token exchange", "secrets/read", "secrets/rotated", "trust/jwt",
         "tokens/refuse", "tokens/refuse by owner", "tokens/refuse by scope", "marks/ownership"),
        "the driver says no for every Integration Server, before a request",
    ),
    "requests/pages": "no list of the services shows whole objects, so each is read",
}  # fmt: skip
"""Scenarios that are left out for them, and why. Limits of fields are checked before a server is asked, too."""

CASES["services"] = Case(
    {"administration": "services"},
    tuple(name for name in SCENARIOS if name not in UNTOUCHED and not name.startswith("limits/")),
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
