"""A bias planted in the simulated shop: the gate catches it, the mitigation brings it under the limit at a price."""

from dataclasses import replace

import pytest
import skops.io

from ingestion_layer.sources.simulator.shop import Bias
from ml_modeling.evaluation.evaluate import evaluate
from ml_modeling.gates import judge
from ml_modeling.registry.served import TRUSTED_TYPES
from ml_modeling.specification import BinaryFairness, Mitigation, Range
from ml_modeling.training.train import fit
from ml_modeling.training.tuning import cost_of_limits
from ml_modeling.use_case import load_use_case
from tests.cases.shop_frames import SERVICE, shop_frame, shop_of

LIMIT = 0.12
BIAS = Bias("sign_up_channel", "store", rate=0.4)
FAIR = BinaryFairness(
    columns=("age_band", "region", "sign_up_channel"),
    gates={"selection_rate": {"difference": LIMIT}, "false_positive_rate": {"difference": LIMIT}},
)
MITIGATION = Mitigation(
    candidate="logistic_regression",
    column="sign_up_channel",
    constraint="demographic_parity",
    strength=Range(low=0.38, high=0.42),
)
MITIGATED = FAIR.model_copy(update={"mitigation": MITIGATION})
CHURN = load_use_case("churn")


def use_case(fairness, trials):
    changes = {"candidates": {"logistic_regression": {"C": 1.0}}, "fairness": fairness}
    spec = CHURN.spec.model_copy(update=changes)
    return replace(CHURN, service=SERVICE, spec=spec).with_budget(trials, 100.0)


def trained(frame, split, fairness, trials=1):
    """The model, its verdict on fairness, and the report."""
    asked = use_case(fairness, trials)
    model = fit(asked, frame, split, lambda *_: None)
    task, test = asked.task, model.test
    scoring = task.scoring(task.predict(model.pipeline, test.x), task.rule_of(model.serving))
    baseline = task.baseline(test.x, asked.features, model.baseline_rule)
    report = evaluate(task, test, scoring, baseline, asked.spec.bootstrap)
    verdict = judge(report, asked.spec.gates, None, asked.spec.fairness)
    return model, [check for check in verdict.checks if check.gate.startswith("fairness")], report


@pytest.fixture(scope="module")
def biased():
    return shop_frame(shop_of(21, 4000, bias=BIAS))


def test_a_planted_bias_fails_its_own_columns_gate_and_no_other(biased):
    _, checks, report = trained(*biased, FAIR)
    failed = {check.gate for check in checks if not check.passed}
    assert "fairness of selection_rate by sign_up_channel" in failed
    assert all(gate.endswith("by sign_up_channel") for gate in failed)
    (found,) = [one for one in report.fairness.disparities_in("selection_rate") if one.column == "sign_up_channel"]
    assert found.highest == "store"


@pytest.fixture(scope="module")
def mitigated(biased):
    return trained(*biased, MITIGATED, trials=2)


def test_the_mitigation_brings_it_under_the_limit_at_a_price_that_is_told(mitigated):
    model, checks, report = mitigated
    assert model.chosen.candidate == "mitigated_logistic_regression"
    assert [check.detail for check in checks if not check.passed] == []
    assert model.chosen.excess == 0.0
    plain = max(trial.score for trial in model.trials if trial.candidate == "logistic_regression")
    told = cost_of_limits(use_case(MITIGATED, 1).spec, model.trials)["fairness.cost"]
    assert told.startswith(f"average_precision {model.chosen.score - plain:+.4f} on validation")
    assert model.chosen.score < plain
    assert report.metrics["roc_auc"].value > 0.6  # dearer than without the limit, and still no lottery


def test_a_mitigated_model_is_kept_and_asked_like_any_other(mitigated):
    model, _, _ = mitigated
    stored = skops.io.dumps(model.pipeline)
    read = skops.io.loads(stored, trusted=list(TRUSTED_TYPES))
    assert model.serving.features == SERVICE.names  # no group among them
    assert (read.predict_proba(model.test.x) == model.pipeline.predict_proba(model.test.x)).all()


def test_without_a_bias_there_is_no_alarm():
    _, checks, _ = trained(*shop_frame(shop_of(3, 1500)), FAIR)
    assert len(checks) == 6
    assert all(check.passed for check in checks), [check.detail for check in checks]
