"""Host names and ports as people write them in settings."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["is_address", "parse_host", "parse_server"]

NTP_PORT = 123
HIGHEST_PORT = 65535
SERVER = re.compile(r"(?:\[(?P<ip6>[^\[\]]+)\]|(?P<host>[^\s:\[\]/@]+))(?::(?P<port>\d{1,5}))?")
HOST = re.compile(r"[^\s:/?#@*\[\]]+")


def parse_server(text: str) -> tuple[str, int]:
    """Return host and port of `host`, `host:port`, `[::1]:123` or `::1`.

    Raises:
        ValueError: it is none of these.
    """
    readable = text.isprintable()  # a terminal's escape or a change of direction would mislead
    if readable and is_ip6(text):
        return text, NTP_PORT
    match = SERVER.fullmatch(text) if readable else None
    port = int(match["port"] or NTP_PORT) if match else 0
    if match and 1 <= port <= HIGHEST_PORT and (match["host"] or is_ip6(match["ip6"])):
        return match["host"] or match["ip6"], port
    raise ValueError(
        "an NTP server is a host such as time.cloudflare.com, with a port if it is not 123, "
        "such as ntp.example.net:1123 or [::1]:123"
    )


def parse_host(text: str) -> str:
    """Return a host name alone, in lower case.

    Raises:
        ValueError: it is a URL, has a port or is a pattern.
    """
    if is_ip6(text) or HOST.fullmatch(text):
        return text.lower()
    raise ValueError("write host names alone, such as api.example.com, without scheme or port")


def is_address(text: str) -> bool:
    """Return whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_ip6(text: str) -> bool:
    """Return whether the text is an IPv6 address."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
