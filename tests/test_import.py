"""What is loaded when, in fresh processes: nothing before it is asked for, all before a request."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from router.testing import Regions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.testing import Certificates

SELDOM = {"redis", "geoip2", "maxminddb", "botocore", "boto3", "joserfc", "cryptography"}
HEAVY = SELDOM | {"pydantic", "pydantic_core", "aiohttp", "requests", "ntplib", "yaml", "httpx2"}
TERMINAL = {"click", "rich"}
"""httpx imports them for its command, where they are installed."""

THREADS = """
import json, random, threading
import router
names = [name for name in router.__all__ if name not in without]
barrier, wrong = threading.Barrier(16), []
def ask(seed):
    order = random.Random(seed).sample(names, len(names))
    barrier.wait()
    try:
        for name in order:
            assert getattr(router, name) is getattr(router, name)
    except BaseException as error:
        wrong.append(f"{name}: {error!r}")
threads = [threading.Thread(target=ask, args=[seed]) for seed in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(wrong))
"""
REQUEST = """
import json, sys
import httpx
of_httpx = set(sys.modules)
import router
with router.Client("routes.yaml") as client:
    made = set(sys.modules)
    assert client.get("/").status_code == 200
    print(json.dumps([sorted(set(sys.modules) - of_httpx), sorted(set(sys.modules) - made)]))
"""
REQUEST_OF_A_TASK = """
import asyncio, json, sys
import httpx
of_httpx = set(sys.modules)
import router
async def main():
    async with router.AsyncClient("routes.yaml") as client:
        made = set(sys.modules)
        assert (await client.get("/")).status_code == 200
        print(json.dumps([sorted(set(sys.modules) - of_httpx), sorted(set(sys.modules) - made)]))
asyncio.run(main())
"""
MADE = """
import json, sys
import router
router.Router("routes.yaml")
print(json.dumps(sorted(sys.modules)))
"""
PARTS = {
    "botocore.auth": """
sign: {sigv4: {service: bedrock, region: us-east-1, access_key: AKIA, secret_key: planted}}
""",
    "joserfc.jwt": """
token: {url: "https://auth.invalid/token", client_id: us, auth: private_key_jwt, private_key: "{}"}
""",
    "redis.asyncio": "share: {url: 'redis://127.0.0.1:9'}\n",
}


def run(program: str, folder: Path | None = None) -> Any:
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def tops(names: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_importing_router_loads_no_library_and_next_to_nothing_of_ours() -> None:
    program = "import json, sys; before = set(sys.modules); import router\n"
    loaded = run(f"{program}print(json.dumps(sorted(set(sys.modules) - before)))")
    assert (HEAVY | TERMINAL).isdisjoint(tops(loaded))
    assert tops(loaded) - sys.stdlib_module_names == {"router"}
    ours = {name for name in loaded if name.startswith("router.")}
    assert ours == {"router.forks", "router.lazy", "router.version"}


def test_the_names_for_a_configuration_in_code_load_no_library() -> None:
    program = "import json, sys; from router import Config, Endpoint, ConfigError, Options, Rate\n"
    loaded = run(f"{program}print(json.dumps(sorted(sys.modules)))")
    assert (HEAVY | TERMINAL | {"httpx"}).isdisjoint(tops(loaded))


def test_a_configuration_made_in_code_is_checked_without_pydantic() -> None:
    program = """
import json, sys, router
try:
    router.Endpoint(url="eu.api.example.com")
except ValueError as error:
    print(json.dumps([str(error), "pydantic" in sys.modules]))
"""
    message, loaded = run(program)
    assert "a URL starts with https:// or http://" in message
    assert not loaded


def test_threads_may_ask_for_all_names_at_once() -> None:
    without = () if importlib.util.find_spec("httpx2") else ("httpx2",)
    assert run(f"without = {without}\n{THREADS}") == []


def test_classes_pickle_by_the_module_that_they_live_in() -> None:
    program = """
import json, pickle, router
endpoint = router.Endpoint(url="https://eu.api.example.com")
print(json.dumps([pickle.loads(pickle.dumps(endpoint)) == endpoint, repr(router.Client)]))
"""
    assert run(program) == [True, "<class 'router.client.Client'>"]


@pytest.fixture(params=["http", "https"])
def folder(
    tmp_path: Path, router_certificates: Certificates, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """Yield a folder whose routes.yaml names a server that runs."""
    safe = request.param == "https"
    with Regions(router_certificates if safe else None, near=0.0) as regions:
        url = regions["near"].url
        lines = [
            f"endpoints: [{{url: '{url}', address: 127.0.0.1}}]",
            "clock: {servers: []}",
            f"tls: {{ca: {router_certificates.write_ca(tmp_path)}}}" if safe else "",
        ]
        (tmp_path / "routes.yaml").write_text("\n".join(lines))
        yield tmp_path


@pytest.mark.parametrize("program", [REQUEST, REQUEST_OF_A_TASK], ids=["thread", "task"])
def test_a_request_finds_all_loaded_and_nothing_that_was_not_configured(
    program: str, folder: Path
) -> None:
    loaded, late = run(program, folder)
    assert (SELDOM | TERMINAL | {"requests", "httpx2"}).isdisjoint(tops(loaded))
    assert tops(late) <= sys.stdlib_module_names, "a request paid for an import"


@pytest.mark.parametrize("library", PARTS)
def test_what_a_section_needs_is_loaded_when_the_router_is_made(
    library: str, tmp_path: Path
) -> None:
    pytest.importorskip(library.partition(".")[0])
    text = f"endpoints: ['http://127.0.0.1:9']\n{PARTS[library]}"
    (tmp_path / "routes.yaml").write_text(text)
    loaded = run(MADE, tmp_path)
    assert library in loaded
    assert tops(loaded) & (SELDOM - {"cryptography"}) == {library.partition(".")[0]}
