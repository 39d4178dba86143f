"""The background thread: starts when needed, survives bugs and forks, and dies with its owner."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import inspect
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from router.background import Background
from router.config import Config
from router.errors import ClosedError, HostError
from router.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 10.0


def threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name == "region-router"}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threads()
    yield
    assert threads() <= before


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


async def say(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


def test_nothing_runs_before_it_is_needed() -> None:
    before = threads()
    background = Background(list)
    assert threads() == before
    assert background.spawn(say("here")).result(PATIENCE) == "here"
    assert len(threads() - before) == 1
    background.stop()


def test_jobs_run_once_however_often_and_from_wherever_it_is_started() -> None:
    ran: list[int] = []

    async def job() -> None:
        ran.append(threading.get_ident())
        await wait_for_ever()

    background = Background(lambda: [job()])
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        background.start()

    starters = [threading.Thread(target=start) for _ in range(8)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    background.spawn(say("all jobs began before this")).result(PATIENCE)
    assert len(ran) == 1
    assert ran[0] != threading.get_ident()
    background.stop()


def test_a_job_that_ends_by_a_bug_is_logged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def bug() -> None:
        raise ZeroDivisionError

    ticks: list[int] = []

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0.001)

    background = Background(lambda: [bug(), tick()])
    background.start()
    until(lambda: len(ticks) > 3)
    assert background.spawn(say("alive")).result(PATIENCE) == "alive"
    background.stop()
    assert [r.message for r in caplog.records] == ["a background job of region-router ended"]


def test_the_error_of_a_spawned_coroutine_reaches_who_asked() -> None:
    async def bug() -> None:
        raise ZeroDivisionError

    background = Background(list)
    with pytest.raises(ZeroDivisionError):
        background.spawn(bug()).result(PATIENCE)
    background.stop()


def test_stop_cancels_jobs_and_ends_every_future() -> None:
    ended: list[str] = []

    async def job() -> None:
        try:
            await wait_for_ever()
        finally:
            ended.append("job")

    background = Background(lambda: [job()])
    future = background.spawn(wait_for_ever())
    background.stop()
    assert ended == ["job"]
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(PATIENCE)
    background.stop()


def test_what_was_stopped_stays_stopped() -> None:
    background = Background(list)
    background.start()
    background.stop()
    coroutine = say("too late")
    with pytest.raises(ClosedError):
        background.spawn(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED, (
        "it is left for nobody to await"
    )
    with pytest.raises(ClosedError):
        background.start()


def test_whatever_is_spawned_while_it_stops_ends_or_is_refused() -> None:
    for _ in range(50):
        background = Background(list)
        background.start()
        futures: list[concurrent.futures.Future[str]] = []

        def spawn(
            background: Background = background,
            futures: list[concurrent.futures.Future[str]] = futures,
        ) -> None:
            with contextlib.suppress(ClosedError):
                futures.extend(background.spawn(say("done")) for _ in range(5000))

        spawner = threading.Thread(target=spawn)
        spawner.start()
        background.stop()
        spawner.join()
        done, left = concurrent.futures.wait(futures, PATIENCE)
        assert not left, f"{len(left)} of {len(futures)} futures never end"
        assert len(done) == len(futures)


def test_stop_does_not_wait_for_ever_for_a_stubborn_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.background.STOP_WITHIN", 0.05)
    release, stubborn = threading.Event(), threading.Event()

    async def job() -> None:
        try:
            await wait_for_ever()
        finally:
            stubborn.set()
            release.wait(PATIENCE)

    background = Background(lambda: [job()])
    background.spawn(say("it runs")).result(PATIENCE)
    thread = background._thread
    assert thread is not None
    background.stop()
    assert stubborn.wait(PATIENCE)
    assert thread.is_alive()
    assert thread.daemon
    release.set()
    thread.join()


def test_stop_may_be_called_from_the_background_thread_itself() -> None:
    background = Background(list)

    async def stop() -> None:
        background.stop()

    thread = background.spawn(say("")).result(PATIENCE) or background._thread
    assert isinstance(thread, threading.Thread)
    background.spawn(stop())
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_thread_dies_with_an_owner_that_nobody_closed() -> None:
    owner: Router | None = Router(Config(endpoints=("http://127.0.0.1:9",)))  # type: ignore[arg-type]  # a URL alone
    assert owner is not None
    owner.start()
    thread, alive = owner._background._thread, weakref.ref(owner)
    assert thread is not None
    owner = None
    gc.collect()
    assert alive() is None, "its own thread keeps it alive"
    thread.join(PATIENCE)
    assert not thread.is_alive()


# -- fork and exit, each in a process of its own


def run(program: str, *, timeout: float = 30.0) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program)],
        capture_output=True,
        timeout=timeout,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    output = run("""
        import os, sys, threading
        from router.background import Background

        async def ident():
            return threading.get_ident(), os.getpid()

        ran = []
        async def job():
            ran.append(os.getpid())

        background = Background(lambda: [job()])
        here = background.spawn(ident()).result(10)
        child = os.fork()
        if child == 0:
            there = background.spawn(ident()).result(10)
            good = there[1] == os.getpid() != here[1] and ran == [here[1], there[1]]
            background.stop()
            os._exit(0 if good else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        again = background.spawn(ident()).result(10)
        background.stop()
        print(status, again == here)
    """)
    assert output == "0 True\n"


def test_a_fork_while_the_lock_is_held_does_not_lock_the_child() -> None:
    output = run("""
        import os
        from router.background import Background

        async def here():
            return os.getpid()

        background = Background(list)
        background.start()
        with background._lock:
            child = os.fork()
        if child == 0:
            os._exit(background.spawn(here()).result(10) != os.getpid())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        background.stop()
    """)
    assert output == "0\n"


def test_what_a_child_throws_away_does_not_deafen_its_parent() -> None:
    """Both share the epoll set: closing the loop in the child would empty the parent's."""
    output = run("""
        import asyncio, gc, os, socket
        from router.background import Background

        server = socket.create_server(("127.0.0.1", 0))
        reading = asyncio.Event()

        async def read():
            reader, writer = await asyncio.open_connection(*server.getsockname())
            reading.set()
            line = await asyncio.wait_for(reader.readline(), 10)
            writer.close()
            return line

        async def wait(): await reading.wait(); await asyncio.sleep(0.01)

        background = Background(list)
        line = background.spawn(read())
        peer, _ = server.accept()
        background.spawn(wait()).result(10)
        child = os.fork()
        if child == 0:
            del line
            asyncio.tasks._all_tasks.clear()
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        peer.sendall(b"hello\\n")
        print(line.result(15).decode(), end="")
        background.stop(); peer.close(); server.close()
    """)
    assert output == "hello\n"


@pytest.mark.parametrize(
    "program",
    [
        "owner = Router(Config(endpoints=('http://127.0.0.1:9',))); owner.start()",
        "Router(Config(endpoints=('http://127.0.0.1:9',))).start()",
        "background = Background(lambda: [asyncio.sleep(3600)]); background.start()",
    ],
)
def test_what_was_left_open_does_not_hold_up_the_exit(program: str) -> None:
    imports = """
        import asyncio, sys
        from router.background import Background
        from router.config import Config
        from router.router import Router
    """
    assert run(f"{textwrap.dedent(imports)}\n{program}\nprint('end')") == "end\n"


def no_thread(_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_is_left_it_says_so_and_leaves_nothing_behind() -> None:
    ran = threading.Event()

    async def job() -> None:
        ran.set()

    background = Background(lambda: [job()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(HostError, match="no thread left"):
            background.start()
    background.start()
    assert ran.wait(5)
    background.stop()


def test_a_thread_that_asks_until_the_process_ends_is_told_nothing_of_the_end() -> None:
    program = """
        import threading, time
        from router.background import Background

        background = Background(list)
        background.start()

        def ask():
            while True:
                background.start()

        def end():
            background.stop()
            time.sleep(0.1)  # as threads have time while others end

        import atexit
        atexit.register(end)
        threading.Thread(target=ask, daemon=True).start()
        print("end")
    """
    assert run(program) == "end\n"
