"""A look as Prometheus metrics, in a text file that node_exporter's textfile collector reads."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from ml_modeling.evaluation.estimate import Estimate
from monitoring.drift import Outcome
from monitoring.estimates import LabelFree
from monitoring.looks.results import Subject, Verdicts
from tidemill.config.settings import Settings

OF_MODEL = ("use_case", "model_version", "model_id")


def metrics_file(settings: Settings, use_case: str) -> Path:
    """The file of a use case, which each look replaces."""
    return settings.home / "metrics" / f"drift_{use_case}.prom"


def write_metrics(settings: Settings, subject: Subject, look: Verdicts, estimates: LabelFree) -> None:
    """Replaces the file in one step, so that a reader sees all of a look or of the one before it."""
    file = metrics_file(settings, subject.use_case)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(file), registry_of(subject, look, estimates))


def registry_of(subject: Subject, look: Verdicts, estimates: LabelFree) -> CollectorRegistry:
    """The metrics of a look."""
    registry = CollectorRegistry()
    model = (subject.use_case, subject.version, subject.identity.model_id)
    _verdicts(registry, model, look)
    answers = _gauge(registry, "answers", "Answers in the window of the newest look.", ("kind",))
    for kind, count in asdict(look.counts).items():
        answers.labels(*model, kind).set(count)
    ended = _gauge(registry, "look_timestamp_seconds", "When the window of the newest look ended.", ())
    ended.labels(*model).set(look.window.end.timestamp())
    estimated = _gauge(registry, "estimated_metric", "What is expected before labels come.", ("metric", "bound"))
    for metric, estimate in estimates.items():
        if isinstance(estimate, Estimate):
            for bound in ("value", "low", "high"):
                estimated.labels(*model, metric, bound).set(getattr(estimate, bound))
    return registry


def _verdicts(registry: CollectorRegistry, model: Sequence[str], look: Verdicts) -> None:
    of_finding = ("feature", "aspect")
    drifted = _gauge(registry, "drifted", "1 where a finding of the newest look is drift.", of_finding)
    p_value = _gauge(registry, "adjusted_p_value", "Benjamini and Hochberg's of a finding.", of_finding)
    effect = _gauge(registry, "effect", "How large a statistic of a finding is.", (*of_finding, "statistic"))
    limit = _gauge(registry, "effect_limit", "From where on it matters.", (*of_finding, "statistic"))
    for verdict in look.verdicts:
        labels = (*model, verdict.finding.feature or "", str(verdict.finding.aspect))
        if verdict.outcome is not Outcome.UNKNOWN:
            drifted.labels(*labels).set(verdict.outcome is Outcome.DRIFTED)
        if verdict.adjusted_p_value is not None:
            p_value.labels(*labels).set(verdict.adjusted_p_value)
        for statistic in verdict.finding.statistics:
            effect.labels(*labels, statistic.name).set(statistic.value)
            limit.labels(*labels, statistic.name).set(statistic.limit)


def _gauge(registry: CollectorRegistry, name: str, help_: str, labels: Sequence[str]) -> Gauge:
    return Gauge(f"tidemill_drift_{name}", help_, (*OF_MODEL, *labels), registry=registry)
