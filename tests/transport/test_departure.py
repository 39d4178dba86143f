"""The time leaves with the headers: over each library, kind and version of HTTP, and with a signer.

These tests pin what the router relies on in httpcore and httpcore2, which is not documented: that
a request's headers are iterated over when they are written, and not before.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from h2_peer import http2_server

import router
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUEUEING = 0.5
KINDS: dict[str, Any] = {
    "httpx sync": router.Client,
    "httpx async": router.AsyncClient,
    "httpx2 sync": router.httpx2.Client,
    "httpx2 async": router.httpx2.AsyncClient,
}
STAMPED = router.ClockSettings(servers=(), header="X-Timestamp", format="unix_ms")


def both(client_class: Any, shared: router.Router) -> list[Any]:
    """Send two requests at once."""
    if "Async" not in client_class.__name__:
        with client_class(shared) as client, ThreadPoolExecutor() as threads:
            return [f.result() for f in [threads.submit(client.get, "/") for _ in range(2)]]

    async def main() -> list[Any]:
        async with client_class(shared) as client:
            return list(await asyncio.gather(client.get("/"), client.get("/")))

    return asyncio.run(main())


def age(at: float, stamp: str) -> float:
    return at - int(stamp) / 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_stamp_does_not_age_while_its_request_waits_for_a_connection(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.wires.bounds.MOST_CONNECTIONS", 1)
    with Regions(only=QUEUEING) as regions:
        quiet = regions.config(clock=STAMPED, probe=router.Probe(enabled=False))
        with router.Router(quiet) as shared:
            answers = both(KINDS[kind], shared)
        assert [answer.status_code for answer in answers] == [200, 200]
        first, second = regions.received
    assert second.at - first.at > 0.9 * QUEUEING  # it did wait
    for request in (first, second):
        assert 0 <= age(request.at, request.headers["x-timestamp"]) + 0.001 < QUEUEING / 2
    for answer in answers:  # the trace tells the stamp that was sent
        (attempt,) = answer.extensions["router"].attempts
        assert attempt.stamp in {r.headers["x-timestamp"] for r in regions.received}
        assert attempt.waited < QUEUEING / 2


@pytest.mark.parametrize("kind", KINDS)
def test_nor_while_it_waits_for_a_stream_of_http2(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.wires.bounds.MOST_CONNECTIONS", 1)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with http2_server(authority, latency=QUEUEING, streams=1) as server:
        config = router.Config(
            endpoints=(router.Endpoint(url=server.url, address="127.0.0.1"),),
            clock=STAMPED,
            http2=True,
            probe=router.Probe(enabled=False),
            tls=router.TlsSettings(ca=tmp_path / "ca.pem"),
        )
        with router.Router(config) as shared:
            answers = both(KINDS[kind], shared)
        (first, _), (second, _) = server.received
    assert [answer.http_version for answer in answers] == ["HTTP/2", "HTTP/2"]
    assert second - first > 0.9 * QUEUEING
    for at, headers in server.received:
        assert 0 <= age(at, headers["x-timestamp"]) + 0.001 < QUEUEING / 2


def sign(signing: router.Signing) -> list[tuple[str, str]]:
    """Sign as exchanges do: method, path, time and body under a shared key."""
    stamp = dict(signing.headers)["X-Timestamp"]
    text = f"{signing.method} {signing.url} {stamp} ".encode() + (signing.body or b"")
    return [("X-Signature", hmac.new(b"key", text, hashlib.sha256).hexdigest())]


def is_signed(request: Received) -> bool:
    url = f"http://{request.headers['host']}{request.target}"
    text = f"{request.method} {url} {request.headers['x-timestamp']} ".encode() + request.body
    expected = hmac.new(b"key", text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, request.headers["x-signature"])


@pytest.mark.parametrize("kind", ["httpx sync", "httpx2 sync"])
def test_a_signature_covers_the_time_that_was_sent_on_every_attempt(kind: str) -> None:
    with Regions(near=0.0, far=0.0) as regions:
        regions["near"].respond = regions["far"].respond = lambda _: Reply(503)
        config = regions.config(
            clock=STAMPED,
            probe=router.Probe(enabled=False),
            failover=router.Failover(attempts=2),
        )
        with (
            router.Router(config, signer=sign) as shared,
            KINDS[kind](shared, headers={"X-Signature": "old"}) as client,
        ):
            client.post("/order?x=1", content=b"body")
        assert len(regions.received) == 2
        assert all(is_signed(request) for request in regions.received)
        first, second = (request.headers["x-timestamp"] for request in regions.received)
        assert int(first) <= int(second)


def broken(signing: router.Signing) -> list[tuple[str, str]]:
    raise TimeoutError("hush-hush")


def unwritable(signing: router.Signing) -> list[tuple[str, str]]:
    return [("X-Signature", "né ☃")]


def silent(signing: router.Signing) -> Any:
    return None


def injecting(signing: router.Signing) -> list[tuple[str, str]]:
    return [("X-Signature", "a\r\nX-Admin: 1")]


def posing(signing: router.Signing) -> list[tuple[str, str]]:
    return [("host", "elsewhere.example")]


def counting(signing: router.Signing) -> Any:
    return [("X-Signature", 1)]


@pytest.mark.parametrize("signer", [broken, unwritable, silent, injecting, posing, counting])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signer_that_fails_is_the_callers_and_nothing_was_sent(
    kind: str, signer: Callable[[router.Signing], list[tuple[str, str]]]
) -> None:
    with Regions(only=0.0) as regions:
        config = regions.config(probe=router.Probe(enabled=False))
        with router.Router(config, signer=signer) as shared:
            with pytest.raises(router.SigningError) as caught:
                both(KINDS[kind], shared)
            assert shared.snapshot()["limiter"] == {"in_use": 0, "waiting": 0}
            assert shared.snapshot()["endpoints"][0]["health"] == "healthy"
        assert regions.received == []
    assert (caught.value.blame, caught.value.maybe_processed) == ("caller", False)
    assert "hush" not in str(caught.value)


def test_a_body_that_is_read_once_is_not_shown_to_the_signer() -> None:
    seen: list[router.Signing] = []

    def look(signing: router.Signing) -> list[tuple[str, str]]:
        seen.append(signing)
        return []

    with Regions(only=0.0) as regions:
        config = regions.config(probe=router.Probe(enabled=False))
        with router.Router(config, signer=look) as shared, router.Client(shared) as client:
            client.post("/", content=iter([b"a", b"b"]))
            client.post("/", content=b"ab")
        assert [request.body for request in regions.received] == [b"ab", b"ab"]
    assert [signing.body for signing in seen] == [None, b"ab"]
    assert "ab" not in repr(seen)
    assert abs(seen[0].stamp.ns / 1e9 - time.time()) < 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_becomes_unsure_while_a_request_waits_refuses_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.wires.bounds.MOST_CONNECTIONS", 1)
    refusing = router.ClockSettings(servers=(), header="X-Timestamp", when_unsure="refuse")
    with Regions(only=0.0) as regions:
        config = regions.config(clock=refusing, probe=router.Probe(enabled=False))
        with router.Router(config) as shared:
            assert shared.keeper.stamper is not None
            monkeypatch.setattr(shared.keeper.stamper, "check", lambda _: None)  # it was sure, then
            monkeypatch.setattr(shared.clock, "_max_error", 0.0)  # and is not sure any more
            with pytest.raises(router.ClockError, match="when_unsure is refuse"):
                both(KINDS[kind], shared)
            assert shared.snapshot()["limiter"] == {"in_use": 0, "waiting": 0}
        assert regions.received == []
