"""One of some classes: a probability for each, the largest decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from feature_store.definitions import Classes, Task
from ml_modeling.evaluation.direction import improvement
from ml_modeling.evaluation.report import EvaluationReport, MulticlassReport
from ml_modeling.frames.examples import Examples, Floats, Integers
from ml_modeling.frames.leakage import check_features
from ml_modeling.registry.served import MulticlassServing, Serving
from ml_modeling.specification import MulticlassSpec, PriorBaseline
from ml_modeling.tasks.scoring import Rule, Scoring
from ml_modeling.tasks.task import Common, OneLabelError
from ml_modeling.tasks.weights import class_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST = float(np.finfo(np.float64).eps)  # as scikit-learn clips probabilities for the log loss


@dataclass(frozen=True)
class MulticlassTask:
    spec: MulticlassSpec
    classes: Classes
    name: Task = Task.MULTICLASS
    compared: tuple[str, ...] = ("macro_f1", "weighted_f1", "accuracy")
    of_baseline: tuple[str, ...] = ("macro_f1", "weighted_f1", "accuracy")
    """The baseline is sure of its class: its log loss would say nothing."""

    def check_part(self, part: str, examples: Examples) -> None:
        counts = np.bincount(examples.y, minlength=len(self.classes.names))
        missing = [name for name, count in zip(self.classes.names, counts, strict=True) if not count]
        if missing:
            raise OneLabelError(
                f"the {part} part has no example of class {', '.join(missing)} ({len(examples)} examples): nothing to "
                "learn or measure"
            )

    def check_leakage(self, examples: Examples, features: tuple[str, ...]) -> None:
        for number, _ in enumerate(self.classes.names):
            own = Examples(examples.x, (examples.y == number).astype(np.int64), examples.entities)
            check_features(own, features, self.spec.leakage)

    def predict(self, pipeline: Any, x: Floats) -> Floats:
        scores: Floats = pipeline.predict_proba(x).astype(np.float64)
        return scores

    def rank(self, metric: str, examples: Examples, scores: Floats) -> float:
        return improvement(metric, self.measure(examples, Scoring(scores))[metric])

    def weights(self, examples: Examples) -> Floats | None:
        return class_weights(examples.y, self.spec.class_weights, self.classes.names)

    def rule(self, validation: Examples, scores: Floats) -> Rule:
        return {}

    def scoring(self, scores: Floats, rule: Rule) -> Scoring:
        return Scoring(scores)

    def baseline_rule(self, validation: Examples, fitted: Examples, features: tuple[str, ...]) -> Rule:
        return self._shares(fitted)

    def _shares(self, examples: Examples) -> dict[str, float]:
        counts = np.bincount(examples.y, minlength=len(self.classes.names))
        return {name: float(count / counts.sum()) for name, count in zip(self.classes.names, counts, strict=True)}

    def baseline(self, x: Floats, features: tuple[str, ...], rule: Rule) -> Scoring:
        if isinstance(self.spec.baseline, PriorBaseline):
            return Scoring(np.tile([rule[name] for name in self.classes.names], (len(x), 1)))
        column = x[:, features.index(self.spec.baseline.feature)]
        chosen = np.digitize(np.nan_to_num(column, nan=-np.inf), self.classes.edges)
        return Scoring(np.eye(len(self.classes.names))[chosen])

    def describe_baseline(self) -> str:
        if isinstance(self.spec.baseline, PriorBaseline):
            return "the most frequent class"
        return f"the class that {self.spec.baseline.feature} lies in"

    def measure(self, examples: Examples, scoring: Scoring) -> dict[str, float]:
        y, chosen = examples.y, scoring.scores.argmax(axis=1)
        classes = range(len(self.classes.names))
        f1 = {
            f"{average}_f1": float(metrics.f1_score(y, chosen, labels=classes, average=average, zero_division=0.0))
            for average in ("macro", "weighted")
        }
        likely = scoring.scores / scoring.scores.sum(axis=1, keepdims=True)  # those of 32 bits sum to nearly one
        return {
            **f1,
            "accuracy": float(metrics.accuracy_score(y, chosen)),
            "log_loss": float(metrics.log_loss(y, likely, labels=list(classes))),
            "brier": float(_squares(y, scoring.scores).mean()),
        }

    def weighted(self, weights: Floats, examples: Examples, scoring: Scoring) -> dict[str, Floats]:
        y, chosen = examples.y, scoring.scores.argmax(axis=1)
        total = weights.sum(axis=1)
        f1, true = _f1_by_class(weights, y, chosen, len(self.classes.names))
        likely = np.clip(scoring.scores, SMALLEST, 1 - SMALLEST)
        losses = -np.log(likely[np.arange(len(y)), y] / likely.sum(axis=1))
        return {
            "macro_f1": f1.mean(axis=1),
            "weighted_f1": (f1 * true).sum(axis=1) / total,
            "accuracy": weights @ (chosen == y) / total,
            "log_loss": weights @ losses / total,
            "brier": weights @ _squares(y, scoring.scores) / total,
        }

    def report(self, common: Common, test: Examples, scoring: Scoring) -> EvaluationReport:
        classes = range(len(self.classes.names))
        confusion = metrics.confusion_matrix(test.y, scoring.scores.argmax(axis=1), labels=classes)
        rows = tuple(tuple(int(count) for count in row) for row in confusion)
        return MulticlassReport(**common, classes=self.classes.names, confusion=rows)

    def serving(self, common: Common, rule: Rule, fitted: Examples) -> Serving:
        shares = self._shares(fitted)
        decision = max(shares, key=lambda name: shares[name]) if self.spec.cold_start.decision == "prior" else None
        return MulticlassServing(
            **common,
            classes=self.classes.names,
            cold_start_scores=tuple(shares.values()),
            cold_start_decision=decision,
        )

    def rule_of(self, serving: Serving) -> Rule:
        if not isinstance(serving, MulticlassServing):
            raise TypeError(f"it is a {serving.task} model")
        if serving.classes != self.classes.names:
            raise ValueError(f"its classes are {', '.join(serving.classes)}")
        return {}

    def stored(self, serving: Serving) -> Mapping[str, Any]:
        if not isinstance(serving, MulticlassServing):
            raise TypeError(f"{serving.task} is not {self.name}")
        return {"classes": ",".join(serving.classes), "cold_start_decision": serving.cold_start_decision or "none"}

    def figures(
        self, test: Examples, scoring: Scoring, baseline: Scoring, report: EvaluationReport
    ) -> Iterator[tuple[str, "Figure"]]:
        from ml_modeling.evaluation import plots

        if not isinstance(report, MulticlassReport):
            raise TypeError(f"{type(report).__name__} is no report of classes")
        yield "confusion", plots.confusion(report)
        yield "calibration", plots.class_calibration(test.y, scoring.scores, report.classes)

    def answers(self, report: EvaluationReport) -> str:
        return f"The answer is a probability for each of `{'`, `'.join(self.classes.names)}`; the largest decides."

    def limits(self) -> str:
        return (
            "- Its probabilities follow the shares of the classes of the training time; when these move with the "
            "season, they are off.\n"
            "- An entity without features gets these shares as its scores, which say nothing about it, and the "
            f"cold-start decision (`{self.spec.cold_start.decision}`)."
        )


def _squares(y: Integers, scores: Floats) -> Floats:
    """Half of Brier's score of 1950 of each row, between 0 and 1 as that of yes or no."""
    squares: Floats = ((scores - np.eye(scores.shape[1])[y]) ** 2).sum(axis=1) / 2
    return squares


def _f1_by_class(weights: Floats, y: Integers, chosen: Integers, classes: int) -> tuple[Floats, Floats]:
    """F1 of each class and its weight, both (m, classes); 0 for a class that has neither examples nor decisions."""
    is_true, is_chosen = (np.eye(classes)[labels] for labels in (y, chosen))
    true = weights @ is_true
    both = true + weights @ is_chosen
    hits = weights @ (is_true * is_chosen)
    return np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0), true
