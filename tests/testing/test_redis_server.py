"""A redis-server of one's own: it starts, answers, ends, and starts again where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.testing import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not RedisServer.is_installed(), reason="redis-server is not installed: this test did not run"
)


def test_it_answers_and_is_at_the_same_port_after_a_stop(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        assert server.cli("set", "a", "1") == "OK"
        url = server.url
        server.stop()
        server.stop()
        server.start()
        assert server.cli("get", "a") == ""
        assert server.url == url


def test_it_takes_options_and_keeps_to_its_folder(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", "--maxclients", "7") as server:
        assert server.cli("config", "get", "maxclients").split() == ["maxclients", "7"]
        assert server.cli("config", "get", "dir").split()[1] == str(tmp_path / "redis")


def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.testing.redis_server.READY_WITHIN", 0.5)
    with pytest.raises(RuntimeError, match="nonsense"):
        RedisServer(tmp_path / "redis", "--nonsense", "1").start()
