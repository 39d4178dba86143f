"""Other people's clients, in processes and an environment of their own.

Rule 1: they are asked over a pipe, a line of JSON for each load, and answer what became of it.
Rule 2: their environment is made on demand, outside the project's, since LiteLLM pins much.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlab.load import Done

if TYPE_CHECKING:
    from faultlab.load import Load
    from faultlab.world import World

__all__ = ["Peer", "environment", "peers"]

SCRIPTS = Path(__file__).parents[1]
LONGEST_LINE = 1 << 26
METHODS = {
    "httpx + httpx-retries": ("httpx_retries", frozenset({"GET", "POST"})),
    "LiteLLM Router": ("litellm", frozenset({"POST"})),
}


def environment(at: Path | None) -> Path:
    """Return the Python of an environment that has the peers; make it if it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = at or cache / "region-router" / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making an environment for the peers in {folder} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        group = f"{SCRIPTS.parent / 'pyproject.toml'}:bench"
        subprocess.run([*pip, "--group", group], check=True)
    return python


def peers(python: Path) -> list[Peer]:
    """Return the peers that run in this environment."""
    return [Peer(name, python, *how) for name, how in METHODS.items()]


class Peer:
    """A client of another library; also its own Subject, one world after the other."""

    def __init__(self, name: str, python: Path, module: str, methods: frozenset[str]) -> None:
        self.name = name
        self.methods = methods
        self._command = [str(python), str(SCRIPTS / "faultlab" / "peer_process.py"), module]
        self._process: asyncio.subprocess.Process | None = None
        self._urls: list[str] = []
        self._timeout = 0.0

    def client(self, world: World, timeout: float) -> Peer:
        """Return a client of these regions, with so many seconds for a try."""
        self._timeout = timeout
        self._urls = [region.url for region in world]
        return self

    async def ready(self) -> None:
        """Start the process and let it make its client."""
        environment = os.environ | {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # fetch nothing
            "PYTHONPATH": str(SCRIPTS),
        }
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            str(self._timeout),
            *self._urls,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            limit=LONGEST_LINE,
            env=environment,
        )
        await self._line()

    async def send(self, load: Load) -> list[Done]:
        """Send a load."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(load).encode() + b"\n")
        await self._process.stdin.drain()
        return [Done(*each) for each in await self._line()]

    async def _line(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended")
        return json.loads(line)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
