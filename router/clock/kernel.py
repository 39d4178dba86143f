"""What the kernel says of its own clock: Linux `adjtimex`, read and never set.

Rule 1: `modes` is always 0, which asks. Nothing else in the structure is ever written by us.
Rule 2: a kernel that does not tell is no error: another system, a sandbox that forbids the call,
        a C library without it, all come out as None.
Rule 3: only the 64-bit layout is read, and the buffer is more than twice as large as it, so that a
        longer structure of a later kernel stays inside.
"""

from __future__ import annotations

import functools
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KernelStatus", "kernel_status", "load"]

SIZE = 512
HEAD = struct.Struct("@I4li")  # modes, offset, freq, maxerror, esterror, status
STA_UNSYNC = 0x40
TIME_ERROR = 5
MICROSECOND = 1e-6  # of maxerror, whatever STA_NANO says of other fields


class KernelStatus(NamedTuple):
    """Whether a daemon keeps the wall clock right, and by how many seconds it may be off."""

    synchronised: bool
    max_error: float


def load() -> None:
    """Import ctypes, which takes milliseconds, before a request wants the time."""
    _adjtimex()


def kernel_status() -> KernelStatus | None:
    """Return the kernel's status, or None where the system does not tell."""
    ask = _adjtimex()
    if ask is None:
        return None
    returned, timex = ask()
    return decode(returned, timex)


def decode(returned: int, timex: bytes) -> KernelStatus | None:
    """Return what `adjtimex` means by its return value and the structure that it filled."""
    if returned < 0:
        return None
    _, _, _, max_error, _, status = HEAD.unpack_from(timex)
    synchronised = returned != TIME_ERROR and not status & STA_UNSYNC
    return KernelStatus(synchronised, max_error * MICROSECOND)


@functools.cache
def _adjtimex() -> Callable[[], tuple[int, bytes]] | None:
    """Return what asks the kernel once, or None where it cannot be asked."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    try:
        import ctypes  # noqa: PLC0415 - loaded when used

        adjtimex = ctypes.CDLL(None).adjtimex
    except (ImportError, OSError, AttributeError):
        return None

    def ask() -> tuple[int, bytes]:
        timex = ctypes.create_string_buffer(SIZE)  # zeros: modes asks for nothing to be set
        return adjtimex(timex), timex.raw

    return ask
