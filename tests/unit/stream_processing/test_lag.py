import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from stream_processing.spark_streaming.queries.lag import offsets_behind, rows_since


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


def test_rows_since_counts_streamed_rows_and_not_those_merely_rewritten(
    tmp_path: Path,
) -> None:
    path = str(tmp_path)
    for count in (3, 4, 5):
        write_deltalake(path, pa.table({"n": list(range(count))}), mode="append")
    table = DeltaTable(path)
    table.optimize.compact()
    for version, count in enumerate((3, 4, 5)):
        _as_spark_writes_it(tmp_path, version, count)
    table = DeltaTable(path)
    assert [rows_since(table, {"reservoirVersion": version}) for version in range(5)] == [12, 9, 5, 0, 0]


def test_rows_since_counts_what_others_merged_in_and_nothing_where_they_do_not_say(tmp_path: Path) -> None:
    rows = pa.table({"n": [1, 2, 3]})
    write_deltalake(str(tmp_path), rows.slice(0, 1))
    merge = DeltaTable(tmp_path).merge(rows, "new.n = old.n", source_alias="new", target_alias="old")
    merge.when_not_matched_insert_all().execute()
    assert rows_since(DeltaTable(tmp_path), {"reservoirVersion": 1}) == 2
    _changed(tmp_path, 1, operationMetrics={})
    assert rows_since(DeltaTable(tmp_path), {"reservoirVersion": 1}) == 0


def _as_spark_writes_it(table: Path, version: int, count: int) -> None:
    """Give a commit the operation and the metrics that Spark's streaming sink notes."""
    _changed(table, version, operation="STREAMING UPDATE", operationMetrics={"numOutputRows": str(count)})


def _changed(table: Path, version: int, **info: object) -> None:
    log = table / "_delta_log" / f"{version:020}.json"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"] |= info
    log.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
