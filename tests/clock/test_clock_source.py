"""What is remembered of one server, when it may be asked, and how that is told."""

from __future__ import annotations

import pytest

from router.clock.exchange import Answer
from router.clock.host import Hands
from router.clock.ntp import Sample
from router.clock.report import SourceReport
from router.clock.select import Selection
from router.clock.source import Source, accuse, judge

NAME = "ntp.example.net"
NO_ANSWER = "no valid reply in time"


def sample(theta: float, *, delta: float = 0.02, taken: float = 0.0) -> Sample:
    return Sample(theta=theta, delta=delta, epsilon=0.001, taken=taken, stratum=2)


def heard(*samples: Sample, server: str = NAME) -> Source:
    source = Source(server)
    for each in samples:
        source.hear(Answer(server, each))
    return source


def failed(source: Source, reason: str = NO_ANSWER, *, kiss: str | None = None) -> Source:
    source.hear(Answer(source.server, reason=reason, kiss=kiss))
    return source


def test_the_best_sample_is_the_one_with_the_least_bound_now() -> None:
    early, late = sample(5.0, delta=0.01, taken=0.0), sample(5.0, delta=0.05, taken=100.0)
    later = sample(5.0, delta=0.05, taken=1000.0)
    assert heard(early, late).best(100.0) == early
    assert heard(early, late, later).best(1000.0) == later


def test_eight_samples_are_kept() -> None:
    source = heard(*(sample(5.0, taken=float(taken)) for taken in range(20)))
    assert [kept.taken for kept in source.samples] == list(range(12, 20))


def test_a_sample_that_contradicts_older_ones_ends_them() -> None:
    jumped = sample(7.0, delta=0.3, taken=64.0)
    assert heard(sample(5.0, delta=0.001), jumped).samples == (jumped,)


def test_what_was_measured_before_a_disturbance_is_forgotten() -> None:
    source = heard(*(sample(5.0, taken=float(taken)) for taken in range(5)))
    source.forget(3.0)
    assert [kept.taken for kept in source.samples] == [3, 4]


def test_the_interval_that_was_too_short_is_doubled() -> None:
    source = Source(NAME)
    source.ask(0.0)
    source.ask(1800.0)
    assert failed(source, kiss="RATE").due == 1800.0 + 3600.0


def test_no_server_is_left_alone_for_more_than_36_hours() -> None:
    source = Source(NAME)
    source.ask(0.0)
    for _ in range(50):
        failed(source, kiss="RATE")
    assert source.due == 36 * 3600


@pytest.mark.parametrize("code", ["DENY", "RSTR"])
def test_a_server_that_refuses_us_is_dropped_with_all_it_said(code: str) -> None:
    source = failed(heard(sample(5.0)), "the server sends the kiss code", kiss=code)
    assert (source.dropped, source.samples) == (True, ())


@pytest.mark.parametrize("code", ["INIT", "STEP", "XTRA", None])
def test_any_other_failure_keeps_what_it_said(code: str | None) -> None:
    source = failed(heard(sample(5.0)), kiss=code)
    assert (source.dropped, len(source.samples), source.spacing) == (False, 1, 0)


# -- verdicts

HANDS = Hands(boot=100.0, wall=1103.7, monotonic=100.0, raw=100.0, width=0.0)
MAJORITY = Selection(theta=1005.0, bound=0.01, taken=100.0, used=("a", "b"), falsetickers=("c",))


def told(source: Source) -> tuple[str, str]:
    report = source.report(HANDS)
    return report.verdict, report.reason


def test_a_server_that_was_not_asked_yet_is_waited_for() -> None:
    assert Source(NAME).report(HANDS) == SourceReport(NAME, "waiting")


def test_a_report_tells_how_far_the_wall_clock_is_behind_the_server() -> None:
    report = heard(sample(1005.0, taken=90.0)).report(HANDS)  # the server shows 1105.0 now
    assert report.offset == pytest.approx(1.3)
    assert report.bound == pytest.approx(0.01 + 0.001 + 0.001)
    assert (report.delay, report.stratum, report.age) == (0.02, 2, 10.0)


def test_a_server_without_a_sample_is_rejected_in_its_own_words() -> None:
    assert told(failed(Source(NAME))) == ("rejected", NO_ANSWER)
    assert told(failed(Source(NAME), "denied", kiss="DENY")) == ("dropped", "denied")


def test_a_majority_is_used_and_who_contradicts_it_is_told_by_how_much() -> None:
    sources = [
        heard(sample(1005.0), server="a"),
        failed(heard(sample(1005.0), server="b")),
        heard(sample(1003.0), server="c"),
        failed(Source("d")),
        heard(sample(1005.5), server="e"),
    ]
    judge(sources, MAJORITY, [Answer("b", reason=NO_ANSWER)], 100.0)
    assert [told(source) for source in sources] == [
        ("used", ""),
        ("used", f"last asked: {NO_ANSWER}"),
        ("falseticker", "its clock is 2.000 s behind the majority"),
        ("rejected", NO_ANSWER),
        ("falseticker", "its clock is 0.500 s ahead of the majority"),
    ]


def test_without_a_majority_nobody_is_used() -> None:
    sources = [heard(sample(1005.0), server="a"), heard(sample(1003.0), server="c")]
    judge(sources, None, [], 100.0)
    assert {told(source) for source in sources} == {
        ("rejected", "there is no majority that it belongs to")
    }


def test_a_majority_that_is_not_believed_is_told_who_speaks_against_it() -> None:
    sources = {name: heard(sample(1005.0), server=name) for name in "abcd"}
    accuse(sources, MAJORITY, ["c", "d"])
    assert {name: told(source) for name, source in sources.items()} == {
        "a": ("rejected", "it has moved from the time of c and d"),
        "b": ("rejected", "it has moved from the time of c and d"),
        "c": ("used", "it still says what the majority said before"),
        "d": ("used", "it still says what the majority said before"),
    }
