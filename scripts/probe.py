#!/usr/bin/env python3
"""`router probe` for a checkout: python scripts/probe.py routes.yaml; nothing has to be installed.

What the library depends on has to be there; `./scripts/demo` makes an environment that has it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

__all__ = ["main"]

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run `router probe` from this checkout with this process's arguments."""
    sys.path.insert(0, str(CHECKOUT))
    try:
        import_module("router.client")  # imports what the library depends on
        from router.cli import main as router  # noqa: PLC0415 - found on the path set above
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{error.name} is not installed: run pip install '{CHECKOUT}[cli]', "
            "or ./scripts/demo, which makes an environment"
        ) from None
    router(["probe", *sys.argv[1:]])


if __name__ == "__main__":
    main()
