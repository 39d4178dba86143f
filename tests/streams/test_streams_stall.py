"""How long a stream may be silent is learned from the gaps that streams have."""

from __future__ import annotations

import math
import random

import pytest

from router.config import Failover, loads
from router.errors import ConfigError, OptionsError
from router.options import Options
from router.streams.stall import ENOUGH, FLOOR, MOST_KINDS, RECENT, Gaps, Usual


def learned(*gaps: float) -> Usual:
    usual = Usual()
    for gap in gaps:
        usual.saw(gap)
    return usual


def test_nothing_is_assumed_before_enough_was_seen() -> None:
    usual = learned(*[0.1] * (ENOUGH - 1))
    assert (usual.limit, usual.usual) == (math.inf, None)
    usual.saw(0.1)
    assert (usual.limit, usual.usual) == (FLOOR, 0.1)


def test_the_limit_is_far_above_what_is_usual() -> None:
    assert learned(*[1.0] * 200).limit == pytest.approx(10.0)


def test_chunks_that_come_at_once_teach_that_gaps_are_short_but_do_not_hide_the_waits() -> None:
    assert learned(*[0.0] * ENOUGH).limit == FLOOR
    mixed = learned(*[*[0.0] * 99, 0.9] * 40)
    assert mixed.usual == 0.9
    assert mixed.limit == pytest.approx(9.0)


def test_one_long_gap_doubles_the_patience_and_is_forgotten_in_time() -> None:
    usual = learned(*[0.1] * 200, 6.0)
    assert usual.limit == 12.0
    for _ in range(RECENT + 32):
        usual.saw(0.1)
    assert usual.limit == FLOOR


def test_a_stream_as_those_before_is_never_cut_off() -> None:
    chance = random.Random(7)
    usual, cut = Usual(), 0
    for _ in range(20_000):
        gap = chance.lognormvariate(-2.0, 1.0)
        cut += gap > usual.limit
        usual.saw(gap)
    assert cut == 0
    assert usual.limit < 20


def test_streams_that_stall_double_the_patience_once_however_many_they_are() -> None:
    usual = learned(*[0.1] * 200)
    for _ in range(20):
        usual.cut()
    assert usual.limit == 2 * FLOOR
    for _ in range(RECENT + 32):
        usual.saw(0.1)
    assert usual.limit == FLOOR


def test_a_stream_that_stalls_before_enough_was_seen_teaches_nothing() -> None:
    usual = learned(*[0.1] * (ENOUGH - 1))
    usual.cut()
    assert usual.limit == math.inf


def test_kinds_are_learned_apart_and_their_number_is_bounded() -> None:
    gaps = Gaps()
    events = gaps.patience("auto", [(b"Content-Type", b"text/event-stream; charset=utf-8")])
    assert gaps.patience("auto", [(b"content-type", b"TEXT/event-stream")]) is events
    assert gaps.patience("auto", []) is not events
    for number in range(3 * MOST_KINDS):
        gaps.patience("auto", [(b"content-type", b"a/%d" % number)])
    assert len(gaps._kinds) <= MOST_KINDS + 1


def test_the_user_may_say_how_long_or_not_at_all() -> None:
    gaps = Gaps()
    assert gaps.patience("off", []).limit == math.inf
    fixed = gaps.patience(2.0, [])
    fixed.saw(100.0)
    assert fixed.limit == 2.0


@pytest.mark.parametrize(
    ("text", "stall"), [("auto", "auto"), ("off", "off"), ('"off"', "off"), ("2s", 2.0)]
)
def test_the_setting_is_auto_off_or_a_duration(text: str, stall: float | str) -> None:
    config = loads(f"endpoints: [https://a.example]\nfailover: {{stall: {text}}}")
    assert config.failover.stall == stall


@pytest.mark.parametrize("text", ["soon", "5", "0s", "-1s", "true", "1.5", "[]"])
def test_any_other_setting_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError, match=r"failover\.stall: write auto, off or a duration"):
        loads(f"endpoints: [https://a.example]\nfailover: {{stall: {text}}}")


def test_a_streams_deadline_is_a_duration_or_left_out() -> None:
    assert Failover().stream_deadline is None
    config = loads("endpoints: [https://a.example]\nfailover: {stream_deadline: 5m}")
    assert config.failover.stream_deadline == 300.0
    with pytest.raises(ConfigError, match=r"failover\.stream_deadline: write a duration"):
        loads("endpoints: [https://a.example]\nfailover: {stream_deadline: 1.5}")


def test_options_refuse_what_is_no_way_to_go_on() -> None:
    with pytest.raises(OptionsError, match="resume: write range or last-event-id"):
        Options(resume="bytes")  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="stream_deadline: give seconds"):
        Options(stream_deadline=0)
