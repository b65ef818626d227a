"""The profiles that proofs run on: servers that answer the open questions of the guides in another way."""

from __future__ import annotations

from typing import Any, Final

from oauthdeploy.server import Profile

PLAIN: Final = "profile-plain"
SERVICES: Final = "profile-services"
REFUSED: Final = "profile-ids-beside-lists"
"""Lists that nobody can tell apart: such a server is refused."""

_PROFILES: Final[dict[str, dict[str, Any]]] = {
    PLAIN: {},
    "profile-links": {"expand": "ignored"},
    REFUSED: {"list_shape": "with_ids"},
    "profile-missing-400": {"missing": 400},
    "profile-missing-500": {"missing": 500},
    "profile-duplicate-400": {"duplicate": 400},
    "profile-secrets-masked": {"secrets": "masked"},
    "profile-patch-clears": {"patch": "clears"},
    "profile-patch-replaces": {"patch": "replaces"},
    "profile-two-token-lists": {"token_lists": "two", "token_deletion": "single"},
    "profile-all-text": {"versions": "text", "values": "text", "empty": "null"},
    "profile-all-at-once": {
        "expand": "ignored", "links": "absolute", "missing": 400, "duplicate": 400, "secrets": "masked",
        "patch": "clears", "versions": "text", "values": "text", "empty": "absent", "token_lists": "two",
        "token_deletion": "single",
    },
    SERVICES: {"administration": "services"},
    "profile-services-odd": {
        "administration": "services", "service_errors": "status", "service_lists": "names", "secrets": "masked",
        "patch": "clears", "missing": 400,
    },
}  # fmt: skip

PROFILES: Final = {name: Profile.model_validate(switches) for name, switches in _PROFILES.items()}
"""By the name of the estate."""
