"""A signer made of any `httpx.Auth`, or one of httpx2: what a library brings for httpx serves here.

Rule 1: an Auth whose flow makes one request becomes a signer. One that has to see an answer first
        (Digest) has no place at the moment when headers leave: it is refused with a sentence.
Rule 2: what it changes is taken over: headers, and the query. Method, address and body stay.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NoReturn

from router.departure import Signed
from router.errors import SigningError

if TYPE_CHECKING:
    from router.departure import Signer, Signing

__all__ = ["from_httpx"]

NEEDS_ANSWER = "this httpx Auth has to see an answer before it signs: it cannot be a signer"


def from_httpx(auth: Any) -> Signer:
    """Return a signer that does what an `httpx.Auth` does.

    Raises:
        TypeError: it is no Auth of httpx or httpx2.
        ValueError: it says that it reads answers.
    """
    http = _library(auth)
    if auth.requires_response_body:
        raise ValueError(NEEDS_ANSWER)

    def sign(signing: Signing) -> list[tuple[str, str]] | Signed:
        return _signed(auth, http, signing)

    return sign


def _library(auth: Any) -> Any:
    """Return the module of the library that the Auth belongs to."""
    for kind in type(auth).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in {"httpx", "httpx2"} and kind.__name__ == "Auth":
            return importlib.import_module(name)
    raise TypeError("from_httpx takes an Auth of httpx or httpx2")


class Unseen:
    """Stands for the answer that is not there yet: whoever looks at it is refused."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SigningError(f"{NEEDS_ANSWER}; nothing was sent")


def _signed(auth: Any, http: Any, signing: Signing) -> list[tuple[str, str]] | Signed:
    if signing.body is None and auth.requires_request_body:
        raise SigningError(
            "this httpx Auth signs the body, and this one can be read only once: nothing was sent"
        )
    request = http.Request(
        signing.method, signing.url, headers=signing.headers, content=signing.body or b""
    )
    url, before = request.url, request.headers.copy()
    flow = auth.sync_auth_flow(request)
    try:
        request = next(flow)
        _end(flow)
    finally:
        flow.close()
    headers = [
        pair
        for pair in request.headers.multi_items()
        if before.get_list(pair[0]) != request.headers.get_list(pair[0])
    ]
    if request.url == url:
        return headers
    if request.url.copy_with(query=None) != url.copy_with(query=None):
        raise SigningError(
            "this httpx Auth changes more of the URL than its query: nothing was sent"
        )
    return Signed(request.url.query.decode("ascii"), headers)


def _end(flow: Any) -> None:
    """See that the flow makes no second request."""
    try:
        flow.send(Unseen())
    except StopIteration:
        return
    raise SigningError(f"{NEEDS_ANSWER}; nothing was sent")
