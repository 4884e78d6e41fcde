"""Who answered a request, from a log in a lake."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import silver
from model_serving.which import NotLoggedError, answered_by
from tests.cases.answers_logged import logged
from tests.cases.lake import append_rows
from tidemill.commands import models
from tidemill.config import Settings, load_settings

LOG = silver("serving.prediction.v1")
AT = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
LATER = AT + timedelta(minutes=2)


def row(event_id: str, customer: str, at: datetime = AT, **answer: Any) -> dict[str, Any]:
    return logged("churn", event_id, at, {"customer_id": customer}, request_id="r-1", **answer)


CHALLENGERS = {"arm": "challenger", "model_version": "8", "model_id": "m-8", "model_run_id": "run-8", "epoch": 5}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.fixture
def lake(settings: Settings) -> Settings:
    create_table(LOG, settings)
    rows = [
        row("e-1", "c-1", arm="champion", epoch=5),
        row("e-2", "c-2", **CHALLENGERS),
        row("e-3", "c-3", arm="champion", epoch=5, challenger_failed=True),
        row("e-4", "c-1", LATER, arm="champion", epoch=6),
        logged("churn", "e-5", AT, {"customer_id": "c-1"}, request_id="r-2"),
    ]
    append_rows(settings, LOG, rows)
    return settings


def test_each_prediction_of_a_request_has_its_version_and_arm(lake: Settings) -> None:
    found = {
        (by.entity_id, by.at): (by.arm, by.model_version, by.model_id, by.epoch) for by in answered_by(lake, "r-1")
    }

    assert found == {
        ("c-1", AT): ("champion", "1", "m-1", 5),
        ("c-2", AT): ("challenger", "8", "m-8", 5),
        ("c-3", AT): ("champion", "1", "m-1", 5),
        ("c-1", LATER): ("champion", "1", "m-1", 6),
    }


def test_one_id_on_two_days_is_told_apart_by_the_day(lake: Settings) -> None:
    assert [by.epoch for by in answered_by(lake, "r-1", date(2026, 4, 1))] == [6]
    assert [by.challenger_failed for by in answered_by(lake, "r-1", date(2026, 3, 31))].count(True) == 1


def test_a_row_of_before_there_were_arms_is_the_champions(lake: Settings) -> None:
    assert [(by.arm, by.epoch, by.challenger_failed) for by in answered_by(lake, "r-2")] == [("champion", None, False)]


def test_a_table_of_before_there_were_arms_is_read(settings: Settings) -> None:
    create_table(LOG, settings)
    schema = _schema_without(settings, "arm", "epoch", "ms", "challenger_failed")
    old = pa.Table.from_pylist([row("e-1", "c-1")], schema=schema)
    write_deltalake(LOG.path(settings), old, mode="overwrite", schema_mode="overwrite", partition_by=["event_month"])

    assert [(by.entity_id, by.arm, by.epoch) for by in answered_by(settings, "r-1")] == [("c-1", "champion", None)]


def _schema_without(settings: Settings, *names: str) -> pa.Schema:
    schema = pa.schema(open_table(LOG, settings).schema().to_arrow())
    return pa.schema([field for field in schema if field.name not in names])


@pytest.mark.parametrize("is_made", [False, True], ids=["no table yet", "not there yet"])
def test_what_is_not_in_the_log_is_said_in_one_sentence(settings: Settings, is_made: bool) -> None:
    if is_made:
        create_table(LOG, settings)

    with pytest.raises(NotLoggedError) as raised:
        answered_by(settings, "r-9", date(2026, 3, 31))
    assert str(raised.value).startswith("request 'r-9' is not in the log on 2026-03-31: ")


def test_the_command_prints_them(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_HOME", str(lake.home))
    printed = CliRunner().invoke(models.command, ["which", "r-1", "--day", "2026-03-31"]).output
    document = json.loads(CliRunner().invoke(models.command, ["which", "r-1", "--json"]).output)

    assert "challenger" in printed
    assert "m-8 of run run-8" in printed
    assert "champion in place of the challenger" in printed
    assert [row["model_version"] for row in document].count("8") == 1
