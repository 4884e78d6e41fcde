import pytest

from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.gates import ChampionComparison, judge
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.specification import BaselineGate, ChampionGate, Gates

WHICH = ModelIdentity(run_id="run", model_id="m-1")

GATES = Gates(
    floors={"roc_auc": 0.65},
    ceilings={"brier": 0.25},
    baseline=BaselineGate(metric="roc_auc", gain=0.0),
    champion=ChampionGate(metric="roc_auc", margin=0.02),
)


def report(roc_auc=0.8, brier=0.2, gain=(0.05, 0.01, 0.09)):
    def estimate(value, low=None, high=None):
        return Estimate(value=value, low=value if low is None else low, high=value if high is None else high)

    return EvaluationReport(
        examples=100,
        entities=90,
        base_rate=0.4,
        threshold=0.5,
        confidence=0.95,
        metrics={"roc_auc": estimate(roc_auc), "brier": estimate(brier)},
        baseline_rule="the higher recency_days, the more likely",
        baseline={"roc_auc": estimate(roc_auc - gain[0])},
        gain={"roc_auc": estimate(*gain)},
        calibration=[],
    )


def against(value, low, high, version="3"):
    return ChampionComparison(version=version, model=WHICH, difference=Estimate(value=value, low=low, high=high))


def test_a_good_first_model_passes_and_needs_no_champion():
    verdict = judge(report(), GATES, None)
    assert verdict.passed
    assert verdict.reasons == []
    assert verdict.champion is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (report(roc_auc=0.6499), "floor of roc_auc: 0.6499, at least 0.65 wanted"),
        (report(brier=0.2501), "ceiling of brier: 0.2501, at most 0.25 wanted"),
        (report(gain=(0.05, -0.001, 0.1)), "better than the baseline: roc_auc minus the baseline's is 0.050"),
        (report(gain=(0.0, 0.0, 0.0)), "better than the baseline"),
    ],
    ids=["below the floor", "above the ceiling", "interval reaches below zero", "equal to the baseline"],
)
def test_one_failed_gate_is_enough_and_says_why(bad, reason):
    verdict = judge(bad, GATES, None)
    assert not verdict.passed
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(reason)


def test_values_at_the_bound_pass():
    assert judge(report(roc_auc=0.65, brier=0.25), GATES, None).passed


@pytest.mark.parametrize(
    ("comparison", "passes"),
    [
        (against(0.0, 0.0, 0.0), True),
        (against(-0.005, -0.02, 0.01), True),
        (against(0.01, -0.021, 0.04), False),
        (against(-0.1, -0.12, -0.08), False),
    ],
    ids=["the same model", "within the margin", "too unsure", "clearly worse"],
)
def test_a_challenger_may_not_be_worse_than_the_champion_by_more_than_the_margin(comparison, passes):
    verdict = judge(report(), GATES, comparison)
    assert verdict.passed is passes
    assert verdict.champion == "3"


def test_a_lower_brier_score_is_a_better_one():
    gates = GATES.model_copy(update={"champion": ChampionGate(metric="brier", margin=0.01)})
    assert judge(report(), gates, against(-0.05, -0.06, -0.04)).passed
    assert not judge(report(), gates, against(0.005, -0.01, 0.02)).passed


def test_a_champion_that_cannot_be_compared_with_blocks_and_says_so():
    verdict = judge(
        report(), GATES, ChampionComparison(version="3", model=WHICH, difference=None, problem="it needs tenure_days")
    )
    assert verdict.reasons == ["not worse than champion 3: it needs tenure_days"]


def test_a_lower_error_is_a_gain_and_must_be_so_by_the_whole_interval():
    def of_error(low, high):
        gain = Estimate(value=(low + high) / 2, low=low, high=high)
        return report().model_copy(update={"gain": {"mae": gain}})

    gates = GATES.model_copy(update={"baseline": BaselineGate(metric="mae", gain=5.0)})
    assert judge(of_error(-9.0, -5.1), gates, None).passed
    refused = judge(of_error(-9.0, -4.9), gates, None)
    assert refused.reasons[0].endswith("the upper bound must be below -5.0")


def test_a_bound_of_what_no_example_has_is_not_kept():
    gates = GATES.model_copy(update={"ceilings": {"mape": 0.5}})
    assert judge(report(), gates, None).reasons == ["ceiling of mape: nan, at most 0.5 wanted"]
