"""How a server answers where the guides of Integration Server are silent: one switch for each open question.

No page documents which status stands behind `4XX`, whether a PATCH keeps what it does not name, or how a list looks. A profile
chooses one possible answer, so that a program can be tested against each of them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oauthdeploy.server.config_error import ConfigError

FORMAT: Final = "oauthdeploy/profile"


class Profile(BaseModel):
    """The answers of a server to the questions that the documentation leaves open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expand: Literal["honored", "ignored"] = Field(
        "honored", description="Whether ?expand=true returns whole objects. Ignored: lists contain names and URLs only."
    )
    list_shape: Literal["named", "array", "with_ids"] = Field(
        "named",
        description="named: an object with the list under its plural; array: the list alone; with_ids: ids before it.",
    )
    list_items: Literal["whole", "partial"] = Field(
        "whole", description="Whether an expanded list contains whole objects, or leaves out their arrays and flags."
    )
    links: Literal["relative", "absolute"] = Field(
        "relative", description="Form of a URL in a list. The guide's example is absolute, with a slash at the end."
    )
    missing: Literal[404, 400, 500] = Field(404, description="Status of a request for an object that does not exist.")
    duplicate: Literal[409, 400] = Field(
        409, description="Status of a request that collides with an object that exists or is in use."
    )
    secrets: Literal["hidden", "masked", "clear"] = Field(
        "hidden",
        description="How responses show client_secret, clientSecret and password. A secret is shown in clear only until the "
        "server stops.",
    )
    secret_at_creation: bool = Field(
        True,
        description="Whether the response that creates a client contains its secret; otherwise no response ever does, unless "
        "secrets is clear.",
    )
    patch: Literal["merges", "clears", "replaces"] = Field(
        "merges",
        description="What PATCH does with fields that it does not name: keep them, reset all but the natural key, or reset all "
        "and refuse a request without the natural key.",
    )
    versions: Literal["declared", "text"] = Field(
        "declared",
        description="Type of a client's version in responses: as the OpenAPI document declares it, or always text.",
    )
    values: Literal["json", "text"] = Field(
        "json", description="Whether numbers and flags in responses are JSON values or text."
    )
    empty: Literal["shown", "null", "absent"] = Field("shown", description="How responses show an empty list or text.")
    token_lists: Literal["one", "two"] = Field(
        "one", description="Whether tokens are in one list, or access tokens and refresh tokens are in two."
    )
    token_rows: Literal["pairs", "separate"] = Field(
        "pairs",
        description="Whether one row shows an access token with its refresh token, or each has its own row.",
    )
    token_deletion: Literal["pair", "single"] = Field(
        "pair", description="Whether deleting one of an access token and its refresh token deletes the other too."
    )
    expired_tokens: Literal["listed", "left_out"] = Field(
        "listed", description="Whether expired access tokens are listed."
    )
    introspection: Literal["extended", "documented"] = Field(
        "extended",
        description="documented: only active, as text, token_type, scope, client_id, owner_id, iat and exp, and no client_id for "
        "a public client. extended: also client_name and client_version, and active as a boolean.",
    )
    scope_check: Literal["resource", "both"] = Field(
        "resource",
        description="Who checks a scope's access to the service: the resource server alone, or the authorization server as well.",
    )
    resource_clients: Literal["registered", "any"] = Field(
        "registered", description="Whether a resource server refuses tokens of clients that it does not know."
    )
    client_accounts: bool = Field(
        False, description="Whether each confidential client gets a user account named after its client_id."
    )
    disable_tokens: bool = Field(
        True,
        description="The parameter watt.server.oauth.disableClient.disableTokens: whether the tokens of a disabled client are "
        "inactive.",
    )
    administration: Literal["api", "services"] = Field(
        "api",
        description="services: there is no Administrator API; the services behind the classic pages (wm.server.oauth) are served "
        "in its place.",
    )
    service_errors: Literal["message", "status"] = Field(
        "message",
        description="How such a service refuses: with errorMessage in a response of status 200, or with status 500.",
    )
    service_lists: Literal["objects", "names"] = Field(
        "objects", description="Entries of the lists of scopes and external servers: objects with a name, or names."
    )
    release: Literal["10.11", "10.15"] = Field(
        "10.11",
        description="The release whose server parameters there are; 10.15 has watt.server.oauth.token.short as well.",
    )
    parameters: Literal["named", "pairs"] = Field(
        "named",
        description='Form of a server parameter: {"name": ..., "value": ...}, or its name as the key of its value.',
    )
    client_pkce: Literal["absent", "integer", "text", "boolean"] = Field(
        "absent",
        description="Type of the client's own requirement of PKCE (10.15), requirePKCE: -1 follows the settings, 0 is no, "
        "1 is yes. A boolean cannot follow the settings. Absent: clients have no such field.",
    )
    group_members: Literal["members", "users"] = Field(
        "members", description="Name of the field with the users of a group."
    )
    aliases: Literal["any", "guide"] = Field(
        "any",
        description="guide: the names of remote server aliases may contain none of the characters that the guide forbids.",
    )


STRICT: Final[Mapping[str, object]] = {
    "introspection": "documented",
    "resource_clients": "any",
    "client_accounts": True,
    "aliases": "guide",
}
"""What `--strict` chooses if a profile says nothing: the documented answers."""


def effective(profile: Profile, *, strict: bool) -> Profile:
    """The profile of a server: what `profile` says, then what its mode implies."""
    written = profile.model_dump(exclude_unset=True)
    return Profile.model_validate({**(STRICT if strict else {}), **written})


def read_profile(document: Mapping[str, object], where: str) -> Profile:
    """The profile in a document. Raises ConfigError, naming the switch."""
    switches = {key: value for key, value in document.items() if key not in ("format", "format_version", "$schema")}
    if document.get("format", FORMAT) != FORMAT or str(document.get("format_version", "1")).partition(".")[0] != "1":
        raise ConfigError(f"{where}: the format must be {FORMAT}, version 1.")
    try:
        return Profile.model_validate(switches)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(step) for step in first["loc"])
        raise ConfigError(f"{where}: {name}: {first['msg']}.") from None


def load_profile(path: Path) -> Profile:
    """The profile in a TOML or JSON file, by suffix. Raises ConfigError."""
    return read_profile(read_document(path, "profile"), str(path))


def read_document(path: Path, what: str) -> Mapping[str, object]:
    """The object in a TOML or JSON file, by suffix. Raises ConfigError; `what` says which file it is."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"The {what} file {path} cannot be read: {problem}") from problem
    try:
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        if path.suffix.lower() == ".json":
            document = json.loads(text)
        else:
            raise ConfigError(f"The {what} file {path} must end in .toml or .json.")
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as problem:
        raise ConfigError(f"The {what} file {path} cannot be parsed: {problem}") from problem
    if not isinstance(document, dict):
        raise ConfigError(f"The {what} file {path} must contain an object.")
    return document


def schema_text() -> str:
    """The JSON Schema of a profile, as it is published."""
    made = Profile.model_json_schema()
    properties = {
        "format": {"const": FORMAT},
        "format_version": {"type": "string", "pattern": "^1\\."},
        **{
            name: {key: value for key, value in one.items() if key != "title"}
            for name, one in made["properties"].items()
        },
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:oauthdeploy:schema:profile:v1",
        "title": "Profile of the embedded server of oauthdeploy",
        "description": made["description"],
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return json.dumps(schema, indent=2) + "\n"
