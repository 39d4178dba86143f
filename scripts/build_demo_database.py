"""Build data/demo.mmdb, a location database with GeoLite2-City's schema and none of its data.

Rule: the same table gives the same bytes. The build time is fixed and the rows go in sorted, so a
      rebuilt file differs only when data/demo_networks.csv does, and a test can compare the two.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPNetwork, IPSet

__all__ = ["build", "main"]

DATA = Path(__file__).resolve().parent.parent / "data"
BUILT = 1_767_225_600  # 2026-01-01T00:00:00Z


class FixedTimeWriter(MMDBWriter):  # type: ignore[misc, unused-ignore]  # it may ship no types
    """The writer, with a build time that does not depend on today."""

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": BUILT}


def build(networks: Path, database: Path) -> int:
    """Write the rows of the CSV file `networks` to `database`; return how many there are."""
    writer = FixedTimeWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type="Demo-City",
        languages=["en"],
        description="Demonstration networks of region-router; not GeoLite2",
    )
    with networks.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: IPNetwork(row["network"]))
    for row in rows:
        writer.insert_network(IPSet([row["network"]]), _record(row))
    writer.to_db_file(str(database))
    return len(rows)


def _record(row: dict[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "country": {"iso_code": row["country"]},
        "location": {
            "latitude": float(row["latitude"]),
            "longitude": float(row["longitude"]),
            "accuracy_radius": int(row["accuracy_km"]),
        },
    }
    if row["city"]:
        record["city"] = {"names": {"en": row["city"]}}
    return record


def main() -> None:
    """Build the demo database, by default in its place in the checkout."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("database", nargs="?", type=Path, default=DATA / "demo.mmdb")
    arguments = parser.parse_args()
    rows = build(DATA / "demo_networks.csv", arguments.database)
    print(f"{arguments.database}: {rows} networks")


if __name__ == "__main__":
    main()
