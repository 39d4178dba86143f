"""Signatures against published examples and botocore's own, and as a server sees them."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING, Any

import botocore.auth
import httpx
import httpx2
import pytest
import trustme
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from h2_peer import http2_server

import router
from router.auth import from_httpx
from router.auth.keyed_hash import KeyedHash
from router.auth.signers import Signers
from router.auth.sigv4 import SigV4
from router.call import Body, Outgoing
from router.clock.reading import Reading, Stamp
from router.config.signing import ApiKey, HmacSettings, SignSettings, SigV4Settings
from router.departure import Departure, Signed, Signing
from router.errors import ConfigError, SigningError
from router.secret import Secret
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUIET = router.Probe(enabled=False)
# The key and the orders of the Binance Spot API's documentation, "SIGNED endpoint examples".
BINANCE = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = "quantity=1&price=0.1&recvWindow=5000"
MS = 1499827319559


def signing(
    url: str = "https://a.example/v1/order",
    method: str = "POST",
    body: bytes | None = b"",
    *,
    ms: int = MS,
    region: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Signing:
    stamp = Stamp((ms * 10**6, Reading(0, 0, "synchronised", "ntp")))
    host = url.partition("://")[2].partition("/")[0]
    return Signing("a", method, url, (("Host", host), *headers), body, stamp, region)


def hmac_of(**changes: Any) -> KeyedHash:
    values: dict[str, Any] = {"key": Secret(BINANCE), "parameter": "signature"}
    return KeyedHash(HmacSettings(**(values | changes)))


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        (
            f"{ORDER}&{REST}",
            "",
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
    ],
)
def test_binances_published_example(query: str, body: str, expected: str) -> None:
    sign = hmac_of(template="{query}{body}", timestamp_parameter="timestamp")
    signed = sign(signing(f"https://api.binance.com/api/v3/order?{query}", body=body.encode()))
    assert isinstance(signed, Signed)
    assert signed.query == f"{query}&timestamp={MS}&signature={expected}"


def test_binances_published_example_with_a_body_beside_the_query() -> None:
    sign = hmac_of(template="{query}{body}")
    body = f"{REST}&timestamp={MS}".encode()
    signed = sign(signing(f"https://api.binance.com/api/v3/order?{ORDER}", body=body))
    assert isinstance(signed, Signed)
    assert signed.query == (
        f"{ORDER}&signature=0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    )


# RFC 4231, test cases 1 and 2.
@pytest.mark.parametrize(
    ("key", "encoding", "text", "algorithm", "expected"),
    [
        (
            "0b" * 20,
            "hex",
            "Hi There",
            "sha256",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            "Jefe",
            "text",
            "what do ya want for nothing?",
            "sha256",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "SmVmZQ==",
            "base64",
            "what do ya want for nothing?",
            "sha384",
            (
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                "8e2240ca5e69e2c78b3239ecfab21649"
            ),
        ),
        (
            "Jefe",
            "text",
            "what do ya want for nothing?",
            "sha512",
            (
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
            ),
        ),
    ],
)
def test_the_hashes_are_those_of_rfc_4231(
    key: str, encoding: str, text: str, algorithm: str, expected: str
) -> None:
    values: Any = {"key_encoding": encoding, "algorithm": algorithm, "parameter": None}
    sign = hmac_of(key=Secret(key), header="X-Sig", template="{body}", **values)
    assert sign(signing(body=text.encode())) == [("X-Sig", expected)]


@pytest.mark.parametrize(
    ("template", "url", "text"),
    [
        ("{timestamp}{method}{target}{body}", "/v1/o?a=1", f"{MS}POST/v1/o?a=1body"),
        ("{timestamp}{method}{target}{body}", "/v1/o", f"{MS}POST/v1/obody"),
        ("{method}\n{host}\n{path}\n{query}", "/v1/o?a=%20b&c", "POST\na.example\n/v1/o\na=%20b&c"),
        ("{{{path}}}", "/", "{/}"),
        ("}}{{", "/", "}{"),
        ("{body_sha256}", "/", hashlib.sha256(b"body").hexdigest()),
        ("fixed", "/", "fixed"),
    ],
)
def test_a_template_says_what_is_signed(template: str, url: str, text: str) -> None:
    sign = hmac_of(template=template, header="X-Sig", parameter=None)
    expected = hmac.new(BINANCE.encode(), text.encode(), "sha256").hexdigest()
    assert sign(signing(f"https://a.example{url}", body=b"body")) == [("X-Sig", expected)]


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [("unix", "1499827319"), ("unix_ms", "1499827319559"), ("rfc3339", "2017-07-12T02:41:59.559Z")],
)
def test_the_time_that_is_signed_is_the_one_that_is_sent(timestamp: Any, written: str) -> None:
    sign = hmac_of(
        template="{timestamp}", header="S", parameter=None, timestamp_header="T",
        timestamp=timestamp, encoding="base64",
    )  # fmt: skip
    (name, sent), (_, signature) = list(sign(signing()))  # type: ignore[arg-type]
    assert (name, sent) == ("T", written)
    assert len(signature) == 44


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": None}, "write the secret"),
        ({"header": "X-Sig"}, "into a header or into a parameter"),
        ({"parameter": None}, "into a header or into a parameter"),
        ({"parameter": "a&b"}, "a parameter's name"),
        ({"template": "{nonce}"}, "a placeholder is one of"),
        ({"template": "{body!r}"}, "a placeholder is one of"),
        ({"template": "{body:>9}"}, "a placeholder is one of"),
        ({"template": "{"}, "written twice"),
        ({"template": ""}, "write a template"),
        ({"key_encoding": "hex"}, "the key is not hex"),
        ({"key": Secret("not base64!"), "key_encoding": "base64"}, "the key is not base64"),
    ],
)
def test_a_section_that_cannot_sign_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        hmac_of(**changes)
    assert BINANCE not in str(caught.value)


def test_a_body_that_is_read_once_cannot_be_signed() -> None:
    with pytest.raises(SigningError, match="read only once"):
        hmac_of()(signing(body=None))
    sign = hmac_of(template="{query}")
    assert isinstance(sign(signing(body=None)), Signed)


# -- AWS


AWS_KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def sigv4(service: str = "bedrock", **changes: Any) -> SigV4:
    access, secret = AWS_KEYS
    return SigV4(
        SigV4Settings(
            service=service, access_key=Secret(access), secret_key=Secret(secret), **changes
        )
    )


def botocores(given: Signing, service: str, region: str, token: str | None) -> str:
    """Return what botocore's `add_auth` makes of the same request at the same time."""
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    headers = {n: v for n, v in given.headers if n.lower() in {"host", "content-type"}}
    request = AWSRequest(given.method, given.url, headers, given.body)
    when = dt.datetime.fromtimestamp(given.stamp.ns // 10**9, dt.UTC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(botocore.auth, "get_current_datetime", lambda: when)
        kind(Credentials(*AWS_KEYS, token), service, region).add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("token", [None, "session-token"])
@pytest.mark.parametrize("body", [b"", b'{"a": 1}', b"\x00\xff" * 1000])
@pytest.mark.parametrize(
    ("service", "url"),
    [
        ("bedrock", "https://bedrock.example/model/anthropic.claude%3A0/invoke"),
        ("execute-api", "https://x.example/prod/a/../b//c?b=2&a=%20&a=1&empty="),
        ("s3", "https://bucket.example/a/../b//c%20d?list-type=2"),
        ("es", "http://127.0.0.1:9200/_search?q=caf%C3%A9"),
    ],
)
def test_signature_version_4_is_botocores(
    service: str, url: str, body: bytes, token: str | None
) -> None:
    given = signing(
        url,
        body=body,
        region="aws:eu-central-1",
        headers=(("Content-Type", "application/json"), ("User-Agent", "x"), ("Accept", "*/*")),
    )
    changes = {"session_token": Secret(token)} if token else {}
    headers = dict(sigv4(service, **changes)(given))
    assert headers["Authorization"] == botocores(given, service, "eu-central-1", token)
    assert headers["X-Amz-Date"] == "20170712T024159Z"
    assert headers.get("X-Amz-Security-Token") == token
    assert "Content-Type" not in headers


# AWS Signature Version 4 test suite, "get-vanilla": 2015-08-30T12:36:00Z.
def test_signature_version_4_is_that_of_the_published_test_suite() -> None:
    given = signing("https://example.amazonaws.com/", "GET", ms=1440938160000)
    headers = dict(sigv4("service", region="us-east-1")(given))
    assert headers["Authorization"].endswith(
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_each_endpoint_is_signed_for_in_its_own_region() -> None:
    for region in ("us-east-1", "ap-northeast-1"):
        made = dict(sigv4()(signing(region=f"aws:{region}")))
        assert f"/{region}/bedrock/aws4_request" in made["Authorization"]
    fixed = dict(sigv4(region="eu-west-1")(signing(region="aws:us-east-1")))
    assert "/eu-west-1/" in fixed["Authorization"]
    with pytest.raises(SigningError, match="needs a region: write endpoint a's"):
        sigv4()(signing())


def test_only_s3_takes_a_body_that_is_not_signed() -> None:
    with pytest.raises(SigningError, match="read only once"):
        sigv4()(signing(body=None, region="aws:us-east-1"))
    made = dict(sigv4("s3")(signing(body=None, region="aws:us-east-1")))
    assert made["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"


class Found:
    """Credentials that appear at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> Any:
        self.looks += 1
        if self.looks == 1:
            raise RuntimeError("planted")
        return None if self.looks == 2 else Credentials(*AWS_KEYS, None).get_frozen_credentials()


def test_credentials_are_looked_for_behind_the_requests(caplog: pytest.LogCaptureFixture) -> None:
    sign = SigV4(SigV4Settings(service="bedrock", region="us-east-1"), find=Found())
    waits = [sign.unready, asyncio.run(sign.look()), sign.unready]
    assert waits == [True, False, False]
    with pytest.raises(SigningError, match="no credentials: botocore raised RuntimeError"):
        sign(signing())
    assert not asyncio.run(sign.look())
    with pytest.raises(SigningError, match="no credentials: botocore finds none"):
        sign(signing())
    assert asyncio.run(sign.look())
    assert "Signature=" in dict(sign(signing()))["Authorization"]
    assert "planted" not in caplog.text


def test_botocores_own_chain_serves_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_KEYS[1])
    with Regions(near=0.0) as regions:
        sign = SignSettings(sigv4=SigV4Settings(service="bedrock", region="us-east-1"))
        with router.Client(regions.config(probe=QUIET, sign=sign)) as client:
            client.post("/model", content=b"{}")
        (request,) = regions.received
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


# -- any httpx.Auth


class Query(httpx.Auth):
    """Proves a request by its query, and reads the body."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Any:
        proof = hashlib.sha256(request.content).hexdigest()
        request.url = request.url.copy_merge_params({"proof": proof})
        request.headers["X-Also"] = "yes"
        yield request


class Twice(httpx.Auth):
    """Makes a request of its own first."""

    def auth_flow(self, request: httpx.Request) -> Any:
        yield httpx.Request("GET", "https://elsewhere.example/")
        yield request


class Elsewhere(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Any:
        request.url = request.url.copy_with(path="/other")
        yield request


class Reader(httpx.Auth):
    requires_response_body = True


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_an_auth_of_either_library_signs(library: Any) -> None:
    sign = from_httpx(library.BasicAuth("user", "pass"))
    assert sign(signing()) == [("authorization", "Basic dXNlcjpwYXNz")]


def test_an_auth_may_change_the_query() -> None:
    signed = from_httpx(Query())(signing("https://a.example/v1?x=1", body=b"b"))
    assert isinstance(signed, Signed)
    assert signed.query == f"x=1&proof={hashlib.sha256(b'b').hexdigest()}"
    assert list(signed.headers) == [("x-also", "yes")]


@pytest.mark.parametrize(
    ("auth", "body", "words"),
    [
        (httpx.DigestAuth("u", "p"), b"", "has to see an answer"),
        (httpx2.DigestAuth("u", "p"), b"", "has to see an answer"),
        (Twice(), b"", "has to see an answer"),
        (Elsewhere(), b"", "changes more of the URL"),
        (Query(), None, "read only once"),
    ],
)
def test_an_auth_that_cannot_be_a_signer_is_refused(
    auth: Any, body: bytes | None, words: str
) -> None:
    with pytest.raises(SigningError, match=words):
        from_httpx(auth)(signing(body=body))


def test_what_is_no_auth_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="takes an Auth of httpx or httpx2"):
        from_httpx(("user", "pass"))
    with pytest.raises(ValueError, match="has to see an answer"):
        from_httpx(Reader())


# -- as a server sees it


CLIENTS: dict[str, Callable[[Any], Any]] = {
    "httpx": router.Client,
    "httpx2": router.httpx2.Client,
}


def proved(request: Received) -> bool:
    query, _, signature = request.target.partition("?")[2].rpartition("&signature=")
    text = query.encode() + request.body
    right = hmac.new(BINANCE.encode(), text, "sha256").hexdigest()
    age = time.time() - int(query.rpartition("timestamp=")[2]) / 1000
    return right == signature and -0.1 < age < 5 and request.headers["x-mbx-apikey"] == "key"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_signature_in_the_query_is_made_for_each_attempt(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    section = SignSettings(
        api_key=ApiKey(header="X-MBX-APIKEY", value=Secret("key")),
        hmac=HmacSettings(
            key=Secret(BINANCE),
            template="{query}{body}",
            parameter="signature",
            timestamp_parameter="timestamp",
        ),
    )
    with Regions(near=0.0, far=0.0) as regions:
        regions["near"].respond = regions["far"].respond = lambda _: Reply(503)
        failover = router.Failover(attempts=2)
        config = regions.config(probe=QUIET, sign=section, failover=failover)
        with CLIENTS[kind](config) as client:
            client.post("/api/v3/order", params={"symbol": "LTCBTC"}, content=b"quantity=1")
            client.get("/api/v3/account")
        assert len(regions.received) == 4
        assert all(proved(request) for request in regions.received)
        assert {request.target.partition("?")[0] for request in regions.received} == {
            "/api/v3/order",
            "/api/v3/account",
        }
    assert BINANCE not in caplog.text


def test_an_async_client_signs_too() -> None:
    section = SignSettings(hmac=HmacSettings(key=Secret("k"), parameter="sig", template="{query}"))

    async def main(config: router.Config) -> None:
        async with router.AsyncClient(config) as one, router.httpx2.AsyncClient(config) as two:
            await asyncio.gather(one.get("/?a=1"), two.get("/?a=1"))

    with Regions(near=0.0) as regions:
        asyncio.run(main(regions.config(probe=QUIET, sign=section)))
        right = hmac.new(b"k", b"a=1", "sha256").hexdigest()
        assert [request.target for request in regions.received] == [f"/?a=1&sig={right}"] * 2


@pytest.mark.parametrize("kind", CLIENTS)
def test_over_http2_query_and_headers_are_of_one_making(kind: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    section = SignSettings(
        hmac=HmacSettings(
            key=Secret("k"), template="{timestamp}{query}", parameter="sig", timestamp_header="X-T"
        )
    )
    with http2_server(authority, latency=0.0, streams=10) as server:
        config = router.Config(
            endpoints=(router.Endpoint(url=server.url, address="127.0.0.1"),),
            sign=section,
            http2=True,
            probe=QUIET,
            tls=router.TlsSettings(ca=tmp_path / "ca.pem"),
        )
        with CLIENTS[kind](config) as client:
            assert client.get("/?a=1").http_version == "HTTP/2"
            client.get("/?a=1")
        seen = [headers for _, headers in server.received]
    for headers in seen:
        right = hmac.new(b"k", f"{headers['x-t']}a=1".encode(), "sha256").hexdigest()
        assert headers[":path"] == f"/?a=1&sig={right}"


class Ticking:
    """A signer that tells its makings apart."""

    def __init__(self) -> None:
        self.makings = 0

    def __call__(self, _: Signing) -> Signed:
        self.makings += 1
        return Signed(f"n={self.makings}", [("X-N", str(self.makings))])


def test_a_pause_between_target_and_headers_makes_nothing_anew() -> None:
    now = 1000.0

    class Keeper:
        stamper = None

        def boottime(self) -> float:
            return now

        def stamp(self, _: str) -> Stamp:
            return Stamp((int(now * 1e9), Reading(0, 0, "synchronised", "ntp")))

        def header(self, _: Stamp) -> None:
            return None

    keeper: Any = Keeper()
    request = Outgoing(
        "GET",
        router.Endpoint(url="https://a.example"),
        b"/x?old=1",
        [(b"Host", b"a.example")],
        Body([b""], replayable=True),
        None,  # type: ignore[arg-type]  # nobody waits
        {},
    )
    departure = Departure(request, keeper, Ticking())
    assert departure.target() == b"/x?n=1"
    now += 10
    assert (b"X-N", b"1") in departure.headers()
    assert (b"X-N", b"2") in departure.headers()
    assert departure.target() == b"/x?n=2"


@pytest.mark.parametrize("query", ["a b", "a#b", "é", "a\r\nb", 1])
def test_a_query_that_cannot_be_sent_is_the_signers_fault(query: Any) -> None:
    with Regions(near=0.0) as regions:
        with (
            router.Router(regions.config(probe=QUIET), signer=lambda _: Signed(query)) as shared,
            router.Client(shared) as client,
            pytest.raises(SigningError, match="a query of printable ASCII"),
        ):
            client.get("/")
        assert regions.received == []


def test_nothing_shows_a_key() -> None:
    section = SignSettings(
        api_key=ApiKey(value=Secret("planted")),
        sigv4=SigV4Settings(
            service="s3",
            access_key=Secret("planted"),
            secret_key=Secret("planted"),
            session_token=Secret("planted"),
        ),
    )
    signers = Signers(None, section)
    shown = [section, signers, signers.sign, signers._sigv4, signers._sigv4._credentials]  # type: ignore[union-attr]
    assert "planted" not in repr(shown)
    assert "secret" not in repr(Signed("sig=secret", [("X", "secret")]))
    assert "secret" not in repr(signing("https://a.example/?sig=secret"))


def test_a_section_without_a_signer_and_two_signers_are_refused() -> None:
    with pytest.raises(ConfigError, match="write api_key, hmac or sigv4"):
        Signers(None, SignSettings())
    with pytest.raises(ConfigError, match=r"Router\(signer=…\) signs already"):
        Signers(lambda _: [], SignSettings(api_key=ApiKey(value=Secret("x"))))
