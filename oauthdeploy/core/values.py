"""Values with fields whose types are imported for type checkers alone."""

from __future__ import annotations

from inspect import Parameter, Signature, get_annotations
from typing import Any

from msgspec import NODEFAULT, Struct, StructMeta


class _Meta(StructMeta):
    @property
    def __signature__(self) -> Signature:
        """The fields with their types as they are written; `help` and editors ask for it."""
        types: dict[str, Any] = {}
        for base in reversed(self.__mro__):
            types.update(get_annotations(base))
        fields, defaults = self.__struct_fields__, self.__struct_defaults__
        needed = len(fields) - len(defaults)
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if place < needed else _shown(defaults[place - needed]),
                    annotation=types[name],
                )
                for place, name in enumerate(fields)
            ]
        )


def _shown(default: Any) -> Any:
    """A default as a signature shows it; what is made for each value has no text of its own."""
    if default is NODEFAULT:
        return Parameter.empty
    return ... if type(default).__name__ == "Factory" else default


class LateTyped(Struct, frozen=True, metaclass=_Meta):
    """A Struct for fields whose types exist only for type checkers: the signature of a plain one cannot be read then."""
