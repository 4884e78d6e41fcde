"""How the champion stands as Prometheus metrics, in a text file that node_exporter's textfile collector reads."""

from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from monitoring.performance.champion import ChampionStanding, Judgement
from monitoring.performance.standing import Standing
from tidemill.config.settings import Settings

OF_MODEL = ("use_case", "model_version", "model_id")


def metrics_file(settings: Settings, use_case: str) -> Path:
    """The file of a use case, which each look replaces."""
    return settings.home / "metrics" / f"standing_{use_case}.prom"


def write_metrics(settings: Settings, use_case: str, seen: ChampionStanding | None) -> None:
    """Replaces the file in one step; without a champion there is none, so that nobody reads of the one before."""
    file = metrics_file(settings, use_case)
    if seen is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(file), registry_of(use_case, seen))


def registry_of(use_case: str, seen: ChampionStanding) -> CollectorRegistry:
    """The metrics of a look."""
    registry = CollectorRegistry()
    model = (use_case, seen.champion.version, seen.champion.model_id)
    standing = _gauge(registry, "standing", "1 at how the champion stands.", ("standing",))
    for possible in Standing:
        standing.labels(*model, possible.value).set(possible is seen.standing)
    if seen.judgement is not None:
        _figures(registry, model, seen.judgement)
    return registry


def _figures(registry: CollectorRegistry, model: Sequence[str], judgement: Judgement) -> None:
    verdict, reference = judgement.verdict, judgement.trained.reference
    outcomes = _gauge(registry, "outcomes", "Outcomes that count, and how many are enough.", ("kind",))
    outcomes.labels(*model, "counted").set(judgement.outcomes)
    outcomes.labels(*model, "enough").set(judgement.outcomes_enough)
    trained = _gauge(registry, "trained_loss", "The mean loss of the test part.", ("bound",))
    for bound in ("value", "low", "high"):
        trained.labels(*model, bound).set(getattr(reference, bound))
    since = None if verdict.since is None else verdict.since.timestamp()
    numbers = {
        "mean_loss": ("The mean loss of what was served; of a worse champion since it is.", verdict.mean),
        "evidence": ("The largest e-value; 1 / alpha makes a champion worse.", verdict.evidence),
        "asked_before_timestamp_seconds": ("Up to when answers count.", judgement.served.until.timestamp()),
        "worse_since_timestamp_seconds": ("Since when it is worse.", since),
    }
    for name, (help_, value) in numbers.items():
        if value is not None:
            _gauge(registry, name, help_, ()).labels(*model).set(value)


def _gauge(registry: CollectorRegistry, name: str, help_: str, labels: Sequence[str]) -> Gauge:
    return Gauge(f"tidemill_performance_{name}", help_, (*OF_MODEL, *labels), registry=registry)
