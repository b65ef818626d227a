"""Where a value of the composed manifest was written, and the origin of each `${...}` in it: for `explain`, never the value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.variables import Variables
from oauthdeploy.manifest.yaml_reader import Node

if TYPE_CHECKING:
    from oauthdeploy.model.explanation import Origin

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


class Tracer(Struct, frozen=True):
    """Traces values of one manifest: called with a path, it returns the origin of what is written there, None if nothing is."""

    locator: Locator
    variables: Variables
    environ: Mapping[str, str]
    environment: str | None = None

    def __repr__(self) -> str:
        # Environment variables may be secret.
        return f"Tracer(environment={self.environment!r})"

    def __call__(self, path: Path) -> Origin | None:
        """The origin of the value at the path, which must be written itself."""
        from oauthdeploy.model.explanation import Origin

        found = self.locator.exact(path)
        if found is None:
            return None
        span, node, in_overlay = found
        overlay = f"environments.{self.environment}" if in_overlay else ""
        return Origin(span, overlay, tuple(dict.fromkeys(self._references(node))))

    def _references(self, node: Node) -> Iterator[str]:
        waiting, seen = [node], {id(node)}
        while waiting:
            value = waiting.pop().value
            if isinstance(value, str):
                yield from (self._words(match[1]) for match in _REFERENCE.finditer(value) if match[1] is not None)
            elif value is not None:
                inner = [child for _, _, child in value.values()] if isinstance(value, dict) else value
                waiting += [child for child in reversed(inner) if id(child) not in seen]
                seen.update(id(child) for child in inner)

    def _words(self, body: str) -> str:
        source, _, rest = body.partition(":")
        name, has_default, _ = rest.partition(":-")
        if source == "env":
            given = self.environ.get(name) or not has_default
            return (
                f"environment variable {name}" if given else f"default, as the environment variable {name} is not set"
            )
        if source == "var":
            return f"variable {rest} ({self.variables.source(rest)})"
        return f"{source} {rest}"
