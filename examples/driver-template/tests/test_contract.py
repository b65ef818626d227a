"""The contract suite on the driver, against the toy server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from toy_server import READER, TOKEN, Gateway

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import ContractSuite, Site


class AcmeSite(Site):
    """A gateway with throwaway data."""

    driver = "acme"
    role = Role.AUTHORIZATION

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def url(self) -> str:
        return self._gateway.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {"credentials": {"token": TOKEN}}

    def reset(self) -> None:
        self._gateway.wipe()

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"token": "wrong"}

    def reader_credentials(self) -> Mapping[str, Any]:
        return {"token": READER}

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        self._gateway.tables[f"{kind.value}s"][identity]["note"] = {"by": "hand"}
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any]:
        return dict(self._gateway.tables[f"{kind.value}s"][identity])


class TestAcme(ContractSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        gateway = Gateway()
        gateway.start()
        yield AcmeSite(gateway)
        gateway.stop()
