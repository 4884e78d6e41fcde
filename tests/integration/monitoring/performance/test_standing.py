"""The command from the outcomes to the request, on the real MLflow and control store."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import table
from ml_modeling.registry.connection import connect
from monitoring.control import Source, State
from monitoring.performance.metrics import metrics_file
from tests.cases.control_stores import HOUR, request
from tests.cases.rollouts import Case, Model
from tidemill.cli import cli
from tidemill.config.environment import settings_environment

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
OUTCOMES = table("gold/prediction_outcomes")
Told = Callable[..., Any]


@pytest.fixture
def told(case: Case, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs `models standing` on the case's servers; the value is the JSON document that it printed."""
    for key, value in settings_environment(case.settings).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TIDEMILL_CONTROL__URL", case.control_url)
    monkeypatch.setattr("ml_modeling.use_case.load_use_case", lambda _: case.work().use_case)

    def run(*options: str) -> Any:
        done = CliRunner().invoke(cli, ["models", "standing", case.name, *options, "--json"])
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)

    return run


def outcomes(case: Case, model: Model, labels: Sequence[float]) -> None:
    """Of sure answers of ``model``, one a customer; the last is of another one, and tells that all others are known."""
    identity = model.version.identity
    rows = [
        {
            "event_date": (MARCH + timedelta(minutes=number)).date(),
            "source": "test",
            "event_id": f"e{number:05}",
            "event_time": MARCH + timedelta(minutes=number),
            "use_case": case.name,
            "request_id": f"r{number}",
            "model_run_id": identity.run_id,
            "model_id": identity.model_id,
            "model_version": model.version.version,
            "arm": "champion",
            "entity": f"c{number}",
            "asked_at": MARCH + timedelta(minutes=number),
            "is_scored": True,
            "degraded": [],
            "score": 1.0,
            "state": "known",
            "due_at": MARCH + timedelta(days=90, minutes=number),
            "label": label,
            "event_month": "2026-03",
        }
        for number, label in enumerate(labels)
    ]
    rows.append(rows[-1] | {"event_id": "last", "model_run_id": "another", "due_at": MARCH + timedelta(days=200)})
    create_table(OUTCOMES, case.settings)
    delta = open_table(OUTCOMES, case.settings)
    write_deltalake(delta, pa.Table.from_pylist(rows, schema=pa.schema(delta.schema().to_arrow())), mode="overwrite")


def test_a_champion_that_became_worse_is_found_by_its_outcomes_and_asks_once(case: Case, told: Told) -> None:
    assert told("--request")["verdict"] is None
    champion = case.champion()
    nothing = told("--request")
    assert (nothing["standing"], nothing["verdict"], nothing["request"]) == ("unknown", None, None)
    assert "has no metric test.brier" in nothing["why"]
    for name, value in {"test.brier": 0.18, "test.brier.low": 0.16, "test.brier.high": 0.2}.items():
        connect(case.settings).log_metric(champion.version.run_id, name, value)
    assert "no outcome of" in told("--request")["why"]
    outcomes(case, champion, [1.0, 1.0, 0.0] * 200)
    worse = told()
    assert (worse["standing"], worse["request"]) == ("worse", None)
    assert (worse["verdict"]["outcomes"], worse["verdict"]["asked_before"]) == (600, "2026-06-19T00:00:00+00:00")
    asked = [told("--request")["request"] for _ in range(2)]
    assert [answer["asked"] for answer in asked] == [1, 2]
    (kept,) = case.store.requests.newest(case.name)
    assert str(kept.id) == asked[0]["id"] == asked[1]["id"]
    assert (kept.source, kept.state, kept.evidence["outcomes"]) == (Source.PERFORMANCE, State.REQUESTED, 600)
    assert kept.evidence["model"]["run_id"] == champion.version.run_id
    assert f'standing="worse",use_case="{case.name}"}} 1.0' in metrics_file(case.settings, case.name).read_text(
        encoding="utf-8"
    )
    held = request(case.store.requests.claim("worker", HOUR, case.name))
    case.store.requests.cancel(held.id, "ann", "not now")
    refused = told("--request")["request"]
    assert refused["why"] == "cool_down"
