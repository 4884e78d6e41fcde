"""Models of numbers and of classes through the steps of a model's life, on the real MLflow server."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import mlflow
import numpy as np
import pandas as pd
import pytest

from feature_store.definitions import Classes, Task
from ml_modeling.evaluation.report import EvaluationReport
from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.event_range import EventRange
from ml_modeling.frames.examples import TrainingFrame
from ml_modeling.frames.frame import SplitFrame
from ml_modeling.gates import GateReport
from ml_modeling.lifecycle import evaluate_run, gate_run, train
from ml_modeling.registry import tags
from ml_modeling.registry.answers import answer
from ml_modeling.registry.connection import connect
from ml_modeling.registry.promotion import promote
from ml_modeling.registry.versions import Version, register
from ml_modeling.specification import ClassBaseline, MulticlassSpec
from ml_modeling.tracking.runs import TrainingRun, existing_run
from ml_modeling.training.train import TrainedModel
from ml_modeling.use_case import UseCase, load_use_case
from model_serving.answers import answers
from model_serving.asked import Asked
from model_serving.breaker import CircuitBreaker
from model_serving.champion import ChampionHolder
from tests.cases.groups import groups_by_lot

pytestmark = pytest.mark.usefixtures("mlflow_server")

DAYS = [date(2026, 1, 5) + timedelta(days=60 * step) for step in range(4)]
SPLIT = CutoffSplit(train=(DAYS[0],), validation=(DAYS[2],), test=(DAYS[3],), between=(DAYS[1],))
SPEND = load_use_case("next_spend")
CLASSES = Classes(("none", "some", "much"), edges=(20.0, 60.0))
BEFORE = "spend__amount_sum_60d"


@dataclass(frozen=True)
class Promoted:
    """The first champion of a use case, and what each step of its life gave."""

    use_case: UseCase
    run: TrainingRun
    trained: TrainedModel
    report: EvaluationReport
    verdict: GateReport
    version: Version


def of_numbers(name):
    """Next spend under a name of its own, with two small candidates."""
    spec = SPEND.spec.model_copy(update={"candidates": {"ridge": {}, "lightgbm": {"n_estimators": [20, 40]}}})
    return replace(SPEND, name=name, spec=spec).with_budget(2, 60.0)


def of_classes(name):
    """The same question in classes."""
    shared = SPEND.spec.model_dump(include={"description", "cutoffs", "max_rows", "bootstrap"})
    spec = MulticlassSpec.model_validate(
        {
            **shared,
            "search": {"metric": "log_loss", "trials": 2, "timeout_s": 60, "seed": 1},
            "candidates": {"logistic_regression": {}, "xgboost": {"n_estimators": 20}},
            "leakage": {"max_single_feature_auc": 1, "max_pure_share": 1},
            "baseline": ClassBaseline(feature=BEFORE),
            "class_weights": "balanced",
            "cold_start": {"decision": "prior"},
            "gates": {
                "floors": {"macro_f1": 0.4},
                "baseline": {"metric": "macro_f1", "gain": 0},
                "champion": {"metric": "log_loss", "margin": 0.2},
            },
        }
    )
    return replace(SPEND, name=name, spec=spec, question=replace(SPEND.question, answer=CLASSES))


@pytest.fixture(scope="module")
def champion(settings, mlflow_server):
    """A champion of numbers that tests only read, or compare with."""
    use_case = of_numbers("numbers-read-by-all")
    run, trained, report = evaluated(settings, use_case)
    verdict = gate_run(settings, use_case, run.run_id)
    version = register(settings, use_case.name, run.run_id)
    promote(settings, use_case.name, version.version, "first", "ada")
    return Promoted(use_case, run, trained, report, verdict, version)


def data(task, signal=1.0):
    """500 customers at four cutoffs, who spend half of what they spent in 180 days, as far as ``signal`` says."""
    random = np.random.default_rng(0)
    parts = []
    for day in DAYS:
        values = {feature: random.gamma(2.0, 20.0, 500) for feature in SPEND.features}
        spent = signal * 0.5 * values["spend__amount_sum_180d"] + (1 - signal) * random.gamma(2.0, 10.0, 500)
        label = np.maximum(spent + random.normal(0, 4, 500), 0)
        label = label if task is Task.REGRESSION else np.digitize(label, CLASSES.edges)
        at = pd.Timestamp(day)
        own = {"time": at, "matured_at": at + SPEND.question.horizon, "label": label}
        own |= groups_by_lot(SPEND.spec.fairness.columns, 500)
        parts.append(pd.DataFrame({"entity": [f"c{i:03}" for i in range(500)], **own, **values}))
    frame = TrainingFrame(pd.concat(parts, ignore_index=True), SPEND.features, task)
    return SplitFrame(frame, SPLIT, {"silver/transactions": 4}, EventRange(DAYS[0], date(2027, 1, 4)))


def quiet(*_):
    return None


def evaluated(settings, use_case, signal=1.0):
    task = use_case.question.answer.task
    run, trained = train(settings, use_case, lambda: data(task, signal), quiet)
    report = evaluate_run(settings, use_case, run.run_id)
    return run, trained, report


def evaluation_files(settings, run_id):
    return {file.path.removeprefix("evaluation/") for file in connect(settings).list_artifacts(run_id, "evaluation")}


def test_a_model_of_numbers_is_trained_gated_and_answers_values_with_their_intervals(settings, champion):
    run, trained, report = champion.run, champion.trained, champion.report
    spec, pipeline = existing_run(settings, champion.use_case.name, run.run_id).read_model()
    answered = answer(spec, pipeline, trained.test.x)
    assert (champion.verdict.passed, champion.verdict.reasons) == (True, [])
    assert report.gain["mae"].high < 0
    assert report.metrics["coverage"].value == pytest.approx(0.9, abs=0.06)
    covered = (answered.low <= trained.test.y) & (trained.test.y <= answered.high)
    assert covered.mean() == pytest.approx(report.metrics["coverage"].value)
    assert np.abs(answered.values - trained.test.y).mean() == pytest.approx(report.metrics["mae"].value)
    assert (spec.entities, spec.inputs, spec.task) == (("customer_id",), (), "regression")
    assert champion.version.metrics["mae"] == pytest.approx(report.metrics["mae"].value)
    assert evaluation_files(settings, run.run_id) >= {"values.png", "errors.png", "shap_summary.png", "report.json"}
    card = connect(settings).get_run(run.run_id).data.tags[tags.NOTE]
    assert "the sum of amount of such events in the 60 days that follow" in card
    assert "The baseline is one line: the value is spend__amount_sum_60d" in card


def test_mlflows_own_pyfunc_answers_the_same_values(settings, champion):
    trained = champion.trained
    model = mlflow.pyfunc.load_model(connect(settings).get_run(champion.run.run_id).data.tags[tags.MODEL_URI])
    asked = pd.DataFrame(trained.test.x, columns=SPEND.features)[list(reversed(SPEND.features))]
    raw = trained.pipeline.predict(trained.test.x)
    assert model.predict(asked) == pytest.approx(raw)


def test_a_model_of_noise_does_not_beat_what_they_spent_before(settings, name):
    numbers = of_numbers(name)
    run, _, _ = evaluated(settings, numbers, signal=0.0)
    strict = numbers.spec.gates.model_copy(update={"floors": {"r2": 0.5}})
    verdict = gate_run(settings, replace(numbers, spec=numbers.spec.model_copy(update={"gates": strict})), run.run_id)
    assert not verdict.passed
    assert verdict.reasons[0].startswith("floor of r2: ")


def test_a_champion_of_numbers_that_is_clearly_better_stays(settings, champion):
    numbers = champion.use_case
    stump = numbers.spec.model_copy(update={"candidates": {"random_forest": {"n_estimators": 1, "max_depth": 1}}})
    margin = stump.gates.champion.model_copy(update={"margin": 0.5})
    weak = replace(
        numbers, spec=stump.model_copy(update={"gates": stump.gates.model_copy(update={"champion": margin})})
    )
    worse, _, _ = evaluated(settings, weak)
    verdict = gate_run(settings, weak, worse.run_id)
    assert (verdict.passed, verdict.champion) == (False, "1")
    assert verdict.reasons[-1].startswith("not worse than champion 1: mae minus the champion's is ")


def test_a_model_of_classes_is_trained_gated_and_answers_a_score_for_each(settings, name):
    classes = of_classes(name)
    run, trained, report = evaluated(settings, classes)
    verdict = gate_run(settings, classes, run.run_id)
    spec, pipeline = existing_run(settings, classes.name, run.run_id).read_model()
    answered = answer(spec, pipeline, trained.test.x)
    right = [
        CLASSES.names[label] == decision for label, decision in zip(trained.test.y, answered.decisions, strict=True)
    ]
    assert (verdict.passed, verdict.reasons) == (True, [])
    assert np.mean(right) == pytest.approx(report.metrics["accuracy"].value)
    assert answered.scores.sum(axis=1) == pytest.approx(np.ones(500))
    assert report.gain["macro_f1"].low > 0
    assert evaluation_files(settings, run.run_id) >= {"confusion.png", "calibration.png", "shap_summary.png"}
    assert (
        "a probability for each of `none`, `some`, `much`" in connect(settings).get_run(run.run_id).data.tags[tags.NOTE]
    )


def test_a_champion_of_another_task_is_named_and_not_compared_with(settings, champion):
    classes = of_classes(champion.use_case.name)
    other, _, _ = evaluated(settings, classes)
    verdict = gate_run(settings, classes, other.run_id)
    assert (verdict.passed, verdict.champion) == (False, "1")
    assert "it cannot score the test part" in verdict.reasons[-1]


def holding(settings, name, task):
    """What the model server holds of a use case of ``task`` after it asked the registry."""
    holder = ChampionHolder(settings, Asked(name, task, ("customer_id",), ()), CircuitBreaker(3))
    holder.refresh()
    return holder


def test_the_server_takes_a_champion_of_numbers_and_refuses_it_where_another_task_is_asked(
    settings, champion, tmp_path
):
    name, trained = champion.use_case.name, champion.trained
    home = settings.model_copy(update={"home": tmp_path})
    refused = holding(home, name, Task.MULTICLASS)
    assert refused.champion is None
    assert f"it is a regression model, and {name} asks for multiclass" in refused.load_error
    taken = holding(home, name, Task.REGRESSION)
    assert (taken.load_error, taken.champion.model.identity) == (None, champion.run.model())
    interval = trained.serving.interval
    for told, raw in zip(
        answers(taken.champion.model, trained.test.x), trained.pipeline.predict(trained.test.x), strict=True
    ):
        assert told["value"] == pytest.approx(max(raw, 0.0))
        ends = [max(told["value"] + interval.below, 0.0), told["value"] + interval.above]
        assert told["interval"] == pytest.approx(ends)
