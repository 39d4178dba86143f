"""The rungs of the ladder as `router clock` shows them: what each claims, or why it claims nothing.

Rule: every rung has its row, so that a person sees what would serve next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.cli.span import span
from router.clock.select import meet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.cli.endpoint_clocks import EndpointClock
    from router.clock.host import Hands
    from router.clock.kernel import KernelStatus
    from router.clock.ladder import Claim
    from router.clock.reading import Rung
    from router.clock.report import SourceReport

__all__ = ["RungRow", "rung_rows"]


@dataclass(frozen=True, slots=True)
class RungRow:
    """What one rung says; seconds, and None where it says nothing.

    Attributes:
        rung: ntp, kernel, http or wall.
        serves: whether stamps follow it.
        reason: what it rests on, or why it claims nothing.
        wall_error: how far this machine's wall clock is ahead by it.
        bound: how far that may be wrong.
    """

    rung: Rung
    serves: bool
    reason: str
    wall_error: float | None = None
    bound: float | None = None


def rung_rows(
    claims: Iterable[Claim],
    hands: Hands,
    *,
    serving: Rung,
    servers: Sequence[SourceReport],
    kernel: KernelStatus | None,
    endpoints: Sequence[EndpointClock] | None,
) -> tuple[RungRow, ...]:
    """Return a row for each rung, best first.

    Args:
        claims: those that there are.
        hands: the host's clocks.
        serving: the rung that stamps follow.
        servers: the NTP servers after the last round.
        kernel: what the kernel says of the wall clock.
        endpoints: what was heard of their clocks; None if they were not asked.
    """
    known = {claim.source: claim for claim in claims}
    reasons: dict[Rung, str] = {
        "ntp": _ntp(known.get("ntp"), servers),
        "kernel": _kernel(kernel),
        "http": _http(known.get("http"), endpoints, hands.boot),
        "wall": "the last resort: nobody vouches for it",
    }
    return tuple(
        _row(rung, known.get(rung), hands, serves=rung == serving, reason=reason)
        for rung, reason in reasons.items()
    )


def _row(rung: Rung, claim: Claim | None, hands: Hands, *, serves: bool, reason: str) -> RungRow:
    if claim is None:
        return RungRow(rung, serves, reason)
    error = hands.wall - hands.boot - claim.theta
    return RungRow(rung, serves, reason, error, claim.bound_at(hands.boot))


def _ntp(claim: Claim | None, servers: Sequence[SourceReport]) -> str:
    if not servers:
        return "no servers are configured"
    if claim is not None and claim.status == "holdover":
        return "what a majority said earlier: the last round brought none"
    if claim is not None:
        used = sum(server.verdict == "used" for server in servers)
        return f"{used} of {_count(servers, 'server')} agree{'s' * (len(servers) == 1)}"
    if all(server.offset is None for server in servers):
        return "no server gave a usable answer"
    return f"no majority of the {_count(servers, 'server')} agrees"


def _kernel(status: KernelStatus | None) -> str:
    if status is None:
        return "the system does not tell"
    if not status.synchronised:
        return "not synchronised: no daemon keeps it right"
    return f"synchronised, to within {span(status.max_error)} by its own account"


def _http(claim: Claim | None, endpoints: Sequence[EndpointClock] | None, now: float) -> str:
    if endpoints is None:
        return "no endpoints were asked"
    dated = [endpoint.theta for endpoint in endpoints if endpoint.theta]
    if claim is not None:
        agree = sum(meet(theta, claim.interval(now)) for theta in dated)
        return f"the Dates of {agree} of {_count(dated, 'endpoint')} agree"
    return "the endpoints' Dates contradict each other" if dated else "no answers with a Date"


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"
