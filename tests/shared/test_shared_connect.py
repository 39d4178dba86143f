"""Every kind of server that redis-py can reach, and no secret on the way."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import trustme
from redis_server import PROGRAM, RedisServer, free_port, redis_server
from sharing_bench import bench, nap, spend_for, until

from router.config import Config, loads
from router.config.settings import Limits, ShareSettings
from router.endpoint import Endpoint
from router.errors import ConfigError
from router.router import Router
from router.secret import Secret
from router.shared.cipher import Cipher
from router.shared.connect import check_client, check_url, make_client, where
from router.shared.keys import Keys
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = 3
SLOTS = 16384


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


def works(url: str) -> None:
    """A rate and permits are leased there."""
    with bench(url, timeout=5.0) as made:  # how fast is not what this is about
        rate, permits = made.sharing.rate(Rate(100, 1), 10), made.sharing.permits(3)
        made.start()
        until(lambda: len(spend_for(rate, 0.3)) > 20)
        until(lambda: permits.take(time.monotonic()) == 0)
        assert made.notes == []
        assert not rate.alone


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    with redis_server(tmp_path / "redis", "--unixsocket", str(path)):
        works(f"unix://{path}")


def test_a_user_with_rights_for_these_keys_only(server: RedisServer) -> None:
    server.cli("acl", "setuser", "router", "on", ">planted", "~router:*", "-@all", "+@write")
    rights = ["+@read", "+@write", "+eval", "+evalsha", "+time", "+client", "+hello"]
    server.cli("acl", "setuser", "router", *rights)
    works(f"redis://router:planted@127.0.0.1:{server.port}")


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca, cert = tmp_path / "ca.pem", tmp_path / "cert.pem"
    authority.cert_pem.write_to_path(ca)
    issued.private_key_and_cert_chain_pem.write_to_path(cert)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", str(cert), "--tls-key-file", str(cert)]
    options += ["--tls-ca-cert-file", str(ca)]
    with redis_server(tmp_path / "redis", *options):
        works(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={ca}")


def test_a_cluster_of_three_nodes(tmp_path: Path) -> None:
    with ExitStack() as running:
        nodes = []
        for number in range(NODES):
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            nodes.append(running.enter_context(redis_server(tmp_path / str(number), *options)))
        form_cluster(nodes)
        works(f"redis+cluster://127.0.0.1:{nodes[0].port}")
        assert sum(int(node.cli("dbsize")) > 0 for node in nodes) > 1


def form_cluster(nodes: list[RedisServer]) -> None:
    """Give each node its part of the slots, and make them know each other."""
    for number, node in enumerate(nodes):
        first, last = SLOTS * number // NODES, SLOTS * (number + 1) // NODES - 1
        node.cli("cluster", "addslotsrange", str(first), str(last))
        node.cli("cluster", "set-config-epoch", str(number + 1))
    for node in nodes[1:]:
        bus = node.cli("config", "get", "cluster-port").split()[-1]
        nodes[0].cli("cluster", "meet", "127.0.0.1", str(node.port), bus)
    until(lambda: all("cluster_state:ok" in node.cli("cluster", "info") for node in nodes), 20)


def test_whom_a_sentinel_names(server: RedisServer, tmp_path: Path) -> None:
    home = tmp_path / "sentinel"
    home.mkdir()
    port = free_port()
    config = home / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {home}\n"
        f"sentinel monitor main 127.0.0.1 {server.port} 1\n"
    )
    start = [PROGRAM, str(config), "--sentinel"]
    with (home / "log").open("wb") as log:
        sentinel = subprocess.Popen(start, stdout=log, stderr=log)
    try:
        ask = ["redis-cli", "-p", str(port), "sentinel", "get-master-addr-by-name", "main"]
        until(lambda: b"127.0.0.1" in subprocess.run(ask, capture_output=True, check=False).stdout)
        nap(0.1)
        works(f"redis+sentinel://127.0.0.1:{port}/main")
    finally:
        sentinel.kill()
        sentinel.wait()


@pytest.mark.parametrize(
    "url",
    ["http://planted@x", "planted", "redis+sentinel://:planted@x", "redis://:planted@x:port/0"],
)
def test_a_wrong_url_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_client(Secret(url), name="x")
    assert "planted" not in str(caught.value)


def test_a_wrong_option_is_refused_and_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        make_client(Secret("redis://x/0?db=planted"), name="x")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("redis://:planted@h/0?nonsense=1", "knows no option nonsense"),
        ("redis+cluster://:planted@h?nonsense=1", "knows no option nonsense"),
        ("redis+sentinel://:planted@h/s?nonsense=1", "knows no option nonsense"),
        ("rediss://:planted@h?ssl_ca_certs=/nowhere/ca.pem", "No such file"),
        ("rediss+cluster://:planted@h?ssl_ca_certs=/nowhere/ca.pem", "No such file"),
        ("rediss+sentinel://:planted@h/s?ssl_ca_certs=/nowhere/ca.pem", "No such file"),
        ("redis://:planted/x@h", "%2F"),
        ("redis://:planted?x@h", "%3F"),
    ],
)
def test_what_would_fail_only_at_the_first_connection_is_refused_before(
    url: str, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_client(Secret(url))
    assert what in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://u:planted@redis.example:6379/0?x=planted", "redis.example:6379"),
        ("redis+sentinel://u:planted@h:1,[::1]:2/service", "h:1,[::1]:2"),
        ("unix:///run/redis.sock?password=planted", "/run/redis.sock"),
        ("redis://:planted/x@h", "?"),
        ("redis://[planted", "?"),
    ],
)
def test_where_the_store_is_is_told_without_credentials(url: str, told: str) -> None:
    assert where(Secret(url)) == told


def test_every_scheme_is_taken() -> None:
    for url in ("redis://h", "rediss://h", "unix:///s", "redis+cluster://h", "rediss+cluster://h"):
        check_url(Secret(url))
    check_url(Secret("redis+sentinel://u:p@h:1,[::1]:2/service/0"))
    client = make_client(Secret("redis+sentinel://u:p%40@h:1,[::1]:2/service/3"), name="x")
    known = client.connection_pool.connection_kwargs
    assert (known["username"], known["password"], known["db"]) == ("u", "p@", 3)


def test_nothing_secret_is_shown(server: RedisServer) -> None:
    server.cli("acl", "setuser", "router", "on", ">planted", "~*", "+@all")
    url = f"redis://router:planted@127.0.0.1:{server.port}"
    with bench(url, key=Secret("planted-key")) as made:
        made.start()
        shown = repr(made.sharing.describe()) + repr(made.sharing._settings) + repr(made.sharing)
        shown += repr(vars(made.sharing)) + repr(made.sharing.store)
        assert "planted" not in shown


def test_keys_are_versioned_and_tagged() -> None:
    assert Keys("shop").key("rate:main", "tat") == "shop:v1:{rate:main}:tat"
    assert Keys("shop").key("probes:} {\n", "x") == "shop:v1:{probes:____}:x"


def test_a_cipher_opens_what_its_key_sealed_for_that_place_and_nothing_else() -> None:
    cipher, other = Cipher(Secret("k"), name="a"), Cipher(Secret("k"), name="b")
    sealed = cipher.seal("planted", place="here")
    assert b"planted" not in sealed
    assert sealed != cipher.seal("planted", place="here")
    assert cipher.open(sealed, place="here") == "planted"
    assert cipher.open(sealed, place="there") is None
    assert cipher.open(sealed[:-1] + b"x", place="here") is None
    assert cipher.open(b"", place="here") is None
    assert other.open(sealed, place="here") is None


def test_the_configuration_says_what_is_shared() -> None:
    config = loads(
        "version: 1\nendpoints: [https://a.test]\n"
        "share: {url: 'redis://h', key: k, name: shop, lease: 2s, every: 50ms}\n"
    )
    assert config.share == ShareSettings(
        url=Secret("redis://h"), key=Secret("k"), name="shop", lease=2.0, every=0.05
    )
    assert config.shared == config.share
    short = Config(
        endpoints=(Endpoint(url="https://a.test"),), limits=Limits(share=Secret("redis://h"))
    )
    assert short.shared == ShareSettings(url=Secret("redis://h"))
    with pytest.raises(ConfigError, match=r"limits\.share: it is short for share\.url"):
        Config(
            endpoints=(Endpoint(url="https://a.test"),),
            limits=Limits(share=Secret("redis://h")),
            share=ShareSettings(url=Secret("redis://h")),
        )
    with pytest.raises(ConfigError, match="name: write letters"):
        ShareSettings(url=Secret("redis://h"), name="a b")


def test_a_router_shares_and_says_so(server: RedisServer) -> None:
    config = Config(
        endpoints=(Endpoint(url="https://127.0.0.1:9"),),
        share=ShareSettings(url=Secret(server.url)),
    )
    with Router(config) as one, Router(config) as two:
        until(lambda: one.snapshot()["shared"]["processes"] == 2)
        until(lambda: two.snapshot()["shared"]["up"])
    assert (
        Router(Config(endpoints=(Endpoint(url="https://127.0.0.1:9"),))).snapshot()["shared"]
        is None
    )


def test_a_router_refuses_a_url_that_nobody_can_use() -> None:
    share = ShareSettings(url=Secret("http://planted"))
    with pytest.raises(ConfigError, match=r"share\.url: write redis://") as caught:
        Router(Config(endpoints=(Endpoint(url="https://a.test"),), share=share))
    assert "planted" not in str(caught.value)
