"""Which client a URL asks for: one server, a cluster, or whoever a Sentinel names.

    redis://user:password@host:6379/0     rediss://… (TLS)     unix:///run/redis.sock
    redis+cluster://host:7000             rediss+cluster://…
    redis+sentinel://user:password@host:26379,other:26379/service/0

Rule 1: options in the query (`ssl_ca_certs`, `ssl_certfile`, `protocol` …) go to redis-py as they
        are.
Rule 2: no sentence holds the URL: it carries a password.
Rule 3: redis-py is imported when it is used, and repeats nothing by itself.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from router.errors import ConfigError

if TYPE_CHECKING:
    from router.secret import Secret

__all__ = ["check_url", "close_client", "load", "make_client"]

PLAIN = ("redis", "rediss", "unix")
CLUSTER = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
SENTINEL = {"redis+sentinel": False, "rediss+sentinel": True}
SENTINEL_PORT = 26379
CONNECT_WITHIN = 2.0
REPEATS_OF_A_CLUSTER = 3
"""A moved slot is found by asking again."""


def check_url(url: Secret, *, key: str = "share.url") -> None:
    """Refuse a URL that no client can be made of; `key` is where it was written.

    Raises:
        ConfigError: its scheme is none of ours, or a Sentinel's has no service.
    """
    try:
        parts = urlsplit(url.reveal())
        scheme = parts.scheme
    except ValueError:
        scheme = ""
    if scheme not in {*PLAIN, *CLUSTER, *SENTINEL}:
        raise ConfigError(
            f"{key}: write redis://, rediss://, unix://, redis+cluster:// or redis+sentinel://"
        )
    if "decode_responses" in parts.query:
        raise ConfigError(f"{key}: take decode_responses out: what is kept there is no text")
    if scheme in SENTINEL and not parts.path.strip("/"):
        raise ConfigError(f"{key}: name the service: redis+sentinel://host:26379/service")


def load() -> None:
    """Import redis-py, which takes a tenth of a second, before anybody waits for it.

    Raises:
        ConfigError: it is missing.
    """
    try:
        importlib.import_module("redis.asyncio")
    except ImportError:
        raise ConfigError("share: it needs redis-py: pip install 'region-router[redis]'") from None


def make_client(url: Secret, *, name: str) -> Any:
    """Return redis-py's asyncio client for the URL; nothing is connected yet.

    Args:
        url: as above.
        name: what CLIENT LIST shows.

    Raises:
        ConfigError: the URL or one of its options is wrong, or redis-py is missing.
    """
    check_url(url)
    load()
    try:
        return _client(url.reveal(), name)
    except Exception as error:  # noqa: BLE001 - redis-py's errors may quote the URL
        raise ConfigError(f"share.url: redis-py refuses it ({type(error).__name__})") from None


async def close_client(client: Any) -> None:
    """Close a client's connections, those to Sentinels included."""
    pool = getattr(client, "connection_pool", None)
    manager = getattr(pool, "sentinel_manager", None)
    for each in (client, *getattr(manager, "sentinels", ())):
        with contextlib.suppress(Exception):
            await each.aclose()


def _client(text: str, name: str) -> Any:
    from redis.asyncio import Redis, RedisCluster  # noqa: PLC0415 - rule 3
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - rule 3
    from redis.backoff import NoBackoff  # noqa: PLC0415 - rule 3

    common: dict[str, Any] = {
        "client_name": name,
        "socket_connect_timeout": CONNECT_WITHIN,
        "socket_timeout": CONNECT_WITHIN,
    }
    scheme, _, rest = text.partition("://")
    if scheme in CLUSTER:
        retry = Retry(NoBackoff(), REPEATS_OF_A_CLUSTER)
        return RedisCluster.from_url(f"{CLUSTER[scheme]}://{rest}", retry=retry, **common)
    common["retry"] = Retry(NoBackoff(), 0)
    if scheme in SENTINEL:
        return _of_sentinels(text, {**common, "ssl": SENTINEL[scheme]})
    return Redis.from_url(text, **common)


def _of_sentinels(text: str, common: dict[str, Any]) -> Any:
    from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415 - rule 3

    make: Any = Sentinel
    parts = urlsplit(text)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    common |= dict(parse_qsl(parts.query))
    own = {key: value for key, value in common.items() if key.startswith(("ssl", "socket"))}
    return make([_address(host) for host in hosts.split(",")], sentinel_kwargs=own).master_for(
        unquote(service),
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        **common,
    )


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
    return name.strip("[]"), int(port or SENTINEL_PORT)
