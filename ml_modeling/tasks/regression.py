"""A number: its value, and an interval around it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from feature_store.definitions import Task
from ml_modeling.evaluation.direction import improvement
from ml_modeling.evaluation.report import EvaluationReport, RegressionReport
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.frames.leakage import check_rank_correlation
from ml_modeling.registry.served import RegressionServing, Serving, ValueInterval
from ml_modeling.specification import RegressionSpec
from ml_modeling.tasks.scoring import Rule, Scoring
from ml_modeling.tasks.task import Common, OneLabelError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BELOW, ABOVE, MISSING = "below", "above", "missing"


@dataclass(frozen=True)
class RegressionTask:
    spec: RegressionSpec
    name: Task = Task.REGRESSION
    compared: tuple[str, ...] = ("mae", "rmse", "r2")
    of_baseline: tuple[str, ...] = ("mae", "rmse", "r2", "mape")

    def check_part(self, part: str, examples: Examples) -> None:
        if len(np.unique(examples.y)) < 2:
            label = f"only label {examples.y[0]}" if len(examples) else "no example"
            raise OneLabelError(f"the {part} part has {label} ({len(examples)} examples): nothing to learn or measure")

    def check_leakage(self, examples: Examples, features: tuple[str, ...]) -> None:
        check_rank_correlation(examples, features, self.spec.leakage)

    def predict(self, pipeline: Any, x: Floats) -> Floats:
        values: Floats = np.maximum(pipeline.predict(x).astype(np.float64), self._floor)
        return values

    @property
    def _floor(self) -> float:
        return -np.inf if self.spec.minimum is None else self.spec.minimum

    def rank(self, metric: str, examples: Examples, scores: Floats) -> float:
        return improvement(metric, self.measure(examples, Scoring(scores))[metric])

    def weights(self, examples: Examples) -> Floats | None:
        return None

    def rule(self, validation: Examples, scores: Floats) -> Rule:
        """How far below and above its value the truth lies, at most, as often as the interval is to hold it.

        Source: split conformal prediction (Vovk et al. 2005; Lei et al. 2018, algorithm 2), each side by itself, so
        that a long tail on one side does not widen the other. The rank is that of n + 1 errors.
        """
        if self.spec.interval is None:
            return {}
        errors = np.sort(validation.y - scores)
        tail = (1 - self.spec.interval.coverage) / 2
        rank = int(np.floor(round(tail * (len(errors) + 1), 9)))  # what is whole but for float's sake
        low, high = max(rank - 1, 0), min(len(errors) - rank, len(errors) - 1)
        return {BELOW: float(errors[low]), ABOVE: float(errors[high])}

    def scoring(self, scores: Floats, rule: Rule) -> Scoring:
        if BELOW not in rule:
            return Scoring(scores)
        return Scoring(scores, low=np.maximum(scores + rule[BELOW], self._floor), high=scores + rule[ABOVE])

    def baseline_rule(self, validation: Examples, fitted: Examples, features: tuple[str, ...]) -> Rule:
        return {MISSING: float(np.median(fitted.y))}

    def baseline(self, x: Floats, features: tuple[str, ...], rule: Rule) -> Scoring:
        column = x[:, features.index(self.spec.baseline.feature)]
        return Scoring(np.where(np.isnan(column), rule[MISSING], column))

    def describe_baseline(self) -> str:
        return f"the value is {self.spec.baseline.feature}"

    def measure(self, examples: Examples, scoring: Scoring) -> dict[str, float]:
        y, values = examples.y, scoring.scores
        found = {
            "mae": float(metrics.mean_absolute_error(y, values)),
            "rmse": float(metrics.root_mean_squared_error(y, values)),
            "r2": float(metrics.r2_score(y, values)),
        }
        some = y != 0
        if some.any():
            found["mape"] = float(metrics.mean_absolute_percentage_error(y[some], values[some]))
        if scoring.low is not None and scoring.high is not None:
            found["coverage"] = float(np.mean((scoring.low <= y) & (y <= scoring.high)))
            found["interval_width"] = float(np.mean(scoring.high - scoring.low))
        return found

    def weighted(self, weights: Floats, examples: Examples, scoring: Scoring) -> dict[str, Floats]:
        y = examples.y
        errors, total = scoring.scores - y, weights.sum(axis=1)
        squares = weights @ errors**2
        some = y != 0
        shares = np.divide(np.abs(errors), np.abs(y), out=np.zeros(len(y)), where=some)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = weights @ (y - y.mean()) ** 2 - (weights @ (y - y.mean())) ** 2 / total
            found = {
                "mae": weights @ np.abs(errors) / total,
                "rmse": np.sqrt(squares / total),
                "r2": np.where(spread > 0, 1 - squares / spread, np.nan),
                "mape": weights @ shares / (weights @ some),
            }
        if scoring.low is not None and scoring.high is not None:
            found["coverage"] = weights @ ((scoring.low <= y) & (y <= scoring.high)) / total
            found["interval_width"] = weights @ (scoring.high - scoring.low) / total
        return found

    def report(self, common: Common, test: Examples, scoring: Scoring) -> EvaluationReport:
        quantiles = np.quantile(test.y, (0, 0.25, 0.5, 0.75, 1)).tolist()
        return RegressionReport(**common, mean_label=float(test.y.mean()), quantiles=tuple(quantiles))

    def serving(self, common: Common, rule: Rule, fitted: Examples) -> Serving:
        labels = {"mean": float(np.mean(fitted.y)), "median": float(np.median(fitted.y))}
        value = self.spec.cold_start.value
        interval = self.spec.interval
        return RegressionServing(
            **common,
            minimum=self.spec.minimum,
            interval=interval and ValueInterval(coverage=interval.coverage, below=rule[BELOW], above=rule[ABOVE]),
            cold_start_value=labels[value] if isinstance(value, str) else value,
        )

    def rule_of(self, serving: Serving) -> Rule:
        if not isinstance(serving, RegressionServing):
            raise TypeError(f"it is a {serving.task} model")
        return {BELOW: serving.interval.below, ABOVE: serving.interval.above} if serving.interval else {}

    def stored(self, serving: Serving) -> Mapping[str, Any]:
        if not isinstance(serving, RegressionServing):
            raise TypeError(f"{serving.task} is not {self.name}")
        rule = {f"interval.{name}": value for name, value in self.rule_of(serving).items()}
        return {**rule, "cold_start_value": serving.cold_start_value}

    def figures(
        self, test: Examples, scoring: Scoring, baseline: Scoring, report: EvaluationReport
    ) -> Iterator[tuple[str, "Figure"]]:
        from ml_modeling.evaluation import plots

        yield "values", plots.values(test.y, scoring.scores, baseline.scores, report)
        yield "errors", plots.errors(test.y, scoring)

    def answers(self, report: EvaluationReport) -> str:
        interval = self.spec.interval
        if interval is None:
            return "The answer is its value."
        return f"The answer is its value and an interval, which is to hold the truth {interval.coverage:.0%} of times."

    def limits(self) -> str:
        return (
            "- Its interval is as wide for small values as for large ones: the errors of the validation part say how "
            f"wide.\n- An entity without features gets the cold-start value (`{self.spec.cold_start.value}`), which "
            "says nothing about it."
        )
