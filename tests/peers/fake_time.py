"""A host whose clocks are moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.clock.host import Host

if TYPE_CHECKING:
    from router.clock.kernel import KernelStatus

__all__ = ["FakeTime"]

NS = 10**9


class FakeTime:
    """A host that has been up for 1000 s at 2027-01-15T08:00:00Z; all clocks in seconds.

    Attributes:
        kernel: what the kernel says of the wall clock; None: it does not tell.
    """

    def __init__(self) -> None:
        self.boot = 1000.0
        self.wall = 1_800_000_000.0
        self.monotonic = 1000.0
        self.raw = 1000.0
        self.kernel: KernelStatus | None = None

    def pass_by(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds
        self.monotonic += seconds
        self.raw += seconds

    def sleep(self, seconds: float) -> None:
        """Let the laptop sleep."""
        self.boot += seconds
        self.wall += seconds

    def slew(self, seconds: float) -> None:
        """Let a daemon turn the clocks ahead without a step."""
        self.boot += seconds
        self.wall += seconds
        self.monotonic += seconds

    def host(self) -> Host:
        return Host(
            boot_ns=lambda: round(self.boot * NS),
            wall_ns=lambda: round(self.wall * NS),
            monotonic_ns=lambda: round(self.monotonic * NS),
            raw_ns=lambda: round(self.raw * NS),
            kernel=lambda: self.kernel,
        )
