"""`router check`: everything that is wrong with a configuration, before it is used.

Rule: what would make the start or a request fail is an error; what costs quality is a warning. The
      library itself warns where it goes on without something, such as a location database.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import click

from router.cli.arguments import assembled, file_argument, in_file, read, shown
from router.endpoint import parse_origin
from router.errors import ConfigError
from router.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.config import Config
    from router.config.settings import TokenSettings

__all__ = ["check"]


@click.command(
    short_help="Tell all that is wrong with a configuration.",
    epilog="Example: router check routes.yaml",
)
@file_argument
def check(*, file: str) -> None:
    """Print each problem of FILE as file:line:column: key: what to do; - is standard input.

    Nothing is sent. The exit code is 1 if there are errors; warnings do not change it.
    """
    config = read(file)
    problems = [*_problems(lambda: assembled(config).close()), *_problems(TlsContext(config.tls))]
    if problems:
        raise in_file(file, problems)
    for warning in _warnings(config):
        click.echo(f"warning: {warning}", err=True)
    count = len(config.endpoints)
    click.echo(f"{shown(file)}: {count} endpoint{'s' * (count > 1)}, no errors")


def _problems(attempt: Callable[[], object]) -> tuple[str, ...]:
    try:
        attempt()
    except ConfigError as error:
        return error.problems
    return ()


def _warnings(config: Config) -> Iterator[str]:
    yield from _unfilled(config)
    proof = "token"
    if config.token is not None:
        yield from _token_warnings(config.token)
    elif config.sign is not None and config.sign.api_key is not None:
        proof = "key"
    else:
        return
    for index, endpoint in enumerate(config.endpoints):
        if _in_clear(endpoint.url):
            yield f"endpoints.{index}.url: the {proof} would travel unencrypted: use https"


def _unfilled(config: Config) -> Iterator[str]:
    """Yield the endpoints that lack a variable of others: a path may name it on the way there."""
    known = sorted({name for endpoint in config.endpoints for name, _ in endpoint.variables})
    for index, endpoint in enumerate(config.endpoints):
        lacking = [name for name in known if name not in endpoint.values]
        if not endpoint.variables:
            lacking = known
        if lacking:
            yield (
                f"endpoints.{index}.variables: without {', '.join(lacking)}, which others have: "
                "a path that names it is sent as it stands"
            )


def _token_warnings(token: TokenSettings) -> Iterator[str]:
    if token.urls and token.client_secret is None and token.auth != "private_key_jwt":
        yield "token.client_secret: none is set, so the server has to take this for a public client"
    if any(_in_clear(url) for url in token.urls):
        yield "token.url: the client's secret would travel unencrypted: use https"


def _in_clear(url: str) -> bool:
    """Return whether what is sent there crosses a network unencrypted."""
    origin = parse_origin(url.partition("?")[0])
    return origin.scheme == "http" and not _is_loopback(origin.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
