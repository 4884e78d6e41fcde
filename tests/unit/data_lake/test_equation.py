"""What the reconciliation equation says of lakes with one fault each."""

from dataclasses import replace
from typing import Any

import duckdb
import pytest

from data_lake.reconciliation.equation import BOUNDS
from data_lake.reconciliation.gaps import explain_gaps
from data_lake.reconciliation.index import SCHEMA
from data_lake.reconciliation.reconcile import evaluate
from tests.unit.data_lake.lakes import Bronze, Lake, report, without


def test_a_whole_lake_holds_and_is_counted() -> None:
    found = report(Lake())
    assert found.findings == ()
    assert (found.bronze_rows, found.quarantine_rows, found.valid_rows) == (6, 2, 4)
    assert (found.valid_keys, found.duplicate_rows, found.silver_rows) == (3, 1, 3)
    assert found.quarantine_by_reason == {"schema": 1, "time_out_of_range": 1}
    assert found.partitions[0].high == 4
    assert (found.partitions[1].bronze_first, found.partitions[1].bronze_last) == (0, 1)


def test_a_conflict_in_quarantine_holds_and_is_no_duplicate() -> None:
    conflict = replace(Lake(), other=frozenset({(0, 3)}), quarantine=(*Lake().quarantine, (0, 3, "conflict")))
    found = report(conflict)
    assert found.findings == ()
    assert (found.duplicate_rows, found.quarantine_by_reason["conflict"]) == (0, 1)


def test_an_empty_topic_holds() -> None:
    assert report(Lake(broker={0: (0, 0)}, bronze=(), quarantine=(), silver=())).findings == ()


def twice(lake: Lake, table: str, index: int) -> Lake:
    rows = getattr(lake, table)
    changes: Any = {table: (*rows, rows[index])}
    return replace(lake, **changes)


PLANTED = {
    "a message not in bronze": (
        replace(without(Lake(), "bronze", 1), silver=(("a", 0, 0), ("c", 1, 0))),
        ["the broker has them, bronze does not: 1 (partition 0 offsets 1 to 1)"],
    ),
    "the tail not in bronze": (
        replace(Lake(), broker={0: (0, 9), 1: (0, 2)}),
        ["the broker has them, bronze does not: 5 (partition 0 offsets 4 to 8)"],
    ),
    "the head not in bronze": (
        replace(Lake(), broker={0: (0, 4), 1: (0, 2), 2: (5, 7)}, bronze=(*Lake().bronze, (2, 6, None, "c"))),
        ["the broker has them, bronze does not: 1 (partition 2 offsets 5 to 5)"],
    ),
    "twice in bronze": (twice(Lake(), "bronze", 0), ["more than once in bronze: 1 (partition 0 offset 0)"]),
    "an unknown partition": (
        replace(Lake(), bronze=(*Lake().bronze, (7, 0, None, "a"))),
        ["in bronze, from a partition that the broker does not have: 1 (partition 7)"],
    ),
    "a valid event lost": (
        without(Lake(), "silver", 1),
        ["in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 1 to 1)"],
    ),
    "a bad message lost": (
        without(Lake(), "quarantine", 0),
        ["in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 2 to 2)"],
    ),
    "twice in quarantine": (twice(Lake(), "quarantine", 1), ["more than once in quarantine: 1 (partition 1 offset 1)"]),
    "twice in silver": (twice(Lake(), "silver", 2), ["more than once in silver: 1 (event c of s)"]),
    "in both": (
        replace(Lake(), silver=(*Lake().silver, ("late", 1, 1))),
        [
            "in quarantine and in silver: 1 (partition 1 offset 1)",
            f"in silver, though its time is beyond {BOUNDS}: 1 (partition 1 offset 1)",
        ],
    ),
    "the wrong reason": (
        replace(Lake(), quarantine=((0, 2, "not_json"), (1, 1, "time_out_of_range"))),
        [
            "in quarantine for another reason than the contract's: 1"
            " (partition 0 offset 2 is not_json, the contract says schema)"
        ],
    ),
    "a valid event refused": (
        replace(Lake(), quarantine=((0, 2, "schema"), (1, 1, "schema"))),
        [
            "in quarantine for another reason than the contract's: 1"
            " (partition 1 offset 1 is schema, its time says time_out_of_range)"
        ],
    ),
    "a time within bounds refused": (
        replace(Lake(), bronze=(*Lake().bronze[:-1], (1, 1, None, "late"))),
        [f"in quarantine as time_out_of_range, though within {BOUNDS}: 1 (partition 1 offset 1)"],
    ),
    "a time out of bounds refused for another reason": (
        replace(Lake(), quarantine=((0, 2, "schema"), (1, 1, "conflict"))),
        [
            "in quarantine for another reason than the contract's: 1"
            " (partition 1 offset 1 is conflict, its time says time_out_of_range)",
            "in quarantine as a conflict, though silver has no other event of that identity: 1 (partition 1 offset 1)",
        ],
    ),
    "a time out of bounds taken": (
        replace(Lake(), quarantine=Lake().quarantine[:1], silver=(*Lake().silver, ("late", 1, 1))),
        [f"in silver, though its time is beyond {BOUNDS}: 1 (partition 1 offset 1)"],
    ),
    "silver from nowhere": (
        replace(Lake(), silver=(*Lake().silver, ("ghost", 0, 1))),
        ["in silver without its message in bronze: 1 (partition 0 offset 1 event ghost)"],
    ),
    "a conflict taken for a duplicate": (
        replace(Lake(), other=frozenset({(0, 3)})),
        [
            "in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 3 to 3)",
            "of an identity that silver has with another time or data, and not in quarantine: 1"
            " (partition 0 offset 3 event a of s)",
        ],
    ),
    "a duplicate taken for a conflict": (
        replace(Lake(), quarantine=(*Lake().quarantine, (0, 3, "conflict"))),
        ["in quarantine as a conflict, though silver has no other event of that identity: 1 (partition 0 offset 3)"],
    ),
    "quarantine from nowhere": (
        replace(Lake(), quarantine=(*Lake().quarantine, (0, -1, "schema"))),
        ["in quarantine without its message in bronze: 1 (partition 0 offset -1)"],
    ),
}


@pytest.mark.parametrize(("lake", "problems"), PLANTED.values(), ids=PLANTED.keys())
def test_each_planted_fault_is_named(lake: Lake, problems: list[str]) -> None:
    named = [str(finding) for finding in report(lake).findings if "distinct valid keys" not in finding.problem]
    assert named == problems


def test_rows_that_reached_the_broker_afterwards_are_left_out() -> None:
    later: Bronze = (0, 4, None, "new")
    assert report(replace(Lake(), bronze=(*Lake().bronze, later))).findings == ()
    arrived = replace(Lake(), bronze=(*Lake().bronze, later), silver=(*Lake().silver, ("new", 0, 4)))
    assert report(arrived).findings == ()


def test_offsets_that_the_broker_no_longer_has_may_stay_in_bronze() -> None:
    assert report(replace(Lake(), broker={0: (2, 4), 1: (0, 2)})).findings == ()


def test_a_sample_is_bounded_and_the_count_is_not() -> None:
    bronze = tuple((0, offset, "schema", None) for offset in range(100))
    found = report(Lake(broker={0: (0, 100)}, bronze=(*bronze, *bronze), quarantine=(), silver=()))
    repeated = next(finding for finding in found.findings if finding.problem == "more than once in bronze")
    assert (repeated.count, len(repeated.sample)) == (100, 10)


GENERATIONS = """
INSERT INTO broker VALUES (1, 0, 0, 0, 3), (2, 0, 0, 0, 2);
INSERT INTO closed VALUES (1, 0, 2);
INSERT INTO bronze_all VALUES (1, 0, 0, NULL, 's', 'a', 5, 0), (1, 0, 2, 'schema', NULL, NULL, NULL, 0),
                              (2, 0, 0, NULL, 's', 'a', 5, 0), (2, 0, 1, NULL, 's', 'b', 5, 0);
INSERT INTO said VALUES (1, 0, 0, 'x'), (2, 0, 0, 'x'), (2, 0, 1, 'x');
INSERT INTO quarantine_all VALUES (1, 0, 2, 'schema');
INSERT INTO silver VALUES ('s', 'a', 5, 1, 0, 0, 0), ('s', 'b', 5, 2, 0, 1, 0);
"""


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        pytest.param("SELECT 1", [], id="whole"),
        pytest.param(
            'DELETE FROM bronze_all WHERE generation = 1 AND "offset" = 0',
            [
                "rows of a generation that ended, counted then and now: 1"
                " (generation 1 partition 0: 1 rows, 2 when it ended)",
            ],
            id="a row of the ended one is gone",
        ),
        pytest.param(
            'DELETE FROM bronze_all WHERE generation = 2 AND "offset" = 0',
            ["the broker has them, bronze does not: 1 (generation 2 partition 0 offsets 0 to 0)"],
            id="a row of the present one is gone, though the ended one has its offset",
        ),
        pytest.param(
            "DELETE FROM quarantine_all",
            [
                "in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 2 to 2)",
            ],
            id="a bad message of the ended one is lost",
        ),
        pytest.param(
            "INSERT INTO quarantine_all VALUES (2, 0, 2, 'schema')",
            [],
            id="beyond the present end",
        ),
        pytest.param(
            'UPDATE quarantine_all SET generation = 2, "offset" = 1',
            [
                "in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 2 to 2)",
                "in quarantine and in silver: 1 (generation 2 partition 0 offset 1)",
                "in quarantine for another reason than the contract's: 1"
                " (generation 2 partition 0 offset 1 is schema, the contract says valid)",
            ],
            id="a row under the wrong generation",
        ),
    ],
)
def test_an_offset_is_of_its_generation(change: str, problems: list[str]) -> None:
    connection = duckdb.connect()
    connection.execute(SCHEMA)
    connection.execute(GENERATIONS)
    connection.execute(change)
    explain_gaps(connection, lambda _, first, end: range(first, end), lambda: {})
    found = evaluate(connection, "shop.transaction.v1")
    derived = ("distinct valid keys", "without its message")
    named = [str(finding) for finding in found.findings if not any(text in finding.problem for text in derived)]
    assert named == problems
    assert set(found.ended_generations) == {1}


REPLAYED = """
INSERT INTO broker VALUES (1, 0, 0, 0, 4);
INSERT INTO bronze_all VALUES (1, 0, 0, NULL, 's', 'a', 5, 0), (1, 0, 1, 'schema', NULL, NULL, NULL, 0),
                              (1, 0, 2, NULL, 's', 'a', 5, 0), (1, 0, 3, NULL, 's', 'b', 5, 0);
INSERT INTO said VALUES (1, 0, 0, 'x'), (1, 0, 2, 'x'), (1, 0, 3, 'y');
INSERT INTO quarantine_all VALUES (1, 0, 0, 'schema'), (1, 0, 1, 'schema');
INSERT INTO silver VALUES ('s', 'a', 5, 1, 0, 2, 0), ('s', 'b', 5, 1, 0, 3, 0);
INSERT INTO replayed VALUES (1, 0, 0, 's', 'a', 1, 0, 2), (1, 0, 1, 's', 'b', 1, 0, 3);
"""
"""A message that a wider contract takes, sent again as it was, and one that a fix made an event of."""
VALID_NOW = (
    "in quarantine for another reason than the contract's: 1 (partition 0 offset 0 is schema, the contract says valid)"
)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        pytest.param("SELECT 1", [], id="whole"),
        pytest.param("DELETE FROM replayed", [VALID_NOW], id="valid now, and nobody has replayed it"),
        pytest.param(
            "DELETE FROM silver WHERE event_id = 'a'",
            ["in bronze, but neither in quarantine nor in silver: 1 (partition 0 offsets 2 to 2)", VALID_NOW],
            id="replayed by the record, and not in silver",
        ),
        pytest.param(
            "UPDATE replayed SET new_offset = 2 WHERE event_id = 'b'",
            [
                "replayed by the record, but bronze has another event where it was sent to: 1"
                " (partition 0 offset 1 to partition 0 offset 2)"
            ],
            id="another event where it was sent to",
        ),
    ],
)
def test_what_was_replayed_may_stay_in_quarantine(change: str, problems: list[str]) -> None:
    connection = duckdb.connect()
    connection.execute(SCHEMA)
    connection.execute(REPLAYED)
    connection.execute(change)
    found = evaluate(connection, "shop.transaction.v1")
    assert [str(finding) for finding in found.findings if "distinct valid keys" not in finding.problem] == problems
