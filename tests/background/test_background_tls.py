from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

from router.config.settings import TlsSettings
from router.errors import ConfigError
from router.tls import TlsContext

if TYPE_CHECKING:
    from pathlib import Path

ENCRYPTED = """\
-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF

{}
-----END RSA PRIVATE KEY-----
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """A directory with ca.pem, cert.pem, key.pem, both.pem, and what is none of these."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("client.test")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    (tmp_path / "garbage.pem").write_text("planted-secret")
    (tmp_path / "locked.pem").write_text(ENCRYPTED.format("AAAA" * 16))
    return tmp_path


def test_the_context_is_made_once_for_all_threads(files: Path) -> None:
    context = TlsContext(TlsSettings(ca=files / "ca.pem"))
    seen: list[ssl.SSLContext] = []
    threads = [threading.Thread(target=lambda: seen.append(context())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(map(id, seen))) == 1


def test_names_and_certificates_are_always_verified(files: Path) -> None:
    for settings in (TlsSettings(), TlsSettings(ca=files / "ca.pem")):
        context = TlsContext(settings)()
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_an_authority_of_ones_own_takes_the_place_of_the_public_ones(files: Path) -> None:
    assert len(TlsContext(TlsSettings(ca=files / "ca.pem"))().get_ca_certs()) == 1
    assert len(TlsContext(TlsSettings())().get_ca_certs()) > 50


@pytest.mark.parametrize(("cert", "key"), [("cert.pem", "key.pem"), ("both.pem", None)])
def test_a_client_certificate_is_taken_with_its_key(
    files: Path, cert: str, key: str | None
) -> None:
    settings = TlsSettings(
        ca=files / "ca.pem", cert=files / cert, key=None if key is None else files / key
    )
    assert TlsContext(settings)() is not None


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"ca": "missing.pem"}, "tls.ca"),
        ({"ca": "garbage.pem"}, "tls.ca"),
        ({"ca": "."}, "tls.ca"),
        ({"cert": "missing.pem"}, "tls.cert, tls.key"),
        ({"cert": "cert.pem"}, "tls.cert, tls.key"),
        ({"cert": "cert.pem", "key": "garbage.pem"}, "tls.cert, tls.key"),
        ({"cert": "ca.pem", "key": "key.pem"}, "tls.cert, tls.key"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    files: Path, settings: dict[str, str], key: str
) -> None:
    made = TlsSettings(**{name: files / path for name, path in settings.items()})
    with pytest.raises(
        ConfigError, match=f"^{key}: .* (cannot be read as PEM|is not a file)"
    ) as caught:
        TlsContext(made)()
    assert "planted" not in str(caught.value)


def test_the_context_is_made_once_the_file_is_mended(files: Path) -> None:
    context = TlsContext(TlsSettings(ca=files / "later.pem"))
    with pytest.raises(ConfigError):
        context()
    (files / "later.pem").write_bytes((files / "ca.pem").read_bytes())
    assert context().get_ca_certs()


def test_the_file_that_the_environment_names_is_used_and_blamed(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(files / "ca.pem"))
    assert len(TlsContext(TlsSettings())().get_ca_certs()) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(files / "garbage.pem"))
    with pytest.raises(ConfigError, match=r"^SSL_CERT_FILE: .*garbage\.pem cannot be read"):
        TlsContext(TlsSettings())()


def test_nobody_is_asked_for_a_passphrase(files: Path) -> None:
    """A terminal would be asked: so the program runs on one, and would wait there."""
    program = (
        "import sys; from router.tls import TlsContext;"
        "from router.config.settings import TlsSettings as T;"
        "from router.errors import ConfigError\n"
        "try: TlsContext(T(cert=sys.argv[1], key=sys.argv[2]))()\n"
        "except ConfigError: print('refused')"
    )
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, str(files / "cert.pem"), str(files / "locked.pem")],
            stdin=theirs,
            capture_output=True,
            start_new_session=True,
            timeout=30,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.stdout, done.stderr) == (b"refused\n", b"")


def test_a_child_does_not_wait_for_a_lock_of_its_parent(files: Path) -> None:
    context = TlsContext(TlsSettings(ca=files / "ca.pem"))
    context._lock.acquire()
    context.reset_after_fork()
    assert context().get_ca_certs()
