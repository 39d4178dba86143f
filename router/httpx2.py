"""The same four names for httpx2, for SDKs built on it (openai, anthropic, mistralai, …).

Rule: importing this module imports httpx2; importing `router` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.client import client_options
from router.families import family
from router.transport import AsyncRouting, SyncRouting

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.settings import Config
    from router.router import Router

family("httpx2")  # says how to install it, where it is missing

import httpx2  # noqa: E402 - after the line above

__all__ = ["AsyncClient", "AsyncTransport", "Client", "Transport"]


class Transport(SyncRouting, httpx2.BaseTransport):
    """For `httpx2.Client(transport=…)`."""

    family_name = "httpx2"


class AsyncTransport(AsyncRouting, httpx2.AsyncBaseTransport):
    """For `httpx2.AsyncClient(transport=…)`."""

    family_name = "httpx2"


class Client(httpx2.Client):
    """An `httpx2.Client` whose requests go to the best endpoint."""

    router: Router

    def __init__(self, config: str | Path | Config | Router, **options: Any) -> None:
        """Take a configuration file, a Config or a running Router, and httpx2.Client's options."""
        options = client_options(options)
        transport = Transport(config)
        self.router = transport.router
        super().__init__(transport=transport, **options)


class AsyncClient(httpx2.AsyncClient):
    """An `httpx2.AsyncClient` whose requests go to the best endpoint."""

    router: Router

    def __init__(self, config: str | Path | Config | Router, **options: Any) -> None:
        """Take a configuration file, a Config or a running Router, and httpx2's options."""
        options = client_options(options)
        transport = AsyncTransport(config)
        self.router = transport.router
        super().__init__(transport=transport, **options)
