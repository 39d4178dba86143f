"""How a body that broke off may go on: again from its start, or as the caller's `resume` says.

Rule 1: what the caller got is never taken back, never delivered twice, and never continued with
        bytes of something else: rather the stream ends with an error.
Rule 2: of which nothing was delivered is simply asked for again, where that is safe
        (`failover.repeat`), and accepted if its head is what the caller saw.
Rule 3: these decide; the reopening itself is the flow's (`course`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.errors import OptionsError
from router.failover.verdict import is_idempotent
from router.header_names import MADE_BY_OTHERS, is_header_name
from router.streams.events import Events, after, are_events, why_not_events
from router.streams.ranges import rest_of, why_not_the_rest

if TYPE_CHECKING:
    from router.call import Call, Header
    from router.errors import RouterError
    from router.streams.head import Head

__all__ = ["Broken", "NoRestError", "Reopening", "Resume", "reopening", "tracked", "with_headers"]

LAST_EVENT_ID = "last-event-id"
SAME = (b"content-type", b"content-length", b"content-encoding", b"content-range", b"etag")
HEADER_VALUE = re.compile(r"[!-~\x80-\xff]?|[!-~\x80-\xff][ -~\x80-\xff\t]*[!-~\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Broken:
    """What a caller's own `resume` is told of a body that broke off.

    Attributes:
        delivered: bytes of the body that were delivered, as they came over the wire.
        last_chunk: the last of them, as they came.
        last_event_id: of server-sent events, the id of the last one delivered, or None.
        error: what is raised if the body does not go on.
        reopening: 1 for the first time that the body goes on, and so on.
    """

    delivered: int
    last_chunk: bytes = field(repr=False)
    last_event_id: str | None
    error: RouterError
    reopening: int


class NoRestError(Exception):
    """There is no rest; the words say why."""


Resume = Callable[[Broken], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Reopening:
    """A request that is to bring the rest of a body.

    Attributes:
        headers: what it adds to the first one's.
        why_not: says why an answer with this head is not the rest; None: it is.
        wait: seconds to wait before it, because the server said so.
        agreed: the caller himself says that it may be sent.
    """

    headers: tuple[Header, ...]
    why_not: Callable[[Head], str | None]
    wait: float = 0.0
    agreed: bool = False


def tracked(call: Call, head: Head) -> Events | None:
    """Return what reads a body's events on the way, where going on will need it."""
    resume = call.options.resume
    own = callable(resume) or (resume == LAST_EVENT_ID and call.method == "GET")
    return Events() if own and are_events(head) and head.is_success else None


def reopening(call: Call, head: Head, broken: Broken, events: Events | None) -> Reopening | None:
    """Return how the body may go on, or None: nobody asked for that.

    Raises:
        NoRestError: it was asked for, and may not.
        OptionsError: the caller's function returned no headers.
    """
    resume = call.options.resume
    wait = (events.retry or 0.0) if events is not None else 0.0
    if not head.is_success:
        return None
    if not broken.delivered and (is_idempotent(call.method) or call.keyed or not callable(resume)):
        return Reopening((), functools.partial(_why_not_the_same, head), wait)
    if callable(resume):
        return _as_the_caller_says(resume, head, broken)
    if resume is None or not broken.delivered:
        return None
    if call.method != "GET":
        raise NoRestError(f"only a GET is resumed, and this is a {call.method}")
    why_not: Callable[[Head], str | None]
    if resume == "range":
        headers = rest_of(head, broken.delivered)
        why_not = functools.partial(why_not_the_rest, head, broken.delivered)
        lacks = "strong validator (ETag, or an old Last-Modified)"
    else:
        headers = None if events is None else after(events)
        why_not, lacks = why_not_events, "event with an id that could be asked for"
    if headers is None:
        raise NoRestError(f"the answer had no {lacks}")
    return Reopening(headers, why_not, wait)


def _why_not_the_same(head: Head, other: Head) -> str | None:
    alike = other.status == head.status and all(other.get(n) == head.get(n) for n in SAME)
    return None if alike else "its answer has another head than the one that was delivered"


def _as_the_caller_says(resume: Resume, head: Head, broken: Broken) -> Reopening | None:
    try:
        made = resume(broken)
    except Exception as error:  # the caller's own code
        raise NoRestError(f"the resume function raised {type(error).__name__}") from error
    if made is None:
        return None
    if not isinstance(made, Mapping):
        raise OptionsError("resume: return a mapping of headers, or None")
    headers = tuple(_checked(name, value) for name, value in made.items())
    return Reopening(headers, functools.partial(_why_not_more, head), agreed=True)


def _why_not_more(head: Head, other: Head) -> str | None:
    """A coded body can only go on in its middle, which a 206 brings and nothing else."""
    if not other.is_success or other.media_type != head.media_type:
        return f"it answered {other.status} with {other.media_type.decode('latin-1') or 'no type'}"
    if other.coding != head.coding or (head.coding and other.status != 206):  # noqa: PLR2004
        return "a coded body cannot go on with a new one"
    return None


def _checked(name: object, value: object) -> Header:
    """Return a header of the caller's as it is sent.

    Raises:
        OptionsError: it cannot be sent; the value is not shown.
    """
    if (
        isinstance(name, str)
        and isinstance(value, str)
        and is_header_name(name)
        and name.lower() not in MADE_BY_OTHERS
        and HEADER_VALUE.fullmatch(value)
    ):
        return name.encode("ascii"), value.encode("latin-1")
    raise OptionsError(
        "resume: return a mapping of headers to values of one line, none of them a header that is "
        "made by others, such as Host"
    )


def with_headers(headers: list[Header], added: tuple[Header, ...]) -> list[Header]:
    """Return headers with others added, which take the place of those with their names."""
    theirs = {name.lower() for name, _ in added}
    return [pair for pair in headers if pair[0].lower() not in theirs] + list(added)
