from dataclasses import replace

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ml_modeling.evaluation.estimate import Estimate
from monitoring.drift import Finding, Outcome
from monitoring.estimates import CannotKnow
from monitoring.looks.metrics import registry_of
from tests.unit.monitoring.looks.looks import END, SUBJECT, look, verdict

MODEL = {"use_case": "churn", "model_version": "3", "model_id": "m-1"}


def samples(*of_look, estimates=None) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What a scraper reads, without the labels that name the model."""
    text = generate_latest(registry_of(SUBJECT, look(*of_look), estimates or {})).decode()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert MODEL.items() <= sample.labels.items()
            labels = {name: value for name, value in sample.labels.items() if name not in MODEL}
            found.setdefault(sample.name, []).append((labels, sample.value))
    return found


def test_each_finding_has_its_verdict_and_its_effect_beside_the_limit() -> None:
    found = samples(verdict("age"), verdict("spend", is_drifted=False, shift=0.01))
    age = {"feature": "age", "aspect": "distribution"}
    assert found["tidemill_drift_drifted"] == [(age, 1.0), ({**age, "feature": "spend"}, 0.0)]
    assert found["tidemill_drift_effect"][0] == ({**age, "statistic": "wasserstein"}, 0.5)
    assert found["tidemill_drift_effect_limit"][0] == ({**age, "statistic": "wasserstein"}, 0.125)
    assert found["tidemill_drift_look_timestamp_seconds"] == [({}, END.timestamp())]
    assert ({"kind": "judged"}, 900.0) in found["tidemill_drift_answers"]


def test_what_is_not_known_is_not_there() -> None:
    unknown = replace(verdict("age"), finding=Finding("age", verdict("age").finding.aspect, unknown="too few rows"))
    unknown = replace(unknown, outcome=Outcome.UNKNOWN, adjusted_p_value=None)
    estimates = {"roc_auc": Estimate(value=0.8, low=0.7, high=0.9), "recall": CannotKnow("nobody is expected")}
    found = samples(unknown, estimates=estimates)
    assert "tidemill_drift_drifted" not in found
    bounds = {(labels["metric"], labels["bound"]): value for labels, value in found["tidemill_drift_estimated_metric"]}
    assert bounds == {("roc_auc", "value"): 0.8, ("roc_auc", "low"): 0.7, ("roc_auc", "high"): 0.9}
