"""Settings of an Integration Server: the fields of its OAuth page, and the server parameters that have no field there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from oauthdeploy.drivers.common_steps import at_once
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.client import PARALLEL, AdminApi
from oauthdeploy.drivers.webmethods.mapping import read_settings
from oauthdeploy.drivers.webmethods.options import (
    DRIVER_NAME,
    PARAMETERS,
    options_in,
    told_parameters,
    unusual_parameters,
)
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Settings


class WholeSettings(Struct, frozen=True):
    """Settings with the options that the manifest writes; `shown` are the parameters that were read, by option.

    `options` are those that differ from the documented defaults, if everything was wanted.
    """

    value: Settings
    fingerprint: str
    unparsed: Mapping[str, Unparsed]
    shown: Mapping[str, str | None]
    options: Mapping[str, Any] = field(default_factory=dict)


def shown_parameters(admin: AdminApi, names: Iterable[str]) -> Mapping[str, str | None]:
    """The parameters behind options, as the server shows them; None for one that it does not show."""
    asked = sorted(names)
    texts = at_once(PARALLEL, admin.parameter, (PARAMETERS[name].name for name in asked)) if asked else ()
    return dict(zip(asked, texts, strict=True))


def whole_settings(
    admin: AdminApi, method: str, body: Any, desired: Settings | None, *, whole: bool = False
) -> WholeSettings:
    """Settings from a GlobalSetting and, one request each, from the parameters that the manifest writes, or from all."""
    live = admin.parsed(method, doc.SETTINGS, lambda: read_settings(body))
    written = options_in(desired)
    shown = shown_parameters(admin, PARAMETERS if whole else written)
    options = unusual_parameters(shown) if whole else {}
    if not written:
        return WholeSettings(live.value, live.fingerprint, live.unparsed, shown, options)
    values, odd = told_parameters(desired, shown)
    value = live.value.model_copy(update={"options": {DRIVER_NAME: values}})
    mark = fingerprint({"settings": live.fingerprint, "parameters": {name: shown[name] for name in written}})
    return WholeSettings(value, mark, {**live.unparsed, **odd}, shown, options)
