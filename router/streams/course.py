"""One streamed answer on its way to its reader: counted, watched, and gone on with if it breaks.

    took      a chunk came: count, learn the gap, let through what may be let through
    broken    it broke: say so, blame who is to blame
    reopen    ask for the rest (`rest`), if there may be one

Rule 1: a body waits in the wire alone; here nothing runs beside it, no task and no timer. One chunk
        costs two looks at the clock and some arithmetic.
Rule 2: a body that breaks counts against its endpoint. One that its reader closed does not, nor
        one for which the reader himself had too little time.
Rule 3: what the attempt held is given back before the body is asked for again.
Rule 4: a body ends well only if it is as long as its head said.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from router.errors import ClosedError, DeadlineError
from router.outcome import acquit
from router.streams.breaking import NEARLY, amend, blame, error, in_words
from router.streams.head import SUCCESS, Head
from router.streams.ranges import promised
from router.streams.rest import the_rest
from router.streams.resume import Broken, NoRestError, reopening, tracked, with_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.call import Answer, Call
    from router.desk import Desk
    from router.errors import RouterError
    from router.families import Family
    from router.lease import Lease
    from router.ports import Port
    from router.streams.resume import Reopening

__all__ = ["Course"]


class Course:
    """What is known of a streamed answer while it is read.

    Attributes:
        stream: the wire's body, to be read next; `bodies` reads it.
        closed: whether the reader closed it.
        delivered: bytes that the reader got, as they came over the wire.
    """

    __slots__ = (
        "_answer",
        "_asked",
        "_begun",
        "_call",
        "_desk",
        "_events",
        "_family",
        "_first",
        "_flight",
        "_last",
        "_lease",
        "_limit",
        "_now",
        "_patience",
        "_port",
        "_promised",
        "_received",
        "_reopened",
        "_request",
        "_shared",
        "_until",
        "closed",
        "delivered",
        "stream",
    )

    def __init__(
        self,
        call: Call,
        answer: Answer,
        lease: Lease | None,
        *,
        desk: Callable[[], Desk],
        port: Port,
        family: Family,
        request: Any,
    ) -> None:
        """Take an answer whose head came, with the means to ask for its rest."""
        self._call = call
        self._desk = desk
        self._port = port
        self._now = port.now
        self._family = family
        self._request = request
        self._begun = answer
        self._events = None if call.options.resume is None else tracked(call, self._head)
        self._first = call.headers
        self._last = b""
        self._reopened = 0
        self.delivered = 0
        self.closed = False
        shared = self._shared = desk()
        failover = shared.failover
        seconds = call.options.stream_deadline or failover.stream_deadline
        self._until = math.inf if seconds is None else port.now() + seconds
        if answer.status not in SUCCESS:  # a client may read it by itself, and it is short
            self._until = min(self._until, call.deadline)
        self._patience = shared.gaps.patience(failover.stall, answer.headers)
        self._begin(answer, lease)

    def _begin(self, answer: Answer, lease: Lease | None) -> None:
        self._answer = answer
        self._lease = lease
        self.stream = answer.stream
        self._received = 0
        self._promised = promised(self._head_of(answer)) if self._reopened else None
        self._limit = math.inf
        self._asked = self._now()
        self._flight = flight = answer.flight
        if flight is not None and self._until < math.inf:
            flight.timeouts.until_body_end = self._until

    @property
    def _head(self) -> Head:
        """The head that the reader saw; most streams end well and nobody looks at it."""
        return self._head_of(self._begun)

    @staticmethod
    def _head_of(answer: Answer) -> Head:
        return Head.of(answer.status, answer.headers)

    def give_back(self) -> None:
        """Give back what the attempt holds; a second call does nothing."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.give_back()

    # -- chunk by chunk

    def asks(self) -> None:
        """Note that the reader asks for more."""
        self._asked = self._now()
        if self._flight is not None:
            self._flight.timeouts.next_part()

    def took(self, chunk: bytes | None) -> bytes | None:
        """Take what the wire brought, None for its end; return what to deliver, or None at the end.

        Raises:
            Exception: the core's, where the body is too short, or the stream's deadline has passed.
        """
        if chunk is None:
            return self._ended()
        now = self._now()
        if self._received:
            self._patience.saw(now - self._asked)
        self._received += len(chunk)
        if self._promised is not None and self._received > self._promised:
            raise self._family.core.RemoteProtocolError("more came than was asked for")
        if self._patience.limit != self._limit:
            self._bound(self._patience.limit)
        if now > self._until:
            raise self._family.core.ReadTimeout("the stream's deadline has passed")
        return self._delivers(chunk)

    def _delivers(self, chunk: bytes) -> bytes:
        if self._events is not None:
            chunk = self._events.take(chunk)
        if chunk:
            self._last = chunk
            self.delivered += len(chunk)
        return chunk

    def _bound(self, seconds: float) -> None:
        self._limit = seconds
        if self._flight is not None:
            self._flight.timeouts.set_pause(seconds)

    def _ended(self) -> bytes | None:
        length = self._promised
        if length is None:
            length = self._head_of(self._answer).length(self._call.method)
        if length is not None and self._received != length:
            raise self._family.core.RemoteProtocolError(
                f"the body ended after {self._received} of {length} bytes"
            )
        rest = b"" if self._events is None else self._events.rest()
        self.delivered += len(rest)
        return rest or None

    # -- when it breaks

    def broken(self, cause: Exception) -> RouterError | None:
        """Return what a broken body raises, or None where the error is none of the wire's.

        The endpoint has heard of it then.
        """
        failure = self._family.failure(cause)
        if failure is None:
            return None
        now = self._now()
        call, patience = self._call, self._patience
        self.closed = self.closed or self._is_over()
        choice = None if self._flight is None else self._flight.choice
        late, waited = now >= self._until, now - self._asked
        words = in_words(failure, waited, patience)
        if not late and not self.closed and choice is not None:
            usual = min(self._shared.failover.attempt_timeout, patience.limit)
            blame(call, choice, failure, words, too_soon=waited < usual * NEARLY, now=now)
        if failure.timed_out and not late:
            patience.cut()
        amend(call, choice, f"broke off after {self.delivered} bytes of its body: {words}")
        made = error(call, choice, words, delivered=self.delivered, late=late)
        made.__cause__ = failure.cause
        return made

    def _is_over(self) -> bool:
        """Return whether the router was closed, which breaks what is still read."""
        try:
            self._desk()
        except ClosedError:
            return True
        return False

    def raised(self, ours: RouterError) -> Exception:
        """Return an error as the caller's family has it."""
        return self._family.raised(ours, self._request)

    # -- when it goes on

    async def reopen(self, broken: RouterError) -> None:
        """Go on with the body at another endpoint, where that is asked for and possible.

        Raises:
            RouterError: it is not: `broken`, with all attempts.
        """
        over = self.closed or isinstance(broken, DeadlineError)
        try:
            plan = None if over else self._plan(broken)
            if plan is None:
                raise self._final(broken) from broken.__cause__
            self._call.headers = with_headers(self._first, plan.headers)
            ends = self._until if self.delivered else None
            rest = await the_rest(
                self._call, self._flight, plan, self._desk(), self._port, ends=ends
            )
        except NoRestError as none:
            raise self._final(broken, str(none)) from broken.__cause__
        self._reopened += 1
        if self._events is not None:
            self._events.restart()
        self._begin(*rest)

    def _plan(self, broken: RouterError) -> Reopening | None:
        events = self._events
        place = None if events is None else events.place
        told = Broken(
            delivered=self.delivered,
            last_chunk=self._last,
            last_event_id=None if place is None else place.decode("utf-8", "replace"),
            error=broken,
            reopening=self._reopened + 1,
        )
        return reopening(self._call, self._head, told, events)

    def _final(self, broken: RouterError, words: str = "") -> RouterError:
        """Return `broken` with what became of the attempts to go on."""
        acquit(self._call, self._shared, self._now())
        broken.attempts = tuple(self._call.attempts)
        if words:
            broken.args = (f"{broken}; it could not go on: {words}",)
        return broken
