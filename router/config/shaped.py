"""What an endpoint may not set of its requests, because another section makes it.

Rule: two makers of one header or parameter would each undo the other's work, so that a file in
      which both stand is refused; the sentence names the section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.settings import Config
    from router.endpoint import Endpoint

__all__ = ["shaping_problems"]

OF_SIGV4 = ("x-amz-date", "x-amz-content-sha256", "x-amz-security-token")


def shaping_problems(config: Config) -> Iterator[str]:
    """Yield what endpoints set or remove that is made for each attempt, with its place."""
    if not any(e.headers or e.query or e.remove for e in config.endpoints):
        return
    headers = {name.lower(): maker for maker, name in _headers(config) if name}
    parameters = {name: maker for maker, name in _parameters(config) if name}
    for index, endpoint in enumerate(config.endpoints):
        for key, name, maker in _conflicts(endpoint, headers, parameters):
            yield (
                f"endpoints.{index}.{key}: {name} is made for each attempt, by {maker}: "
                "leave it out here"
            )


def _headers(config: Config) -> Iterator[tuple[str, str | None]]:
    failover, sign = config.failover, config.sign
    yield "failover.deadline_header", failover.deadline_header
    yield "failover.precondition.request_id", failover.precondition.request_id
    if config.clock is not None:
        yield "clock.header", config.clock.header
    if sign is None:
        return
    if sign.api_key is not None:
        yield "sign.api_key", sign.api_key.header
    if sign.hmac is not None:
        yield "sign.hmac", sign.hmac.header
        yield "sign.hmac", sign.hmac.timestamp_header
    if sign.sigv4 is not None:
        yield from (("sign.sigv4", name) for name in OF_SIGV4)


def _parameters(config: Config) -> Iterator[tuple[str, str | None]]:
    if config.sign is not None and config.sign.hmac is not None:
        yield "sign.hmac", config.sign.hmac.parameter
        yield "sign.hmac", config.sign.hmac.timestamp_parameter


def _conflicts(
    endpoint: Endpoint, headers: dict[str, str], parameters: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the key of an endpoint, what stands there, and who makes it."""
    for key, names in (
        ("headers", [name for name, _ in endpoint.headers]),
        ("remove", endpoint.remove.headers),
    ):
        yield from ((key, n, headers[n.lower()]) for n in names if n.lower() in headers)
    for key, names in (
        ("query", [name for name, _ in endpoint.query]),
        ("remove", endpoint.remove.query),
    ):
        yield from ((key, n, parameters[n]) for n in names if n in parameters)
