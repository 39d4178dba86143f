"""Who is measured, as data.

Rule 1: a row is a kind of `clients`, its arguments, and the row that it is compared with.
Rule 2: what is absent (a library, a wire, a program) costs its own row only, and is said aloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LITELLM", "OURS", "ROWS", "SDK", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One client.

    Attributes:
        kind: the name of its function in `clients`.
        arguments: what that function takes besides the URLs.
        base: the row that it is compared with, or None for a base.
        peer: whether it lives in the environment of other people's clients.
        hop: whether it sends through the sidecar.
        idles: whether it is also measured with idle connections to other regions.
        most: the most idle connections may cost, as a share; None: no bar.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    base: str | None = "httpx"
    peer: bool = False
    hop: bool = False
    idles: bool = False
    most: float | None = None

    @property
    def ours(self) -> bool:
        """Whether the router is in it."""
        return "router" in self.name


IDLE_BAR = 0.05
SDK, LITELLM = "openai SDK", "LiteLLM Router, latency-based"


def _routed(wire: str, family: str, *, base: str, threads: bool = False) -> Row:
    words = f"router over {wire}{', threads' if threads else ''}"
    if wire != family:
        words += f" ({family}'s client)"
    kind = "routed_threads" if threads else "routed"
    arguments = {"family": family, "wire": "httpx" if wire == family else wire}
    return Row(words, kind, arguments, base=base, idles=not threads, most=IDLE_BAR)


ROWS = (
    Row("httpx", "httpx", base=None),
    Row("httpx, keeping 120 connections", "httpx", {"kept": 120}, idles=True),
    Row("httpx2", "httpx2"),
    Row("aiohttp", "aiohttp"),
    _routed("httpx", "httpx", base="httpx"),
    _routed("httpx2", "httpx2", base="httpx"),
    _routed("aiohttp", "httpx", base="httpx"),
    _routed("aiohttp", "httpx2", base="httpx"),
    Row("httpx over httpx-aiohttp", "httpx", {"transport": "aiohttp"}, peer=True),
    Row("httpx with httpx-retries", "httpx", {"transport": "retries"}, peer=True),
    Row("httpx through HAProxy, its CPU counted", "httpx", hop=True),
    Row("httpx, threads", "httpx_threads", base=None),
    Row("httpx2, threads", "httpx2_threads", base="httpx, threads"),
    _routed("httpx", "httpx", base="httpx, threads", threads=True),
    _routed("httpx2", "httpx2", base="httpx, threads", threads=True),
    _routed("aiohttp", "httpx", base="httpx, threads", threads=True),
    _routed("aiohttp", "httpx2", base="httpx, threads", threads=True),
    Row(SDK, "openai", base=None),
    Row("openai SDK over the router", "openai", {"wire": "httpx"}, base=SDK),
    Row("openai SDK over the router, wire aiohttp", "openai", {"wire": "aiohttp"}, base=SDK),
    Row(LITELLM, "litellm", {"strategy": "latency-based-routing"}, base=SDK, peer=True),
    Row(
        "LiteLLM Router, simple-shuffle",
        "litellm",
        {"strategy": "simple-shuffle"},
        base=SDK,
        peer=True,
    ),
)
OURS = tuple(row for row in ROWS if row.ours)
