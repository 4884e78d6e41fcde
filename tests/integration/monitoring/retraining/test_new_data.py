"""How many rows have come since a model was judged last: real Delta tables and MLflow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from ml_modeling.frames.frame import SplitFrame
from ml_modeling.specification import Retraining
from ml_modeling.use_case import UseCase
from monitoring.control import Source
from monitoring.retraining.new_data import NewData, ask_of, new_data
from monitoring.retraining.working_off import work_off
from tests.cases.lake import append_rows
from tests.cases.retrain_worker import fast, read
from tests.cases.transactions import Line, silver_row
from tests.integration.monitoring.retraining.conftest import Loop

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rows(begin: int, count: int) -> list[dict[str, object]]:
    lines = (
        Line(NOON + timedelta(hours=hour), "c1", f"o-{hour}", "p", 1, Decimal("2.5"), "purchase")
        for hour in range(begin, begin + count)
    )
    return [silver_row(line) for line in lines]


def read_with_counts(use_case: UseCase) -> SplitFrame:
    return replace(read(use_case), table_rows={"silver/transactions": 30})


def test_rows_are_counted_since_the_newest_training_that_was_judged(
    spark: SparkSession, loop: Loop, tmp_path: Path
) -> None:
    settings = loop.settings.model_copy(update={"home": tmp_path})
    transactions = table("silver/transactions")
    ensure_table(spark, transactions, settings)
    append_rows(settings, transactions, rows(0, 30))
    assert new_data(settings, fast(loop.name)) is None
    loop.ask()
    run_id = str(work_off(loop.work(read_with_counts), loop.claim().lease).progress["trained"]["run_id"])
    assert new_data(settings, fast(loop.name)) == NewData("1", run_id, {"silver/transactions": 0})
    append_rows(settings, transactions, rows(30, 12))
    assert new_data(settings, fast(loop.name)) == NewData("1", run_id, {"silver/transactions": 12})


def test_a_champion_whose_run_has_no_counts_is_reason_for_nothing(loop: Loop) -> None:
    loop.ask()
    work_off(loop.work(), loop.claim().lease)
    assert new_data(loop.settings, fast(loop.name)) is None


@pytest.mark.parametrize(("enough", "is_asked"), [(12, True), (13, False), (None, False)])
def test_it_is_asked_for_when_enough_has_come(enough: int | None, is_asked: bool) -> None:
    use_case = fast("churn")
    declared = replace(use_case, spec=use_case.spec.model_copy(update={"retraining": Retraining(new_rows=enough)}))
    ask = ask_of(declared, NewData("3", "4f", {"silver/transactions": 12}), "monitor")
    assert (ask is not None) is is_asked
    if ask is not None:
        assert (ask.source, ask.reason) == (
            Source.NEW_DATA,
            "12 rows came since run 4f was trained, the newest that was judged; 12 are enough",
        )
        assert ask.evidence == {"champion": "3", "run_id": "4f", "rows": {"silver/transactions": 12}, "enough": 12}
