"""What every rule is given: the manifest, the state that it asks for, the drivers, and look-ups made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oauthdeploy.manifest.document import Document
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.capabilities import DriverFacts


@dataclass(frozen=True)
class RuleContext:
    """A manifest that could be read: `document` as it is written, `desired` as it falls on the servers, `drivers` by name."""

    document: Document
    desired: DesiredState
    drivers: Mapping[str, DriverFacts]
