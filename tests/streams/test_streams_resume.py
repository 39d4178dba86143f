"""A body that broke off goes on elsewhere, as its caller asked, or ends with an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_readers import HTTP, KINDS, read
from stream_servers import CUT, LAST_CHUNK, Asked, Servers, answer, chunked, head

import router
from router.errors import OptionsError, StreamBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.streams.resume import Broken

DATA = bytes(range(256)) * 8
RANGE = router.Options(resume="range")
EVENTS = router.Options(resume="last-event-id")
each_kind = pytest.mark.parametrize("kind", KINDS, ids="-".join)
ONE = ("sync", "httpx")


def download(
    cuts: dict[str, list[int]], tags: dict[str, str] | None = None, data: bytes = DATA
) -> Callable[[Asked], list[Any]]:
    """Serve `data` and its ranges; the nth answer of a server is cut after its nth number."""
    left = {name: list(numbers) for name, numbers in cuts.items()}

    def serve(asked: Asked) -> list[Any]:
        tag = (tags or {}).get(asked.server, '"one"')
        body = data if tag == '"one"' else data[::-1]
        whole = answer(body, ETag=tag, Accept_Ranges="bytes")
        if asked.headers.get("if-range") == tag:
            first = int(asked.headers["range"].removeprefix("bytes=").partition("-")[0])
            spans = f"bytes {first}-{len(body) - 1}/{len(body)}"
            whole = answer(body[first:], 206, ETag=tag, Content_Range=spans)
        if left.get(asked.server):
            at = whole.index(b"\r\n\r\n") + 4 + left[asked.server].pop(0)
            return [whole[:at], CUT]
        return [whole]

    return serve


# -- nothing delivered yet


@each_kind
def test_a_body_of_which_nothing_came_is_asked_for_elsewhere(kind: tuple[str, str]) -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [0]})
        got = read(kind, servers.config(limits=router.Limits(concurrency=1)))
        assert (got.body, got.error, got.idle) == (DATA, None, True)
        assert servers.order() == ["a", "b"]
        assert got.errors == {"a": 1, "b": 0}


@each_kind
def test_but_not_for_what_may_not_be_repeated(kind: tuple[str, str]) -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [0]})
        got = read(kind, servers.config(), "POST")
        assert isinstance(got.error, StreamBrokenError)
        assert (got.error.delivered, got.error.maybe_processed) == (0, True)
        assert servers.order() == ["a"]
        keyed = router.Options(idempotency_key="k")
        servers.serve = download({"a": [0]})
        assert read(kind, servers.config(), "POST", options=keyed).body == DATA


@pytest.mark.parametrize(
    "other",
    [
        answer(DATA, ETag='"two"', Accept_Ranges="bytes"),
        answer(DATA[1:], ETag='"one"', Accept_Ranges="bytes"),
        answer(DATA, Content_Type="text/plain", ETag='"one"'),
        answer(DATA, 201, ETag='"one"'),
    ],
)
def test_nor_by_an_answer_with_another_head(other: bytes) -> None:
    with Servers("a", "b") as servers:
        begin = download({"a": [0]})
        servers.serve = lambda asked: begin(asked) if asked.server == "a" else [other]
        got = read(ONE, servers.config())
    assert got.body == b""
    assert "another head" in str(got.error)
    assert [attempt.endpoint for attempt in got.error.attempts] == ["a", "b"]
    assert got.idle


# -- by range


@each_kind
def test_a_download_goes_on_with_the_very_next_byte(kind: tuple[str, str]) -> None:
    with Servers("a", "b", "c") as servers:
        servers.serve = download({"a": [100], "b": [500]})
        config = servers.config(limits=router.Limits(concurrency=1))
        got = read(kind, config, options=RANGE, headers={"Range": "bytes=0-"})
        assert (got.status, got.body, got.error, got.idle) == (200, DATA, None, True)
        assert servers.order() == ["a", "b", "c"]
        assert [asked.headers.get("range") for asked in servers.asked] == [
            "bytes=0-",
            f"bytes=100-{len(DATA) - 1}",
            f"bytes=600-{len(DATA) - 1}",
        ]
        assert [asked.headers.get("if-range") for asked in servers.asked[1:]] == ['"one"'] * 2


@each_kind
def test_a_download_whose_bytes_changed_ends_with_an_error(kind: tuple[str, str]) -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [100]}, {"b": '"two"'})
        got = read(kind, servers.config(), options=RANGE)
    assert got.body == DATA[:100]
    assert isinstance(got.error, StreamBrokenError)
    assert isinstance(got.error, HTTP[kind[1]].RemoteProtocolError)
    assert got.error.delivered == 100
    assert "not what was begun" in str(got.error)
    assert got.idle


def test_a_broken_download_is_not_gone_on_with_unless_that_was_asked_for() -> None:
    for options, method in ((router.Options(), "GET"), (RANGE, "PUT"), (EVENTS, "GET")):
        with Servers("a", "b") as servers:
            servers.serve = download({"a": [100]})
            got = read(ONE, servers.config(), method, options=options)
        assert (got.body, got.error.delivered, servers.order()) == (DATA[:100], 100, ["a"])


def test_attempts_bound_how_often_a_body_goes_on_and_all_are_told() -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [1] * 9, "b": [1] * 9})
        backoff = router.Backoff(base=0.01)
        config = servers.config(failover=router.Failover(attempts=4, backoff=backoff))
        got = read(ONE, config, options=RANGE)
    assert got.body == DATA[:4]
    assert len(servers.asked) == len(got.error.attempts) == 4
    assert "failover.attempts allows" in str(got.error)
    assert "4 bytes of the body" in str(got.error)


def test_the_retry_budget_bounds_it_too() -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [100]})
        config = servers.config(failover=router.Failover(retry_budget=1))
        got = read(ONE, config, options=RANGE)
    assert (got.body, servers.order(), got.idle) == (DATA[:100], ["a"], True)
    assert "budget" in str(got.error)


def test_the_next_head_may_come_after_the_deadline_of_the_first() -> None:
    with Servers("a", "b") as servers:
        serve = download({"a": [100]})
        servers.serve = lambda asked: (
            [*serve(asked)[:1], 0.7, CUT] if asked.server == "a" else serve(asked)
        )
        options = router.Options(resume="range", deadline=0.5)
        assert read(ONE, servers.config(), options=options).body == DATA


def test_a_stream_past_its_own_deadline_does_not_go_on() -> None:
    with Servers("a", "b") as servers:
        serve = download({"a": [100]})
        servers.serve = lambda asked: [*serve(asked)[:1], 0.5, CUT]
        options = router.Options(resume="range", stream_deadline=0.3)
        got = read(ONE, servers.config(), options=options)
    assert isinstance(got.error, router.DeadlineError)
    assert servers.order() == ["a"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.booleans()), max_size=6))
def test_whatever_breaks_a_download_delivers_its_bytes_or_fails(
    plan: list[tuple[str, int, bool]],
) -> None:
    data = DATA[:64]
    cuts: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for name, at, _ in plan:
        cuts[name].append(at)
    tags = {name: '"two"' for name, _, other in plan if other}
    with Servers("a", "b", "c") as servers:
        servers.serve = download(cuts, tags, data)
        failover = router.Failover(attempts=6, backoff=router.Backoff(base=0.001))
        got = read(ONE, servers.config(failover=failover), options=RANGE)
    whole = data[::-1] if tags.get("a") else data
    assert whole.startswith(got.body)
    assert (got.error is None) == (got.body == whole)
    assert got.idle


# -- by the last event's id


def events(numbers: range) -> list[bytes]:
    return [b"id: %d\nevent: n\ndata: number %d\n\n" % (n, n) for n in numbers]


def feed(
    cuts: list[int], count: int = 20, status: int = 200, retry: bytes = b""
) -> Callable[[Asked], list[Any]]:
    """Serve events from the one after Last-Event-ID; the nth answer is cut after its nth number."""
    left = list(cuts)

    def serve(asked: Asked) -> list[Any]:
        last = int(asked.headers.get("last-event-id", 0))
        text = retry + b"".join(events(range(last + 1, count + 1)))
        first = head(status, Transfer_Encoding="chunked", Content_Type="text/event-stream")
        if left:
            return [first, chunked(text[: max(1, left.pop(0))]), CUT]
        return [first, chunked(text), LAST_CHUNK]

    return serve


@each_kind
def test_each_event_comes_whole_and_once(kind: tuple[str, str]) -> None:
    whole = b"".join(events(range(1, 21)))
    with Servers("a", "b", "c") as servers:
        servers.serve = feed([100, 45])
        config = servers.config(limits=router.Limits(concurrency=1))
        got = read(kind, config, options=EVENTS, headers={"Last-Event-ID": "0"})
        assert (got.body, got.error, got.idle) == (whole, None, True)
        assert servers.order() == ["a", "b", "c"]
        assert [asked.headers["last-event-id"] for asked in servers.asked] == ["0", "3", "4"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4))
def test_wherever_it_breaks_each_event_comes_whole_and_once(cuts: list[int]) -> None:
    with Servers("a", "b") as servers:
        servers.serve = feed(cuts)
        failover = router.Failover(backoff=router.Backoff(base=0.001))
        got = read(ONE, servers.config(failover=failover), options=EVENTS)
    assert (got.body, got.error) == (b"".join(events(range(1, 21))), None)


def test_events_without_ids_end_with_an_error_rather_than_come_twice() -> None:
    text = b"id: 1\ndata: a\n\ndata: b\n\n"
    with Servers("a", "b") as servers:
        first = head(Transfer_Encoding="chunked", Content_Type="text/event-stream")
        servers.serve = lambda _: [first, chunked(text + b"data: half"), CUT]
        got = read(ONE, servers.config(), options=EVENTS)
    assert (got.body, got.error.delivered) == (text, len(text))
    assert servers.order() == ["a"]


def test_the_servers_own_wait_is_kept_and_bounded_by_the_deadline() -> None:
    for retry, deadline, goes_on in (
        (b"retry: 120\n\n", 5.0, True),
        (b"retry: 9000\n\n", 1.0, False),
    ):
        with Servers("a", "b") as servers:
            servers.serve = feed([100], retry=retry)
            with router.Client(servers.config()) as client:
                slept: list[float] = []
                port: Any = client._transport._port  # type: ignore[attr-defined]
                sleep = port.sleep

                async def noted(seconds: float) -> None:
                    slept.append(seconds)  # noqa: B023
                    await sleep(seconds)  # noqa: B023

                client._transport._port = Noting(port, noted)  # type: ignore[attr-defined]
                options = router.Options(resume="last-event-id", deadline=deadline)
                request = client.build_request("GET", "/", extensions={"router": options})
                response = client.send(request, stream=True)
                if goes_on:
                    assert response.read().endswith(b"number 20\n\n")
                    assert 0.12 in slept
                else:
                    with pytest.raises(StreamBrokenError, match="past the deadline"):
                        response.read()
                response.close()


class Noting:
    """A port that tells how long it slept."""

    def __init__(self, port: Any, sleep: Any) -> None:
        self._port = port
        self.sleep = sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def test_who_answers_with_something_else_does_not_go_on() -> None:
    replies = {204: head(204), 200: answer(b"{}", Content_Type="application/json")}
    for status, reply in replies.items():
        with Servers("a", "b") as servers:
            serve = feed([100])
            servers.serve = lambda asked: serve(asked) if asked.server == "a" else [reply]  # noqa: B023
            got = read(ONE, servers.config(), options=EVENTS)
        assert got.body == b"".join(events(range(1, 4))), status
        assert "could not go on" in str(got.error)
        assert got.idle


# -- by the caller's own word


@each_kind
def test_a_callers_function_says_how_a_post_goes_on(kind: tuple[str, str]) -> None:
    told: list[Broken] = []

    def resume(broken: Broken) -> dict[str, str]:
        told.append(broken)
        return {"Last-Event-ID": broken.last_event_id or "0"}

    with Servers("a", "b", "c") as servers:
        servers.serve = feed([100, 45])
        options = router.Options(resume=resume)
        got = read(kind, servers.config(), "POST", options=options, content=b"ask")
        assert (got.body, got.error) == (b"".join(events(range(1, 21))), None)
        assert servers.order() == ["a", "b", "c"]
    assert [(b.last_event_id, b.reopening) for b in told] == [("3", 1), ("4", 2)]
    assert told[0].delivered == len(told[0].last_chunk) == len(b"".join(events(range(1, 4))))
    assert isinstance(told[0].error, StreamBrokenError)
    assert b"number" not in repr(told[0]).encode()


def test_a_callers_function_may_give_up() -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [100]})
        got = read(ONE, servers.config(), "POST", options=router.Options(resume=lambda _: None))
    assert (got.error.delivered, servers.order(), got.idle) == (100, ["a"], True)


@pytest.mark.parametrize("headers", [{"Host": "x"}, {"X-A": "a\r\nX-B: b"}, {"X A": "a"}, {"X": 1}])
def test_a_callers_function_may_not_return_what_is_no_header(headers: Any) -> None:
    with Servers("a", "b") as servers:
        servers.serve = download({"a": [100]})
        options = router.Options(resume=lambda _: headers)
        got = read(ONE, servers.config(), options=options)
    assert isinstance(got.error, OptionsError)
    assert (servers.order(), got.idle) == (["a"], True)


def test_a_coded_body_does_not_go_on_with_a_new_one() -> None:
    with Servers("a", "b") as servers:
        whole = answer(DATA, Content_Encoding="gzip")
        servers.serve = lambda asked: [whole[:200], CUT] if asked.server == "a" else [whole]
        got = read(ONE, servers.config(), options=router.Options(resume=lambda _: {}))
    assert "coded body" in str(got.error)


def test_numbers_count_what_came_over_the_wire() -> None:
    parts: list[Any] = [chunked(b"abc"), 0.01] * 3
    with Servers("a") as servers:
        servers.serve = lambda _: [head(Transfer_Encoding="chunked"), *parts, CUT]
        got = read(ONE, servers.config())
    assert got.error.delivered == 9
