"""Names of a package that are imported when somebody asks for them (PEP 562).

Rule 1: a package that is cheap to import has a table of where its names live. Its type checker sees
        plain imports; `tests/test_house.py` holds the two against each other.
Rule 2: one thread at a time imports by name. Two that import a package and a module of it at once
        may wait for each other, and Python breaks that with an error.
Rule 3: a package's public modules are its attributes, as type checkers take them to be: those that
        nobody has imported yet are imported when they are asked for.
Rule 4: our own modules import from where a name lives, never by way of a table: else a thread could
        hold an import's lock, and want this one, while another holds this one and wants that.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from typing import TYPE_CHECKING, Any

from router.forks import across_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["by_name"]

_lock = across_forks(threading.RLock())  # reentrant: a module may ask for another package's name


def by_name(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of `package`; `homes` has names by the module they live in.

    Names that live in the package itself are its modules, such as `router.testing`.
    """
    known = {name: home for home, names in homes.items() for name in names.split()}

    def __getattr__(name: str) -> Any:  # noqa: N807 - it becomes the module's own
        home = known.get(name) or _if_module(package, name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with _lock:
            if home == package:
                return importlib.import_module(f"{home}.{name}")
            found = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, found)  # the next one is not asked for here
        return found

    return __getattr__


def _if_module(package: str, name: str) -> str | None:
    """Return the package if it has a public module of this name."""
    if name.startswith("_") or not name.isidentifier():
        return None
    with _lock:
        found = importlib.util.find_spec(f"{package}.{name}")
    return None if found is None else package
