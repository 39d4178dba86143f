"""Certificates good and bad, as a client that verifies sees them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from raw_clients import ask, connect

import router
from router.testing import Certificates, Region, Regions, Reply
from router.testing.faults import (
    CloseHandshake,
    Cut,
    Fault,
    HangHandshake,
    OtherCertificate,
    Reset,
    Times,
)
from router.testing.replies import always

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture
def near(certificates: Certificates) -> Iterator[Region]:
    with Regions(certificates, near=0.0) as regions:
        yield regions["near"]


def shake(certificates: Certificates, region: Region, timeout: float = 5.0) -> str:
    """Return the version of TLS that is spoken, or raise what the client sees."""
    context = certificates.client_context()
    with (
        connect(region, timeout) as client,
        context.wrap_socket(client, server_hostname="near.test") as secure,
    ):
        return secure.version() or ""


def bad(certificates: Certificates) -> dict[str, ssl.SSLContext]:
    return {
        "has expired": certificates.expired("near.test"),
        "Hostname mismatch": certificates.wrong_name(),
        "unable to get local issuer": certificates.untrusted("near.test"),
    }


def test_a_good_certificate_is_trusted_by_whom_knows_the_authority(
    certificates: Certificates, near: Region
) -> None:
    assert shake(certificates, near).startswith("TLS")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{near.host}:{near.port}")


@pytest.mark.parametrize(
    "words", ["has expired", "Hostname mismatch", "unable to get local issuer"]
)
def test_a_bad_certificate_is_refused_until_the_heal(
    certificates: Certificates, near: Region, words: str
) -> None:
    near.fault = OtherCertificate(bad(certificates)[words])
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        shake(certificates, near)
    near.fault = None
    assert shake(certificates, near)
    assert near.requests == 0


def test_a_handshake_can_hang(certificates: Certificates, near: Region) -> None:
    near.fault = Times(HangHandshake(), 1)
    with pytest.raises(TimeoutError):
        shake(certificates, near, timeout=0.2)
    assert shake(certificates, near)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(CloseHandshake(), ssl.SSLEOFError), (CloseHandshake(reset=True), ConnectionResetError)],
)
def test_a_handshake_can_be_broken_off(
    certificates: Certificates, near: Region, fault: Fault, error: type[OSError]
) -> None:
    near.fault = fault
    with pytest.raises(error):
        shake(certificates, near)
    near.fault = None
    assert shake(certificates, near)


def test_a_close_after_the_hello_is_seen_without_tls_too(near: Region) -> None:
    near.fault = CloseHandshake()
    with connect(near) as client:
        assert ask(client, b"hello")[:2] == (b"", "fin")


@pytest.mark.parametrize(
    ("fault", "error", "executed"),
    [
        (Reset(), httpx.TransportError, 1),  # which one is for Python's ssl to say
        (Reset(executed=False), httpx.TransportError, 0),
        (Cut(at_byte=20), httpx.RemoteProtocolError, 1),
        (Cut(in_body=True, at_byte=2), httpx.RemoteProtocolError, 1),
    ],
)
def test_faults_of_answers_hold_inside_tls(
    certificates: Certificates, near: Region, fault: Fault, error: type[Exception], executed: int
) -> None:
    near.fault = Times(fault, 1)
    near.respond = always(Reply(body=b"hello"))
    url, name = f"https://{near.host}:{near.port}", {"sni_hostname": "near.test"}
    with httpx.Client(verify=certificates.client_context()) as client:
        with pytest.raises(error):
            client.get(url, extensions=name)
        assert len(near.received) == executed
        assert client.get(url, extensions=name).text == "hello"
    assert near.requests == 2


def test_a_config_trusts_the_authority_by_its_file(
    certificates: Certificates, tmp_path: Path
) -> None:
    with Regions(certificates, near=0.0) as regions:
        tls = certificates.settings(tmp_path)
        with router.Client(regions.config(tls=tls)) as client:
            assert client.get("/").status_code == 200


def test_a_region_without_tls_has_no_certificate_to_change(certificates: Certificates) -> None:
    with Regions(near=0.0) as regions, pytest.raises(TypeError, match="a Region with TLS"):
        regions["near"].fault = OtherCertificate(certificates.wrong_name())


def test_contexts_are_made_once(certificates: Certificates) -> None:
    assert certificates.good("near.test") is certificates.good("near.test")
