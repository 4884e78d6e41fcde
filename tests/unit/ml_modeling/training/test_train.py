from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.examples import FrameError, TrainingFrame
from ml_modeling.frames.leakage import LeakageError
from ml_modeling.specification import ColdStart, FixedThreshold
from ml_modeling.training.train import OneLabelError, fit
from ml_modeling.use_case import load_use_case
from tests.cases.groups import groups_by_lot

DAYS = [date(2026, 1, 5) + timedelta(weeks=13 * step) for step in range(4)]
SPLIT = CutoffSplit(train=(DAYS[0],), validation=(DAYS[2],), test=(DAYS[3],), between=(DAYS[1],))
CHURN = load_use_case("churn")


def use_case(**changes):
    spec = CHURN.spec.model_copy(update={"candidates": {"logistic_regression": {"C": [0.1, 1.0]}}, **changes})
    return CHURN.__class__(**{**vars(CHURN), "spec": spec}).with_budget(2, 100.0)


def frame(**changes):
    """600 customers at four cutoffs; recency says most about the label."""
    random = np.random.default_rng(9)
    parts = []
    for day in DAYS:
        values = {name: random.gamma(2.0, 10.0, 600) for name in CHURN.features}
        label = (values["purchases__time_since_last_all"] / 20 + random.normal(0, 1, 600) > 1).astype(int)
        at = pd.Timestamp(day)
        own = {"time": at, "matured_at": at + CHURN.question.horizon, "label": label}
        own |= groups_by_lot(CHURN.spec.fairness.columns, 600)
        rows = pd.DataFrame({"entity": [f"c{i:03}" for i in range(600)], **own, **values})
        rows.loc[rows.index % 10 == 0, "gap_mean_days"] = np.nan
        parts.append(rows)
    rows = pd.concat(parts, ignore_index=True).assign(**changes)
    return TrainingFrame(rows, CHURN.features)


def quiet(*_):
    return None


def test_the_final_fit_learns_from_every_cutoff_before_the_test_and_ranks_the_test():
    model = fit(use_case(), frame(), SPLIT, quiet)
    assert len(model.fitted) == 3 * 600
    assert roc_auc_score(model.test.y, model.pipeline.predict_proba(model.test.x)[:, 1]) > 0.7
    assert model.serving.features == CHURN.features
    assert model.serving.cold_start_score == pytest.approx(model.fitted.y.mean())


def test_the_test_part_has_no_say_in_the_model():
    honest = frame()
    turned = honest.rows.assign(
        label=honest.rows.label.where(honest.rows.time != pd.Timestamp(DAYS[3]), 1 - honest.rows.label)
    )
    first = fit(use_case(), honest, SPLIT, quiet)
    second = fit(use_case(), TrainingFrame(turned, CHURN.features), SPLIT, quiet)
    assert first.serving == second.serving
    assert (first.pipeline.predict_proba(first.test.x) == second.pipeline.predict_proba(first.test.x)).all()


def test_the_order_rows_arrive_in_does_not_matter():
    shuffled = TrainingFrame(frame().rows.sample(frac=1, random_state=3), CHURN.features)
    first, second = fit(use_case(), frame(), SPLIT, quiet), fit(use_case(), shuffled, SPLIT, quiet)
    assert (first.pipeline.predict_proba(first.test.x) == second.pipeline.predict_proba(second.test.x)).all()


def test_a_planted_leak_stops_the_training():
    leaked = frame()
    future = TrainingFrame(leaked.rows.assign(purchases__amount_sum_30d=1.0 - leaked.rows.label), CHURN.features)
    with pytest.raises(LeakageError, match="purchases__amount_sum_30d"):
        fit(use_case(), future, SPLIT, quiet)


def test_rules_for_threshold_and_cold_start_are_followed():
    rules = {
        "threshold": FixedThreshold(rule="fixed", value=0.3),
        "cold_start": ColdStart(score=0.9, decision="threshold"),
    }
    serving = fit(use_case(**rules), frame(), SPLIT, quiet).serving
    assert (serving.threshold, serving.cold_start_score, serving.cold_start_decision) == (0.3, 0.9, "churns")


@pytest.mark.parametrize(("decision", "expected"), [("none", None), ("stays", "stays"), ("threshold", "churns")])
def test_what_a_stranger_gets_is_what_is_declared_though_the_base_rate_is_above_the_threshold(decision, expected):
    rules = {
        "threshold": FixedThreshold(rule="fixed", value=0.2),
        "cold_start": ColdStart(score="base_rate", decision=decision),
    }
    model = fit(use_case(**rules), frame(), SPLIT, quiet)
    assert model.serving.cold_start_score == model.fitted.base_rate > model.serving.threshold
    assert model.serving.cold_start_decision == expected


def test_a_part_with_one_label_only_is_named():
    with pytest.raises(OneLabelError, match="the train part has only label 1"):
        fit(use_case(), frame(label=1), SPLIT, quiet)


@pytest.mark.parametrize("empty", [DAYS[:1], DAYS[:3]], ids=["in the search", "in the final fit too"])
def test_a_feature_that_is_empty_where_a_model_is_fitted_is_refused_though_later_rows_have_it(empty):
    rows = frame().rows
    rows.loc[rows.time.isin(pd.to_datetime(list(empty))), "basket_mean_365d"] = np.nan
    with pytest.raises(FrameError, match="no value in any of the 600 rows of the train part: basket_mean_365d"):
        fit(use_case(), TrainingFrame(rows, CHURN.features), SPLIT, quiet)


def test_a_feature_that_is_empty_only_where_nothing_is_fitted_is_learnt_from():
    rows = frame().rows
    rows.loc[rows.time == pd.Timestamp(DAYS[3]), "basket_mean_365d"] = np.nan
    model = fit(use_case(), TrainingFrame(rows, CHURN.features), SPLIT, quiet)
    assert np.isfinite(model.pipeline.predict_proba(model.test.x)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"basket_mean_365d": np.inf}, "feature basket_mean_365d is infinite in 2400 rows"),
        ({"label": 2}, "column label has values beside 0 and 1"),
        ({"entity": "one"}, "2396 rows repeat an entity at the same time"),
    ],
    ids=["infinite", "label", "repeated rows"],
)
def test_a_frame_that_cannot_be_learned_from_is_refused(changes, message):
    with pytest.raises(FrameError, match=message):
        frame(**changes)
