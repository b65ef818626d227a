"""Asks an Integration Server for its OpenAPI document, and refuses one without the OAuth part of the Administrator API."""

from __future__ import annotations

from typing import Final

from oauthdeploy.core.errors import NotFound, UnexpectedAnswer, Unsupported
from oauthdeploy.drivers.http import AdminClient
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.openapi_document import Api, read_document

NEEDS: Final = "The OAuth part of the Administrator API came with Integration Server 10.11."


def load_api(http: AdminClient) -> Api:
    """Ask a server for its OpenAPI document. Raises Unsupported where it has no OAuth part or lacks some of it."""
    try:
        answer = http.get(doc.DOCUMENT)
    except NotFound as error:
        raise Unsupported(
            f"'{http.server}' has no Administrator API",
            server=http.server,
            method="GET",
            path=doc.DOCUMENT,
            status=error.status,
            fix=f"Check url, and enable the package WmAdmin. {NEEDS}",
        ) from None
    api = read_document(answer.body)
    if api is None:
        raise UnexpectedAnswer(
            f"What '{http.server}' serves as its OpenAPI document is not one", server=http.server, path=doc.DOCUMENT
        )
    if not api.has_oauth:
        raise Unsupported(
            f"The Administrator API of '{http.server}' has no OAuth part",
            server=http.server,
            path=doc.DOCUMENT,
            fix=f"10.11 or newer is needed. {NEEDS}",
        )
    if api.missing:
        raise Unsupported(
            f"The Administrator API of '{http.server}' lacks {', '.join(api.missing)}",
            server=http.server,
            path=doc.DOCUMENT,
            fix=NEEDS,
        )
    return api
