from __future__ import annotations

import random

import pytest
from balance_samples import FAILOVER, START
from hypothesis import given
from hypothesis import strategies as st

from router.balance.health import Availability, Health
from router.config.settings import Failover


def fail(
    made: Health,
    times: int = 1,
    *,
    now: float = START,
    seed: int = 1,
    reached: bool = True,
    trial: bool = False,
    failover: Failover = FAILOVER,
) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        made.failed(
            "answered 503", reached=reached, trial=trial, now=now, failover=failover, chance=chance
        )


def fail_probe(
    made: Health,
    times: int = 1,
    *,
    now: float = START,
    reached: bool = False,
    suspected: bool = False,
) -> None:
    chance = random.Random(1)
    for _ in range(times):
        made.probe_failed(
            "refused",
            reached=reached,
            suspected=suspected,
            now=now,
            failover=FAILOVER,
            chance=chance,
        )


def health(story: str, *, apart: float = 0.0) -> Health:
    """Return what follows from answers (`a`) and failures (`f`), so many seconds apart."""
    made = Health()
    for place, what in enumerate(story):
        now = START + place * apart
        if what == "f":
            fail(made, now=now)
        else:
            made.answered(now)
    return made


@pytest.mark.parametrize(
    ("facts", "now", "availability"),
    [
        ({}, START, "healthy"),
        ({"cause": "failing", "ejected_until": START + 5}, START, "ejected"),
        ({"cause": "failing", "ejected_until": START + 5}, START + 5, "on trial"),
        ({"cause": "failing", "ejected_until": START + 5, "trial": True}, START + 9, "ejected"),
    ],
)
def test_availability_follows_from_the_facts(
    facts: dict[str, object], now: float, availability: str
) -> None:
    made = Health()
    for name, value in facts.items():
        setattr(made, name, value)
    assert made.availability(now) is Availability(availability)


# -- out


@pytest.mark.parametrize(
    ("story", "out"),
    [
        ("f", False),  # one failure is no rate
        ("ffff", False),
        ("fffff", True),
        ("ffff" + "a" * 20 + "ffff", False),  # an answer ends a row
        ("ffff" + "a" * 20 + "fffff", True),
        ("fffaf", True),  # one of five answered: no row, and yet it does not work
        ("afff", False),  # … one of four says nothing
    ],
)
def test_five_failures_in_a_row_eject_and_small_numbers_do_not(story: str, *, out: bool) -> None:
    assert (health(story).cause == "failing") is out


@pytest.mark.parametrize(
    ("good", "bad", "bound"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 1, 0.793),
        (5, 5, 0.763),
        (8, 2, 0.943),
        (70, 30, 0.781),
        (75, 25, 0.825),
        (750, 250, 0.776),
        (790, 210, 0.814),
    ],
)
def test_the_bound_is_the_upper_end_of_wilsons_interval(
    good: float, bad: float, bound: float
) -> None:
    made = Health(_good=good, _bad=bad)
    assert made.success_bound() == pytest.approx(bound, abs=1e-3)


@pytest.mark.parametrize(
    ("beat", "apart", "out"),
    [
        ("af", 0.01, True),  # half of them fail, and never five in a row
        ("af", 1.0, True),
        ("af", 10.0, False),  # six a minute are too few to tell a rate by
        ("aaf", 0.1, True),
        ("aaaaaf", 0.01, False),  # one in six
        ("aaaaaaaaaf", 0.01, False),
    ],
)
def test_a_rate_under_80_percent_ejects(beat: str, apart: float, *, out: bool) -> None:
    assert (health(beat * 60, apart=apart).ejections > 0) is out


def test_a_rate_counts_what_is_about_half_a_minute_old() -> None:
    made = health("af" * 4)
    now = START + 60
    for _ in range(4):
        made.answered(now)
        fail(made, now=now)
    assert made.cause is None


def test_after_a_return_the_rate_is_counted_anew() -> None:
    made = health("fffff")
    made.answered(START + 6)
    fail(made, 4, now=START + 7)
    assert made.cause is None


@given(st.text("af", max_size=200), st.floats(0, 5))
def test_never_less_than_a_row_or_five_outcomes_eject(story: str, apart: float) -> None:
    made = Health()
    for place, what in enumerate(story):
        before = made.cause
        if what == "f":
            fail(made, now=START + place * apart)
        else:
            made.answered(START + place * apart)
            assert made.cause is None
        if made.cause is not None and before is None:
            assert place >= 4
    assert 0 < made.success_bound() < 1.001


@pytest.mark.parametrize("reached", [True, False])
def test_the_cause_tells_whether_it_was_there(*, reached: bool) -> None:
    made = Health()
    fail(made, 5, reached=reached)
    assert made.cause == ("failing" if reached else "unreachable")
    assert (made.failures, made.ejections, made.trouble) == (5, 1, "answered 503")


def test_who_wants_fewer_failures_in_a_row_gets_that() -> None:
    made = Health()
    fail(made, 2, failover=Failover(eject_after=2))
    assert made.cause == "failing"


# -- for how long


def test_ejections_double_up_to_the_cap_and_are_jittered_by_a_fifth() -> None:
    made, now, lengths = Health(), START, []
    fail(made, 5, now=now)
    for seed in range(9):
        lengths.append(made.ejected_until - now)
        now = made.ejected_until
        fail(made, now=now, seed=seed, trial=True)
    for length, middle in zip(lengths, [5, 10, 20, 40, 80, 160, 300, 300, 300], strict=True):
        assert 0.8 * middle <= length <= 1.2 * middle
    assert len({length / middle for length, middle in zip(lengths, [5] * 9, strict=True)}) == 9


def test_a_thousand_ejections_overflow_nothing() -> None:
    made = Health()
    fail(made, 5)
    for _ in range(1100):
        fail(made, now=made.ejected_until, trial=True)
    assert made.ejections == 1101


def test_only_a_trial_prolongs_an_ejection() -> None:
    made = Health()
    fail(made, 5)
    until = made.ejected_until
    fail(made, 20, now=START + 1)
    fail(made, 20, now=until + 1)  # sent before the ejection, and late
    assert (made.ejections, made.ejected_until) == (1, until)
    fail(made, now=until + 1, trial=True)
    assert made.ejections == 2
    assert made.ejected_until > until + 1


def test_of_two_ejections_the_later_end_holds() -> None:
    made = Health(cause="failing", ejections=0, ejected_until=START + 100)
    fail(made, trial=True)
    assert made.ejected_until == START + 100


def test_a_trial_that_ends_after_the_return_counts_as_any_failure() -> None:
    made = Health()
    fail(made, 5, reached=False)
    made.probed(START)
    fail(made, now=made.ejected_until + 1, trial=True)
    assert made.cause is None


@pytest.mark.parametrize(("well_for", "middle"), [(1.9, 10.0), (2.1, 5.0)])
def test_an_ejection_is_short_again_once_it_was_well_for_twice_as_long(
    well_for: float, middle: float
) -> None:
    made = health("fffff")
    length = made.ejected_until - START
    back = START + 6
    made.answered(back)
    again = back + well_for * length
    fail(made, 5, now=again)
    assert 0.8 * middle <= made.ejected_until - again <= 1.2 * middle


def test_a_success_forgets_all_trouble_but_how_long_it_was_out() -> None:
    made = health("fffff")
    made.answered(START + 9)
    assert made.availability(START + 9) is Availability.READY
    assert (made.failures, made.ejected_until, made.trouble) == (0, 0.0, None)
    assert made.ejections == 1


# -- what probes say


def test_a_probe_brings_back_what_was_unreachable_and_not_what_fails() -> None:
    gone, sick = Health(), Health()
    fail(gone, 5, reached=False)
    fail(sick, 5, reached=True)
    assert (gone.probed(START), sick.probed(START)) == (True, False)
    assert gone.availability(START) is Availability.READY
    assert sick.availability(START) is Availability.EJECTED
    assert sick.trouble == "answered 503"


@pytest.mark.parametrize(
    ("silence", "failures", "suspected", "ejected"),
    [
        (30.0, 2, False, False),
        (30.0, 3, False, True),
        (29.9, 9, False, False),  # traffic gets through
        (30.0, 1, True, True),  # traffic waits in vain already: one is enough
        (1.0, 1, True, True),
    ],
)
def test_three_failed_probes_eject_where_traffic_is_silent_and_one_where_it_waits(
    silence: float, failures: int, *, suspected: bool, ejected: bool
) -> None:
    made = Health()
    made.answered(START - silence)
    fail_probe(made, failures, suspected=suspected)
    assert (made.cause == "unreachable") is ejected
    assert made.trouble == (None if silence < 30 and not suspected else "refused")


def test_failed_probes_do_not_prolong_an_ejection() -> None:
    made = Health()
    fail_probe(made, 3)
    until = made.ejected_until
    fail_probe(made, 10, now=START + 4)
    assert (made.ejections, made.ejected_until) == (1, until)


@pytest.mark.parametrize(("reached", "out"), [(False, "ejected"), (True, "on trial")])
def test_while_probes_find_that_it_cannot_be_reached_no_request_has_to(
    reached: bool,  # noqa: FBT001 - a table
    out: str,
) -> None:
    made = Health()
    fail(made, 5, reached=False)
    assert made.availability(START + 10).value == "on trial"
    fail_probe(made, now=START + 10, reached=reached)
    assert made.availability(START + 10.1).value == out
    assert made.availability(START + 19.9).value == out
    assert made.availability(START + 20.1).value == "on trial", "probes fell silent"
    assert made.proved_down


def test_an_endpoint_that_seems_to_fail_and_cannot_be_reached_comes_back_by_a_probe() -> None:
    made = health("fffff")
    fail_probe(made)
    assert made.cause == "unreachable"
    assert made.probed(START + 1)


def test_while_the_trial_is_under_way_a_probe_does_not_change_the_cause() -> None:
    made = health("fffff")
    made.trial = True
    fail_probe(made)
    assert made.cause == "failing"


def test_the_trouble_of_a_probe_ends_with_the_next_good_one() -> None:
    made = Health()
    fail_probe(made, 2)
    assert made.down
    made.probed(START)
    assert (made.trouble, made.probe_failures, made.down) == (None, 0, False)


def test_the_trouble_of_traffic_outlasts_a_good_probe() -> None:
    made = Health()
    fail(made, 2)
    made.probed(START)
    assert (made.trouble, made.failures) == ("answered 503", 2)


# -- what was not its own fault


@pytest.mark.parametrize(
    ("story", "absolved", "failures", "cause", "trouble"),
    [
        ("", 1, 0, None, None),
        ("f", 1, 0, None, "answered 503"),
        ("ff", 1, 1, None, "answered 503"),
        # it is back: without that one it would not have gone
        ("fffff", 1, 4, None, "answered 503"),
        ("ffffff", 1, 5, "failing", "answered 503"),
        ("ffffff", 2, 4, None, "answered 503"),
        ("af" * 5, 1, 0, None, "answered 503"),
    ],
)
def test_an_ejection_that_would_not_have_come_without_the_failure_ends(
    story: str, absolved: int, failures: int, cause: str | None, trouble: str | None
) -> None:
    made = health(story)
    for _ in range(absolved):
        back = made.absolve(now=START, failover=FAILOVER)
    assert made.cause == cause
    assert made.trouble == trouble
    assert made.failures == (failures if cause or not back else 0)


def test_what_was_taken_back_counts_for_no_rate() -> None:
    made = health("afafafaf")
    for _ in range(4):
        made.absolve(now=START, failover=FAILOVER)
    assert made.success_bound() == pytest.approx(1.0)
    for _ in range(9):
        made.absolve(now=START, failover=FAILOVER)
    assert made.success_bound() == pytest.approx(1.0), "not more than failed"


def test_a_second_ejection_is_not_taken_back() -> None:
    made = health("fffff")
    fail(made, now=made.ejected_until, trial=True)
    for _ in range(6):
        assert not made.absolve(now=START, failover=FAILOVER)
    assert made.cause == "failing"


def test_what_probes_ejected_is_not_brought_back_by_absolving_traffic() -> None:
    made = Health()
    fail_probe(made, 3)
    fail(made, reached=False)
    assert not made.absolve(now=START, failover=FAILOVER)
    assert made.cause == "unreachable"
