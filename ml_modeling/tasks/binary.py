"""Yes or no: a probability, a threshold, two decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from feature_store.definitions import Task
from ml_modeling.evaluation.baseline import baseline_scores, describe
from ml_modeling.evaluation.bootstrap import weighted_average_precision, weighted_roc_auc
from ml_modeling.evaluation.metrics import calibration, max_f1_threshold, measure
from ml_modeling.evaluation.report import Bin, BinaryReport, EvaluationReport
from ml_modeling.frames.examples import Examples, Floats, Integers
from ml_modeling.frames.leakage import check_features
from ml_modeling.registry.served import NO_DECISION, Serving, ServingSpec
from ml_modeling.specification import BinarySpec, FixedThreshold
from ml_modeling.tasks.scoring import Rule, Scoring
from ml_modeling.tasks.task import Common, OneLabelError
from ml_modeling.tasks.weights import class_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLD = "threshold"
RANKING = {"average_precision": average_precision_score, "roc_auc": roc_auc_score}


@dataclass(frozen=True)
class BinaryTask:
    spec: BinarySpec
    name: Task = Task.BINARY
    compared: tuple[str, ...] = ("roc_auc", "average_precision")
    of_baseline: tuple[str, ...] = ("roc_auc", "average_precision", "f1", "accuracy")
    """The baseline's score is no probability: it has no Brier score."""

    def check_part(self, part: str, examples: Examples) -> None:
        if not len(examples) or examples.base_rate in (0.0, 1.0):
            label = "no example" if not len(examples) else f"only label {int(examples.base_rate)}"
            raise OneLabelError(f"the {part} part has {label} ({len(examples)} examples): nothing to learn or measure")

    def check_leakage(self, examples: Examples, features: tuple[str, ...]) -> None:
        check_features(examples, features, self.spec.leakage)

    def predict(self, pipeline: Any, x: Floats) -> Floats:
        scores: Floats = pipeline.predict_proba(x)[:, 1].astype(np.float64)
        return scores

    def rank(self, metric: str, examples: Examples, scores: Floats) -> float:
        return float(RANKING[metric](examples.y, scores))

    def weights(self, examples: Examples) -> Floats | None:
        return class_weights(examples.y, self.spec.class_weights, self.spec.decisions)

    def rule(self, validation: Examples, scores: Floats) -> Rule:
        if isinstance(self.spec.threshold, FixedThreshold):
            return {THRESHOLD: self.spec.threshold.value}
        return {THRESHOLD: max_f1_threshold(validation.y, scores)}

    def scoring(self, scores: Floats, rule: Rule) -> Scoring:
        return Scoring(scores, rule[THRESHOLD])

    def baseline_rule(self, validation: Examples, fitted: Examples, features: tuple[str, ...]) -> Rule:
        return {THRESHOLD: max_f1_threshold(validation.y, baseline_scores(validation.x, features, self.spec.baseline))}

    def baseline(self, x: Floats, features: tuple[str, ...], rule: Rule) -> Scoring:
        return Scoring(baseline_scores(x, features, self.spec.baseline), rule[THRESHOLD])

    def describe_baseline(self) -> str:
        return describe(self.spec.baseline)

    def measure(self, examples: Examples, scoring: Scoring) -> dict[str, float]:
        return measure(examples.y, scoring.scores, scoring.threshold).as_dict()

    def weighted(self, weights: Floats, examples: Examples, scoring: Scoring) -> dict[str, Floats]:
        return weighted_metrics(weights, examples.y, scoring)

    def report(self, common: Common, test: Examples, scoring: Scoring) -> EvaluationReport:
        bins = [Bin.model_validate(part, from_attributes=True) for part in calibration(test.y, scoring.scores)]
        return BinaryReport(**common, base_rate=test.base_rate, threshold=scoring.threshold, calibration=bins)

    def serving(self, common: Common, rule: Rule, fitted: Examples) -> Serving:
        cold_start, decisions = self.spec.cold_start, self.spec.decisions
        score = cold_start.score_of(fitted.base_rate)
        return ServingSpec(
            **common,
            threshold=rule[THRESHOLD],
            decisions=decisions,
            cold_start_score=score,
            cold_start_decision=cold_start.decision_of(score, rule[THRESHOLD], decisions),
        )

    def rule_of(self, serving: Serving) -> Rule:
        if not isinstance(serving, ServingSpec):
            raise TypeError(f"it is a {serving.task} model")
        return {THRESHOLD: serving.threshold}

    def stored(self, serving: Serving) -> Mapping[str, Any]:
        if not isinstance(serving, ServingSpec):
            raise TypeError(f"{serving.task} is not {self.name}")
        return {
            THRESHOLD: serving.threshold,
            "cold_start_score": serving.cold_start_score,
            "cold_start_decision": serving.cold_start_decision or NO_DECISION,
        }

    def figures(
        self, test: Examples, scoring: Scoring, baseline: Scoring, report: EvaluationReport
    ) -> Iterator[tuple[str, "Figure"]]:
        from ml_modeling.evaluation import plots

        if not isinstance(report, BinaryReport):
            raise TypeError(f"{type(report).__name__} is no report of yes or no")
        yield "curves", plots.curves(test.y, scoring.scores, baseline.scores, report)
        yield "calibration", plots.calibration(report)

    def answers(self, report: EvaluationReport) -> str:
        negative, positive = self.spec.decisions
        threshold = report.threshold if isinstance(report, BinaryReport) else self.spec.threshold
        return (
            f"The answer is the probability of it. A score of at least {threshold:.3f} is decided `{positive}`, a "
            f"lower one `{negative}`."
        )

    def limits(self) -> str:
        cold_start = self.spec.cold_start
        return (
            "- Its probabilities follow the share of positives of the training time; when that share moves with the "
            "season, ranks stay useful longer than probabilities.\n"
            f"- An entity without features gets the cold-start score (`{cold_start.score}`), which says nothing about "
            f"it, and the cold-start decision (`{cold_start.decision}`)."
        )


def weighted_metrics(weights: Floats, y: Integers, scoring: Scoring) -> dict[str, Floats]:
    """The metrics of each row of ``weights`` (m, n)."""
    positive = scoring.scores >= scoring.threshold
    total = weights.sum(axis=1)
    hits = weights @ (positive & (y == 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * hits / (weights @ positive + weights @ y)
    return {
        "roc_auc": weighted_roc_auc(weights, y, scoring.scores),
        "average_precision": weighted_average_precision(weights, y, scoring.scores),
        "f1": np.nan_to_num(f1),
        "accuracy": weights @ (positive == y) / total,
        "brier": weights @ (scoring.scores - y) ** 2 / total,
    }
