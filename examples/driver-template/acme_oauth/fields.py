"""The model's fields in the JSON of the gateway, each once: how it is read and written, and the gateway's default."""

from __future__ import annotations

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.field_table import Table, at, once_each
from oauthdeploy.drivers.json_values import a_flag, a_text, some_texts
from oauthdeploy.model.objects import ClientType, Grant

SCOPE: Table = {"description": at("description", a_text, default="")}

CLIENT: Table = {
    "name": at("name", a_text, default=""),
    "description": at("description", a_text, default=""),
    "type": at("type", lambda raw, key: ClientType(a_text(raw, key, "public")), str, default=ClientType.PUBLIC),
    "redirect_uris": at("redirect_uris", some_texts, once_each, default=()),
    "grants": at(
        "grants",
        lambda raw, key: tuple(Grant(one) for one in some_texts(raw, key)),
        lambda grants: [str(grant) for grant in grants],
        default=(),
    ),
    "enabled": at("enabled", lambda raw, key: a_flag(raw, key, True), default=True),
}

FIELDS = {Kind.SCOPE: SCOPE, Kind.CLIENT: CLIENT}
"""A field that is in no table is not supported: `validate` rejects it by name."""
