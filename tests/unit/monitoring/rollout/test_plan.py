import pytest

from ml_modeling.specification import Rollout
from monitoring.control import Policy, Traffic
from monitoring.rollout.plan import plan_of
from tests.cases.control_stores import model


@pytest.mark.parametrize(
    ("policy", "shares"),
    [
        ("direct", [0]),
        ("manual", [0]),
        ("shadow", [0]),
        ("canary", [10, 50, 100]),
        ("ab", [50]),
        ("blue_green", [100]),
    ],
)
def test_each_policy_has_its_shares_and_ends_with_the_promotion(policy: str, shares: list[int]) -> None:
    plan = plan_of(Rollout(), Policy(policy))
    traffic: Traffic | None = plan.first(model("1"), model("2"))
    way = []
    while traffic is not None:
        way.append(traffic.share)
        assert (traffic.policy, traffic.champion, traffic.challenger) == (policy, model("1"), model("2"))
        traffic = plan.after(traffic)
    assert way == shares


@pytest.mark.parametrize(("share", "following"), [(10, 25), (25, None), (50, None)])
def test_a_plan_that_was_changed_is_followed_from_where_the_traffic_is(share: int, following: int | None) -> None:
    plan = plan_of(Rollout(steps=(5, 25)), Policy.CANARY)
    after = plan.after(Traffic(Policy.CANARY, model("1"), model("2"), share))
    assert (None if after is None else after.share) == following
