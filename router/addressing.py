"""Which URLs the router serves, and what part of them belongs to the request.

Rule 1: a request is served if it is addressed to an endpoint's own origin, to one of `hosts`, or to
        `BASE_URL`; anything else is refused before a byte leaves, since it would carry credentials
        to a place that the configuration does not name.
Rule 2: an endpoint's base path is taken off a request's path and the chosen endpoint's is put in
        front. At BASE_URL and `hosts` a path without base path is as good: both `/v1/messages` and
        `/messages` reach `https://eu.example/v1/messages`. At an endpoint's own origin a path
        outside its base path is refused, since it names something that is not served.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from router.endpoint import DEFAULT_PORTS
from router.errors import UnknownHostError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.endpoint import Endpoint

__all__ = ["BASE_URL", "Addresses"]

MAY_LEAVE = re.compile(rb"\.\.|%2e", re.IGNORECASE)
SEPARATORS = re.compile(rb"[/\\]")
AFTER_A_BASE = frozenset({b"", b"/", b"?"})
MOST_KNOWN = 1000
BASE_HOST = "router.invalid"  # RFC 2606: never resolves, so a request that strays goes nowhere
BASE_URL = f"https://{BASE_HOST}"


class Addresses:
    """The served URLs of one configuration."""

    __slots__ = ("_all_bases", "_by_origin", "_hosts", "_known")

    def __init__(self, endpoints: Iterable[Endpoint], hosts: Iterable[str]) -> None:
        self._hosts = frozenset(map(_canonical, hosts)) | {BASE_HOST}
        by_origin: dict[tuple[str, str, int], set[bytes]] = {}
        for endpoint in endpoints:
            origin = endpoint.origin
            base = origin.base_path.encode("ascii")
            by_origin.setdefault((origin.scheme, origin.host, origin.port), set()).add(base)
        self._by_origin = {key: _longest_first(bases) for key, bases in by_origin.items()}
        self._all_bases = _longest_first(set().union(*by_origin.values()))
        self._known: dict[tuple[str, str, int | None], tuple[bytes, ...]] = {}

    def relative(self, scheme: str, host: str, port: int | None, target: bytes) -> bytes:
        """Return what of `target` (path and query) comes behind a base path.

        Raises:
            UnknownHostError: the URL is not served; the message says what to change.
        """
        asked = scheme, host, port
        bases = self._known.get(asked)  # of those that were served before
        if bases is not None and b".." not in target and b"%" not in target:
            rest = _strip(target, bases)
            if rest is not None:
                return rest
        rest, bases = self._relative(scheme, host, port, target)
        if len(self._known) < MOST_KNOWN:
            self._known[asked] = bases
        return rest

    def _relative(
        self, scheme: str, host: str, port: int | None, target: bytes
    ) -> tuple[bytes, tuple[bytes, ...]]:
        host = _canonical(host)
        if MAY_LEAVE.search(target) and _leaves(target):
            raise UnknownHostError(
                "the path has a .. segment, which could leave what is served: write it out"
            )
        number = port or DEFAULT_PORTS.get(scheme, 0)
        bases = self._by_origin.get((scheme, host, number))
        if bases is not None:
            rest = _strip(target, bases)
            if rest is None:
                served = b", ".join(bases).decode("ascii")
                raise UnknownHostError(
                    f"{host} is served below {served} only: address the request there, "
                    f"or to {BASE_URL}"
                )
            return rest, bases
        if host in self._hosts and scheme in DEFAULT_PORTS:
            rest = _strip(target, self._all_bases)
            return target if rest is None else rest, self._all_bases
        raise UnknownHostError(self._unknown(scheme, host, number))

    def _unknown(self, scheme: str, host: str, port: int) -> str:
        if not host:
            return f"the URL is relative: give your client base_url={BASE_URL!r}"
        ways = f"use a relative URL or base_url={BASE_URL!r}"
        served = sorted((s, p) for s, known, p in self._by_origin if known == host)
        if served:
            names = ", ".join(f"{s} on port {p}" for s, p in served)
            return f"{host} is served by {names}, not by {scheme} on port {port}: {ways}"
        return f"no endpoint has the host {host}: {ways}, or add it to hosts: in the configuration"


def _leaves(target: bytes) -> bool:
    """Return whether a segment of the path is `..`, however it is written."""
    return b".." in SEPARATORS.split(unquote_to_bytes(target.partition(b"?")[0]))


def _canonical(host: str) -> str:
    """Return a host as Origin writes it: a name in ASCII, an IPv6 address compressed."""
    if host.isascii() and ":" not in host:
        return host
    try:
        literal = ":" in host
        return ipaddress.ip_address(host).compressed if literal else host.encode("idna").decode()
    except ValueError:
        return host  # no endpoint's then


def _longest_first(bases: set[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(bases, key=lambda base: (-len(base), base)))


def _strip(target: bytes, bases: tuple[bytes, ...]) -> bytes | None:
    for base in bases:
        if target.startswith(base) and target[len(base) : len(base) + 1] in AFTER_A_BASE:
            return target[len(base) :]
    return None
