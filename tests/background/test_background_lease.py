from __future__ import annotations

import threading

import pytest

from router.lease import Lease


class Held:
    """Counts how often it is given back, and notes the order."""

    def __init__(self, order: list[Held] | None = None) -> None:
        self.times = 0
        self.order = order

    def give_back(self) -> None:
        self.times += 1
        if self.order is not None:
            self.order.append(self)


def test_the_last_holder_gives_everything_back_in_the_reverse_order() -> None:
    order: list[Held] = []
    permit, count = Held(order), Held(order)
    lease = Lease(permit)
    lease.hold(count)
    lease.share()
    lease.give_back()
    assert order == []
    lease.give_back()
    assert order == [count, permit]


@pytest.mark.parametrize("shares", [0, 1, 5])
def test_everything_is_given_back_once_however_often_holders_let_go(shares: int) -> None:
    held = Held()
    lease = Lease(held)
    for _ in range(shares):
        lease.share()
    for _ in range(3 * shares + 3):
        lease.give_back()
    assert held.times == 1


def test_a_holder_who_comes_after_the_end_gives_nothing_back_again() -> None:
    held = Held()
    lease = Lease(held)
    lease.give_back()
    lease.share()
    lease.give_back()
    assert held.times == 1


def test_threads_that_let_go_together_give_back_once() -> None:
    for _ in range(200):
        held = Held()
        lease = Lease(held)
        for _ in range(7):
            lease.share()
        gate = threading.Barrier(8)

        def let_go(gate: threading.Barrier = gate, lease: Lease = lease) -> None:
            gate.wait()
            lease.give_back()

        threads = [threading.Thread(target=let_go) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert held.times == 1
