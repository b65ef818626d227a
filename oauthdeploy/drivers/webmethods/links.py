"""Links in the lists of the Administrator API: `{name, url}` in place of the whole object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.webmethods import openapi_document as doc

LINK: Final = frozenset({"name", "url"})


def linked_id(raw: Any) -> str | None:
    """The id in a link of a list, `{name, url}`: the last step of its url; None for what is no link."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("url"), str):
        return None
    said = {key for key, value in raw.items() if value is not None}
    return unquote(urlsplit(raw["url"]).path.rstrip("/").rpartition("/")[2]) or None if said <= LINK else None


def token_link(raw: Any) -> tuple[str, Secret] | None:
    """The path and the id that a link in a list of tokens leads to; None for what is no link."""
    token_id = linked_id(raw)
    if token_id is None:
        return None
    refresh = "/refreshtoken/" in urlsplit(raw["url"]).path
    return doc.REFRESH_TOKEN if refresh else doc.ACCESS_TOKEN, Secret(token_id, "server")
