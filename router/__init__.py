"""Client-side multi-region router for HTTP APIs.

To read the code, begin with `flow` (the story of one request), then `balance.pool` (which
endpoint), `ports` (all waiting), `transport` (the face towards httpx) and `router` (the wiring).

Rule: `import router` imports no library and next to nothing of ours; a name is imported when it is
      asked for, and what a Router needs is there when the Router is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.lazy import by_name
from router.version import __version__

if TYPE_CHECKING:
    from router import httpx2, testing
    from router.addressing import BASE_URL
    from router.attempt import Attempt, Trace
    from router.balance.ranking import Ranked
    from router.client import AsyncClient, Client
    from router.clock.reading import Stamp
    from router.config.settings import (
        Allow,
        Backoff,
        ClockSettings,
        Config,
        Failover,
        GeoSettings,
        Hedge,
        Limits,
        Precondition,
        Probe,
        SignSettings,
        TlsSettings,
        TokenSettings,
    )
    from router.departure import Signed, Signer, Signing
    from router.endpoint import Endpoint, Location, Region
    from router.errors import (
        AttemptsFailedError,
        CallerError,
        ClockError,
        ClosedError,
        ConfigError,
        DeadlineError,
        GeoError,
        HostError,
        LimitError,
        NoEndpointError,
        OptionsError,
        PreconditionError,
        RetryLaterError,
        RouterError,
        ServiceError,
        SigningError,
        StreamBrokenError,
        TokenError,
        UnknownHostError,
    )
    from router.failover.precondition import Began, Refused
    from router.options import Options, using
    from router.rates import Bound, EndpointLimits
    from router.router import Router
    from router.secret import Secret
    from router.streams.resume import Broken
    from router.transport import AsyncTransport, Transport
    from router.units import Rate

__all__ = [
    "BASE_URL",
    "Allow",
    "AsyncClient",
    "AsyncTransport",
    "Attempt",
    "AttemptsFailedError",
    "Backoff",
    "Began",
    "Bound",
    "Broken",
    "CallerError",
    "Client",
    "ClockError",
    "ClockSettings",
    "ClosedError",
    "Config",
    "ConfigError",
    "DeadlineError",
    "Endpoint",
    "EndpointLimits",
    "Failover",
    "GeoError",
    "GeoSettings",
    "Hedge",
    "HostError",
    "LimitError",
    "Limits",
    "Location",
    "NoEndpointError",
    "Options",
    "OptionsError",
    "Precondition",
    "PreconditionError",
    "Probe",
    "Ranked",
    "Rate",
    "Refused",
    "Region",
    "RetryLaterError",
    "Router",
    "RouterError",
    "Secret",
    "ServiceError",
    "SignSettings",
    "Signed",
    "Signer",
    "Signing",
    "SigningError",
    "Stamp",
    "StreamBrokenError",
    "TlsSettings",
    "TokenError",
    "TokenSettings",
    "Trace",
    "Transport",
    "UnknownHostError",
    "__version__",
    "httpx2",
    "testing",
    "using",
]

HOMES = {
    "router": "httpx2 testing",
    "router.addressing": "BASE_URL",
    "router.attempt": "Attempt Trace",
    "router.balance.ranking": "Ranked",
    "router.client": "AsyncClient Client",
    "router.clock.reading": "Stamp",
    "router.config.settings": (
        "Allow Backoff ClockSettings Config Failover GeoSettings Hedge Limits Precondition "
        "Probe SignSettings TlsSettings TokenSettings"
    ),
    "router.departure": "Signed Signer Signing",
    "router.endpoint": "Endpoint Location Region",
    "router.errors": (
        "AttemptsFailedError CallerError ClockError ClosedError ConfigError DeadlineError "
        "GeoError HostError LimitError NoEndpointError OptionsError PreconditionError "
        "RetryLaterError RouterError ServiceError SigningError StreamBrokenError TokenError "
        "UnknownHostError"
    ),
    "router.failover.precondition": "Began Refused",
    "router.options": "Options using",
    "router.rates": "Bound EndpointLimits",
    "router.router": "Router",
    "router.secret": "Secret",
    "router.streams.resume": "Broken",
    "router.transport": "AsyncTransport Transport",
    "router.units": "Rate",
}

if not TYPE_CHECKING:  # so that a type checker knows a wrong name
    __getattr__ = by_name(__name__, HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
