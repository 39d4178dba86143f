"""Every fragment of Python and YAML in the README runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router import config
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parent.parent / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAGMENTS = FENCE.findall(README.read_text(encoding="utf-8"))


def of(language: str) -> list[str]:
    return [text for kind, text in FRAGMENTS if kind == language]


def answer(request: Received) -> Reply:
    """Speak enough of every API that the README calls."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": f"answered at {request.target}"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 3},
    }
    return Reply(headers={"Content-Type": "application/json"}, body=json.dumps(message).encode())


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Regions]:
    """A folder with a routes.yaml of two loopback regions called us-east and frankfurt."""
    with Regions(None, **{"us-east": 0.02, "frankfurt": 0.001}) as regions:
        for region in regions:
            region.respond = answer
        endpoints = [
            {"name": region.name, "url": f"{region.url}/v1", "tags": [tag]}
            for region, tag in zip(regions, ("us", "eu"), strict=True)
        ]
        routes = {"hosts": ["api.anthropic.com"], "endpoints": endpoints}
        (tmp_path / "routes.yaml").write_text(json.dumps(routes))
        monkeypatch.chdir(tmp_path)
        yield regions


def test_the_readme_has_fragments() -> None:
    assert len(of("python")) >= 5
    assert len(of("yaml")) >= 3


@pytest.mark.parametrize("text", of("yaml"))
def test_a_yaml_fragment_is_a_configuration(text: str) -> None:
    environ = {"CLIENT_ID": "me", "CLIENT_SECRET": "mine"}
    assert config.loads(text, environ=environ).endpoints


@pytest.mark.parametrize("text", of("python"))
def test_a_python_fragment_runs(text: str, workplace: Regions) -> None:
    exec(compile(text, str(README), "exec"), {"__name__": "__main__"})
    assert workplace.received or "Regions" in text or "rank" in text
