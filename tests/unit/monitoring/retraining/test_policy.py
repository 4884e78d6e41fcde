from datetime import timedelta

import pytest

from ml_modeling.specification import Retraining
from monitoring.retraining.errors import UnusablePolicyError
from monitoring.retraining.policy import RetrainPolicy, read_policy

DECLARED = Retraining(window_days=365, parameters="champions")


def test_what_a_request_leaves_out_is_as_in_model_yaml() -> None:
    assert read_policy({}).completed_by(DECLARED) == RetrainPolicy(window_days=365, parameters="champions")
    assert read_policy({}).completed_by(Retraining()) == RetrainPolicy(parameters="tune")


def test_what_a_request_says_is_kept() -> None:
    policy = read_policy({"window_days": 90, "parameters": "tune", "trials": 5}).completed_by(DECLARED)
    assert (policy.window, policy.parameters, policy.trials) == (timedelta(days=90), "tune", 5)
    assert policy.said == {"window_days": 90, "parameters": "tune", "trials": 5}


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"window_days": 0}, "window_days: Input should be greater than or equal to 1"),
        ({"window_days": "a year"}, "window_days: Input should be a valid integer"),
        ({"parameters": "guess"}, "parameters: Input should be 'tune' or 'champions'"),
        ({"trails": 5}, "trails: Extra inputs are not permitted"),
    ],
)
def test_a_policy_that_nobody_can_train_by_is_refused_with_its_key(policy: dict[str, object], why: str) -> None:
    with pytest.raises(UnusablePolicyError, match=why):
        read_policy(policy)
