"""Where the package's own data files lie.

Rule: the wheel's copy is tried first, then the checkout's `data/`; nothing else knows the layout.
"""

from __future__ import annotations

from pathlib import Path

from router.errors import GeoError

__all__ = ["data_file"]

PACKAGE = Path(__file__).resolve().parent.parent
PLACES = (PACKAGE / "_data", PACKAGE.parent / "data")


def data_file(name: str) -> Path:
    """Return the path of a data file that the package brings along.

    Raises:
        GeoError: the installation lacks it.
    """
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    raise GeoError(f"the package's own file {name} is missing: install region-router again")
