"""An SDK's own retry loop, kept from multiplying the router's.

SDKs of one make (openai, anthropic, groq, together, …) send a request again that failed without an
answer, in the same thread or task, with `x-stainless-retry-count` one higher. By then the router
has tried what may be tried. A repetition would multiply attempts and deadlines, and send a POST
twice that the router refused to. (What was answered says `x-should-retry: false` instead.)

Rule 1: such a repetition gets the first one's error at once; nothing is sent.
Rule 2: it is known by its context (a thread's or a task's), its count, its method and its URL. Any
        other request in that context makes the failure forgotten.
Rule 3: while nothing failed, this costs one look at a context variable; a request without the
        header is never remembered.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

__all__ = ["FAILED", "refuse_repeated", "remember"]

COUNT = "x-stainless-retry-count"


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that ended without an answer, and the error that told so.

    Attributes:
        of: the request's class, method and URL.
        count: how many repetitions came before it.
        error: as it was raised, without its traceback.
    """

    of: tuple[type, str, Any]
    count: int
    error: Exception


FAILED: ContextVar[Failure | None] = ContextVar("router.failed", default=None)
"""The failure that a repetition in this context would follow; None: there is none."""


def remember(request: Any, error: Exception) -> None:
    """Remember that a request ended with an error, if it comes from such an SDK."""
    count = _count(request)
    if count is not None:
        FAILED.set(Failure(_what(request), count, _twin(error, request)))


def refuse_repeated(request: Any) -> None:
    """Forget the failure of this context, unless the request repeats what failed.

    Raises:
        RouterError: it does; the error is the one that it had before.
    """
    failure = FAILED.get()
    FAILED.set(None)
    if failure is None or _count(request) != failure.count + 1 or _what(request) != failure.of:
        return
    raise _twin(failure.error, request) from None


def _count(request: Any) -> int | None:
    text = request.headers.get(COUNT, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None  # noqa: PLR2004


def _what(request: Any) -> tuple[type, str, Any]:
    return type(request), request.method, request.url


def _twin(error: Exception, request: Any) -> Exception:
    """Return the same error without traceback and cause: they would hold on to what failed."""
    cls = type(error)
    twin = cls.__new__(cls, *error.args)
    twin.args = error.args
    twin.__dict__.update(error.__dict__)
    twin.request = request  # type: ignore[attr-defined]
    return twin
