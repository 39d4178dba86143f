"""Whatever is handed to the loader, it returns a Config or raises ConfigError."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.config import Config, loads, schema
from router.errors import ConfigError

KEYS = sorted(
    {key for section in schema()["$defs"].values() for key in section.get("properties", ())}
    | set(schema()["properties"])
)
FRAGMENTS = st.sampled_from(
    [
        *KEYS,
        *"[]{}:,-?&*!|>'\"%@`#\n\t \\~",
        *(": ", "- ", "<<", "${A}", "${A:-1}", "${", "$$", "---", "\\ud800", "\\U00110000"),
        *("1s", "5%", "p95", "20/m", "https://a.example", "aws:us-east-1", "~x/y", "."),
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), FRAGMENTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)


def loads_or_refuses(text: str | bytes) -> None:
    try:
        config = loads(text, environ={"A": "5s"})
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - both ends are right, nothing else is
        assert error.__context__ is None  # noqa: PT017 - as above
    else:
        assert isinstance(config, Config)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text() | st.binary() | st.lists(FRAGMENTS).map("".join))
@pytest.mark.untraced
def test_any_text_loads_or_is_refused(text: str | bytes) -> None:
    loads_or_refuses(text)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.booleans())
@pytest.mark.untraced
def test_any_structure_of_known_keys_loads_or_is_refused(data: Any, endpoints: bool) -> None:  # noqa: FBT001 - drawn
    if endpoints:
        data["endpoints"] = ["https://a.example"]
    loads_or_refuses(json.dumps(data))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(FRAGMENTS).map("".join))
def test_any_text_is_refused_alike_without_libyaml(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        loads_or_refuses(text)
