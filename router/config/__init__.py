"""Configuration: frozen settings, their JSON Schema, and the YAML loader.

Read `settings` for what can be said and `loader` for how a file becomes a Config. Importing this
package imports neither: a Config made in code needs no loader, and only `load`, `loads` and
`schema` load pydantic and PyYAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.lazy import by_name

if TYPE_CHECKING:
    from router.config.json_schema import schema
    from router.config.loader import load, loads
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
        ShareSettings,
        SignSettings,
        TlsSettings,
        TokenSettings,
    )

__all__ = [
    "Allow",
    "Backoff",
    "ClockSettings",
    "Config",
    "Failover",
    "GeoSettings",
    "Hedge",
    "Limits",
    "Precondition",
    "Probe",
    "ShareSettings",
    "SignSettings",
    "TlsSettings",
    "TokenSettings",
    "load",
    "loads",
    "schema",
]

HOMES = {
    "router.config.json_schema": "schema",
    "router.config.loader": "load loads",
    "router.config.settings": (
        "Allow Backoff ClockSettings Config Failover GeoSettings Hedge Limits Precondition Probe "
        "ShareSettings SignSettings TlsSettings TokenSettings"
    ),
}

if not TYPE_CHECKING:  # so that a type checker knows a wrong name
    __getattr__ = by_name(__name__, HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
