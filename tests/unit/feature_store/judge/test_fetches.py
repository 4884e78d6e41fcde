"""Which logged answers are judged."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from feature_store.definitions import Entity, FeatureGroup, FeatureService, Source, count, days
from feature_store.judge.fetches import load_fetches
from feature_store.judge.values import workspace
from tests.cases.lake import append_rows
from tests.cases.predictions import silver_prediction
from tidemill.config import load_settings

PREDICTIONS = silver("serving.prediction.v1")
CAME = FeatureGroup("came", Entity("customer", "customer_id"), Source("silver/transactions"), (count(),), (days(7),))
SERVICE = FeatureService("came", CAME.features)
MIDNIGHT = datetime(2024, 6, 1, tzinfo=UTC)


def test_only_files_of_the_months_around_are_read(tmp_path: Path) -> None:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    create_table(PREDICTIONS, settings)
    second = timedelta(seconds=1)
    asked = [MIDNIGHT - timedelta(days=40), MIDNIGHT - second, MIDNIGHT, MIDNIGHT + timedelta(days=40)]
    rows = [
        silver_prediction(f"a{number}", SERVICE, ("customer_id", "c1"), at, 1, {"came__count_7d": 1.0})
        for number, at in enumerate(asked)
    ]
    rows[1] |= {"event_time": MIDNIGHT, "event_month": "2024-06"}  # asked before midnight, logged after
    append_rows(settings, PREDICTIONS, rows)
    for month in ("2024-04", "2024-07"):
        shutil.rmtree(tmp_path.joinpath(PREDICTIONS.path(settings), f"event_month={month}"))

    with workspace() as connection:
        assert load_fetches(connection, settings, SERVICE, MIDNIGHT - second, MIDNIGHT + second) == 2
        assert connection.table("fetches").order("event_id").project("event_id").fetchall() == [("a1",), ("a2",)]
