"""The time in words: how long, how wrong this machine's clock is, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.cli.span import span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.cli.finding import Finding
    from router.clock.report import SourceReport

__all__ = ["advice", "stamped", "summary"]

DEGRADED = {
    "kernel": "served by this machine's own daemon",
    "http": "served by the Dates of answers",
}
REMEDIES = {  # a part of the reason why a server brought nothing, and what helps against that
    "DENY": "other servers, as they refuse this machine",
    "RSTR": "other servers, as they refuse this machine",
    "RATE": "patience, as servers were asked too often",
    "resolved": "DNS that works, or servers by their addresses",
    "refused": "the right address and port, as nothing listens there",
    "no valid reply": "a firewall that lets UDP packets out to port 123",
}
ELSE = "servers that can be reached, in clock.servers or by --server"


def summary(finding: Finding) -> str:
    """Say how wrong this machine's clock is."""
    rung = finding.serving
    if rung.wall_error is None or rung.bound is None:
        ntp = finding.rungs[0].reason
        return f"Nobody can tell how wrong this machine's clock is: {ntp}."
    if abs(rung.wall_error) <= rung.bound:
        state = f"right to within {span(abs(rung.wall_error) + rung.bound)}"
    else:
        side = "fast" if rung.wall_error > 0 else "slow"
        state = f"{span(rung.wall_error)} {side} (± {span(rung.bound)})"
    return f"This machine's clock is {state}, {_witness(finding)}."


def _witness(finding: Finding) -> str:
    rung = finding.serving.rung
    if rung == "kernel":
        return "as its kernel says"
    if rung == "http":
        return f"as {finding.serving.reason}"
    if finding.stamp.status == "holdover" or not finding.used:
        return "by what a majority of the NTP servers said earlier"
    return (
        f"by {finding.used} of {len(finding.servers)} NTP server{'s' * (len(finding.servers) > 1)}"
    )


def stamped(finding: Finding) -> str:
    """Say what that means for stamps."""
    if finding.bound is None:
        return "The router's stamps are this machine's own time: nobody knows how wrong they are."
    if finding.sure:
        state = _status(finding)
        return f"The router's stamps are right to within {span(finding.bound)} ({state})."
    return (
        f"The router's stamps may be wrong by {span(finding.bound)}, "
        f"which is more than max_error, {span(finding.max_error)}."
    )


def _status(finding: Finding) -> str:
    status = finding.stamp.status
    if status == "degraded":
        why = DEGRADED.get(finding.stamp.source, "fewer than four NTP servers agree")
        return f"degraded: {why}"
    return f"{status}: the last round brought no majority" if status == "holdover" else status


def advice(finding: Finding) -> str:
    """Say what to do about stamps that are not sure enough; empty if they are."""
    if finding.sure:
        return ""
    return f"What helps: {_help(finding)}."


def _help(finding: Finding) -> str:
    if not finding.servers:
        return "NTP servers, in clock.servers or by --server"
    if all(server.offset is None for server in finding.servers):
        return "; ".join(_remedies(finding.servers))
    if finding.rungs[0].bound is None:
        return "more servers that answer, of different operators: most of them have to agree"
    return "servers that are nearer, or some patience until they agree again"


def _remedies(servers: Iterable[SourceReport]) -> list[str]:
    """Return what helps against each cause that there is, once."""
    reasons = "\n".join(server.reason for server in servers)
    return list(dict.fromkeys(REMEDIES[part] for part in REMEDIES if part in reasons)) or [ELSE]
