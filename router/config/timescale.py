"""Which NTP servers smear a leap second, and in which way.

Rule 1: the servers asked together show a leap second alike: as a step, or spread over the same
        hours. Near a leap second two kinds differ by half a second and more, and neither lies.
Rule 2: only what its operator has said stands in the table. An unknown server is taken for plain
        UTC, unless the settings say otherwise.
Rule 3: what is known of a server is stronger than what the settings say of all.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Literal

from router.hosts import is_address, parse_server

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Timescale", "kind_of", "mixture"]

Timescale = Literal["auto", "utc", "smeared"]
Kind = Literal["utc", "24 hours", "17 hours"]

# Google: 24 hours, from noon to noon, around the leap second. AWS does the same.
# Meta: about 17 hours that begin with it. The others announce it by the leap bits, and step.
KNOWN: dict[str, Kind] = {
    "time.google.com": "24 hours",
    **{f"time{n}.google.com": "24 hours" for n in range(1, 5)},
    "time.android.com": "24 hours",
    "metadata.google.internal": "24 hours",
    "216.239.35.0": "24 hours",
    "216.239.35.4": "24 hours",
    "216.239.35.8": "24 hours",
    "216.239.35.12": "24 hours",
    "time.aws.com": "24 hours",
    "169.254.169.123": "24 hours",
    "fd00:ec2::123": "24 hours",
    "time.facebook.com": "17 hours",
    **{f"time{n}.facebook.com": "17 hours" for n in range(1, 6)},
    "time.cloudflare.com": "utc",
    "162.159.200.1": "utc",
    "162.159.200.123": "utc",
    "ntp.se": "utc",
}
ZONES: dict[str, Kind] = {
    ".netnod.se": "utc",
    ".nist.gov": "utc",
    ".pool.ntp.org": "utc",  # a condition of joining the pool
    ".ptb.de": "utc",
}


def mixture(servers: Iterable[str], timescale: Timescale) -> str | None:
    """Return what is wrong with asking these servers together, or None.

    Args:
        servers: each `host` or `host:port`.
        timescale: what the settings say of the servers that are not known here.
    """
    smeared: dict[Kind | None, list[str]] = {}
    for server in servers:
        smeared.setdefault(kind_of(server), []).append(server)
    plain, unknown = smeared.pop("utc", []), smeared.pop(None, [])
    if timescale == "smeared" and plain:
        return (
            f"{_listed(plain)} {_verb(plain, 'shows', 'show')} a leap second as a step, and "
            "timescale is smeared: leave these out, or set timescale to utc"
        )
    if timescale == "utc" and smeared:
        return (
            f"{_smears(smeared)}, and timescale is utc: leave these out, "
            "or ask smeared servers alone and set timescale to smeared"
        )
    if len(smeared) > 1:
        return f"{_smears(smeared)}: near a leap second they differ, so keep to one of these groups"
    if timescale == "auto" and smeared and (others := [*plain, *unknown]):
        return f"{_smears(smeared)}, {_doubt(plain, others)}"
    return None


def kind_of(server: str) -> Kind | None:
    """Return how a server shows a leap second, or None if it is not known."""
    host = parse_server(server)[0].lower().removesuffix(".")
    if is_address(host):
        host = str(ipaddress.ip_address(host))
    if host in KNOWN:
        return KNOWN[host]
    zones = (kind for zone, kind in ZONES.items() if f".{host}".endswith(zone))
    return next(zones, None)


def _smears(smeared: dict[Kind | None, list[str]]) -> str:
    """Say which servers smear, and over how long."""
    groups = (
        f"{_listed(names)} {_verb(names, 'spreads', 'spread')} a leap second over {kind}"
        for kind, names in smeared.items()
    )
    return "; ".join(groups)


def _doubt(plain: list[str], others: list[str]) -> str:
    """Say why `others` do not go with smeared servers, and what to write."""
    if plain:
        return (
            f"and {_listed(plain)} {_verb(plain, 'does', 'do')} not: near a leap second they "
            "differ by half a second, so ask servers of one kind"
        )
    return (
        f"and {_listed(others)} may not: ask servers of one kind, or, "
        f"if {_verb(others, 'it does', 'they do')} as well, set timescale to smeared"
    )


def _verb(names: list[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
