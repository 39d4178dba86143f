"""One reach's token, the flight that fetches the next one, and what was refused.

Rule: a shelf holds state and answers questions about it; the manager changes it, under its lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from router.auth.flight import Flight
    from router.auth.servers import Backoff
    from router.endpoint import Reach
    from router.secret import Secret

__all__ = ["OWN", "Shelf", "Token", "refresh_lead"]

OWN: Reach = (None, None)
"""The reach of the settings themselves."""
LEAD_JITTER = 0.25
STATIC_LOOK = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token; times are monotonic seconds, and two tokens are equal only if the same."""

    value: Secret
    expires: float
    refresh_at: float = float("inf")
    kind: str = "Bearer"
    reach: Reach = OWN
    pair: tuple[bytes, bytes] = field(init=False, repr=False)
    """The Authorization header as it is sent, in clear text."""

    def __post_init__(self) -> None:
        value = f"{self.kind} {self.value.reveal()}"
        object.__setattr__(self, "pair", (b"Authorization", value.encode("ascii")))

    def usable(self, now: float) -> bool:
        """Whether it may still be sent."""
        return now < self.expires

    @property
    def is_static(self) -> bool:
        """Whether it is a key that never ends by itself."""
        return self.expires == float("inf")


@dataclass(slots=True, eq=False)
class Shelf:
    """What is known of one audience and scope.

    Attributes:
        backoff: how long its own refusals (an unknown scope) keep it from being asked for.
        token: the one in use, usable or not.
        rejected: the last one that an endpoint answered with 401.
        reject_at: before this instant no further rejection is believed.
    """

    reach: Reach
    backoff: Backoff
    token: Token | None = None
    flight: Flight | None = None
    rejected: Token | None = None
    reject_at: float = float("-inf")

    def usable(self, now: float) -> Token | None:
        """Return the token if it may be sent."""
        return self.token if self.token is not None and self.token.usable(now) else None

    def replaces(self) -> Secret | None:
        """Return the token's text that the next one has to differ from."""
        old = self.token or self.rejected
        return None if old is None else old.value

    def describe(self, now: float) -> dict[str, Any]:
        """Return its state as plain data, without the token; times are seconds from now."""
        token = self.usable(now)
        audience, scope = self.reach
        endless = token is not None and token.is_static
        return {
            "audience": audience,
            "scope": scope,
            "kind": None if token is None else ("static key" if endless else token.kind),
            "expires_in_s": None if token is None or endless else token.expires - now,
            "renewed_in_s": None if token is None else max(0.0, token.refresh_at - now),
            "under_way": self.flight is not None,
            "failure": self.backoff.failure or None,
        }


def refresh_lead(lifetime: float, refresh_before: float, chance: Random) -> float:
    """Return by how many seconds before its expiry a token is renewed.

    Hosts that started together do not come back together: up to a quarter is added. A static key is
    looked at again every minute, which its caller counts from the present.
    """
    if lifetime == float("inf"):
        return STATIC_LOOK * chance.uniform(1 - LEAD_JITTER, 1)
    return min(refresh_before, lifetime / 2) * chance.uniform(1, 1 + LEAD_JITTER)
