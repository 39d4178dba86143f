"""What a type checker takes for an attribute of a package is one, in a fresh process too."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = """
import router
found = {expression}
assert found is __import__("sys").modules[{module!r}], found
"""
WRONG = """
import router
for name in ["nope", "__wrapped__", "_private", "a.b", "__main__", ""]:
    assert not hasattr(router, name), name
"""


def succeeds(program: str) -> bool:
    return subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("name", ["errors", "options", "router", "clock", "config.fields", "auth"])
def test_a_public_module_is_an_attribute_after_a_bare_import(name: str) -> None:
    assert succeeds(ASK.format(expression=f"router.{name}", module=f"router.{name}"))


def test_what_is_no_module_is_no_attribute() -> None:
    assert succeeds(WRONG)
