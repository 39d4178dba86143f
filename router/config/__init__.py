"""Configuration: frozen settings, their JSON Schema, and the YAML loader.

Read `settings` for what can be said and `loader` for how a file becomes a Config. Importing this
package costs neither pydantic nor PyYAML: they are loaded by the first `load`, `loads` or `schema`.
"""

from __future__ import annotations

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
