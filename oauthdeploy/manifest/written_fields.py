"""The sets of fields that objects write: few different ones, and one for each of very many objects, so equal ones are shared."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from oauthdeploy.manifest.document import Document
from oauthdeploy.model.fields import Model


@lru_cache(maxsize=4096)
def _one(names: tuple[str, ...]) -> set[str]:
    return set(names)


def one_set(names: Iterable[str]) -> set[str]:
    """The one set of these names, for `model_fields_set` of every object that writes them: nobody may change it."""
    return _one(tuple(names))


def share_sets(document: Document) -> None:
    """Replace the sets of the scopes, clients and associations of a document by shared ones."""
    for scope in (document.scopes or {}).values():
        _share(scope)
    for client in (document.clients or {}).values():
        _share(client)
        if client.tokens is not None:
            _share(client.tokens)
        if client.secret is not None:
            _share(client.secret)
    for association in document.associations or ():
        _share(association)


def _share(value: Model) -> None:
    object.__setattr__(value, "__pydantic_fields_set__", one_set(value.model_fields_set))
