"""A verdict in the tags of a run that was judged before: whatever is left of it by a crash says passed of nothing else.

The client stands in for an MLflow whose store keeps one tag after the other, and which dies after some of them.
"""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from ml_modeling import lifecycle
from ml_modeling.gates import Check, GateReport
from ml_modeling.registry import MlflowUnavailableError, ModelIdentity, tags, versions
from ml_modeling.registry.promotion import check_judged
from ml_modeling.registry.versions import GateNotPassedError, Version
from ml_modeling.tracking import runs
from ml_modeling.use_case import load_use_case
from tidemill.config import load_settings

CHURN = load_use_case("churn")
OURS = ModelIdentity(run_id="ours", model_id="m-1")
BEFORE, TODAY = ModelIdentity(run_id="before", model_id="m-0"), ModelIdentity(run_id="todays", model_id="m-2")


class Tracking:
    """One run that passed against the champion of before; ``dies_after`` so many tags."""

    def __init__(self, dies_after: int | None) -> None:
        self.tags = {
            tags.USE_CASE: "churn",
            tags.MODEL_URI: "models:/m-1",
            tags.GATE: tags.PASSED,
            tags.GATE_CHAMPION: "1",
            tags.GATE_CHAMPION_MODEL: BEFORE.key,
            tags.GATE_REASONS: "",
        }
        self.requests = 0
        self._dies_after = dies_after

    def get_run(self, run_id: str) -> Any:
        info = SimpleNamespace(run_id=run_id, status="FINISHED", experiment_id="1")
        return SimpleNamespace(info=info, data=SimpleNamespace(tags=dict(self.tags), metrics={"test.brier": 0.1}))

    def log_batch(self, _run_id: str, tags: Any) -> None:
        self.requests += 1
        for number, tag in enumerate(tags):
            if number == self._dies_after:
                raise requests.ConnectionError("it was killed")
            self.tags[tag.key] = tag.value

    def log_text(self, *_: object) -> None:
        """The report, which nothing is let through by."""


def judged_again(monkeypatch: pytest.MonkeyPatch, *, passed: bool, dies_after: int | None) -> Tracking:
    """What is in MLflow after the model was judged again, against today's champion."""
    tracking = Tracking(dies_after)
    check = Check(gate="not worse than champion 2", passed=passed, detail="brier +0.05")
    verdict = GateReport(champion="2", champion_model=TODAY, checks=(check,))
    for module in (runs, versions):
        monkeypatch.setattr(module, "connect", lambda _: tracking)
    monkeypatch.setattr(lifecycle, "_champion_comparison", lambda *_: None)
    monkeypatch.setattr(lifecycle, "_evaluation", lambda _: None)
    monkeypatch.setattr(lifecycle, "judge", lambda *_: verdict)
    lifecycle.gate_run(load_settings({}), CHURN, "ours")
    return tracking


def is_let_through() -> bool:
    """Whether it would be promoted in the place of today's champion."""
    version = SimpleNamespace(name="churn", version="7", run_id="ours", identity=OURS)
    champion = SimpleNamespace(version="2", identity=TODAY)
    try:
        check_judged(load_settings({}), cast(Version, version), cast(Version, champion))
    except GateNotPassedError:
        return False
    return True


@pytest.mark.parametrize("dies_after", range(4))
@pytest.mark.parametrize("passed", [True, False], ids=["yes", "no"])
def test_a_verdict_that_is_written_by_half_lets_nothing_through(
    monkeypatch: pytest.MonkeyPatch, passed: bool, dies_after: int
) -> None:
    with pytest.raises(MlflowUnavailableError):
        judged_again(monkeypatch, passed=passed, dies_after=dies_after)
    assert is_let_through() is (passed and dies_after == 3)


@pytest.mark.parametrize("passed", [True, False], ids=["yes", "no"])
def test_a_whole_verdict_is_one_request_and_holds(monkeypatch: pytest.MonkeyPatch, passed: bool) -> None:
    assert judged_again(monkeypatch, passed=passed, dies_after=None).requests == 1
    assert is_let_through() is passed
