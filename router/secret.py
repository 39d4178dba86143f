"""A string that does not show itself.

Rule: the text leaves only through `reveal()`, which is called where bytes go onto the wire.
"""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """Wraps a credential so that repr, str, format, logs and pickles never hold it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError(
            "a Secret is not pickled: load the configuration again in the other process"
        )
