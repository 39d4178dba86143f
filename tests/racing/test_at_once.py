"""What a client reads at once is read by the router, so that a broken body fails over."""

from __future__ import annotations

import asyncio
import gzip
import random
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from four_clients import KINDS, Asker

import router
from router.testing import Received, Regions, Reply
from router.testing.faults import Cut, Reset

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = b"0123456789" * 10
ERRORS = (httpx.TransportError, httpx2.TransportError)
BREAKS = [Cut(in_body=True, at_byte=5), Reset(in_body=True, at_byte=5), Cut(in_body=True)]


@pytest.fixture
def two() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        for region in regions:
            region.respond = lambda _: Reply(body=TEXT)
        yield regions


def asking(kind: str, regions: Regions, **options: Any) -> Asker:
    failover = router.Failover(backoff=router.Backoff(base=0.01))
    config = regions.config(probe=router.Probe(enabled=False), failover=failover)
    return Asker(kind, config, **options)


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_get_whose_body_breaks_off_fails_over(kind: str, fault: Any, two: Regions) -> None:
    with asking(kind, two) as asker:
        first = asker.get().extensions["router"].endpoint
        two[first].fault = fault
        response = asker.get()
        trace = response.extensions["router"]
        assert response.content == TEXT
        assert [a.verdict for a in trace.attempts] == ["uncertain", "delivered"]
        assert trace.attempts[0].maybe_processed
        assert trace.endpoint != first
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_that_always_break_off_cost_the_endpoint_its_place(kind: str, two: Regions) -> None:
    with asking(kind, two) as asker:
        first = asker.get().extensions["router"].endpoint
        two[first].fault = Cut(in_body=True, at_byte=5)
        before = two[first].requests
        assert [asker.get().content for _ in range(60)] == [TEXT] * 60
        assert two[first].requests - before <= 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_without_a_key_whose_body_breaks_off_is_told_as_maybe_processed(
    kind: str, two: Regions
) -> None:
    for region in two:
        region.fault = Cut(in_body=True, at_byte=5)
    with asking(kind, two) as asker:
        with pytest.raises(ERRORS) as caught:
            asker.request("POST", content=b"order")
        error = caught.value
        assert isinstance(error, router.AttemptsFailedError)
        assert error.maybe_processed
        assert "may have been processed" in str(error)
        assert len(two.received) == 1
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_with_a_key_fails_over(kind: str, two: Regions) -> None:
    with asking(kind, two) as asker:
        first = asker.get().extensions["router"].endpoint
        two[first].fault = Reset(in_body=True, at_byte=5)
        keyed = {"router": router.Options(idempotency_key="k")}
        assert asker.request("POST", content=b"x", extensions=keyed).content == TEXT


SHAPES: list[tuple[str, Reply, bytes]] = [
    ("GET", Reply(status=204), b""),
    ("GET", Reply(status=304), b""),
    ("HEAD", Reply(body=TEXT), b""),
    ("GET", Reply(body=b""), b""),
    ("GET", Reply(headers={"Content-Encoding": "gzip"}, body=gzip.compress(TEXT)), TEXT),
    ("GET", Reply(chunks=[b"a", b"bc", b"def"]), b"abcdef"),
    ("GET", Reply(status=404, body=TEXT), TEXT),
    ("GET", Reply(status=500, body=TEXT), TEXT),
]


@pytest.mark.parametrize(("method", "reply", "content"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_as_it_came(
    kind: str, method: str, reply: Reply, content: bytes, two: Regions
) -> None:
    for region in two:
        region.respond = lambda _: reply
    with asking(kind, two) as asker:
        response = asker.request(method)
        assert (response.status_code, response.content) == (reply.status, content)
        assert response.is_closed
        assert response.elapsed.total_seconds() >= 0
        assert response.num_bytes_downloaded >= 0
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_ten_megabytes_are_the_same(kind: str, two: Regions) -> None:
    large = random.Random(1).randbytes(10_000_000)
    for region in two:
        region.respond = lambda _: Reply(body=large)
    with asking(kind, two) as asker:
        assert asker.get().content == large
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_extensions_stay_as_they_were(kind: str, two: Regions) -> None:
    mine = {"router": router.Options(tiers=1), "mine": 7}
    with asking(kind, two) as asker:
        asker.get(extensions=mine)
        assert mine == {"router": router.Options(tiers=1), "mine": 7}


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_was_read_at_once_may_be_streamed_the_next_time(
    kind: str, two: Regions
) -> None:
    with asking(kind, two) as asker:
        request = asker.client.build_request("GET", "/")
        assert asker.run(asker.client.send(request)).content == TEXT
        response = asker.run(asker.client.send(request, stream=True))
        assert not response.is_stream_consumed
        assert asker.router.pool.in_flight() != {"a": 0, "b": 0}, "its body is still to come"
        read = asker.run(response.aread()) if asker.suspends else response.read()
        assert read == TEXT
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_redirects_are_read_at_once_as_well(kind: str, two: Regions) -> None:
    def respond(request: Received) -> Reply:
        if request.target == "/old":
            return Reply(status=302, headers={"Location": "/new"}, body=b"moved")
        return Reply(body=TEXT)

    for region in two:
        region.respond = respond
    with asking(kind, two, follow_redirects=True) as asker:
        first = asker.get("/old").extensions["router"].endpoint
        two[first].fault = Cut(in_body=True, at_byte=3)
        response = asker.get("/old")
        assert (response.content, len(response.history)) == (TEXT, 1)
        assert response.history[0].content == b"moved"
        told = [len(r.extensions["router"].attempts) for r in (*response.history, response)]
        assert sum(told) > 2, "a broken body of either failed over"
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_longer_than_the_deadline_ends_with_it(kind: str, two: Regions) -> None:
    for region in two:
        region.respond = lambda _: Reply(chunks=[b"x"] * 100, pause=0.1)
    with asking(kind, two) as asker:
        options = {"router": router.Options(deadline=0.5)}
        with pytest.raises(ERRORS) as caught:
            asker.get(extensions=options)
        assert isinstance(caught.value, router.DeadlineError)
        assert caught.value.maybe_processed
        asker.settle()


@pytest.mark.parametrize("kind", [k for k in KINDS if "async" in k])
@pytest.mark.untraced
def test_who_is_cancelled_at_any_step_leaves_nothing_behind(kind: str, two: Regions) -> None:
    async def cancelled(client: Any, steps: int) -> bool:
        task = asyncio.ensure_future(client.get("/"))
        for _ in range(steps):
            await asyncio.sleep(0)
        done = task.done()
        task.cancel()
        await asyncio.wait([task])
        return bool(done)

    with asking(kind, two) as asker:
        asker.get()
        done = [asker.run(cancelled(asker.client, steps)) for steps in range(400)]
        assert not any(done[:3])
        asker.settle()
        assert [asker.get().content for _ in range(5)] == [TEXT] * 5


def test_an_sdk_reads_its_raw_response(two: Regions) -> None:
    openai = pytest.importorskip("openai")
    listed = b'{"object": "list", "data": []}'
    for region in two:
        region.respond = lambda _: Reply(headers={"Content-Type": "application/json"}, body=listed)
    config = two.config(probe=router.Probe(enabled=False), hosts=("api.openai.com",))
    client = router.httpx2.Client(config) if _wants_httpx2(openai) else router.Client(config)
    with client, openai.OpenAI(api_key="k", http_client=client) as sdk:
        first = sdk.models.with_raw_response.list()
        assert first.headers["content-type"] == "application/json"
        assert first.parse().data == []
        two["a"].fault = Cut(in_body=True, at_byte=5)
        assert [sdk.models.list().data for _ in range(4)] == [[]] * 4


def _wants_httpx2(openai: Any) -> bool:
    return issubclass(openai.DefaultHttpxClient, httpx2.Client)
