"""Client-side multi-region router for HTTP APIs.

To read the code, begin with `flow` (the story of one request), then `balance.pool` (which
endpoint), `ports` (all waiting), `transport` (the face towards httpx) and `router` (the wiring).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from router.addressing import BASE_URL
from router.attempt import Attempt, Trace
from router.balance.ranking import Ranked
from router.client import AsyncClient, Client
from router.clock.reading import Stamp
from router.config import (
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
from router.version import __version__

if TYPE_CHECKING:
    from router import httpx2, testing

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


def __getattr__(name: str) -> Any:
    """Import `router.httpx2` and `router.testing` when somebody asks for them."""
    if name in {"httpx2", "testing"}:
        return importlib.import_module(f"router.{name}")
    raise AttributeError(f"module 'router' has no attribute {name!r}")
