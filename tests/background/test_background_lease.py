from __future__ import annotations

import threading

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


def test_everything_is_given_back_in_the_reverse_order() -> None:
    order: list[Held] = []
    permit, count = Held(order), Held(order)
    lease = Lease(permit)
    lease.holdings.append(count)
    lease.give_back()
    assert order == [count, permit]


def test_everything_is_given_back_once_however_often_its_holder_lets_go() -> None:
    held = Held()
    lease = Lease(held)
    for _ in range(3):
        lease.give_back()
    assert held.times == 1


def test_a_lease_that_is_forgotten_gives_back_what_it_held() -> None:
    held = Held()
    lease = Lease(held)
    del lease
    assert held.times == 1


def test_threads_that_let_go_together_give_back_once() -> None:
    for _ in range(200):
        held = Held()
        lease = Lease(held)
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
