"""Counts over answers that are given, without a lake."""

import duckdb
import pyarrow as pa

from monitoring.rollout.figures import Spread
from monitoring.rollout.log import CHALLENGER, CHAMPION, StepLog
from monitoring.rollout.scores import Expected

COLUMNS = (CHALLENGER, CHAMPION, "failed", "is_unscored", "entity_id", "said", "decision")
ROWS = [
    (True, False, False, False, "a", 0.1, "low"),
    (True, False, False, False, "a", 0.2, "low"),
    (True, False, False, False, "b", 0.9, "high"),
    (True, False, False, False, "c", None, "another"),
    (True, False, False, True, "d", 0.9, "high"),
    (True, False, True, False, "e", 0.9, "high"),
    (False, False, False, False, "f", 0.9, "high"),
]


def spread(cells: Expected, arm: str = CHALLENGER) -> Spread:
    given = pa.table({name: [row[number] for row in ROWS] for number, name in enumerate(COLUMNS)})
    with duckdb.connect() as connection:
        connection.register("given", given)
        return StepLog(connection, "WITH answers AS (FROM given)", {}).spread(arm, cells)


def kish(*of_entities: int) -> float:
    return float(sum(of_entities) ** 2 / sum(answers**2 for answers in of_entities))


def test_only_scored_answers_in_a_cell_count_and_those_about_one_entity_as_fewer() -> None:
    assert spread(Expected(edges=(0.5,), rows=(3.0, 4.0))) == Spread((3.0, 4.0), [2, 1], kish(2, 1))


def test_decisions_of_which_the_replay_had_none_have_a_cell_of_their_own() -> None:
    cells = Expected(classes=("high", "low", "another"), rows=(3.0, 4.0, 5.0))
    assert spread(cells) == Spread((3.0, 4.0, 5.0), [1, 2, 1], kish(2, 1, 1))
    cells = Expected(classes=("high", "low"), rows=(3.0, 4.0))
    assert spread(cells) == Spread((3.0, 4.0, 0.0), [1, 2, 1], kish(2, 1, 1))


def test_where_nothing_was_answered_there_is_nothing_to_tell() -> None:
    assert spread(Expected(edges=(0.5,), rows=(3.0, 4.0)), arm=CHAMPION) == Spread((3.0, 4.0), [0, 0], 0.0)
