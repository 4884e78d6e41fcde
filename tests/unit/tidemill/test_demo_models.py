"""The demo's table after a run whose model the gates kept out: the champion is the one of before."""

from types import SimpleNamespace
from typing import Any

import pytest

from ml_modeling import lifecycle
from tidemill.config import Settings, load_settings
from tidemill.demo.report import model_rows
from tidemill.demo.summary import champion, trained

RULE = "the higher recency_days, the more likely"


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def evaluation(value: float) -> dict[str, Any]:
    return {"metrics": {"roc_auc": estimate(value)}, "baseline": {"roc_auc": estimate(0.6)}, "baseline_rule": RULE}


def returned(run_id: str, value: float, *reasons: str) -> dict[str, Any]:
    gate = {"passed": not reasons, "reasons": list(reasons)}
    return {"evaluate": {"run_id": run_id, **evaluation(value)}, "gate": gate}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the server says of the model that answered; its run was tested with 0.75."""

    def evaluation_of(_: Settings, use_case: str, run_id: str) -> SimpleNamespace:
        assert (use_case, run_id) == ("churn", "champions-run")
        return SimpleNamespace(model_dump=lambda: evaluation(0.75))

    monkeypatch.setattr(lifecycle, "evaluation_of", evaluation_of)
    return {"name": "churn", "version": "1", "alias": "champion", "run_id": "champions-run", "model_id": "m-1"}


def test_a_rejected_run_is_not_shown_as_the_champion_and_the_verdict_is_a_row(answered: dict[str, str]) -> None:
    second = trained(returned("rejected-run", 0.70, "not worse than champion 1: too far below"))

    rows = dict(model_rows(champion(load_settings({}), answered), second))

    assert rows == {
        "trained": "MLflow run rejected-run; test ROC AUC 0.700 [0.650, 0.750]",
        "gate": "said no, the champion stays\nnot worse than champion 1: too far below",
        "champion": "churn version 1, MLflow run champions-run",
        "its ROC AUC": f"0.750 [0.700, 0.800]; baseline 0.600 [0.550, 0.650] ({RULE})",
    }


def test_a_run_that_passed_is_the_champion(answered: dict[str, str]) -> None:
    rows = dict(model_rows(champion(load_settings({}), answered), trained(returned("champions-run", 0.75))))

    assert rows["gate"] == "passed: what was trained became the champion"
    assert rows["champion"].endswith("champions-run")
    assert "run champions-run;" in rows["trained"]
