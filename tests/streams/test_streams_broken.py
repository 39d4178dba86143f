"""A streamed body that breaks off is an error that says so, and counts against its endpoint."""

from __future__ import annotations

import pickle
import time
from typing import Any

import pytest
from stream_readers import HTTP, KINDS, read
from stream_servers import CUT, HANG, LAST_CHUNK, RESET, Servers, answer, chunked, head

import router
from router.errors import StreamBrokenError

LONG = head(Content_Length="100") + b"x" * 10
BREAKS: dict[str, tuple[list[Any], str]] = {
    "content-length": ([LONG, CUT], "RemoteProtocolError"),
    "chunked": (
        [head(Transfer_Encoding="chunked") + chunked(b"x" * 10), CUT],
        "RemoteProtocolError",
    ),
    "reset": ([LONG, RESET], "ReadError"),
}


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("how", BREAKS)
def test_a_truncated_body_is_never_a_success(kind: tuple[str, str], how: str) -> None:
    steps, name = BREAKS[how]
    with Servers("a", "b") as servers:
        servers.serve = lambda _: steps
        got = read(kind, servers.config())
    assert got.body == b"x" * 10
    assert isinstance(got.error, StreamBrokenError)
    assert isinstance(got.error, getattr(HTTP[kind[1]], name))
    assert got.error.delivered == 10
    assert got.error.maybe_processed
    assert got.error.blame == "service"
    assert "10 bytes of the body from a were delivered" in str(got.error)
    assert [attempt.endpoint for attempt in got.error.attempts] == ["a"]
    assert "broke off after 10 bytes of its body" in got.error.explain()
    assert servers.order() == ["a"]
    assert got.errors == {"a": 1, "b": 0}
    assert got.idle


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_error_is_pickled_with_what_it_knows(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [LONG, CUT]
        got = read(kind, servers.config())
    again = pickle.loads(pickle.dumps(got.error))
    assert type(again) is StreamBrokenError
    assert (again.delivered, again.args) == (10, got.error.args)
    assert again.maybe_processed


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_body_that_its_reader_closed_counts_against_nobody(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [LONG, HANG]
        got = read(kind, servers.config(), most=1)
    assert (got.error, got.errors, got.idle) == (None, {"a": 0}, True)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_callers_own_short_read_timeout_is_no_endpoints_fault(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [LONG, HANG]
        timeout = HTTP[kind[1]].Timeout(5, read=0.1)
        got = read(kind, servers.config(), timeout=timeout)
        assert isinstance(got.error, HTTP[kind[1]].ReadTimeout)
        assert "no data for 0." in str(got.error)
        assert got.errors == {"a": 0}
        config = servers.config(failover=router.Failover(attempt_timeout=0.5))
        got = read(kind, config)
    assert isinstance(got.error, HTTP[kind[1]].ReadTimeout)
    assert got.errors == {"a": 1}


@pytest.mark.alone
def test_an_endpoint_whose_bodies_break_is_left_for_another() -> None:
    with Servers("a", "b") as servers:
        servers.serve = lambda asked: [LONG, CUT] if asked.server == "a" else [answer(b"whole")]
        with router.Router(servers.config()) as it:
            for _ in range(12):
                read(("sync", "httpx"), it)
    assert servers.order().count("a") <= 3
    assert servers.order()[-3:] == ["b"] * 3


def test_streams_that_all_break_at_once_are_no_endpoints_fault() -> None:
    with Servers("a", "b") as servers:
        servers.serve = lambda _: [LONG, 0.3, RESET]
        with router.Client(servers.config()) as client:
            streams = []
            for name in ("a", "b"):
                for other in ("a", "b"):
                    (client.router.undrain if other == name else client.router.drain)(other)
                request = client.build_request("GET", "/")
                streams.append(client.send(request, stream=True))
            client.router.undrain("a")
            for stream in streams:
                with pytest.raises(StreamBrokenError):
                    stream.read()
                stream.close()
            assert all(row.health == "healthy" for row in client.router.rank())
            states = client.router.pool._roster.states.values()
            assert all(state.health.failures == 0 for state in states)


# -- the deadline of a stream


def drip(_: Any) -> Any:
    yield head(Transfer_Encoding="chunked")
    for _ in range(100):
        yield chunked(b"x")
        yield 0.05


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("where", ["options", "settings"])
def test_a_streams_own_deadline_bounds_its_body(kind: tuple[str, str], where: str) -> None:
    options = router.Options(stream_deadline=0.3 if where == "options" else None)
    failover = router.Failover(stream_deadline=0.3 if where == "settings" else None)
    with Servers("a", "b") as servers:
        servers.serve = drip
        began = time.monotonic()
        got = read(kind, servers.config(failover=failover), options=options)
        took = time.monotonic() - began
    assert isinstance(got.error, router.DeadlineError)
    assert isinstance(got.error, HTTP[kind[1]].ReadTimeout)
    assert got.error.delivered == len(got.body) > 0
    assert "stream's deadline" in str(got.error)
    assert got.errors == {"a": 0, "b": 0}
    assert 0.25 < took < 2.0
    assert servers.order() == ["a"]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_the_deadline_of_a_request_does_not_end_its_stream(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [
            head(Transfer_Encoding="chunked"),
            chunked(b"x"),
            0.7,
            chunked(b"y") + LAST_CHUNK,
        ]
        got = read(kind, servers.config(), options=router.Options(deadline=0.5))
    assert (got.body, got.error) == (b"xy", None)


def test_who_closes_the_client_breaks_his_own_streams() -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [LONG, HANG]
        client = router.Client(servers.config())
        response = client.send(client.build_request("GET", "/"), stream=True)
        chunks = response.iter_raw()
        assert next(chunks) == b"x" * 10
        client.close()
        with pytest.raises(StreamBrokenError):
            next(chunks)
        response.close()
        states = client.router.pool._roster.states
        assert states["a"].errors == 0
        assert client.router.limiter.in_use == 0
