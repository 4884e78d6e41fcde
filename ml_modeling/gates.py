"""Whether a tested model may be registered: every reason why not, in words."""

import math
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from ml_modeling.evaluation.direction import LOWER_IS_BETTER, improvement
from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.fairness.limits import is_kept, told
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.specification import Fairness, Gates


class Check(BaseModel):
    """One gate: what was asked, what was found."""

    model_config = ConfigDict(frozen=True)

    gate: str
    passed: bool
    detail: str


class Comparison(BaseModel):
    """``difference`` is the new model's metric minus the champion's, on the same examples."""

    model_config = ConfigDict(frozen=True)

    metric: str
    difference: Estimate


class GateReport(BaseModel):
    """``champion`` is the version compared with and ``champion_model`` what it was, None when there was none.

    ``comparison`` is None too where the two could not be compared.
    """

    model_config = ConfigDict(frozen=True)

    champion: str | None
    champion_model: ModelIdentity | None = None
    checks: tuple[Check, ...]
    comparison: Comparison | None = None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Why it did not pass; empty when it did."""
        return [f"{check.gate}: {check.detail}" for check in self.checks if not check.passed]


class ChampionComparison(BaseModel):
    """``difference`` is the new model minus the champion on the same examples; None when it cannot be computed."""

    version: str
    model: ModelIdentity
    difference: Estimate | None
    problem: str = ""


def judge(
    report: EvaluationReport, gates: Gates, champion: ChampionComparison | None, fairness: Fairness | None = None
) -> GateReport:
    """The gates applied to a report; without a champion that gate does not apply."""
    checks = [*_absolute(report, gates), _baseline(report, gates), *(_fairness(report, fairness) if fairness else ())]
    if champion is not None:
        checks.append(_champion(champion, gates))
    if champion is None:
        return GateReport(champion=None, checks=tuple(checks))
    difference = champion.difference
    comparison = None if difference is None else Comparison(metric=gates.champion.metric, difference=difference)
    return GateReport(
        champion=champion.version, champion_model=champion.model, checks=tuple(checks), comparison=comparison
    )


def _absolute(report: EvaluationReport, gates: Gates) -> Iterator[Check]:
    for name, floor in gates.floors.items():
        value = _value(report, name)
        yield Check(gate=f"floor of {name}", passed=value >= floor, detail=f"{value:.4f}, at least {floor} wanted")
    for name, ceiling in gates.ceilings.items():
        value = _value(report, name)
        yield Check(gate=f"ceiling of {name}", passed=value <= ceiling, detail=f"{value:.4f}, at most {ceiling} wanted")


def _value(report: EvaluationReport, metric: str) -> float:
    """Nan, which no bound is kept by, where the metric is defined for no example."""
    return report.metrics[metric].value if metric in report.metrics else math.nan


def _baseline(report: EvaluationReport, gates: Gates) -> Check:
    metric, wanted = gates.baseline.metric, gates.baseline.gain
    gain = report.gain[metric]
    is_lower = metric in LOWER_IS_BETTER
    bound = f"the upper bound must be below {0 - wanted}" if is_lower else f"the lower bound must be above {wanted}"
    return Check(
        gate="better than the baseline",
        passed=improvement(metric, gain.high if is_lower else gain.low) > wanted,
        detail=f"{metric} minus the baseline's is {gain}; {bound}",
    )


def _fairness(report: EvaluationReport, fairness: Fairness) -> Iterator[Check]:
    for metric, limit in fairness.gates.items():
        if report.fairness is None:
            detail = "the run knows no groups, since it was trained before fairness was asked for: train again"
            yield Check(gate=f"fairness of {metric}", passed=False, detail=detail)
            continue
        for found in report.fairness.disparities_in(metric):
            gate = f"fairness of {metric} by {found.column}"
            yield Check(gate=gate, passed=is_kept(found, limit), detail=told(found, limit))


def _champion(champion: ChampionComparison, gates: Gates) -> Check:
    metric, margin = gates.champion.metric, gates.champion.margin
    gate = f"not worse than champion {champion.version}"
    if champion.difference is None:
        return Check(gate=gate, passed=False, detail=champion.problem)
    worst = champion.difference.high if metric in LOWER_IS_BETTER else champion.difference.low
    loss = -improvement(metric, worst)
    detail = f"{metric} minus the champion's is {champion.difference}; it may be worse by at most {margin}"
    return Check(gate=gate, passed=loss <= margin, detail=detail)
