"""What is known about a model after it was tested: every number of it in one document."""

from pydantic import BaseModel, ConfigDict

from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.fairness.report import FairnessReport

__all__ = ["Bin", "BinaryReport", "Estimate", "EvaluationReport", "MulticlassReport", "RegressionReport"]


class EvaluationReport(BaseModel):
    """Metrics on the test part; ``gain`` is the model minus the baseline, paired; ``fairness`` where it was asked."""

    model_config = ConfigDict(frozen=True)

    examples: int
    entities: int
    confidence: float
    metrics: dict[str, Estimate]
    baseline_rule: str
    baseline: dict[str, Estimate]
    gain: dict[str, Estimate]
    fairness: FairnessReport | None = None

    @property
    def labels(self) -> str:
        """What the labels of the test part are like, in words."""
        return ""


class Bin(BaseModel):
    mean_score: float
    positive_share: float
    count: int


class BinaryReport(EvaluationReport):
    base_rate: float
    threshold: float
    calibration: list[Bin]

    @property
    def labels(self) -> str:
        return f", {self.base_rate:.1%} positive"


class MulticlassReport(EvaluationReport):
    """``confusion`` counts examples: a row a class that was true, a column one that was decided."""

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def labels(self) -> str:
        total = max(sum(map(sum, self.confusion)), 1)
        shares = (f"{sum(row) / total:.1%} {name}" for name, row in zip(self.classes, self.confusion, strict=True))
        return f", {', '.join(shares)}"


class RegressionReport(EvaluationReport):
    """``quantiles`` are those of the labels at 0, 0.25, 0.5, 0.75 and 1."""

    mean_label: float
    quantiles: tuple[float, float, float, float, float]

    @property
    def labels(self) -> str:
        low, quarter, median, three_quarters, high = self.quantiles
        return (
            f", with labels of {self.mean_label:.3f} in the mean ({low:.3f}, {quarter:.3f}, {median:.3f}, "
            f"{three_quarters:.3f} and {high:.3f} from the lowest to the highest by quarters)"
        )
