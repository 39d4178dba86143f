"""Every fragment of docs/sdks.md runs, and each SDK's recipe answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sdk_samples import imported, speak

import router
from router import config
from router.testing import Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.testing import Received

GUIDE = Path(router.__file__).parent.parent / "docs" / "sdks.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAGMENTS = FENCE.findall(GUIDE.read_text(encoding="utf-8"))
PYTHON = [text for kind, text in FRAGMENTS if kind == "python"]
HOSTS = ["api.openai.com", "api.anthropic.com", "api.groq.com", "mine.openai.azure.com"]


def answer(request: Received) -> Reply:
    if request.target.endswith("/models"):
        return Reply(headers={"Content-Type": "application/json"}, body=b'{"data": []}')
    return speak(request)


def base_of(text: str) -> str:
    return "/openai" if "Azure" in text else "/openai/v1" if "groq" in text else "/v1"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Regions]:
    """A folder that fragments run in; they find a routes.yaml there."""
    with Regions(eu=0.001) as regions:
        regions["eu"].respond = answer
        monkeypatch.chdir(tmp_path)
        yield regions


def write_routes(regions: Regions, text: str) -> None:
    endpoint = {"url": regions["eu"].url + base_of(text), "tags": ["eu"]}
    routes = {"hosts": HOSTS, "probe": {"enabled": False}, "endpoints": [endpoint]}
    Path("routes.yaml").write_text(json.dumps(routes))


@pytest.mark.parametrize("text", PYTHON)
def test_a_fragment_runs_and_its_client_is_answered(text: str, workplace: Regions) -> None:
    for sdk in re.findall(r"^import (openai|anthropic|groq)$", text, re.MULTILINE):
        imported(sdk)
    write_routes(workplace, text)
    names: dict[str, Any] = {}
    exec(compile(text, str(GUIDE), "exec"), names)
    client = names["client"]

    async def talk() -> None:
        answered = ask(client)
        if inspect.isawaitable(answered):
            await answered
        closed = client.close()
        if inspect.isawaitable(closed):
            await closed

    asyncio.run(talk())
    assert all(r.target.startswith(f"{base_of(text)}/") for r in workplace.received)
    paths = {r.target.removeprefix(base_of(text)).partition("?")[0] for r in workplace.received}
    assert paths <= {"/messages", "/chat/completions", "/deployments/m/chat/completions", "/models"}


def ask(client: Any) -> Any:
    question: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hallo"}]}
    if hasattr(client, "messages"):
        return client.messages.create(**question, max_tokens=9)
    return client.chat.completions.create(**question)


def test_there_is_a_recipe_for_each_sdk_in_both_ways() -> None:
    made = {name for text in PYTHON for name in re.findall(r"client = \w+\.(\w+)\(", text)}
    assert made == {
        *("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI"),
        *("Anthropic", "AsyncAnthropic", "Groq", "AsyncGroq"),
    }


@pytest.mark.parametrize("text", [text for kind, text in FRAGMENTS if kind == "yaml"])
def test_a_yaml_fragment_is_a_configuration(text: str) -> None:
    made = config.loads(text, environ={"SWEDEN_KEY": "planted", "FRANCE_KEY": "planted"})
    assert all(endpoint.shaping for endpoint in made.endpoints)
