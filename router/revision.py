"""Whether a configuration can be served, and whether it can take another's place while serving."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from router.errors import ConfigError
from router.wires.choice import aiohttp_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.config import Config
    from router.config.settings import ShareSettings
    from router.endpoint import Endpoint

__all__ = ["refuse_what_is_missing", "refuse_what_needs_a_new_router", "unmoved"]

FIXED = ("geo", "clock", "token", "sign", "limits", "share", "probe", "tls", "http2", "wire")


def unmoved(before: Iterable[Endpoint], now: Iterable[Endpoint]) -> set[str]:
    """Return the names behind which the same server stands as before."""
    servers = {(endpoint.name, endpoint.url, endpoint.address) for endpoint in before}
    return {e.name for e in now if (e.name, e.url, e.address) in servers}


def refuse_what_is_missing(config: Config) -> None:
    """Refuse a setting whose silent absence would break a promise."""
    if config.shared is not None:
        _refuse_what_cannot_be_shared(config, config.shared)
    if config.http2 and importlib.util.find_spec("h2") is None:
        raise ConfigError("http2: HTTP/2 needs h2: pip install 'region-router[http2]'")
    problem = aiohttp_problem() if config.asks_for_aiohttp else None
    if problem is not None:
        raise ConfigError(f"wire: {problem}")


def _refuse_what_cannot_be_shared(config: Config, share: ShareSettings) -> None:
    from router.shared.connect import check_client  # noqa: PLC0415 - loaded when used

    if importlib.util.find_spec("redis") is None:
        raise ConfigError("share: it needs redis-py: pip install 'region-router[redis]'")
    encrypts = config.token is not None and share.key is not None
    if encrypts and importlib.util.find_spec("cryptography") is None:
        raise ConfigError("share.key: it needs cryptography: pip install 'region-router[redis]'")
    assert share.url is not None, "a section without one is refused when made"
    check_client(share.url, key="share.url" if config.limits.share is None else "limits.share")


def refuse_what_needs_a_new_router(before: Config, now: Config) -> None:
    """Raise ConfigError where a section differs whose part lives as long as its Router."""
    for section in FIXED:
        if getattr(now, section) != getattr(before, section):
            raise ConfigError(
                f"{section}: changes of this section need a new Router: "
                "endpoints, hosts and failover can be reloaded"
            )
