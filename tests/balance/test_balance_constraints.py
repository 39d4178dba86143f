from __future__ import annotations

import pytest
from balance_samples import choose, endpoint, pool_of

from router.balance.constraints import nothing_left, why_not
from router.errors import NoEndpointError, OptionsError
from router.options import Options

EU = endpoint("eu-1", region="aws:eu-central-1", tags=("eu", "gpu"), tier=2)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (Options(), None),
        (Options(regions="aws:eu-central-1"), None),
        (Options(regions="eu-1"), None),
        (Options(regions={"eu-1", "us-1"}), None),
        (Options(regions="eu"), "not in region eu"),
        (Options(regions="aws:eu-central"), "not in region aws:eu-central"),
        (Options(regions=["us-2", "us-1"]), "not in regions us-1, us-2"),
        (Options(regions=[]), "not in regions none"),
        (Options(tags="eu"), None),
        (Options(tags=["eu", "gpu"]), None),
        (Options(tags=["eu", "us"]), "without tag us"),  # all of them
        (Options(tags=["uk", "us"]), "without tags uk, us"),
        (Options(tags=[]), None),
        (Options(tiers=2), None),
        (Options(tiers=[1, 3]), "not in tiers 1, 3"),
        (Options(regions="eu-1", tags="eu", tiers=2), None),
        (Options(regions="eu-1", tags="eu", tiers=1), "not in tier 1"),
        (Options(affinity="chat"), None),  # a wish
    ],
)
def test_an_endpoint_is_allowed_where_all_constraints_hold_and_else_it_is_said_why_not(
    options: Options, why: str | None
) -> None:
    assert why_not(options, EU) == why


def test_an_endpoint_without_region_has_none() -> None:
    assert why_not(Options(regions="None"), endpoint("a")) is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            Options(regions="aws:eu-centrl-1"),
            "no endpoint has the region aws:eu-centrl-1: did you mean aws:eu-central-1?",
        ),
        (Options(regions="eu_1"), "no endpoint has the region eu_1: did you mean eu-1?"),
        (Options(regions="gpu"), "no endpoint has the region gpu: it is a tag: ask for tags"),
        (Options(tags="us-1"), "no endpoint has the tag us-1: it is a region: ask for regions"),
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


# -- what the configuration allows


def test_a_request_can_only_narrow_what_the_configuration_allows() -> None:
    pool = pool_of(EU, "us-1", endpoint("us-2", tags=("gpu",)), allow=Options(tags="gpu"))
    assert choose(pool).endpoint.name == "us-2"
    assert choose(pool, "us-2").endpoint.name == "eu-1"
    assert choose(pool, options=Options(tiers=2)).endpoint.name == "eu-1"
    with pytest.raises(NoEndpointError) as caught:
        choose(pool, options=Options(regions="us-1"))
    assert str(caught.value) == (
        "no endpoint satisfies regions us-1 together where the configuration allows tags gpu: "
        "relax the request's Options or add an endpoint"
    )


def test_what_is_not_allowed_is_told_in_the_decision() -> None:
    pool = pool_of(EU, "us-1", allow=Options(tags="eu"))
    told = choose(pool).decision().outside
    assert told == {"us-1": "without tag eu, by the configuration"}
