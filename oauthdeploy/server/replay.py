"""A profile from the record of a real server (`oauthdeploy doctor -o json`)."""

from __future__ import annotations

from pathlib import Path

from oauthdeploy.server.config_error import ConfigError
from oauthdeploy.server.profile import Profile, read_document, read_profile

_STATUSES = {"missing": (404, 400, 500), "duplicate": (409, 400)}


def profile_of_record(path: Path) -> Profile:
    """The profile with which the embedded server responds like the recorded one.

    What is not in the record keeps its default; a status that the server cannot return becomes the nearest of its class.

    Raises ConfigError.
    """
    document = read_document(path, "record")
    if document.get("format") != "oauthdeploy/record":
        raise ConfigError(f"{path} is not a record of oauthdeploy doctor.")
    if document.get("driver") != "webmethods":
        raise ConfigError(
            f"{path} is a record of another kind of server; the embedded server emulates Integration Server."
        )
    facts = document.get("facts")
    if not isinstance(facts, dict):
        raise ConfigError(f"{path} contains no facts.")
    switches = {key: value for key, value in facts.items() if key in Profile.model_fields}
    for key, playable in _STATUSES.items():
        status = switches.get(key)
        if isinstance(status, int) and status not in playable:
            switches[key] = 500 if status >= 500 and 500 in playable else 400
    return read_profile(switches, str(path))
