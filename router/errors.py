"""Every error this package raises, in one tree; whose fault it is comes first.

    RouterError
    ├── CallerError                 change the call or the configuration
    │   ├── ConfigError             a setting is wrong (also a ValueError)
    │   ├── OptionsError            a request's Options name something unknown (also a ValueError)
    │   ├── UnknownHostError        the URL is not one that the router serves
    │   ├── NoEndpointError         the request's constraints leave no endpoint
    │   ├── SigningError            the caller's own signer failed
    │   ├── PreconditionError       the server wants something first that only the caller can mend
    │   └── ClosedError             the router was closed
    ├── ServiceError                the service or the network failed; the call was right
    │   ├── AttemptsFailedError     no attempt brought an answer
    │   ├── StreamBrokenError       an answer began, and its body broke off
    │   ├── RetryLaterError         every endpoint asked to be left alone until a later time
    │   └── TokenError              the token server gave no token
    └── HostError                   this host could not do its part
        ├── DeadlineError           the time for the request is used up
        ├── LimitError              the limiter cannot admit the request in time
        ├── ClockError              the clock's bound is above what the user allows
        └── GeoError                the location database cannot be read

Rule 1: ask an error for a property (`maybe_processed`, `retry_after`), not for its class.
Rule 2: no message holds a secret, a header's value or a line of a configuration file.
Rule 3: what a transport raises is also an exception of the caller's HTTP library; `families` adds
        that second base, so `except httpx.TransportError` keeps working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.attempt import Attempt

Blame = Literal["caller", "service", "host"]

__all__ = [
    "AttemptsFailedError",
    "CallerError",
    "ClockError",
    "ClosedError",
    "ConfigError",
    "DeadlineError",
    "GeoError",
    "HostError",
    "LimitError",
    "NoEndpointError",
    "OptionsError",
    "PreconditionError",
    "RetryLaterError",
    "RouterError",
    "ServiceError",
    "SigningError",
    "StreamBrokenError",
    "TokenError",
    "UnknownHostError",
]


PICKLED = ("attempts", "check", "delivered", "problems", "retry_after")


def _revived(name: str, args: tuple[Any, ...], state: dict[str, Any]) -> RouterError:
    cls: type[RouterError] = globals()[name]
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class RouterError(Exception):
    """The root: what every error of this package can be asked."""

    blame: ClassVar[Blame]
    delivered: int = 0
    """Bytes of an answer's body that the caller got before it broke off, as on the wire."""

    def __init__(
        self,
        message: str,
        *,
        attempts: Sequence[Attempt] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)
        """The attempts made for this request, oldest first."""
        self.retry_after = retry_after
        """Seconds from now after which a new try makes sense, where known."""

    def explain(self) -> str:
        """Return the story of the request: what was tried, why there, and against whom."""
        return self.attempts[0].story(self.attempts) if self.attempts else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the class of this tree, without the HTTP family's part and its request."""
        ours = next(cls for cls in type(self).__mro__ if globals().get(cls.__name__) is cls)
        state = {key: self.__dict__[key] for key in PICKLED if key in self.__dict__}
        return _revived, (ours.__name__, self.args, state)

    @property
    def maybe_processed(self) -> bool:
        """Whether a server may have acted on the request although no answer came."""
        return any(attempt.maybe_processed for attempt in self.attempts)


class CallerError(RouterError):
    """The call or the configuration has to change; trying again will not help."""

    blame = "caller"


class ServiceError(RouterError):
    """The service, or the network to it, failed."""

    blame = "service"


class HostError(RouterError):
    """This host ran out of time, permits or a trustworthy clock."""

    blame = "host"


class ConfigError(CallerError, ValueError):
    """One or more settings are wrong; `problems` holds one line for each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class OptionsError(CallerError, ValueError):
    """A request's Options name a region, tag or tier that no endpoint has."""


class UnknownHostError(CallerError):
    """The request's URL belongs to no configured endpoint; nothing was sent."""


class NoEndpointError(CallerError):
    """The constraints of the request and of the configuration exclude every endpoint."""


class SigningError(CallerError):
    """The signer raised an exception, which is the cause; nothing was sent."""


class PreconditionError(CallerError):
    """A server answered 428, and a check of the request says why; `check` names it."""

    def __init__(self, message: str, *, check: str = "", attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message, attempts=attempts)
        self.check = check
        """`json` (the body does not parse) or `conversation` (it is over its age limit)."""


class ClosedError(CallerError):
    """The router, or the client it belongs to, was closed."""


class AttemptsFailedError(ServiceError):
    """All permitted attempts failed without an answer."""


class StreamBrokenError(ServiceError):
    """A streamed answer began and its body broke off; `delivered` bytes of it were good."""


class RetryLaterError(ServiceError):
    """Every endpoint said when to come back, and that is after the deadline."""


class TokenError(ServiceError):
    """No access token could be had; the cause is named, the credentials are not."""


class DeadlineError(HostError):
    """The request's deadline passed, or would pass before the next step could end."""


class LimitError(HostError):
    """The limiter's queue is full or its wait is longer than the deadline."""


class ClockError(HostError):
    """The clock cannot promise `clock.max_error`, and `clock.when_unsure` is `refuse`."""


class GeoError(HostError):
    """The location database is missing, unreadable or damaged."""
