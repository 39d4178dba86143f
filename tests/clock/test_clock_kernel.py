"""What the kernel says of its clock: how `adjtimex` is read, and that it is only read."""

from __future__ import annotations

import errno
import platform
import struct
import subprocess
import sys
import time

import pytest

from router.clock.kernel import SIZE, KernelStatus, decode, kernel_status

LINUX = sys.platform.startswith("linux") and sys.maxsize > 2**32
TIME_OK, TIME_INS, TIME_WAIT, TIME_ERROR = 0, 1, 4, 5
STA_PLL, STA_INS, STA_UNSYNC, STA_NANO = 0x0001, 0x0010, 0x0040, 0x2000


def timex(*, max_error: int, status: int) -> bytes:
    """Return the structure by the kernel's offsets (include/uapi/linux/timex.h, 64 bit)."""
    filled = bytearray(b"\xff" * SIZE)
    struct.pack_into("=q", filled, 24, max_error)
    struct.pack_into("=i", filled, 40, status)
    return bytes(filled)


@pytest.mark.parametrize(
    ("returned", "max_error", "status", "expected"),
    [
        (TIME_OK, 1500, STA_PLL, KernelStatus(True, 0.0015)),
        (TIME_OK, 1500, STA_PLL | STA_NANO, KernelStatus(True, 0.0015)),
        (TIME_INS, 20_000, STA_PLL | STA_INS, KernelStatus(True, 0.02)),
        (TIME_WAIT, 0, 0, KernelStatus(True, 0.0)),
        (TIME_ERROR, 1500, STA_PLL, KernelStatus(False, 0.0015)),
        (TIME_ERROR, 16_000_000, STA_UNSYNC, KernelStatus(False, 16.0)),
        (TIME_OK, 1500, STA_PLL | STA_UNSYNC, KernelStatus(False, 0.0015)),
        (-1, 1500, STA_PLL, None),
    ],
)
def test_the_status_is_read_from_the_return_value_and_the_structure(
    returned: int, max_error: int, status: int, expected: KernelStatus | None
) -> None:
    found = decode(returned, timex(max_error=max_error, status=status))
    assert found == (expected and pytest.approx(expected))


@pytest.mark.skipif(not LINUX, reason="64-bit Linux has adjtimex")
def test_the_kernel_of_this_host_answers_and_is_not_set() -> None:
    before = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    status = kernel_status()
    after = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    assert status is not None
    assert 0 <= status.max_error < 3600
    assert before == pytest.approx(after, abs=0.1)


ASKS_ONLY = """
import ctypes
from router.clock.kernel import SIZE, _adjtimex

seen = []

class Library:
    def __init__(self, name):
        pass

    def adjtimex(self, timex):
        seen.append(timex.raw)
        return 0

ctypes.CDLL = Library
assert _adjtimex()() == _adjtimex()() == (0, bytes(SIZE))
assert seen == [bytes(SIZE)] * 2, seen
"""

NO_LIBRARY = """
import ctypes
from router.clock.kernel import kernel_status

def none(name):
    raise OSError(name)

ctypes.CDLL = none
assert kernel_status() is None
"""

NO_SYMBOL = """
import ctypes
from router.clock.kernel import kernel_status

ctypes.CDLL = lambda name: object()
assert kernel_status() is None
"""

NO_CTYPES = """
import sys
sys.modules["ctypes"] = None
from router.clock.kernel import kernel_status
assert kernel_status() is None
"""

OTHER_SYSTEM = """
import sys
from router.clock.kernel import kernel_status
sys.platform = "freebsd14"
assert kernel_status() is None
"""

OTHER_LAYOUT = """
import sys
from router.clock.kernel import kernel_status
sys.maxsize = 2**31 - 1
assert kernel_status() is None
"""

LIGHT = """
import sys
import router
import router.clock.kernel
assert "ctypes" not in sys.modules
"""

# A seccomp filter, as containers have it: adjtimex (159) and clock_adjtime (305) fail with EPERM.
FORBIDDEN = f"""
import ctypes, struct
from router.clock.kernel import kernel_status
allow, refuse = 0x7FFF0000, 0x00050000 | {errno.EPERM}
filters = b"".join(struct.pack("HBBI", *line) for line in [
    (0x20, 0, 0, 0), (0x15, 2, 0, 159), (0x15, 1, 0, 305), (0x06, 0, 0, allow),
    (0x06, 0, 0, refuse),
])
held = ctypes.create_string_buffer(filters)
program = struct.pack("HxxxxxxP", len(filters) // 8, ctypes.addressof(held))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert kernel_status() is not None
assert prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, a filter
assert kernel_status() is None
"""


@pytest.mark.skipif(not LINUX, reason="64-bit Linux has adjtimex")
@pytest.mark.parametrize(
    "program",
    [ASKS_ONLY, NO_LIBRARY, NO_SYMBOL, NO_CTYPES, OTHER_SYSTEM, OTHER_LAYOUT, LIGHT],
    ids=[
        "every call asks with zeros only",
        "no library",
        "no symbol",
        "no ctypes",
        "another system",
        "another layout",
        "ctypes is not loaded before it is used",
    ],
)
def test_what_cannot_be_asked_is_no_error_and_nothing_is_set(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@pytest.mark.skipif(not LINUX or platform.machine() != "x86_64", reason="the numbers are x86-64's")
def test_a_sandbox_that_forbids_the_call_is_no_error() -> None:
    subprocess.run([sys.executable, "-c", FORBIDDEN], check=True, timeout=30)
