"""What the outcome of one attempt means, and whether the request may be sent again.

Rule 1: a verdict says what the server did with the request, not how the library failed.
Rule 2: a request is repeated only where that is safe in the user's word for safe
        (`failover.repeat`); what was never sent is always safe.
Rule 3: a status that is the caller's doing never counts against the endpoint.
"""

from __future__ import annotations

import enum

__all__ = [
    "Phase",
    "SendFailure",
    "Verdict",
    "blames_endpoint",
    "is_idempotent",
    "may_repeat",
    "verdict_of_failure",
    "verdict_of_status",
]


class Verdict(enum.Enum):
    """What became of one attempt."""

    DELIVERED = "delivered"  # an answer for the caller, whatever its status
    NEVER_SENT = "never sent"  # no byte of the request can have reached the server
    REJECTED = "rejected"  # the server says that it did not process the request
    FAILED = "failed"  # the server answered that it could not
    UNCERTAIN = "uncertain"  # sent, and then silence: it may have been processed
    UNAUTHORISED = "unauthorised"  # the token was refused
    SKEWED = "wrong time"  # the server says that the request's timestamp was wrong
    COOLING = "cooling"  # every endpoint asked to be left alone: nothing was tried
    OURS = "ours"  # this host failed before the network had a part in it


class Phase(enum.Enum):
    """How far a request got before its transport failed."""

    NOT_SENT = "not sent"
    SENT = "sent"
    LOCAL = "local"


class SendFailure(Exception):  # noqa: N818 - not an error of ours: a fact that the flow judges
    """A transport's failure in neutral words; `cause` is the library's own exception."""

    def __init__(
        self, phase: Phase, words: str, cause: Exception, *, timed_out: bool = False
    ) -> None:
        super().__init__(words)
        self.phase = phase
        self.words = words
        self.cause = cause
        self.timed_out = timed_out


# 529 is not registered; LLM and edge providers answer it for "overloaded, not processed".
BY_STATUS = {
    401: Verdict.UNAUTHORISED,
    408: Verdict.FAILED,
    421: Verdict.REJECTED,
    425: Verdict.FAILED,
    429: Verdict.REJECTED,
    500: Verdict.FAILED,
    502: Verdict.FAILED,
    503: Verdict.REJECTED,
    504: Verdict.FAILED,
    529: Verdict.REJECTED,
}
BY_PHASE = {
    Phase.NOT_SENT: Verdict.NEVER_SENT,
    Phase.SENT: Verdict.UNCERTAIN,
    Phase.LOCAL: Verdict.OURS,
}
# RFC 9110 9.2.2, and QUERY of its draft.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})
EDGE_FAILURES = range(520, 528)
NOT_THE_ENDPOINTS_FAULT = frozenset({401, 421, 425, 429})


def verdict_of_status(status: int) -> Verdict:
    """Judge an answer by its HTTP status."""
    if status in EDGE_FAILURES:
        return Verdict.FAILED
    return BY_STATUS.get(status, Verdict.DELIVERED)


def verdict_of_failure(failure: SendFailure) -> Verdict:
    """Judge a failure by how far the request got."""
    return BY_PHASE[failure.phase]


def blames_endpoint(verdict: Verdict, status: int | None) -> bool:
    """Return whether the outcome counts against the endpoint's health."""
    if status is None:
        return verdict in {Verdict.NEVER_SENT, Verdict.UNCERTAIN}
    if verdict in {Verdict.DELIVERED, Verdict.SKEWED}:
        return False
    return status not in NOT_THE_ENDPOINTS_FAULT


def is_idempotent(method: str) -> bool:
    """Return whether sending a request of this method twice does what sending it once does."""
    return method in IDEMPOTENT


def may_repeat(verdict: Verdict, *, method: str, keyed: bool, repeat: str) -> bool:
    """Return whether `failover.repeat` allows the request to be sent again."""
    if verdict is Verdict.NEVER_SENT:
        return True
    if is_idempotent(method) or keyed or repeat == "always":
        return verdict in {Verdict.REJECTED, Verdict.FAILED, Verdict.UNCERTAIN}
    return verdict is Verdict.REJECTED and repeat == "rejected"
