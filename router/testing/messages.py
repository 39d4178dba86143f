"""What goes between a client and a loopback region: Received and Reply."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
    """What a region answers.

    Attributes:
        status: 200 to 999.
        headers: a mapping, or pairs where a name comes more than once.
        body: the whole of it, with its length in the head.
        chunks: in place of `body`, made and sent one by one; chunked, unless `headers` give a
            Content-Length. A list or tuple may be sent again, an iterator only once.
        pause: seconds after each chunk.
        raw: in place of all the others: these bytes, after which the connection is closed.
    """

    status: int = 200
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterable[bytes] | None = None
    pause: float = 0.0
    raw: bytes | None = None

    def fields(self) -> Iterable[tuple[str, str]]:
        """Return the headers as pairs."""
        return self.headers.items() if isinstance(self.headers, Mapping) else self.headers

    def framing(self) -> tuple[str, str]:
        """Return the header that says where the body ends."""
        if self.chunks is None:
            return "Content-Length", str(len(self.body))
        return "Transfer-Encoding", "chunked"
