"""What the figures were measured on, in a line: no name of a host, no path."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from speedlab.cores import cores

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["busy", "machine"]


def machine(versions: Mapping[str, str]) -> str:
    """Return the processor, its cores, Python and the versions of what took part."""
    count = len(cores()) or os.cpu_count() or 1
    python = f"{platform.python_implementation()} {platform.python_version()}"
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    words = f"{_model()}, {count} core{'s' * (count > 1)}, {platform.system()}, {python}"
    return f"{words}; {libraries}" if libraries else words


def _model() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(": ")[2]
    return platform.processor() or platform.machine()


def busy() -> str:
    """Return how busy the machine is, with what that means for the figures."""
    load, count = os.getloadavg()[0], os.cpu_count() or 1
    words = f"load {load:.1f} on {count} cores"
    return f"{words}: others are at work, only ratios count" if load > count else words
