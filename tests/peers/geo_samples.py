"""Databases for the tests: the demo file, and small ones written on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHECKOUT", "DEMO", "write_database"]

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = CHECKOUT / "data" / "demo.mmdb"


def write_database(
    path: Path, kind: str, records: Mapping[str, Any], *, ip_version: int = 6
) -> Path:
    """Write a database of this type with one record a network; return its path."""
    writer = MMDBWriter(
        ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type=kind, languages=["en"]
    )
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
