"""What a Router is given as code, `token=`, `signer=` and hooks, looked at before it is needed.

Rule: what could never work is refused where it is given, with what to give in its place; what the
      code does when it runs is looked at then.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from router.errors import ConfigError

if TYPE_CHECKING:
    from router.auth.static import TokenSource
    from router.departure import Signer

__all__ = ["checked_hook", "checked_signer", "checked_source"]

Hook = TypeVar("Hook")


def checked_source(source: TokenSource | None) -> TokenSource | None:
    """Return `token=` as it is.

    Raises:
        ConfigError: it is no function without arguments.
    """
    if source is not None and not _takes(source):
        raise ConfigError(
            "Router(token=…): give a function without arguments that returns the token; "
            'a key that is at hand goes into the file: token: {grant: static, value: "${NAME}"}'
        )
    return source


def checked_signer(signer: Signer | None) -> Signer | None:
    """Return `signer=` as it is.

    Raises:
        ConfigError: it is no function of one argument, or one that waits.
    """
    if signer is None:
        return None
    if hasattr(signer, "auth_flow"):
        raise ConfigError("Router(signer=…): wrap this Auth: signer=router.auth.from_httpx(auth)")
    if not _takes(signer, signer):
        raise ConfigError(
            "Router(signer=…): give a function of one router.Signing that returns headers, "
            "or router.auth.from_httpx(auth)"
        )
    if _waits(signer):
        raise ConfigError(
            "Router(signer=…): it runs while the headers leave and cannot wait: "
            "give a function that is not async"
        )
    return signer


def checked_hook(name: str, hook: Hook) -> Hook:
    """Return another argument of a Router's, called with one thing, as it is.

    Raises:
        ConfigError: it is no function of one argument.
    """
    if hook is not None and not _takes(hook, hook):
        raise ConfigError(f"Router({name}=…): give a function of one argument")
    return hook


def _takes(given: Any, *arguments: object) -> bool:
    """Return whether it may be called so; of what tells nothing of itself: yes."""
    if not callable(given):
        return False
    try:
        signature = inspect.signature(given)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def _waits(given: Any) -> bool:
    return inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(type(given).__call__)
