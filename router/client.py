"""Client and AsyncClient: httpx's own, with every request routed.

Rule: they are httpx clients in all but the transport; what only a transport could honour (verify,
      cert, proxy, …) is refused rather than ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from router.addressing import BASE_URL
from router.transport import AT_ONCE, BEGAN, AsyncTransport, Transport

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.settings import Config
    from router.router import Router

__all__ = ["AsyncClient", "Client", "RoutedClient"]

NOT_OURS = {
    "transport": "pass router.Transport to httpx.Client instead",
    "mounts": "pass router.Transport to httpx.Client instead",
    "verify": "set tls: in the configuration",
    "cert": "set tls: in the configuration",
    "proxy": "proxies are not supported",
    "http1": "the wire speaks HTTP/1.1",
    "http2": "set http2: in the configuration",
    "limits": "set limits: in the configuration",
    "app": "pass router.Transport to httpx.Client instead",
}


def client_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the client's keyword arguments with the router's defaults.

    Raises:
        TypeError: an argument would be ignored; the message says what to do instead.
    """
    for name, advice in NOT_OURS.items():
        if name in options:
            raise TypeError(f"a router client takes no {name}=: {advice}")
    return {"base_url": BASE_URL, "timeout": None, **options}


class RoutedClient:
    """What every client of ours does when it is made: put its transport under the library's."""

    transport_class: ClassVar[Any]
    router: Router

    def __init__(self, config: str | Path | Config | Router, **options: Any) -> None:
        """Take a configuration file, a Config or a running Router, and the library's options."""
        options = client_options(options)
        transport = self.transport_class(config)
        self.router = transport.router
        super().__init__(transport=transport, **options)  # type: ignore[call-arg] # the library's

    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send as the library does; tell the router when, and if the answer is read at once."""
        began = self.router.now()
        request.extensions = {**request.extensions, BEGAN: began, AT_ONCE: not stream}
        return super().send(request, stream=stream, **options)  # type: ignore[misc] # the library's


class Client(RoutedClient, httpx.Client):
    """An `httpx.Client` whose requests go to the best endpoint."""

    transport_class = Transport


class AsyncClient(RoutedClient, httpx.AsyncClient):
    """An `httpx.AsyncClient` whose requests go to the best endpoint."""

    transport_class = AsyncTransport
