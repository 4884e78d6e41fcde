"""The demo's table after a run whose model the gates kept out: the champion is the one of before."""

from types import SimpleNamespace
from typing import Any

import pytest

from ml_modeling import lifecycle
from tidemill.config import Settings, load_settings
from tidemill.demo.report import lines_of
from tidemill.demo.summary import of_use_case

RULE = "the higher recency_days, the more likely"
COMPARED = {
    "features": [{"mismatched": 0, "missing": 0, "extra": 0}] * 3,
    "fetches": 500,
    "behind": 4,
    "lag_s": {"max": 1.5},
}


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def evaluation(value: float) -> dict[str, Any]:
    return {"metrics": {"roc_auc": estimate(value)}, "baseline": {"roc_auc": estimate(0.6)}, "baseline_rule": RULE}


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Of a run that trained churn; what answered is a model whose run was tested with 0.75."""

    def evaluation_of(_: Settings, use_case: str, run_id: str) -> SimpleNamespace:
        assert use_case == "churn"
        return SimpleNamespace(model_dump=lambda: evaluation({"champions-run": 0.75, "rejected-run": 0.70}[run_id]))

    monkeypatch.setattr(lifecycle, "evaluation_of", evaluation_of)
    model = {"name": "churn", "version": "1", "alias": "champion", "run_id": "champions-run", "model_id": "m-1"}
    predictions = [
        {"customer_id": "c1", "score": 0.1, "decision": "stays", "degraded": []},
        {"customer_id": "nobody", "score": 0.3, "decision": None, "degraded": ["cold_start"]},
    ]
    answer = {"model": model, "predictions": predictions, "keys": ("customer_id",), "latency_ms": 7.5}
    return {
        "predictions": {"answers": {"churn": answer}},
        "consistency": {"returned": {"compare_churn": COMPARED}},
    }


def lines(facts: dict[str, Any], run_id: str, *reasons: str) -> list[str]:
    progress = {"gated": {"run_id": run_id, "passed": not reasons, "reasons": list(reasons)}}
    return list(lines_of(of_use_case(load_settings({}), "churn", facts | {"retrain_churn": {"progress": progress}})))


def test_a_rejected_run_is_not_shown_as_the_champion_and_the_verdict_is_a_line(facts: dict[str, Any]) -> None:
    assert lines(facts, "rejected-run", "not worse than champion 1: too far below") == [
        "trained: MLflow run rejected-run, roc_auc 0.700 [0.650, 0.750]",
        "gate said no, the champion stays",
        "  not worse than champion 1: too far below",
        "champion: version 1, MLflow run champions-run",
        "  roc_auc 0.750 [0.700, 0.800]; baseline 0.600 [0.550, 0.650]",
        f"  ({RULE})",
        "c1: 0.100 stays",
        "nobody: 0.300 no decision (cold_start)",
        "answered in 7.5 ms for 2 predictions",
        "0 of 1,500 feature values differ from the lake's",
        "4 of 500 fetches were behind the lake, by up to 1.5 s",
    ]


def test_a_run_that_passed_is_the_champion(facts: dict[str, Any]) -> None:
    trained, gate, champion, *_ = lines(facts, "champions-run")
    assert gate == "gate passed: what was trained became the champion"
    assert trained.startswith("trained: MLflow run champions-run")
    assert champion.endswith("champions-run")
