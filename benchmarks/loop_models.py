"""The models of ``loop_years.py``: trained, tested and judged by the project's own code, as a request would have it.

What ``model.yaml`` would say is ``SPEC``. What is about how models are trained, compared and rolled out follows fraud
and churn; retraining, rollout and drift have no word in it, so that they are as they ship.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from loop_world import CUSTOMERS, DAY, FEATURES, Asked, Floats
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import Recipe
from ml_modeling.evaluation.evaluate import compare, evaluate
from ml_modeling.evaluation.report import EvaluationReport
from ml_modeling.frames.examples import Examples
from ml_modeling.frames.periods import PeriodSplit, embargo, split_periods
from ml_modeling.frames.splits import Part
from ml_modeling.gates import ChampionComparison, GateReport, judge
from ml_modeling.registry import ModelIdentity
from ml_modeling.registry.served import Serving
from ml_modeling.specification import BinarySpec
from ml_modeling.tasks.binary import THRESHOLD, BinaryTask
from ml_modeling.tasks.scoring import Scoring
from ml_modeling.training.fitting import Fitting
from monitoring.looks.columns import batch_of, feature_definition, prediction_definition
from monitoring.looks.reference import beside
from monitoring.performance import Reference as LossReference
from monitoring.profiles import TableDefinition, TableProfile, profile_batches

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
USE_CASE = "simulated"
CANDIDATE = "logistic_regression"
PARAMETERS: Mapping[str, Any] = {"C": 1.0}
RULE = {THRESHOLD: 0.5}
SPEC = BinarySpec.model_validate(
    {
        "description": "What the simulation asks.",
        "decisions": ["stays", "leaves"],
        "periods": {"fit_days": 28, "validation_days": 7, "test_days": 7},
        "max_rows": 500_000,
        "leakage": {"max_single_feature_auc": 0.97, "max_pure_share": 0.7},
        "search": {"metric": "average_precision", "trials": 1, "timeout_s": 60, "seed": 0},
        "candidates": {CANDIDATE: PARAMETERS},
        "baseline": {"feature": "x0", "high_means_positive": True},
        "threshold": {"rule": "fixed", "value": RULE[THRESHOLD]},
        "cold_start": {"score": "base_rate", "decision": "none"},
        "bootstrap": {"replicates": 300, "confidence": 0.95, "seed": 11},
        "gates": {
            "floors": {"roc_auc": 0.65},
            "ceilings": {"brier": 0.25},
            "baseline": {"metric": "roc_auc", "gain": 0.0},
            "champion": {"metric": "roc_auc", "margin": 0.02},
        },
    }
)
TASK = BinaryTask(SPEC)
FITTING = Fitting(TASK, Recipe(Task.BINARY, FEATURES, SPEC.columns))


@dataclass(frozen=True)
class Model:
    """A fitted model and the day it was trained on; it was tested on ``test``, and nearly all labels took ``gap``."""

    day: int
    pipeline: Pipeline
    fitted: Examples
    test: Examples
    gap: timedelta

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(run_id=f"run-{self.day}", model_id=f"m-{self.day}")

    def scores(self, x: Floats) -> Floats:
        return TASK.predict(self.pipeline, x)

    def scoring(self, examples: Examples) -> Scoring:
        return TASK.scoring(self.scores(examples.x), RULE)

    @cached_property
    def report(self) -> EvaluationReport:
        """Of its test, with the intervals of the bootstrap."""
        baseline = TASK.baseline(self.test.x, FEATURES, RULE)
        return evaluate(TASK, self.test, self.scoring(self.test), baseline, SPEC.bootstrap)

    @property
    def loss(self) -> LossReference:
        """What live losses are held against: the mean squared error in the test, and its interval."""
        brier = self.report.metrics["brier"]
        return LossReference(brier.value, brier.low, brier.high)

    @cached_property
    def reference(self) -> TableProfile:
        """Of the features it was fitted on and of what it says of the test, as ``keep_reference`` keeps it."""
        features, said = definitions(self.serving)
        of_test = self.scores(self.test.x).reshape(-1, 1)
        return beside(
            profile_batches([batch_of(self.fitted.x, features)], features),
            profile_batches([batch_of(of_test, said)], said),
        )

    @property
    def serving(self) -> Serving:
        common = {
            "use_case": USE_CASE,
            "feature_service": USE_CASE,
            "feature_fingerprint": "",
            "features": FEATURES,
            "entities": ("customer_id",),
        }
        return TASK.serving(common, RULE, self.fitted)


def definitions(serving: Serving) -> tuple[TableDefinition, TableDefinition]:
    """Of the features and of what a model says."""
    return feature_definition(FEATURES, ()), prediction_definition(serving)


def trained(asked: Asked, day: int) -> Model:
    """The model that a training on the morning of ``day`` gives: from the labels that are known by then."""
    known = np.flatnonzero(asked.known_at < day * DAY)
    delays = np.ceil((asked.known_at[known] - asked.at[known]) / DAY).astype(int)
    gap = embargo(dict(enumerate(np.bincount(delays).tolist())), SPEC.periods.matured_share if SPEC.periods else 1)
    split = _split(day, gap)
    fitted, test = (_examples(asked, split, part, day) for part in (Part.FIT, Part.TEST))
    return Model(day, FITTING.fit(CANDIDATE, PARAMETERS, fitted), fitted, test, gap)


def _split(day: int, gap: timedelta) -> PeriodSplit:
    if SPEC.periods is None:
        raise ValueError("the specification has periods")
    return split_periods(BEGAN.date(), _date(day) - gap, gap, SPEC.periods)


def _date(day: int) -> date:
    return BEGAN.date() + timedelta(days=day)


def _examples(asked: Asked, split: PeriodSplit, part: Part, day: int) -> Examples:
    """Those of a part whose labels are known before the next part begins, and now."""
    begin, end = ((edge - BEGAN.date()).days * DAY for edge in (split.parts[part].begin, split.parts[part].end))
    known_by = min(split.known_by(part), datetime.combine(_date(day), datetime.min.time()))
    rows = asked.between(begin, end)
    limit = (known_by - BEGAN.replace(tzinfo=None)).total_seconds()
    is_known = asked.known_at[rows] < limit
    return Examples(asked.x[rows][is_known], asked.y[rows][is_known], asked.customer[rows][is_known])


def gated(model: Model, champion: Model) -> GateReport:
    """What the gates say of ``model`` beside ``champion``, on the test of the new one."""
    metric = SPEC.gates.champion.metric
    new, old = model.scoring(model.test), champion.scoring(model.test)
    difference = compare(TASK, model.test, new, old, metric, SPEC.bootstrap)
    comparison = ChampionComparison(version=str(champion.day), model=champion.identity, difference=difference)
    return judge(model.report, SPEC.gates, comparison)


def true_auc(scores: Floats, p: Floats) -> float:
    """The ROC AUC over all that might come true: each row is positive with its probability, and negative with the rest.

    Without the luck of labels.
    """
    if not len(p):
        return math.nan
    y = np.repeat([1, 0], len(p))
    return float(roc_auc_score(y, np.tile(scores, 2), sample_weight=np.concatenate([p, 1 - p])))


def true_loss(scores: Floats, p: Floats) -> Floats:
    """The expected squared error of each score (n,)."""
    return (scores - p) ** 2 + p * (1 - p)


def ideal(x: Floats, y: Floats, day: int) -> Model:
    """A model fitted on rows that nobody has yet: what an oracle learns from."""
    examples = Examples(x, y.astype(np.int64), np.arange(len(y)) % CUSTOMERS)
    return Model(day, FITTING.fit(CANDIDATE, PARAMETERS, examples), examples, examples, timedelta(0))
