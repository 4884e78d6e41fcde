"""The model card (Mitchell et al. 2019): what a model is for, what it learned from, how good it is, its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.evaluation.wording import asked, proven_on
from ml_modeling.fairness.limits import told
from ml_modeling.fairness.report import FairnessReport, Group
from ml_modeling.specification import Fairness
from ml_modeling.use_case import UseCase

GROUPS_PICTURE = "evaluation/groups.png"


@dataclass(frozen=True)
class Origin:
    """Where a model came from, as its run tells."""

    run_id: str
    candidate: str
    parameters: Mapping[str, str]
    lineage: Mapping[str, str]


def model_card(use_case: UseCase, origin: Origin, report: EvaluationReport, importance: Mapping[str, float]) -> str:
    """The card, in Markdown."""
    return "\n\n".join(
        [
            f"# {use_case.name}",
            use_case.spec.description,
            _purpose(use_case, report),
            _origin(origin),
            _quality(report),
            *([_groups(report.fairness, use_case.spec.fairness)] if report.fairness and use_case.spec.fairness else []),
            _reasons(importance),
            _limits(use_case),
        ]
    )


def _purpose(use_case: UseCase, report: EvaluationReport) -> str:
    return f"## What it answers\n\n{asked(use_case.question)} {use_case.task.answers(report)}"


def _origin(origin: Origin) -> str:
    rows = [("run", origin.run_id), ("candidate", origin.candidate), *origin.parameters.items()]
    return "## What it learned from\n\n" + _table(("what", "value"), [*rows, *origin.lineage.items()])


def _quality(report: EvaluationReport) -> str:
    def cell(estimates: Mapping[str, Estimate], name: str) -> str:
        return str(estimates[name]) if name in estimates else ""

    rows = [
        (name, str(value), cell(report.baseline, name), cell(report.gain, name))
        for name, value in report.metrics.items()
    ]
    return (
        f"## How good it is\n\nOn the test part: {report.examples} examples{report.labels}. "
        f"Brackets are {report.confidence:.0%} bootstrap intervals over entities. "
        f"The baseline is one line: {report.baseline_rule}.\n\n"
        + _table(("metric", "model", "baseline", "model minus baseline"), rows)
    )


def _groups(found: FairnessReport, fairness: Fairness) -> str:
    metrics = fairness.metrics
    rows = [
        (
            group.column,
            group.group,
            str(group.examples),
            *(_figure(group, metric, found.min_examples) for metric in metrics),
        )
        for group in found.groups
    ]
    limits = [
        (metric, one.column, told(one, limit))
        for metric, limit in fairness.gates.items()
        for one in found.disparities_in(metric)
    ]
    read = ", ".join(fairness.as_features) or "none of them"
    return (
        f"## By group\n\nGroups are what `{fairness.profile}` said of people before they were asked about. The model "
        f"reads {read}. A figure in parentheses counts less than {found.min_examples} examples and is not judged.\n\n"
        f"![Figures by group]({GROUPS_PICTURE})\n\n"
        + _table(("column", "group", "examples", *metrics), rows)
        + (f"\n\n{_table(('metric', 'by', 'disparity'), limits)}" if limits else "")
    )


def _figure(group: Group, metric: str, min_examples: int) -> str:
    if metric not in group.metrics:
        return ""
    figure = str(group.metrics[metric])
    return figure if group.counted[metric] >= min_examples else f"({figure}, of {group.counted[metric]})"


def _reasons(importance: Mapping[str, float]) -> str:
    rows = [(name, f"{value:.4f}") for name, value in importance.items()]
    return "## What it looks at\n\n" + _table(("feature", "mean absolute SHAP value"), rows)


def _limits(use_case: UseCase) -> str:
    return f"## Limits\n\n- {proven_on(use_case.question)}\n{use_case.task.limits()}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
