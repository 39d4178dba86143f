"""The router's configuration in the bench: six regions all over the world, the first one at hand.

Rule: probes are off, so that nothing runs beside the requests; geography alone makes the first
      region the favourite.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any

__all__ = ["REGIONS", "AbsentError", "config"]

REGIONS = (
    "aws:eu-central-1",
    "aws:us-east-1",
    "aws:ap-northeast-1",
    "aws:sa-east-1",
    "aws:ap-southeast-2",
    "aws:af-south-1",
)


class AbsentError(Exception):
    """What a row needs is not there; the message says what."""


def config(urls: list[str], *, wire: str = "httpx", **sections: Any) -> Any:
    """Return a Config for these servers.

    Raises:
        AbsentError: this version has no such wire.
    """
    router: Any = import_module("router")
    known = {field.name for field in fields(router.Config)}
    if "wire" in known:
        sections["wire"] = wire
    elif wire != "httpx":
        raise AbsentError(f"the router has no wire {wire} yet")
    endpoints = tuple(
        router.Endpoint(name=f"r{number}", url=url, region=REGIONS[number])
        for number, url in enumerate(urls)
    )
    base = {
        "geo": router.GeoSettings(here=REGIONS[0]),
        "probe": router.Probe(enabled=False),
    }
    return router.Config(endpoints=endpoints, **(base | sections))
