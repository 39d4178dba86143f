"""A stream that falls silent ends as soon as that is unusual, not when the read timeout says so."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from stream_readers import HTTP, KINDS, Read, read
from stream_servers import HANG, LAST_CHUNK, Asked, Servers, chunked, head

import router
from router.errors import StreamBrokenError
from router.streams import stall

each_kind = pytest.mark.parametrize("kind", KINDS, ids="-".join)
BEGUN: list[Any] = [
    head(Transfer_Encoding="chunked", Content_Type="text/plain"),
    *[chunked(b"x"), 0.01] * 30,
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test not wait for five seconds."""
    monkeypatch.setattr(stall, "FLOOR", 0.5)


def timed(kind: tuple[str, str], config: Any, **request: Any) -> tuple[Read, float]:
    began = time.monotonic()
    timeout = HTTP[kind[1]].Timeout(5, read=request.pop("limit", 20.0))
    got = read(kind, config, timeout=timeout, **request)
    return got, time.monotonic() - began


def last_one_hangs(servers: Servers, after: int) -> None:
    """Serve whole streams, and then one that falls silent."""

    def serve(_: Asked) -> list[Any]:
        return [*BEGUN, HANG if len(servers.asked) > after else LAST_CHUNK]

    servers.serve = serve


@each_kind
def test_silence_that_is_unusual_is_not_waited_out(kind: tuple[str, str]) -> None:
    with Servers("a", "b") as servers, router.Router(servers.config()) as it:
        last_one_hangs(servers, after=3)
        for _ in range(3):
            assert read(kind, it).error is None
        got, took = timed(kind, it)
    assert got.body == b"x" * 30
    assert isinstance(got.error, StreamBrokenError)
    assert isinstance(got.error, HTTP[kind[1]].ReadTimeout)
    assert re.search(r"no data for [0-4]\.\d s, where gaps of 0\.\d+ s are usual", str(got.error))
    assert took < 5
    assert got.errors == {"a": 1, "b": 0}
    assert got.idle


@each_kind
def test_what_is_learned_in_a_stream_holds_for_the_same_stream(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        servers.serve = lambda _: [*BEGUN, *BEGUN[1:], HANG]
        got, took = timed(kind, servers.config())
    assert "where gaps of" in str(got.error)
    assert took < 6


@each_kind
def test_the_user_may_set_the_silence_that_is_too_long(kind: tuple[str, str]) -> None:
    with Servers("a", "b") as servers:
        last_one_hangs(servers, after=0)
        config = servers.config(failover=router.Failover(stall=0.2))
        got, took = timed(kind, config)
    assert "no data for " in str(got.error)
    assert took < 5
    assert got.errors == {"a": 1, "b": 0}


@each_kind
def test_a_drip_that_brings_no_data_is_silence(kind: tuple[str, str]) -> None:
    drip: list[Any] = [b"5;", *[b"a", 0.1] * 40]
    with Servers("a") as servers:
        servers.serve = lambda _: [head(Transfer_Encoding="chunked"), chunked(b"hello"), *drip]
        got, took = timed(kind, servers.config(failover=router.Failover(stall=0.4)))
    assert (got.body, got.idle) == (b"hello", True)
    assert "no data for " in str(got.error)
    assert 0.35 < took < 2.5


@each_kind
def test_or_turn_it_off(kind: tuple[str, str]) -> None:
    with Servers("a") as servers:
        config = servers.config(failover=router.Failover(stall="off"))
        with router.Router(config) as it:
            last_one_hangs(servers, after=3)
            for _ in range(3):
                read(kind, it)
            got, _ = timed(kind, it, limit=0.7)
    assert "are usual" not in str(got.error)


def test_before_enough_is_known_only_the_read_timeout_counts() -> None:
    with Servers("a") as servers:
        last_one_hangs(servers, after=0)
        got, _ = timed(("sync", "httpx"), servers.config(), limit=0.7)
    assert "are usual" not in str(got.error)


def test_a_download_that_stalls_goes_on_elsewhere() -> None:
    data = b"x" * 2000

    def serve(asked: Asked) -> list[Any]:
        if asked.server == "a":
            first = head(Content_Length="2000", ETag='"one"')
            return [first, *[data[:10], 0.005] * 60, HANG]
        spans = f"bytes 600-1999/{len(data)}"
        return [head(206, Content_Length="1400", ETag='"one"', Content_Range=spans), data[600:]]

    with Servers("a", "b") as servers:
        servers.serve = serve
        options = router.Options(resume="range")
        got, took = timed(("sync", "httpx"), servers.config(), options=options)
    assert (got.body, got.error) == (data, None)
    assert took < 5
