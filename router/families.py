"""The HTTP families that the router speaks: httpx, and its continuation httpx2.

Rule 1: a family is data: two modules and the classes made from them. No other module imports
        either library.
Rule 2: an error of ours becomes, at the border, also an exception of the caller's family: of the
        class that its cause had, so that `except httpx.ConnectTimeout` keeps working.
Rule 3: httpx2 is imported when somebody asks for it, never before.
Rule 4: what a library says of a request that it cannot send quotes a header's value: that is cut
        off, since it may be a credential.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
from typing import TYPE_CHECKING, Any

from router.bodies import AsyncBody, SyncBody
from router.call import LateBodyError
from router.errors import DeadlineError, RouterError
from router.failover.verdict import Phase, SendFailure

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Family", "family", "load_for_tasks"]

REFUSED_STREAM = 7
QUOTED = re.compile(r":?\s*\bb['\"].*", re.DOTALL)
WAITING = ("sniffio", "anyio", "anyio._backends._asyncio")
"""What the locks of httpcore and httpcore2 import when a task first meets one."""
NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "ProxyError"})
LOCAL = frozenset({"LocalProtocolError", "UnsupportedProtocol", "PoolTimeout"})
WORDS = {
    "ConnectTimeout": "no connection in time",
    "ConnectError": "no connection",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "the request could not be written in time",
    "PoolTimeout": "no free connection in time",
    "ReadError": "the connection broke while reading",
    "WriteError": "the connection broke while writing",
    "ProtocolError": "the server broke the protocol",
    "RemoteProtocolError": "the server broke off or broke the protocol",
    "LocalProtocolError": "the request is not valid HTTP",
    "ProxyError": "the proxy refused",
}


class Family:
    """One HTTP library with the classes that tie the router to it."""

    def __init__(self, http: ModuleType, core: ModuleType) -> None:
        self.http: Any = http
        self.core: Any = core
        self.body: Any = type("Body", (SyncBody, self.http.SyncByteStream), {})
        self.async_body: Any = type("AsyncBody", (AsyncBody, self.http.AsyncByteStream), {})
        self._classes: dict[tuple[type, type], type] = {}

    def foreign(self, error: Exception) -> type[Exception] | None:
        """Return the family's class for an exception of its core, or None if it is not one."""
        for cls in type(error).__mro__:
            if cls.__module__.partition(".")[0] in {self.core.__name__, "h11", "h2"}:
                found: type[Exception] | None = getattr(self.http, cls.__name__, None)
                if found is not None:
                    return found
        return None

    def failure(self, error: Exception) -> SendFailure | None:
        """Return a transport's exception in neutral words, or None if it is not one."""
        if isinstance(error, LateBodyError):
            cause = self.http.WriteTimeout(str(error))
            return SendFailure(Phase.SENT, str(error), cause, timed_out=True, ours=True)
        if _was_refused(error):
            words = "the server refused the stream"
            return SendFailure(Phase.REFUSED, words, self.translated(error))
        cls = self.foreign(error)
        if cls is None:
            return None
        name = cls.__name__
        phase = Phase.NOT_SENT if name in NEVER_SENT else Phase.SENT
        phase = Phase.LOCAL if name in LOCAL and not _speaks_http2(error) else phase
        words = _known_sign(error) or WORDS.get(name, name)
        timed_out = name.endswith("Timeout")
        return SendFailure(phase, words, self.translated(error), timed_out=timed_out)

    def translated(self, error: Exception) -> Exception:
        """Return the family's exception for one of its core's; others as they are."""
        cls = self.foreign(error)
        return error if cls is None else cls(_unquoted(str(error), cls.__name__))

    def raised(self, error: RouterError, request: Any) -> Exception:
        """Return `error` as an exception that is also the family's, bound to the request."""
        if issubclass(type(error), self.http.TransportError):
            return error  # it has been here before, through a client inside a client
        cause = error.__cause__
        base = type(cause) if isinstance(cause, self.http.TransportError) else None
        if base is None:
            timed_out = isinstance(error, DeadlineError)
            base = self.http.TimeoutException if timed_out else self.http.TransportError
        made = self._class(type(error), base)
        twin: Exception = made.__new__(made, *error.args)
        twin.__dict__.update(error.__dict__)
        twin.args = error.args
        twin.__cause__ = cause
        twin.__suppress_context__ = True
        twin.request = request  # type: ignore[attr-defined]
        return twin

    def _class(self, ours: type, theirs: type) -> type:
        key = (ours, theirs)
        if key not in self._classes:
            self._classes[key] = type(ours.__name__, key, {"__module__": ours.__module__})
        return self._classes[key]


def _unquoted(words: str, name: str) -> str:
    """Return a library's words without the bytes of the request, which may be a credential."""
    return QUOTED.sub("", words) if name == "LocalProtocolError" else words


def _was_refused(error: Exception) -> bool:
    """Return whether an HTTP/2 server says that it did not process the request (RFC 9113, 8.7)."""
    event = error.args[0] if error.args else None
    if type(event).__name__ == "StreamReset":
        return getattr(event, "error_code", None) == REFUSED_STREAM
    last = getattr(event, "last_stream_id", None)
    return type(event).__name__ == "ConnectionTerminated" and last == 0


def _speaks_http2(error: Exception) -> bool:
    """Return whether it is HTTP/2's: there the core calls the server's mistakes local too."""
    return any(type(cause).__module__.partition(".")[0] == "h2" for cause in error.args)


def _known_sign(error: Exception) -> str | None:
    """Return what an operating-system or TLS error says, without addresses or contents."""
    text = str(error)
    return next((words for sign, words in SIGNS.items() if sign in text), None)


SIGNS = {
    "Connection refused": "connection refused",
    "All connection attempts failed": "no address accepts a connection",
    "Name or service not known": "the name does not resolve",
    "Temporary failure in name resolution": "the name does not resolve now",
    "CERTIFICATE_VERIFY_FAILED": "the TLS certificate is not trusted",
    "Connection reset": "reset by the server",
    "Server disconnected": "closed without an answer",
    "Network is unreachable": "no route",
}


@functools.cache
def family(name: str) -> Family:
    """Return the family called `httpx` or `httpx2`.

    Raises:
        ImportError: httpx2 is not installed; the message says how to install it.
    """
    if name == "httpx":
        return Family(_module("httpx"), _module("httpcore"))
    try:
        return Family(_module("httpx2"), _module("httpcore2"))
    except ImportError:
        raise ImportError("httpx2 is not installed: pip install 'region-router[httpx2]'") from None


def load_for_tasks() -> None:
    """Import what takes 30 ms and more, so that no event loop stands still for it in a request."""
    for name in WAITING:
        with contextlib.suppress(ImportError):  # it is the libraries' own affair
            _module(name)


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)
