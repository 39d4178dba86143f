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
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from router.errors import ConfigError

if TYPE_CHECKING:
    from router.secret import Secret

__all__ = ["check_client", "check_url", "close_client", "drop_idle", "load", "make_client", "where"]

PLAIN = ("redis", "rediss", "unix")
CLUSTER = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
SENTINEL = {"redis+sentinel": False, "rediss+sentinel": True}
SENTINEL_PORT = 26379
CONNECT_WITHIN = 2.0
UNKNOWN = re.compile(r"unexpected keyword argument '(\w{1,40})'")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]+)?")
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
    if "@" in parts.path + parts.fragment or ("@" in parts.query and "@" not in parts.netloc):
        raise ConfigError(f"{key}: write /, ? and # in a password as %2F, %3F and %23")
    if scheme in SENTINEL and not parts.path.strip("/"):
        raise ConfigError(f"{key}: name the service: redis+sentinel://host:26379/service")


def where(url: Secret) -> str:
    """Return the host and port, several of a Sentinel's, or the socket's path; no credentials."""
    try:
        parts = urlsplit(url.reveal())
    except ValueError:
        return "?"
    if parts.scheme == "unix":
        return parts.path
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return ",".join(host if HOST.fullmatch(host) else "?" for host in hosts)


def load() -> None:
    """Import redis-py, which takes a tenth of a second, before anybody waits for it.

    Raises:
        ConfigError: it is missing.
    """
    try:
        importlib.import_module("redis.asyncio")
    except ImportError:
        raise ConfigError("share: it needs redis-py: pip install 'region-router[redis]'") from None


def make_client(url: Secret, *, name: str, key: str = "share.url") -> Any:
    """Return redis-py's asyncio client for the URL; nothing is connected yet.

    Args:
        url: as above.
        name: what CLIENT LIST shows.
        key: where the URL was written.

    Raises:
        ConfigError: the URL or one of its options is wrong, or redis-py is missing.
    """
    check_url(url, key=key)
    load()
    try:
        return _client(url.reveal(), name)
    except Exception as error:  # noqa: BLE001 - redis-py's errors may quote the URL
        raise ConfigError(_refused(key, error)) from None


def check_client(url: Secret, *, key: str = "share.url") -> None:
    """Refuse what redis-py looks at only when it connects: unknown options, files not there.

    Raises:
        ConfigError: as `make_client`.
    """
    client = make_client(url, name="check", key=key)
    try:
        tls = getattr(_connection(client), "ssl_context", None)
        if tls is not None:
            tls.get()
    except OSError as error:
        raise ConfigError(f"{key}: a file in its query: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - as above
        raise ConfigError(_refused(key, error)) from None


def _connection(client: Any) -> Any:
    """Return a connection that is not connected."""
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        return pool.make_connection()
    node = next(iter(client.nodes_manager.startup_nodes.values()))
    return node.connection_class(**node.connection_kwargs)


def _refused(key: str, error: Exception) -> str:
    unknown = UNKNOWN.search(str(error)) if isinstance(error, TypeError) else None
    if unknown is None:
        return f"{key}: redis-py refuses it ({type(error).__name__})"
    return f"{key}: redis-py knows no option {unknown[1]} for this kind of URL"


async def drop_idle(client: Any) -> None:
    """Close connections that nobody uses: the server that they led to may be gone."""
    with contextlib.suppress(Exception):
        if (pool := getattr(client, "connection_pool", None)) is not None:
            await pool.disconnect(inuse_connections=False)
            return
        for node in client.get_nodes():
            await node.disconnect_free_connections()


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
