"""How many rows a query is behind."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.streaming.listener import StreamingQueryProgress

from data_lake.tables import silver
from stream_processing.spark_streaming.queries.lag import Share, offsets_behind, rows_since, shares
from tidemill.config import Settings, load_settings

TABLE = silver("shop.click.v1")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("end", "latest", "behind"),
    [
        ({"t": {"0": 5, "1": 7}}, {"t": {"0": 5, "1": 7}}, 0),
        ({"t": {"0": 5, "1": 7}}, {"t": {"0": 9, "1": 8}}, 5),
        ({"t": {"0": 5}}, {"t": {"0": 5, "1": 3}}, 3),
        ({}, {"t": {"0": 2}}, 2),
    ],
    ids=["caught up", "behind in both", "a new partition", "nothing read"],
)
def test_offsets_behind_are_the_messages_not_yet_read(
    end: dict[str, dict[str, int]], latest: dict[str, dict[str, int]], behind: int
) -> None:
    assert offsets_behind(end, latest) == behind


def progress(name: str, begin: str, end: str, latest: str) -> StreamingQueryProgress:
    source = {"description": "", "startOffset": begin, "endOffset": end, "latestOffset": latest, "numInputRows": 8}
    source |= {"inputRowsPerSecond": 1.0, "processedRowsPerSecond": 1.0}
    ids = {"id": "00000000-0000-0000-0000-000000000000", "runId": "00000000-0000-0000-0000-000000000000"}
    rest = {
        "timestamp": "",
        "batchId": 3,
        "batchDuration": 5,
        "durationMs": {},
        "stateOperators": [],
        "sink": {"description": "", "numOutputRows": -1},
    }
    return StreamingQueryProgress.fromJson({**ids, "name": name, **rest, "sources": [source]})


def test_a_batch_of_all_topics_is_shared_out_by_the_offsets_of_each(settings: Settings) -> None:
    begin = '{"a": {"0": 0, "1": 2}, "b": {"0": 7}}'
    end = '{"a": {"0": 3, "1": 5}, "b": {"0": 9}, "c": {"0": 0}}'
    latest = '{"a": {"0": 3, "1": 9}, "b": {"0": 9}, "c": {"0": 1}}'
    found = shares(progress("bronze", begin, end, latest), settings)
    assert found == {"bronze/a": Share(0.75, 4), "bronze/b": Share(0.25, 0), "bronze/c": Share(0.0, 1)}
    assert shares(progress("bronze/b", '{"b": {"0": 7}}', '{"b": {"0": 9}}', "null"), settings) == {
        "bronze/b": Share(1.0, None)
    }


def test_rows_since_counts_what_was_added_and_not_what_was_merely_rewritten(settings: Settings) -> None:
    path = TABLE.path(settings)
    for count in (3, 4, 5):
        write_deltalake(path, pa.table({"n": list(range(count))}), mode="append")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).update({"n": "n + 1"}, predicate="n = 2")
    write_deltalake(path, pa.table({"n": [9]}), mode="append")
    counted = [rows_since(TABLE, settings, {"reservoirVersion": version}) for version in range(8)]
    assert counted == [13, 10, 6, 1, 1, 1, 0, 0]
    assert rows_since(TABLE, settings, {}) == 13


def test_how_far_a_query_is_behind_whose_next_commit_was_cleaned_away_nobody_can_say(settings: Settings) -> None:
    path = TABLE.path(settings)
    for _ in range(4):
        write_deltalake(path, pa.table({"n": [1]}), mode="append")
    table = DeltaTable(path)
    table.create_checkpoint()
    for version in range(3):  # as cleanup after the log's retention
        (Path(path) / "_delta_log" / f"{version:020}.json").unlink()
    counted = [rows_since(TABLE, settings, {"reservoirVersion": version}) for version in range(5)]
    assert counted == [None, None, None, 1, 0]


def test_files_without_statistics_count_nothing(settings: Settings) -> None:
    path = TABLE.path(settings)
    write_deltalake(path, pa.table({"n": [1]}))
    log = Path(path) / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text(encoding="utf-8").replace('"stats":', '"none":'), encoding="utf-8")
    assert rows_since(TABLE, settings, {}) == 0
