"""`router clock`: how wrong this machine's clock is, who says so, and what stamps are worth."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.progress import SpinnerColumn

from router.cli.arguments import as_json, duration, optional_file_argument, read, routing, shown
from router.cli.clock_table import drawn
from router.cli.finding import Finding
from router.cli.inquiry import Inquiry
from router.cli.rounds import progressing
from router.cli.table import console, write
from router.cli.watching import View, keep_showing, watchable
from router.config.settings import ClockSettings
from router.hosts import parse_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.config import Config

__all__ = ["clock"]

LEAST_EVERY = 16.0


def server(text: str) -> str:
    """Return an NTP server's name and port as they are, if that is what they are."""
    try:
        parse_server(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None
    return text


@click.command(
    short_help="Tell how wrong this machine's clock is.",
    epilog="Example: router clock --server time.cloudflare.com --server ntp.se",
)
@optional_file_argument
@click.option(
    "--server",
    "servers",
    type=server,
    multiple=True,
    metavar="HOST[:PORT]",
    help="Ask this NTP server instead of the file's; may be repeated.",
)
@click.option("--timeout", type=duration, default="1s", show_default=True, help="For one server.")
@click.option("--no-probe", is_flag=True, help="Do not probe the endpoints of FILE.")
@as_json
@watchable(
    "Ask",
    every="64s",
    note="Public servers are free for all, and cut off who asks too often: not under 16s for them.",
)
def clock(
    *,
    file: str | None,
    servers: tuple[str, ...],
    timeout: float,
    no_probe: bool,
    as_json: bool,
    watch: bool,
    every: float,
    rounds: int | None,
) -> None:
    """Ask NTP servers for the time, and tell how wrong this machine's clock is.

    Servers and max_error are those of FILE's clock: section; - is standard input. The endpoints of
    FILE are probed, without credentials, for what their Date headers tell. Nothing is set. The exit
    code is 1 if the time is not known to within max_error.
    """
    settings, config = _settings(file, servers)
    if watch:
        _refuse_haste(settings.servers, every)
    if not servers and (config is None or config.clock is None):
        where = "no FILE" if file is None else f"no clock: section in {shown(file)}"
        click.echo(f"{where}: asking the default servers", err=True)
    with _inquiry(settings, None if no_probe else config, file or "", timeout) as inquiry, _quiet():
        if watch:
            view = View(lambda: asyncio.run(inquiry.ask()), Finding.as_json, drawn, "Asking …")
            keep_showing(view, every, most=rounds, as_json=as_json)
        else:
            _once(inquiry, as_json=as_json)


# -- what to ask


def _settings(file: str | None, servers: tuple[str, ...]) -> tuple[ClockSettings, Config | None]:
    """Return what the file and the options say together, and the file's configuration as it is."""
    config = None if file is None else read(file)
    settings = (config and config.clock) or ClockSettings()
    return (replace(settings, servers=servers) if servers else settings), config


@contextlib.contextmanager
def _inquiry(
    settings: ClockSettings, config: Config | None, file: str, timeout: float
) -> Iterator[Inquiry]:
    if config is None:
        yield Inquiry(settings, timeout=timeout)
        return
    with routing(file, replace(config, clock=settings)) as router:
        yield Inquiry(settings, router, timeout=timeout)


def _refuse_haste(servers: Iterable[str], every: float) -> None:
    """Raise a usage error where servers of others would be asked too often."""
    public = next((server for server in servers if not _is_private(server)), None)
    if public is not None and every < LEAST_EVERY:
        raise click.BadParameter(
            f"{public} may be a public server: leave at least {LEAST_EVERY:g}s between two rounds.",
            param_hint="--every",
        )


def _is_private(server: str) -> bool:
    host, _ = parse_server(server)
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the clock's own log off stderr: the tables say the same."""
    log = logging.getLogger("router.clock")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


# -- how to tell


def _once(inquiry: Inquiry, *, as_json: bool) -> None:
    with progressing(SpinnerColumn()) as progress:
        progress.add_task("Asking for the time", total=None)
        finding = asyncio.run(inquiry.ask())
    if as_json:
        click.echo(json.dumps(finding.as_json(), indent=2))
    else:
        screen = console()
        write(screen, drawn(screen, finding))
    if not finding.sure:
        click.get_current_context().exit(1)
