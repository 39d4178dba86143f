"""Proof: the shared access token, and what signs a request.

`grant` reads answers, `token` decides, `oauth` asks the server, `static` reads keys, and `signers`
makes what proves a request by itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.auth.exchange import Exchange
    from router.auth.grant import Grant
    from router.auth.httpx_auth import from_httpx

__all__ = ["Exchange", "Grant", "from_httpx"]

ROOMS = {"Exchange": "exchange", "Grant": "grant", "from_httpx": "httpx_auth"}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name in ROOMS:
        return getattr(importlib.import_module(f"router.auth.{ROOMS[name]}"), name)
    raise AttributeError(f"module 'router.auth' has no attribute {name!r}")
