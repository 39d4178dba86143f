"""Which URL leads where; each is parsed by httpx, as the transport gets it."""

from __future__ import annotations

import httpx
import pytest

from router.addressing import BASE_URL, Addresses
from router.endpoint import Endpoint
from router.errors import UnknownHostError

ADDRESSES = Addresses(
    [
        Endpoint(url="https://eu.example/v1"),
        Endpoint(url="https://us.example/api/v1"),
        Endpoint(name="us-2", url="https://us.example/api/v1/two"),
        Endpoint(url="http://plain.example:8080"),
        Endpoint(url="http://[::1]:8000/v1"),
        Endpoint(url="https://bücher.example"),
        Endpoint(url="https://Mixed.Example/CaseMatters"),
    ],
    hosts=("api.vendor.example", "straße.example"),
)


def relative(url: str) -> bytes:
    parsed = httpx.URL(url)
    return ADDRESSES.relative(
        scheme=parsed.scheme, host=parsed.host, port=parsed.port, target=parsed.raw_path
    )


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        # at an endpoint's own origin, its base path comes off
        ("https://eu.example/v1/messages", b"/messages"),
        ("https://eu.example/v1/messages?a=/v1/b", b"/messages?a=/v1/b"),
        ("https://eu.example/v1", b""),
        ("https://eu.example/v1/", b"/"),
        ("https://eu.example/v1?limit=1", b"?limit=1"),
        ("https://eu.example/v1/v1/x", b"/v1/x"),
        ("https://eu.example/v1//x", b"//x"),
        ("https://eu.example/v1/a%2Fb", b"/a%2Fb"),
        ("https://eu.example:443/v1/x", b"/x"),
        ("https://EU.Example/v1/x", b"/x"),
        ("https://mixed.example/CaseMatters/x", b"/x"),
        ("http://plain.example:8080/v1/x", b"/v1/x"),
        ("http://plain.example:8080", b"/"),
        ("http://plain.example:8080?q=1", b"/?q=1"),
        ("http://[::1]:8000/v1/x", b"/x"),
        ("http://[0:0:0:0:0:0:0:1]:8000/v1/x", b"/x"),
        ("https://bücher.example/x", b"/x"),
        ("https://xn--bcher-kva.example/x", b"/x"),
        # two base paths at one origin: the longest that fits
        ("https://us.example/api/v1/x", b"/x"),
        ("https://us.example/api/v1/two/x", b"/x"),
        ("https://us.example/api/v1/twofold", b"/twofold"),
        # at BASE_URL and at hosts, with a base path or without, whatever the port and scheme
        (f"{BASE_URL}/messages", b"/messages"),
        (f"{BASE_URL}/v1/messages", b"/messages"),
        (f"{BASE_URL}/v10/messages", b"/v10/messages"),
        (f"{BASE_URL}/api/v1/messages", b"/messages"),
        (BASE_URL, b"/"),
        (f"{BASE_URL}?q=1", b"/?q=1"),
        (f"{BASE_URL}/v1?q=1", b"?q=1"),
        ("http://router.invalid:81/x", b"/x"),
        ("https://api.vendor.example/v1/messages", b"/messages"),
        ("https://API.vendor.example/messages", b"/messages"),
        ("http://api.vendor.example:8443/messages", b"/messages"),
        ("https://straße.example/messages", b"/messages"),
    ],
)
def test_what_is_served_is_stripped_of_its_base_path(url: str, rest: bytes) -> None:
    assert relative(url) == rest


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://elsewhere.example/v1/x", "no endpoint has the host elsewhere.example: use a"),
        ("https://eu.example.evil/v1/x", "no endpoint has the host eu.example.evil"),
        ("https://sub.eu.example/v1/x", "no endpoint has the host sub.eu.example"),
        ("http://eu.example/v1/x", "by https on port 443, not by http on port 80"),
        ("https://eu.example:8443/v1/x", "by https on port 443, not by https on port 8443"),
        ("https://plain.example:8080/x", "by http on port 8080, not by https on port 8080"),
        ("http://plain.example/x", "by http on port 8080, not by http on port 80"),
        ("http://[::1]/v1/x", "by http on port 8000, not by http on port 80"),
        ("http://[::2]:8000/v1/x", "no endpoint has the host ::2"),
        ("https://eu.example/v10/x", "eu.example is served below /v1 only"),
        ("https://eu.example/v", "eu.example is served below /v1 only"),
        ("https://eu.example/", "eu.example is served below /v1 only"),
        ("https://eu.example?q=/v1", "eu.example is served below /v1 only"),
        ("https://eu.example/v1/../admin", "eu.example is served below /v1 only"),
        ("https://eu.example/V1/x", "eu.example is served below /v1 only"),
        ("https://us.example/api", "us.example is served below /api/v1/two, /api/v1 only"),
        ("https://mixed.example/casematters/x", "is served below /CaseMatters only"),
        ("/relative", "the URL is relative: give your client base_url"),
        ("ftp://api.example/x", "no endpoint has the host api.example"),
        ("ftp://eu.example/v1/x", "by https on port 443, not by ftp on port 0"),
    ],
)
def test_anything_else_is_refused_and_told_what_to_change(url: str, words: str) -> None:
    with pytest.raises(UnknownHostError) as caught:
        relative(url)
    assert words in str(caught.value)
    assert BASE_URL in str(caught.value)


def test_a_host_that_no_name_can_be_is_unknown() -> None:
    for host in ("\u2603" * 64, "a..\u2603", "not:an:address"):
        with pytest.raises(UnknownHostError):
            ADDRESSES.relative(scheme="https", host=host, port=None, target=b"/")


@pytest.mark.parametrize("path", ["/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/%2E%2e%5cadmin"])
def test_no_path_climbs_out_of_what_is_served(path: str) -> None:
    with pytest.raises(UnknownHostError, match=r"a \.\. segment"):
        relative(f"https://eu.example{path}")
