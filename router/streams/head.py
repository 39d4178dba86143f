"""The head of an answer, for comparing it with another that is to continue its body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.call import Header

__all__ = ["SUCCESS", "Head"]

BODILESS = frozenset({204, 304})
SUCCESS = range(200, 300)
MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Head:
    """A status and header fields by their lower-case names; the last of a name counts."""

    status: int
    fields: dict[bytes, bytes]

    @classmethod
    def of(cls, status: int, headers: Iterable[Header]) -> Head:
        """Return the head with these raw headers."""
        return cls(status, {name.lower(): value.strip() for name, value in headers})

    def get(self, name: bytes) -> bytes:
        """Return a field's value, empty if it is missing."""
        return self.fields.get(name, b"")

    @property
    def media_type(self) -> bytes:
        """The media type without its parameters, in lower case."""
        return self.get(b"content-type").partition(b";")[0].strip().lower()

    @property
    def coding(self) -> bytes:
        """The content coding in lower case; empty: none."""
        coding = self.get(b"content-encoding").lower()
        return b"" if coding == b"identity" else coding

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in SUCCESS

    def length(self, method: str) -> int | None:
        """Return how many bytes the body has to have, where the head says so."""
        if method == "HEAD" or self.status in BODILESS or b"transfer-encoding" in self.fields:
            return None
        text = self.get(b"content-length")
        return int(text) if text.isdigit() and len(text) <= MOST_DIGITS else None
