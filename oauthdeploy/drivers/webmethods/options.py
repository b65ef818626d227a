"""What the model lacks: the driver's own options of settings and clients, and where Integration Server keeps them. Pure.

The options of settings are server parameters without a field on the OAuth settings page. Source: "watt.server." parameters
(10.11, 10.15). The option of a client is a field that the 10.15 guide has on the page and that no published OpenAPI document
shows, so its name and type are taken from the server's own document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from msgspec import Struct
from pydantic import Field

from oauthdeploy.drivers.json_values import Garbled, a_flag, unparsed
from oauthdeploy.drivers.webmethods.openapi_document import PKCE_KEYS
from oauthdeploy.model.fields import Flag, Model, Text, Unparsed
from oauthdeploy.model.objects import Client, Settings

DRIVER_NAME: Final = "webmethods"
PREFIX: Final = "watt.server.oauth."
PKCE: Final = "require_pkce"


class WebMethodsSettingsOptions(Model):
    """Server parameters of OAuth that have no field on the settings page. null requests the documented default."""

    require_post: Flag | None = Field(None, description="The OAuth services accept only POST (requirePost).")
    disable_tokens: Flag | None = Field(
        None, description="The tokens of a disabled client are inactive (disableClient.disableTokens)."
    )
    internal_require_secret: Flag | None = Field(
        None,
        description="A confidential client that calls the token service inside the server must give its secret "
        "(token.endpoint.internal.requireSecret).",
    )
    short_tokens: Flag | None = Field(None, description="Tokens have 32 bytes (token.short; 10.15 or later).")
    errors_in_header: Flag | None = Field(
        None, description="Errors are returned in the header X-OAuth-Error (custom.responseHeader)."
    )
    log_errors: Flag | None = Field(
        None, description="Authorization failures are written to the error log (log.authErrors)."
    )
    approval_title: Text | None = Field(None, description="Title of the approval page (approvalpage.title).")
    approval_header: Text | None = Field(None, description="Heading of the approval page (approvalpage.header).")
    approval_logo: Text | None = Field(
        None, description="Address of the logo on the approval page (approvalpage.logo)."
    )
    approval_footer: Text | None = Field(None, description="Footer of the approval page (approvalpage.footer).")


class WebMethodsClientOptions(Model):
    """What Integration Server has for a client beyond the manifest. null requests the server's default."""

    require_pkce: Flag | Literal["inherit"] | None = Field(
        None,
        description="Whether a public client must use PKCE with the authorization code grant (RFC 7636); inherit follows the "
        "settings. 10.15 or later.",
        examples=[True, "inherit"],
    )


# -- server parameters ------------------------------------------------------------------------------------------------


class Parameter(Struct, frozen=True):
    """A server parameter: its name, its documented default, and the release that brought it if 10.11 lacks it."""

    name: str
    default: bool | str
    since: str = ""

    def read(self, text: str) -> bool | str:
        """The value as the option has it. Raises Garbled."""
        if isinstance(self.default, str):
            return text
        return self.default if not text.strip() else a_flag({self.name: text.strip()}, self.name, self.default)

    def write(self, value: bool | str | None) -> str:
        """The value as the server has it; null is the default."""
        value = self.default if value is None else value
        return str(value).lower() if isinstance(value, bool) else value


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "require_post": Parameter(PREFIX + "requirePost", True),
    "disable_tokens": Parameter(PREFIX + "disableClient.disableTokens", True),
    "internal_require_secret": Parameter(PREFIX + "token.endpoint.internal.requireSecret", False),
    "short_tokens": Parameter(PREFIX + "token.short", False, since="10.15"),
    "errors_in_header": Parameter(PREFIX + "custom.responseHeader", False),
    "log_errors": Parameter(PREFIX + "log.authErrors", False),
    "approval_title": Parameter(PREFIX + "approvalpage.title", "Access Approval"),
    "approval_header": Parameter(PREFIX + "approvalpage.header", "Resource access approval"),
    "approval_logo": Parameter(PREFIX + "approvalpage.logo", "/WmPublic/images/fw_logo_sag.gif"),
    "approval_footer": Parameter(PREFIX + "approvalpage.footer", ""),
}
"""The parameter behind each option of the settings."""


def options_in(value: Settings | Client | None) -> Mapping[str, Any]:
    """The options of this driver as an object of the manifest writes them, by name."""
    written = (value.options or {}) if value is not None else {}
    return written.get(DRIVER_NAME, {})


def settings_options(value: Settings | None) -> WebMethodsSettingsOptions:
    """The same of settings, as values of the model."""
    return WebMethodsSettingsOptions.model_validate(dict(options_in(value)))


def client_options(value: Client | None) -> WebMethodsClientOptions:
    """The same of a client, as values of the model."""
    return WebMethodsClientOptions.model_validate(dict(options_in(value)))


Told = tuple[dict[str, Any], dict[str, Unparsed]]
"""Live values of the written options in the manifest's form, and those that cannot be parsed, by their path."""


def told_parameters(desired: Settings | None, shown: Mapping[str, str | None]) -> Told:
    """The options that settings write; `shown` are the parameters by option, None for one that the server does not show."""
    written, wanted = options_in(desired), settings_options(desired)
    values: dict[str, Any] = {}
    odd: dict[str, Unparsed] = {}
    for name, raw in written.items():
        text, parameter = shown.get(name), PARAMETERS[name]
        if text is not None:
            _tell(name, raw, (getattr(wanted, name), parameter.default), partial(parameter.read, text), (values, odd))
    return values, odd


def _tell(name: str, raw: Any, wanted: tuple[Any, Any], read: Callable[[], Any], told: Told) -> None:
    """Add the live value of one option: as it is written (`raw`) if it equals what that means, null being the default."""
    values, odd = told
    asked, default = wanted
    try:
        live = read()
    except Garbled as problem:
        odd[f"options.{DRIVER_NAME}.{name}"] = unparsed(problem.value)
    else:
        values[name] = raw if live == (default if asked is None else asked) else live


def unusual_parameters(shown: Mapping[str, str | None]) -> Mapping[str, Any]:
    """The options that differ from the documented defaults; values that cannot be parsed are left out."""
    found: dict[str, Any] = {}
    for name, text in shown.items():
        if text is not None:
            _tell(name, None, (None, PARAMETERS[name].default), partial(PARAMETERS[name].read, text), (found, {}))
    return {name: value for name, value in found.items() if value is not None}


# -- PKCE of a client -------------------------------------------------------------------------------------------------

_PKCE_NUMBERS: Final[Mapping[str, bool | str]] = {"-1": "inherit", "0": False, "1": True, "true": True, "false": False}
INHERIT: Final = "inherit"


def read_pkce(raw: Mapping[str, Any]) -> bool | str | None:
    """A client's own requirement of PKCE; None if the server shows no such field. Raises Garbled."""
    key = next((key for key in PKCE_KEYS if key in raw), None)
    if key is None:
        return None
    value = raw[key]
    found = INHERIT if value in (None, "") else _PKCE_NUMBERS.get(str(value).strip().lower())
    if found is None:
        raise Garbled(f"{key} is none of -1, 0, 1, true and false", value)
    return found


def write_pkce(value: bool | str | None, kind: str) -> bool | int | str:
    """The requirement in the JSON type of the server's document. Raises ValueError where a flag would have to inherit."""
    value = INHERIT if value is None else value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise ValueError("a flag cannot follow the settings")
        return value
    number = -1 if value == INHERIT else int(value is True)
    return str(number) if kind == "string" else number


def told_pkce(desired: Client | None, live: bool | str | Unparsed | None) -> Told:
    """The written options of a client with their live values; nothing where the server shows no such field (None)."""
    written = options_in(desired)
    if PKCE not in written or live is None:
        return {}, {}
    if isinstance(live, Unparsed):
        return {}, {f"options.{DRIVER_NAME}.{PKCE}": live}
    asked = client_options(desired).require_pkce
    return {PKCE: written[PKCE] if live == (INHERIT if asked is None else asked) else live}, {}
