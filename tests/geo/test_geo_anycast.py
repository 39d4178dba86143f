"""Anycast and wrong places, by the light that would have to go there and back."""

from __future__ import annotations

import pytest

from router.endpoint import Location
from router.geo.anycast import Observation, contradiction, judge, prove

FRANKFURT = Location(50.11, 8.68, 50)
TOKYO = Location(35.68, 139.69, 50)
SYDNEY = Location(-33.87, 151.21, 50)


def frankfurt(rtt_ms: float) -> Observation:
    return Observation("Frankfurt", FRANKFURT, rtt_ms / 1e3)


def tokyo(rtt_ms: float) -> Observation:
    return Observation("Tokyo", TOKYO, rtt_ms / 1e3)


def sydney(rtt_ms: float) -> Observation:
    return Observation("Sydney", SYDNEY, rtt_ms / 1e3)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([], None),
        ([frankfurt(4)], None),
        ([frankfurt(4), frankfurt(5)], None),
        ([frankfurt(4), tokyo(230)], None),
        ([frankfurt(51), tokyo(51)], None),  # 9 273 km of fibre and 100 km of doubt: a draw
        (
            [frankfurt(50), tokyo(51)],
            "answers in 50 ms in Frankfurt and in 51 ms in Tokyo, 9 300 km apart: anycast",
        ),
        (
            [frankfurt(4), tokyo(5)],
            "answers in 4 ms in Frankfurt and in 5 ms in Tokyo, 9 300 km apart: anycast",
        ),
        (
            [tokyo(5), frankfurt(0.2), sydney(90)],
            "answers in 5 ms in Tokyo and in under 1 ms in Frankfurt, 9 300 km apart: anycast",
        ),
        (
            [frankfurt(4), tokyo(5), sydney(3)],
            "answers in 4 ms in Frankfurt and in 3 ms in Sydney, 16 000 km apart: anycast",
        ),
    ],
)
def test_two_answers_too_quick_for_any_one_place_prove_anycast(
    seen: list[Observation], words: str | None
) -> None:
    proof = prove(seen)

    assert (proof and str(proof)) == words


def test_a_vague_vantage_proves_less() -> None:
    vague = Observation("Japan", Location(35.68, 139.69, 9000), 0.005)

    assert prove([frankfurt(4), vague]) is None


@pytest.mark.parametrize(
    ("observation", "claimed", "words"),
    [
        (tokyo(5), TOKYO, None),
        (tokyo(230), FRANKFURT, None),
        (
            tokyo(5),
            FRANKFURT,
            "answers in 5 ms in Tokyo, but 9 300 km to its place take 103 ms: wrong place",
        ),
        (tokyo(5), Location(50.0, 8.0, 9000), None),
    ],
)
def test_an_answer_quicker_than_light_contradicts_the_claimed_place(
    observation: Observation, claimed: Location, words: str | None
) -> None:
    assert contradiction(observation, claimed) == words


@pytest.mark.parametrize(
    ("seen", "claimed", "verdict", "why"),
    [
        ([], FRANKFURT, "unknown", "answered nowhere"),
        (
            [frankfurt(4)],
            FRANKFURT,
            "unknown",
            "answers in 4 ms in Frankfurt: one vantage proves nothing",
        ),
        ([frankfurt(4)], TOKYO, "misplaced", "answers in 4 ms in Frankfurt, but 9 300 km"),
        ([tokyo(240), frankfurt(4)], TOKYO, "misplaced", "answers in 4 ms in Frankfurt, but"),
        (
            [tokyo(240), frankfurt(4)],
            FRANKFURT,
            "one place",
            "one place explains all; it answers in 4 ms in Frankfurt",
        ),
        ([tokyo(240), frankfurt(4)], None, "one place", "one place explains all"),
        ([tokyo(4), frankfurt(4)], FRANKFURT, "anycast", "answers in 4 ms in Tokyo and in 4 ms"),
    ],
)
def test_a_judgement_says_what_is_proven_and_by_what(
    seen: list[Observation], claimed: Location | None, verdict: str, why: str
) -> None:
    judged = judge(seen, claimed)

    assert judged.verdict == verdict
    assert judged.why.startswith(why)
    assert (judged.proof is not None) == (verdict == "anycast")
