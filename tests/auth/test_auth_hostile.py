"""What other code grants or signs, and what a server answers: odd, and harmless."""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import httpx
import pytest
from auth_bench import Counter
from test_auth_signers import QUIET, signing

import router
from router.auth import from_httpx
from router.auth.grant import Grant, read_grant
from router.auth.keyed_hash import KeyedHash
from router.auth.sigv4 import SigV4
from router.config.signing import HmacSettings, SigV4Settings
from router.departure import Signed
from router.errors import ConfigError, TokenError
from router.secret import Secret
from router.testing import Regions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.auth.exchange import Fetch
    from router.auth.grant import TokenForm

PLANTED = "planted-key"
ODD: list[Any] = [
    None,
    "planted-key",
    Grant("planted-key"),  # type: ignore[arg-type]  # as somebody's code may do it
    Grant(Secret("planted-key\r\nX-Evil: 1")),
    Grant(Secret("planted-kéy")),
    Grant(Secret("")),
    Grant(Secret("planted-key" * 5000)),
    Grant(Secret("planted-key"), math.nan),
    Grant(Secret("planted-key"), "300"),  # type: ignore[arg-type]
    Grant(Secret("planted-key"), True),
    Grant(Secret("planted-key"), 300.0, Secret("a\nb")),
]


@pytest.fixture
def regions() -> Iterator[Regions]:
    with Regions(a=0) as regions:
        yield regions


@pytest.mark.parametrize("granted", ODD)
def test_a_grant_that_no_header_can_carry_is_a_token_error_for_all_who_wait(granted: Any) -> None:
    counter = Counter()
    waiters = [counter.request(), counter.request()]
    counter.flights[0].set_result(granted)
    for waiter in waiters:
        error = waiter.exception(0)
        assert isinstance(error, TokenError)
        assert "planted" not in "".join(traceback.format_exception(error))
    with pytest.raises(TokenError):
        counter.manager.adopt(granted, counter.now)
    counter.now += 100
    later = counter.request()
    counter.grant("good")
    assert later.result(0).value.reveal() == "good"


class Broken:
    """An exchange that is no coroutine function, and fails."""

    def obtain(self, _form: TokenForm, _fetch: Fetch, /) -> NoReturn:
        raise RuntimeError(PLANTED)


def test_an_exchange_that_raises_before_it_is_awaited_keeps_nobody_waiting() -> None:
    counter = Counter(exchange=Broken())
    for _ in range(2):
        error = counter.request().exception(0)
        assert isinstance(error, TokenError)
        assert PLANTED not in "".join(traceback.format_exception(error))
        counter.now += 100


@pytest.mark.parametrize("digits", [300, 400, 4000])
def test_a_lifetime_of_many_digits_is_a_day(digits: int) -> None:
    body = b'{"access_token": "x", "expires_in": ' + b"9" * digits + b"}"
    assert read_grant(body).lifetime == 86400.0


@pytest.mark.parametrize(
    "value", ["planted-key ", " planted-key", "planted-key\t", "planted-key\x0c"]
)
@pytest.mark.parametrize("wire", ["auto", "httpx"])
def test_no_error_of_a_request_that_cannot_be_sent_holds_its_headers(
    regions: Regions, value: str, wire: Any
) -> None:
    config = router.Config(endpoints=regions.endpoints(), probe=QUIET, wire=wire)
    with router.Client(config) as client, pytest.raises(httpx.LocalProtocolError) as caught:
        client.get("/", headers={"Authorization": value})
    assert PLANTED not in "".join(traceback.format_exception(caught.value))
    assert PLANTED not in repr(caught.value.__cause__)


@pytest.mark.parametrize("template", ["{query:}", "{body:>9}", "{path!r}", "{path:{body}}"])
def test_a_placeholder_with_a_format_is_refused_before_the_first_request(template: str) -> None:
    with pytest.raises(ConfigError, match="placeholder"):
        HmacSettings(key=Secret("k"), header="X", template=template)


def test_a_brace_that_is_none_of_a_placeholder_may_stand_beside_one() -> None:
    assert HmacSettings(key=Secret("k"), header="X", template="{{{path}}}{{:{body}}}").template


@pytest.mark.parametrize("theirs", ["t=5&sig=evil", "sig=evil&%74=5", "t&sig", "t=1&t=2&s%69g=x"])
def test_a_parameter_that_is_signed_is_there_once(theirs: str) -> None:
    names = {"parameter": "sig", "timestamp_parameter": "t"}
    sign = KeyedHash(HmacSettings(key=Secret("k"), template="{query}", **names))  # type: ignore[arg-type]  # two of its names
    made = sign(signing(f"https://a.test/x?a=1&{theirs}&a=2"))
    alone = sign(signing("https://a.test/x?a=1&a=2"))
    assert isinstance(made, Signed)
    assert isinstance(alone, Signed)
    assert made.query == alone.query
    assert made.query.startswith("a=1&a=2&t=")


def sigv4(service: str) -> SigV4:
    keys = {"access_key": Secret("AKIDEXAMPLE"), "secret_key": Secret("sk")}
    return SigV4(SigV4Settings(service=service, region="eu-west-1", **keys))


def signature(service: str, *headers: tuple[str, str]) -> str:
    made = dict(sigv4(service)(signing(headers=headers)))
    return made["Authorization"]


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize("name", ["X-Amz-Meta-A", "Content-Type"])
def test_a_header_that_is_there_twice_is_signed_as_a_list(service: str, name: str) -> None:
    once = signature(service, (name, "1,2"))
    assert signature(service, (name, "1"), (name, "2")) == once
    assert signature(service, (name, "1"), (name.lower(), "2")) == once
    made = sigv4(service)(signing(headers=((name, "1"), (name, "2"))))
    assert name.lower() not in {header.lower() for header, _ in made}


def test_the_hash_that_s3_is_sent_is_the_one_that_is_signed() -> None:
    made = sigv4("s3")(signing(body=b"x", headers=(("X-Amz-Content-SHA256", "stale"),)))
    assert len(dict(made)["X-Amz-Content-SHA256"]) == 64


class AddsOne(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["X-Proof"] = "1"
        yield request


def test_headers_that_an_auth_leaves_as_they_are_keep_their_copies() -> None:
    sign = from_httpx(AddsOne())
    made = sign(signing(headers=(("Accept", "a"), ("Accept", "b"))))
    assert isinstance(made, list)
    assert [(name.lower(), value) for name, value in made] == [("x-proof", "1")]
