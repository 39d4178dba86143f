"""Probes against real loopback servers, well-behaved and otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from router.config.settings import Probe, TlsSettings
from router.endpoint import Endpoint
from router.latency.probe import Measured, ProbeError, measure
from router.testing import Regions
from router.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECRET = "planted-in-the-answer"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PATIENT = Probe(timeout=10.0)
HASTY = Probe(timeout=0.1)


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


@contextlib.asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[str]:
    """Run `serve` for each connection, and yield the server's URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(handle, host, 0, **options)
    port = server.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    try:
        yield f"{'https' if options.get('ssl') else 'http'}://{name}:{port}"
    finally:
        server.close()


def probe_of(serve: Serve, probe: Probe = PATIENT, **options: Any) -> Measured:
    """Probe a server once; `serve` speaks for it."""

    async def run() -> Measured:
        async with serving(serve, **options) as url:
            return await measure(Endpoint(url=url), probe, tls=None)

    return asyncio.run(run())


def always(*answers: bytes) -> Serve:
    """Answer one after the other on a connection, and wait when there are no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await head(reader)
            writer.write(answer)
        await asyncio.sleep(60)

    return serve


def measure_now(endpoint: Endpoint, probe: Probe, tls: ssl.SSLContext | None = None) -> Measured:
    return asyncio.run(measure(endpoint, probe, tls=tls))


# -- what is measured


def test_the_request_is_timed_apart_from_the_connect() -> None:
    with Regions(slow=0.050) as regions:
        measured = [measure_now(regions.endpoints()[0], PATIENT) for _ in range(5)]
        assert {one.status for one in measured} == {200}
        assert min(one.warm for one in measured) >= 0.050
        assert 0 < min(one.connect for one in measured) < 0.050  # the best of five, on loopback
        assert regions["slow"].probes == 10  # the second of each two finds the connection warm


def test_a_probe_is_bare_and_goes_below_the_base_path() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heard.append(await head(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async def run() -> str:
        async with serving(serve) as url:
            await measure(Endpoint(url=url + "/v1"), Probe(path="/healthz?x=1"), tls=None)
            return url.removeprefix("http://")

    authority = asyncio.run(run())
    first, second = (request.decode().split("\r\n") for request in heard)
    assert first == second, "the cookie was sent back"
    assert first[0] == "HEAD /v1/healthz?x=1 HTTP/1.1"
    assert first[1] == f"Host: {authority}"
    names = {line.partition(":")[0].lower() for line in first[1:] if line}
    assert names == {"host", "user-agent", "accept"}


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_a_body_is_read_before_the_connection_is_used_again(method: str, answer: bytes) -> None:
    body = b""
    if method == "GET":
        body = b"5\r\nhello\r\n0\r\n\r\n" if b"chunked" in answer else b"hello"
    probe = Probe(method=method, timeout=10.0)  # type: ignore[arg-type]  # one of the two
    broken = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ProbeError, match="answered 503"):  # the second answer was understood
        probe_of(always(answer + body, broken), probe)
    assert probe_of(always(answer + body, answer + body), probe).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_server_that_closes_after_one_answer_is_measured_all_the_same(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)
        await writer.drain()

    measured = probe_of(serve)
    assert measured.status in {200, 301}
    assert measured.warm > 0


def test_a_connection_that_breaks_before_the_second_answer_leaves_the_first() -> None:
    assert probe_of(always(OK, b"\x00garbage\r\n\r\n")).status == 200


@pytest.mark.parametrize("status", [200, 204, 302, 401, 404, 429, 499])
def test_an_endpoint_that_answers_is_there_whatever_it_thinks_of_the_path(status: int) -> None:
    with Regions(one=0.0) as regions:
        regions["one"].status = status
        assert measure_now(regions.endpoints()[0], PATIENT).status == status


# -- what fails, and how it is said


@pytest.mark.parametrize("status", [500, 503, 599])
def test_a_5xx_is_a_failure(status: int) -> None:
    with Regions(one=0.0) as regions:
        regions["one"].status = status
        with pytest.raises(ProbeError, match=f"^answered {status}$"):
            measure_now(regions.endpoints()[0], PATIENT)


def test_a_refused_connection_is_said_to_be_refused() -> None:
    with Regions(one=0.0) as regions:
        regions["one"].kill()
        with pytest.raises(ProbeError, match=r"^connection refused$"):
            measure_now(regions.endpoints()[0], PATIENT)


def test_a_probe_that_hangs_ends_with_its_timeout() -> None:
    with Regions(one=0.0) as regions:
        regions["one"].silent = True
        with pytest.raises(ProbeError, match=r"^the probe took over 0\.1 s$"):
            measure_now(regions.endpoints()[0], HASTY)


def test_a_connect_that_hangs_ends_with_the_timeout() -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    callers = [socket.socket() for _ in range(4)]
    try:
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        with pytest.raises(ProbeError, match="the probe took over"):
            measure_now(Endpoint(url=f"http://127.0.0.1:{port}"), HASTY)
    finally:
        for sock in [full, *callers]:
            sock.close()


def test_an_answer_that_drips_ends_with_the_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Slow: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(ProbeError, match="the probe took over"):
        probe_of(serve, HASTY)


@pytest.mark.parametrize(
    "host", ["nowhere.invalid", "two..dots.example", f"{'long' * 16}.example.invalid"]
)
def test_a_name_that_does_not_resolve_is_said_so(host: str) -> None:
    with pytest.raises(ProbeError, match=r"^the name does not resolve$"):
        measure_now(Endpoint(url=f"http://{host}:9"), PATIENT)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        f"{SECRET}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{SECRET}\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10,
    ],
)
def test_garbage_is_a_failure_that_quotes_nothing(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()

    with pytest.raises(ProbeError, match=r"^connection failed \(\w+\)$") as caught:
        probe_of(serve, Probe(method="GET", timeout=10.0))
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


def endless(start: bytes, more: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(start)
        for _ in range(64 * 1024 * 1024 // len(more)):
            writer.write(more)
            await writer.drain()

    return serve


def peak_of(serve: Serve) -> tuple[Measured | ProbeError, int]:
    tracemalloc.start()
    try:
        try:
            outcome: Measured | ProbeError = probe_of(serve, Probe(method="GET", timeout=10.0))
        except ProbeError as error:
            outcome = error
        return outcome, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_endless_body_is_measured_and_not_read() -> None:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    outcome, peak = peak_of(endless(start, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"))
    assert isinstance(outcome, Measured)
    assert peak < 4 * 1024 * 1024


def test_an_endless_header_is_refused_and_not_read() -> None:
    outcome, peak = peak_of(endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 0x4000))
    assert str(outcome) == "connection failed (RemoteProtocolError)"
    assert peak < 4 * 1024 * 1024


# -- TLS and addresses


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    return TlsContext(TlsSettings(ca=ca))()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_an_address_takes_the_place_of_resolving_and_the_name_stays(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    context = server_context(authority, "one.test")
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with Regions(tls=context, one=0.0) as regions:
        endpoint = regions.endpoints()[0]
        assert (endpoint.origin.host, endpoint.address) == ("one.test", "127.0.0.1")
        assert measure_now(endpoint, PATIENT, trusting).status == 200
    assert names == ["one.test"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("other.test", "Hostname mismatch"), ("*.else.test", "Hostname mismatch")],
)
def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, trusting: ssl.SSLContext, name: str, words: str
) -> None:
    with Regions(tls=server_context(authority, name), one=0.0) as regions:
        with pytest.raises(ProbeError, match=f"^TLS certificate refused: {words}"):
            measure_now(regions.endpoints()[0], PATIENT, trusting)
        assert regions["one"].probes == 0


def test_a_certificate_of_an_unknown_authority_is_refused(trusting: ssl.SSLContext) -> None:
    with Regions(tls=server_context(trustme.CA(), "one.test"), one=0.0) as regions:
        with pytest.raises(ProbeError, match=r"^TLS certificate refused: .*issuer"):
            measure_now(regions.endpoints()[0], PATIENT, trusting)
        assert regions["one"].probes == 0


def test_a_server_without_tls_gets_no_plain_request(trusting: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(OK)
        await writer.drain()

    async def run() -> None:
        async with serving(serve) as url:
            secure = Endpoint(url=url.replace("http:", "https:"))
            await measure(secure, PATIENT, tls=trusting)

    with pytest.raises(ProbeError, match=r"^connection failed \(SSLError\)$"):
        asyncio.run(run())
    assert heard[0][:1] == b"\x16"  # a TLS handshake
    assert b"HEAD" not in heard[0]


def test_a_handshake_that_hangs_ends_with_the_timeout(trusting: ssl.SSLContext) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        async with serving(serve) as url:
            await measure(Endpoint(url=url.replace("http:", "https:")), HASTY, tls=trusting)

    with pytest.raises(ProbeError, match="the probe took over"):
        asyncio.run(run())


def test_an_ipv6_literal_is_probed() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await head(reader))
        writer.write(OK)
        await writer.drain()

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    assert probe_of(serve, host="::1").status == 200
    assert b"\r\nHost: [::1]:" in heard[0]
