"""Proof: the shared access token, and what signs a request.

`grant` reads answers, `token` decides, `oauth` asks the server, `static` reads keys, and `signers`
makes what proves a request by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.lazy import by_name

if TYPE_CHECKING:
    from router.auth.exchange import Exchange
    from router.auth.grant import Grant
    from router.auth.httpx_auth import from_httpx

__all__ = ["Exchange", "Grant", "from_httpx"]

HOMES = {
    "router.auth.exchange": "Exchange",
    "router.auth.grant": "Grant",
    "router.auth.httpx_auth": "from_httpx",
}

if not TYPE_CHECKING:  # so that a type checker knows a wrong name
    __getattr__ = by_name(__name__, HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
