"""No value becomes a second header, whoever it came from: servers look at the bytes (F46)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from raw_server import RawServer

import router
import router.httpx2
from router.config import loads
from router.testing import TokenServer
from router.wellformed import malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
EVIL = "X-Evil: 1"
BREAKS = {
    "CR LF": f"a\r\n{EVIL}",
    "LF": f"a\n{EVIL}",
    "CR": f"a\r{EVIL}",
    "NUL": f"a\0{EVIL}",
    "a whole request": f"a\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n{EVIL}",
}
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "value": lambda text: {"headers": {"X-Mine": text}},
    "raw value": lambda text: {"headers": [(b"X-Mine", text.encode())]},
    "name": lambda text: {"headers": {text: "1"}},
    "method": lambda text: {"method": text},
    "own key": lambda text: {"headers": {"Idempotency-Key": text}},
    "cookie": lambda text: {"headers": {"Cookie": f"a={text}"}},
}


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as it:
        yield it


def config(server: RawServer, **sections: Any) -> router.Config:
    endpoints = (router.Endpoint(name="one", url=server.url),)
    return router.Config(endpoints=endpoints, probe=router.Probe(enabled=False), **sections)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", BREAKS)
@pytest.mark.parametrize("family", SYNC)
def test_what_ends_a_line_is_refused_and_nothing_is_sent(
    server: RawServer, family: str, text: str, place: str
) -> None:
    with SYNC[family](config(server)) as client:
        request = {"method": "GET", "url": "/", **PLACES[place](BREAKS[text])}
        with pytest.raises(router.RouterError) as caught:
            client.request(**request)
        assert client.request("GET", "/").status_code == 200
        assert client.router.rank()[0].health == "healthy"
    assert caught.value.blame == "caller"
    assert isinstance(caught.value, httpx.LocalProtocolError | httpx2.LocalProtocolError)
    assert not caught.value.maybe_processed
    assert EVIL not in str(caught.value)
    assert len(server.requests) == 1
    assert EVIL.encode() not in server.raw


@pytest.mark.parametrize("family", SYNC)
def test_bytes_beyond_ascii_arrive_as_they_were_written(server: RawServer, family: str) -> None:
    with SYNC[family](config(server)) as client:
        client.get("/", headers=[(b"X-Mine", "é☃".encode())])
    assert "X-Mine: é☃\r\n".encode() in server.raw


@pytest.mark.parametrize("text", [*BREAKS.values(), "é", "☃", "\x85", "\u2028"])
def test_a_token_that_no_header_can_carry_is_refused(server: RawServer, text: str) -> None:
    with TokenServer() as tokens:
        tokens.raw = json.dumps({"access_token": text, "token_type": "Bearer"}).encode()
        with router.Client(config(server, token=tokens.settings())) as client:
            with pytest.raises(router.TokenError, match="no header can carry") as caught:
                client.get("/")
            assert text not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("text", [*BREAKS.values(), "é", "a b", "a:", ""])
def test_a_header_name_of_the_configuration_is_refused(text: str) -> None:
    written = json.dumps(text)
    with pytest.raises(router.ConfigError) as caught:
        loads(f"endpoints: ['https://a.test']\nclock: {{header: {written}}}\n")
    assert EVIL not in str(caught.value)


@pytest.mark.parametrize("text", [*BREAKS.values(), "é", "a b"])
def test_an_idempotency_key_is_refused(text: str) -> None:
    with pytest.raises(router.OptionsError, match="visible ASCII") as caught:
        router.Options(idempotency_key=text)
    assert EVIL not in str(caught.value)


@pytest.mark.parametrize("text", BREAKS.values())
def test_what_a_signer_makes_is_refused(server: RawServer, text: str) -> None:
    def signer(_: Any) -> list[tuple[str, str]]:
        return [("X-Signature", text)]

    it = router.Router(config(server), signer=signer)
    with it, router.Client(it) as client, pytest.raises(router.RouterError):
        client.get("/")
    assert server.requests == []


def test_a_target_cannot_bring_a_second_line(server: RawServer) -> None:
    with router.Client(config(server)) as client:
        client.get("/a%0d%0aX-Evil: 1?b=%0d%0aX-Evil: 1")
    [request] = server.requests
    assert b"\r\nX-Evil" not in request.head
    assert request.head.startswith(b"GET /a%0d%0aX-Evil:%201?b=%0d%0aX-Evil:%201 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [("GET", b"", b"1"), ("", b"A", b"1"), ("GÉT", b"A", b"1"), ("G T", b"A", b"1")],
)
def test_an_empty_or_strange_word_is_refused(method: str, name: bytes, value: bytes) -> None:
    problem = malformed(method, [(b"X", b"1"), (name, value)])
    assert problem is not None
    assert problem.endswith("nothing was sent")


@pytest.mark.parametrize("headers", [[], [(b"X", b""), (b"Y", b"\t\xff")]])
def test_what_is_well_formed_passes(headers: list[tuple[bytes, bytes]]) -> None:
    assert malformed("GET", headers) is None
