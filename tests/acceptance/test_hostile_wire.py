"""What a hostile HTTP/2 server does to one request is no other's loss, and ends in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trustme
from askers import KINDS, SYNC, ask, within
from h2_peer import http2_server

import router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from h2_peer import Http2Server

each_kind = pytest.mark.parametrize("kind", KINDS, ids="-".join)
POST: dict[str, Any] = {"method": "POST"}
QUIET = router.Probe(enabled=False)
QUICKLY = router.Backoff(base=0.001, cap=0.001)
SOON = 0.4


@pytest.fixture
def h2(tmp_path: Path) -> Iterator[tuple[list[Http2Server], Callable[..., router.Config]]]:
    """Two servers and what makes a configuration of them, the first one preferred."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def config(**sections: Any) -> router.Config:
        endpoints = tuple(
            router.Endpoint(name=name, url=server.url, address="127.0.0.1", tier=tier)
            for tier, (name, server) in enumerate(zip("ab", servers, strict=True), 1)
        )
        tls = router.TlsSettings(ca=tmp_path / "ca.pem")
        return router.Config(endpoints=endpoints, http2=True, probe=QUIET, tls=tls, **sections)

    with (
        http2_server(authority, latency=0.05, streams=1) as first,
        http2_server(authority, latency=0.05, streams=1) as second,
    ):
        servers = [first, second]
        yield servers, config


@each_kind
def test_a_silent_stream_disturbs_no_other_and_ends_in_time(kind: tuple[str, str], h2: Any) -> None:
    (first, second), config = h2
    silent = {"method": "GET", "url": "/silent", **within(SOON)}
    longer = {"method": "GET", "url": "/silent", **within(2 * SOON)}
    failover = router.Failover(attempts=1, attempt_timeout=5.0)
    with router.Router(config(failover=failover)) as it:
        slow, slower, *others = ask(kind, it, [silent, longer, *[POST] * 4])
    assert isinstance(slow[0], router.DeadlineError)
    assert isinstance(slower[0], router.DeadlineError)
    assert SOON * 0.9 < slow[1] < 2 * SOON < slower[1] * 1.1 < 4 * SOON
    assert [answer.status_code for answer, _ in others] == [200] * 4
    assert (len(first.received), len(second.received)) == (6, 0)


@each_kind
def test_a_connection_that_failed_is_not_used_again(kind: tuple[str, str], h2: Any) -> None:
    (first, _), config = h2
    silent = {"method": "GET", "url": "/silent", **within(SOON)}
    with router.Router(config(failover=router.Failover(attempts=1))) as it:
        late, *others = ask(kind, it, [silent], *[[POST]] * 3)
    assert isinstance(late[0], router.DeadlineError)
    assert [answer.status_code for answer, _ in others] == [200] * 3
    assert first.connections == 2


@each_kind
def test_a_connection_that_its_server_ended_is_not_used_again(
    kind: tuple[str, str], h2: Any
) -> None:
    (first, second), config = h2
    last = {"method": "POST", "url": "/last", "content": b"once"}
    with router.Router(config()) as it:
        answers = ask(kind, it, *[[last]] * 3, pause=0.1)
    assert [getattr(answer, "status_code", answer) for answer, _ in answers] == [200] * 3
    assert (first.connections, second.connections) == (3, 0)


@each_kind
def test_a_connection_that_lay_idle_carries_one_request_at_a_time(
    kind: tuple[str, str], h2: Any
) -> None:
    (first, _), config = h2
    with router.Router(config(failover=router.Failover(attempts=1))) as it:
        answers = ask(kind, it, [POST] * 4, [POST] * 8)
    assert [answer.status_code for answer, _ in answers] == [200] * 12
    assert first.most_at_once == 1
    assert first.connections < 12  # some were used again


@pytest.mark.parametrize("family", SYNC)
def test_a_stream_that_is_read_holds_up_no_other(family: str, h2: Any) -> None:
    (first, _), config = h2
    with SYNC[family](config(failover=router.Failover(attempts=1))) as client:
        with client.stream("GET", "/begin") as begun:
            assert next(begun.iter_bytes()) == b"begun"
            assert client.post("/", **within(2.0)).status_code == 200
        assert client.post("/").status_code == 200
    assert first.connections == 2  # that of the stream was left before its end: it is closed


@each_kind
@pytest.mark.parametrize("does", [b"/refuse", b"/goaway"])
def test_what_http2_refused_is_asked_of_another(
    kind: tuple[str, str], does: bytes, h2: Any
) -> None:
    (first, second), config = h2
    first.does = does
    with router.Router(config(failover=router.Failover(backoff=QUICKLY))) as it:
        [(answer, _)] = ask(kind, it, [{"content": b"once"}])
        states = {row.name: row.health for row in it.rank()}
    assert answer.status_code == 200
    assert answer.extensions["router"].endpoint == "b"
    assert (len(first.received), len(second.received)) == (1, 1)
    assert states == {"a": "healthy", "b": "healthy"}
