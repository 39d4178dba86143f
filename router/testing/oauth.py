"""A token server on loopback that does as it is told, for tests and demonstrations.

Rule: it checks what a real one checks (the grant, the client's credentials, that a rotated refresh
token is used once) and misbehaves only where a test sets one of its attributes.

    with TokenServer() as server:
        manager = ...  # configured with server.settings()
        server.status = 503
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from router.config.settings import TokenSettings
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["TokenServer"]

Form: TypeAlias = dict[str, str]
Answer: TypeAlias = tuple[int, dict[str, object]]


class TokenServer:
    """Grants tokens for client_credentials and refresh_token, the latter rotating.

    Attributes:
        lifetime: what `expires_in` says, of any type; None leaves it out.
        delay: seconds before each answer; `stop` ends them.
        status: answer every request with this status instead.
        raw: answer every request with these bytes instead.
        headers: further headers of each answer.
        rotate: whether a refresh brings a new refresh token.
        scopes: the words that are granted; None: any. Who asks for none gets a token.
        assertion: whether a client's assertion proves it; without this none does.
        requests: token requests received so far.
        forms: what they asked for.
        refresh_token: the one that the next refresh has to bring.
    """

    def __init__(self, *, client_id: str = "demo", client_secret: str = "demo-secret") -> None:  # noqa: S107 - made up
        self.client_id = client_id
        self.client_secret = client_secret
        self.lifetime: object = 3600
        self.delay = 0.0
        self.status: int | None = None
        self.raw: bytes | None = None
        self.headers: dict[str, str] = {}
        self.rotate = True
        self.scopes: frozenset[str] | None = None
        self.assertion: Callable[[str], bool] | None = None
        self.forms: list[Form] = []
        self.requests = 0
        self.refresh_token = _new_token()
        self.port = 0
        self._valid: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The token endpoint."""
        return f"http://127.0.0.1:{self.port}/oauth2/token"

    def settings(
        self, grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    ) -> TokenSettings:
        """Return settings with which this server grants a token."""
        refresh_token = Secret(self.refresh_token) if grant == "refresh_token" else None
        return TokenSettings(
            grant=grant,
            url=self.url,
            client_id=self.client_id,
            client_secret=Secret(self.client_secret),
            refresh_token=refresh_token,
        )

    def start(self) -> None:
        """Listen: on a port of the system's choice, and after a stop on the same one again."""
        self._stopped.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="token-server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the listener, so that connections are refused; a second time does nothing."""
        self._stopped.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def accepts(self, token: str) -> bool:
        """Whether the token was granted here and not revoked; its age does not count."""
        return token in self._valid

    def revoke(self, token: str) -> None:
        """Accept this token no longer."""
        self._valid.discard(token)

    def answer(self, authorization: str, form: Form) -> Answer:
        """Decide on one token request."""
        self._stopped.wait(self.delay)
        with self._lock:
            if not self._knows(authorization, form):
                return 401, {"error": "invalid_client"}
            wanted = form.get("scope", "").split()
            if self.scopes is not None and not self.scopes.issuperset(wanted):
                return 400, {"error": "invalid_scope"}
            if form.get("grant_type") == "client_credentials":
                return 200, self._grant()
            if form.get("grant_type") != "refresh_token":
                return 400, {"error": "unsupported_grant_type"}
            if form.get("refresh_token") != self.refresh_token:
                return 400, {"error": "invalid_grant"}
            return 200, self._grant() | self._rotated()

    def count(self, form: Form) -> None:
        """Count one token request."""
        with self._lock:
            self.requests += 1
            self.forms.append(form)

    def _knows(self, authorization: str, form: Form) -> bool:
        if "client_assertion" in form:
            return self.assertion is not None and self.assertion(form["client_assertion"])
        basic = _parse_basic(authorization)
        given = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        return given == (self.client_id, self.client_secret)

    def _grant(self) -> dict[str, object]:
        token = _new_token()
        self._valid.add(token)
        answer: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        return answer if self.lifetime is None else answer | {"expires_in": self.lifetime}

    def _rotated(self) -> dict[str, object]:
        if not self.rotate:
            return {}
        self.refresh_token = _new_token()
        return {"refresh_token": self.refresh_token}


def _new_token() -> str:
    return secrets.token_urlsafe(24)


def _parse_basic(authorization: str) -> tuple[str, str] | None:
    """Return id and secret of HTTP Basic credentials, each form-decoded (RFC 6749 2.3.1)."""
    scheme, _, coded = authorization.partition(" ")
    try:
        text = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        return None
    return unquote_plus(name), unquote_plus(secret)


def _handler_of(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            server.count(form)
            status, answer = server.answer(self.headers.get("Authorization", ""), form)
            raw = json.dumps(answer).encode() if server.raw is None else server.raw
            self.send_response(server.status or status)
            for name, value in {"Content-Type": "application/json", **server.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            with contextlib.suppress(ConnectionError):  # the client left, as tests want
                self.end_headers()
                self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            pass

    return Handler
