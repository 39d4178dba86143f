from __future__ import annotations

import pytest
from balance_samples import endpoint, pool_of

from router.balance.constraints import allows, nothing_left
from router.errors import OptionsError
from router.options import Options

EU = endpoint("eu-1", region="aws:eu-central-1", tags=("eu", "gpu"), tier=2)


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        (Options(), True),
        (Options(regions="aws:eu-central-1"), True),
        (Options(regions="eu-1"), True),
        (Options(regions={"eu-1", "us-1"}), True),
        (Options(regions="eu"), False),
        (Options(regions="aws:eu-central"), False),
        (Options(regions=[]), False),
        (Options(tags="eu"), True),
        (Options(tags=["eu", "gpu"]), True),
        (Options(tags=["eu", "us"]), False),  # all of them
        (Options(tags=[]), True),
        (Options(tiers=2), True),
        (Options(tiers=[1, 3]), False),
        (Options(regions="eu-1", tags="eu", tiers=2), True),
        (Options(regions="eu-1", tags="eu", tiers=1), False),
    ],
)
def test_an_endpoint_is_allowed_where_all_constraints_hold(
    options: Options, *, allowed: bool
) -> None:
    assert allows(options, EU) is allowed


def test_an_endpoint_without_region_has_none() -> None:
    assert not allows(Options(regions="None"), endpoint("a"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            Options(regions="aws:eu-centrl-1"),
            "no endpoint has the region aws:eu-centrl-1: did you mean aws:eu-central-1?",
        ),
        (Options(regions="eu_1"), "no endpoint has the region eu_1: did you mean eu-1?"),
        (Options(tags=["eu", "gpo"]), "no endpoint has the tag gpo: did you mean gpu?"),
        (Options(tags="zzz"), "no endpoint has the tag zzz: known: eu, gpu"),
        (Options(tiers=9), "no endpoint has the tier 9: known: 1, 2"),
    ],
)
def test_a_name_that_nobody_has_is_a_mistake_and_the_near_one_is_named(
    options: Options, message: str
) -> None:
    pool = pool_of(EU, "us-1")
    with pytest.raises(OptionsError) as caught:
        pool.check(options)
    assert str(caught.value) == message


def test_known_names_pass_also_where_together_they_leave_nobody() -> None:
    pool = pool_of(EU, "us-1")
    pool.check(Options())
    pool.check(Options(regions="us-1", tags="gpu", tiers=1))


def test_a_long_list_of_known_names_is_cut() -> None:
    pool = pool_of(*(endpoint(f"e{n:02}", tags=(f"t{n:02}",)) for n in range(30)))
    with pytest.raises(OptionsError, match=r"known: t00, .*, t09, …$"):
        pool.check(Options(tags="zzz"))


def test_without_any_tag_none_are_known() -> None:
    with pytest.raises(OptionsError, match=r"the tag eu: known: none$"):
        pool_of("a").check(Options(tags="eu"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "none"),
        (Options(regions=["b", "a"]), "regions a, b"),
        (
            Options(regions="a", tags=["y", "x"], tiers=[2, 1]),
            "regions a and tags x, y and tiers 1, 2",
        ),
    ],
)
def test_constraints_are_put_in_words(options: Options, words: str) -> None:
    assert f"no endpoint satisfies {words} together" in nothing_left(options, drained=False)
