"""The configurations in docs/shaping.md are right, and name every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import router
from router import config

GUIDE = (Path(router.__file__).parent.parent / "docs" / "shaping.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", FENCE.findall(GUIDE))
def test_a_fragment_is_a_configuration(text: str) -> None:
    made = config.loads(text, environ={"SWEDEN_KEY": "planted"})
    assert any(endpoint.shaping for endpoint in made.endpoints)


def test_every_key_that_shapes_is_in_the_table() -> None:
    for key in ("variables", "headers", "query", "json", "models", "remove"):
        assert f"| `{key}` |" in GUIDE
