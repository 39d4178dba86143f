"""What the outcome of one attempt means, and whether the request may be sent again.

Rule 1: a verdict says what the server did with the request, not how the library failed.
Rule 2: a request is repeated only where that is safe in the user's word for safe
        (`failover.repeat`); what was never sent is always safe.
Rule 3: a status that is the caller's doing never counts against the endpoint.
Rule 4: the user knows his API better: `failover.statuses` has the last word on what one means.
Rule 5: who asks for the same again (408, 421, 425) is obeyed once.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AGAIN_ONCE",
    "KNOWN",
    "Phase",
    "SendFailure",
    "Verdict",
    "blames_endpoint",
    "is_idempotent",
    "may_repeat",
    "verdict_of_failure",
    "verdict_of_status",
    "verdicts",
]


class Verdict(enum.Enum):
    """What became of one attempt."""

    __hash__ = object.__hash__  # each is one object; Enum's own is a call of Python

    def __init__(self, word: str) -> None:
        self.word = word  # the value, without a call of Python

    DELIVERED = "delivered"  # an answer for the caller, whatever its status
    NEVER_SENT = "never sent"  # no byte of the request can have reached the server
    REJECTED = "rejected"  # the server says that it did not process the request
    FAILED = "failed"  # the server answered that it could not
    UNCERTAIN = "uncertain"  # sent, and then silence: it may have been processed
    UNAUTHORISED = "unauthorised"  # the token was refused
    SKEWED = "wrong time"  # the server says that the request's timestamp was wrong
    UNREADY = "precondition required"  # the server wants something of the request first (428)
    STALE = "stale connection"  # the server had closed the idle connection that was used
    OUTRUN = "outrun"  # another attempt at the same request was quicker, so it was given up
    COOLING = "cooling"  # every endpoint asked to be left alone: nothing was tried
    OURS = "ours"  # this host failed before the network had a part in it


class Phase(enum.Enum):
    """How far a request got before its transport failed."""

    NOT_SENT = "not sent"
    SENT = "sent"
    REFUSED = "refused"
    LOCAL = "local"


class SendFailure(Exception):  # noqa: N818 - not an error of ours: a fact that the flow judges
    """A transport's failure in neutral words; `cause` is the library's own exception."""

    def __init__(
        self,
        phase: Phase,
        words: str,
        cause: Exception,
        *,
        timed_out: bool = False,
        stale: bool = False,
        ours: bool = False,
    ) -> None:
        """Take what is known.

        Args:
            phase: how far the request got.
            words: what went wrong.
            cause: the library's exception.
            timed_out: whether a time ran out.
            stale: whether a connection that was used before ended without a byte of an answer.
            ours: whether it was this host's own doing, and no endpoint's.
        """
        super().__init__(words)
        self.phase = phase
        self.words = words
        self.cause = cause
        self.timed_out = timed_out
        self.stale = stale
        self.ours = ours


# 529 is not registered; LLM and edge providers answer it for "overloaded, not processed".
KNOWN: Mapping[int, Verdict] = {
    401: Verdict.UNAUTHORISED,
    408: Verdict.FAILED,
    421: Verdict.REJECTED,
    425: Verdict.FAILED,
    428: Verdict.UNREADY,
    429: Verdict.REJECTED,
    500: Verdict.FAILED,
    502: Verdict.FAILED,
    503: Verdict.REJECTED,
    504: Verdict.FAILED,
    529: Verdict.REJECTED,
    **dict.fromkeys(range(520, 528), Verdict.FAILED),  # an edge's words for its origin's failures
}
AGAIN_ONCE = frozenset({408, 421, 425})
REPEATABLE = frozenset({Verdict.REJECTED, Verdict.FAILED, Verdict.UNCERTAIN, Verdict.STALE})
BY_PHASE = {
    Phase.NOT_SENT: Verdict.NEVER_SENT,
    Phase.SENT: Verdict.UNCERTAIN,
    Phase.REFUSED: Verdict.REJECTED,
    Phase.LOCAL: Verdict.OURS,
}
# RFC 9110 9.2.2, and QUERY of its draft.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})
FIRST_OF_SERVERS = 500
REQUEST_TIMEOUT = 408


def verdicts(rules: Iterable[tuple[int, str]]) -> Mapping[int, Verdict]:
    """Return what statuses mean where the user says so of some."""
    return {**KNOWN, **{status: Verdict(word) for status, word in rules}}


def verdict_of_status(status: int, known: Mapping[int, Verdict] = KNOWN) -> Verdict:
    """Judge an answer by its HTTP status."""
    return known.get(status, Verdict.DELIVERED)


def verdict_of_failure(failure: SendFailure) -> Verdict:
    """Judge a failure by how far the request got."""
    return Verdict.STALE if failure.stale else BY_PHASE[failure.phase]


def blames_endpoint(verdict: Verdict, status: int | None) -> bool:
    """Return whether the outcome counts against the endpoint's health."""
    if status is None:
        return verdict in {Verdict.NEVER_SENT, Verdict.UNCERTAIN}
    if verdict in {Verdict.DELIVERED, Verdict.SKEWED}:
        return False
    return status >= FIRST_OF_SERVERS or status == REQUEST_TIMEOUT


def is_idempotent(method: str) -> bool:
    """Return whether sending a request of this method twice does what sending it once does."""
    return method in IDEMPOTENT


def may_repeat(verdict: Verdict, *, method: str, keyed: bool, repeat: str) -> bool:
    """Return whether `failover.repeat` allows the request to be sent again."""
    if verdict is Verdict.NEVER_SENT:
        return True
    if is_idempotent(method) or keyed or repeat == "always":
        return verdict in REPEATABLE
    return verdict is Verdict.REJECTED and repeat == "rejected"
