"""What goes between a client and a loopback region: Received and Reply."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    import h11

__all__ = ["Received", "Reply"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as a region got it; `at` is Unix seconds by this host's clock."""

    region: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float

    @classmethod
    def of(cls, region: str, head: h11.Request, body: bytes) -> Self:
        """Return the request that has just been read in full."""
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        return cls(region, head.method.decode(), head.target.decode(), headers, body, time.time())


@dataclass(frozen=True, slots=True)
class Reply:
    """What a region answers; `chunks` are sent one by one, `pause` seconds apart."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: tuple[bytes, ...] | None = None
    pause: float = 0.0
