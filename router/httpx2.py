"""The same four names for httpx2, for SDKs built on it (openai, anthropic, mistralai, …).

Rule: importing this module imports httpx2; importing `router` does not.
"""

from __future__ import annotations

from router.client import RoutedClient
from router.families import family
from router.transport import AsyncRouting, SyncRouting

family("httpx2")  # says how to install it, where it is missing

import httpx2  # noqa: E402 - after the line above

__all__ = ["AsyncClient", "AsyncTransport", "Client", "Transport"]


class Transport(SyncRouting, httpx2.BaseTransport):
    """For `httpx2.Client(transport=…)`."""

    family_name = "httpx2"


class AsyncTransport(AsyncRouting, httpx2.AsyncBaseTransport):
    """For `httpx2.AsyncClient(transport=…)`."""

    family_name = "httpx2"


class Client(RoutedClient, httpx2.Client):
    """An `httpx2.Client` whose requests go to the best endpoint."""

    transport_class = Transport


class AsyncClient(RoutedClient, httpx2.AsyncClient):
    """An `httpx2.AsyncClient` whose requests go to the best endpoint."""

    transport_class = AsyncTransport
