"""Counts over answers that are given, without a lake."""

import duckdb
import pyarrow as pa

from monitoring.rollout.figures import Spread
from monitoring.rollout.log import CHALLENGER, StepLog
from monitoring.rollout.scores import Expected

COLUMNS = (CHALLENGER, "failed", "is_unscored", "entity_id", "said", "decision")
ROWS = [
    (True, False, False, "a", 0.1, "low"),
    (True, False, False, "a", 0.2, "low"),
    (True, False, False, "b", 0.9, "high"),
    (True, False, False, "c", None, "another"),
    (True, False, True, "d", 0.9, "high"),
    (True, True, False, "e", 0.9, "high"),
    (False, False, False, "f", 0.9, "high"),
]


def spread(cells: Expected) -> Spread:
    given = pa.table({name: [row[number] for row in ROWS] for number, name in enumerate(COLUMNS)})
    with duckdb.connect() as connection:
        connection.register("given", given)
        return StepLog(connection, "WITH answers AS (FROM given)", {}).spread(CHALLENGER, cells)


def test_only_scored_answers_in_a_cell_count_and_those_about_one_entity_as_fewer() -> None:
    of_two, of_one = 2, 1
    kish = (of_two + of_one) ** 2 / (of_two**2 + of_one**2)
    assert spread(Expected(edges=(0.5,), rows=(3.0, 4.0))) == Spread((3.0, 4.0), [2, 1], kish)
    assert spread(Expected(classes=("high", "low"), rows=(3.0, 4.0))) == Spread((3.0, 4.0), [1, 2], kish)


def test_no_answer_in_a_cell_tells_nothing() -> None:
    assert spread(Expected(classes=("none",), rows=(3.0,))) == Spread((3.0,), [0], 0.0)
