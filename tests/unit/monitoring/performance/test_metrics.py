"""A standing as a scraper reads it."""

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.performance import Standing, Verdict
from monitoring.performance.champion import ChampionStanding
from monitoring.performance.metrics import metrics_file, write_metrics
from tests.unit.monitoring.performance.test_requesting import JUNE, MARCH, standing
from tidemill.config import Settings, load_settings

MODEL = {"use_case": "churn", "model_version": "3", "model_id": "m-1"}
Found = dict[tuple[str, ...], float]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def written(settings: Settings, seen: ChampionStanding) -> Found:
    """By the metric's name without its prefix, and the labels that are not the model's."""
    write_metrics(settings, "churn", seen)
    found: Found = {}
    for family in text_string_to_metric_families(metrics_file(settings, "churn").read_text(encoding="utf-8")):
        for sample in family.samples:
            assert MODEL.items() <= sample.labels.items()
            own = [value for label, value in sample.labels.items() if label not in MODEL]
            found[(sample.name.removeprefix("tidemill_performance_"), *own)] = sample.value
    return found


def test_a_worse_champion_has_all_its_figures(settings: Settings) -> None:
    assert written(settings, standing()) == {
        ("standing", "fine"): 0,
        ("standing", "worse"): 1,
        ("standing", "unknown"): 0,
        ("outcomes", "counted"): 900,
        ("outcomes", "enough"): 7_002,
        ("trained_loss", "value"): 0.18,
        ("trained_loss", "low"): 0.16,
        ("trained_loss", "high"): 0.20,
        ("mean_loss",): 0.25,
        ("evidence",): 48.5,
        ("asked_before_timestamp_seconds",): JUNE.timestamp(),
        ("worse_since_timestamp_seconds",): MARCH.timestamp(),
    }


def test_what_is_not_known_is_not_there(settings: Settings) -> None:
    nothing = written(settings, standing(Verdict(Standing.UNKNOWN, 0, 5_549, None, 1.0)))
    assert nothing["standing", "unknown"] == 1
    assert not {("mean_loss",), ("worse_since_timestamp_seconds",)} & nothing.keys()
    unjudged = written(settings, replace(standing(), judgement=None))
    assert unjudged == {("standing", "fine"): 0, ("standing", "worse"): 0, ("standing", "unknown"): 1}


def test_without_a_champion_nothing_is_told_of_the_one_before(settings: Settings) -> None:
    write_metrics(settings, "churn", None)
    written(settings, standing())
    write_metrics(settings, "churn", None)
    assert not metrics_file(settings, "churn").exists()
