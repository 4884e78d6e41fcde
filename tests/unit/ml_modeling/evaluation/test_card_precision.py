"""Card precision, by hand."""

import numpy as np
import pytest

from ml_modeling.evaluation.card_precision import card_precision


def precision(rows: list[tuple[int, int, int, float]], k: int) -> float:
    """Of (day, card, is fraud, score)."""
    day, card, y, scores = (np.array(column) for column in zip(*rows, strict=True))
    return card_precision(day, card, y, scores, k)


def test_a_card_counts_once_with_its_highest_score() -> None:
    rows = [(1, 7, 1, 0.9), (1, 7, 1, 0.8), (1, 7, 0, 0.1), (1, 8, 0, 0.7), (1, 9, 1, 0.6)]
    assert precision(rows, 2) == 1 / 2
    assert precision(rows, 3) == 2 / 3


def test_a_card_is_compromised_that_has_one_fraud_also_where_another_payment_made_its_score() -> None:
    assert precision([(1, 7, 0, 0.9), (1, 7, 1, 0.1), (1, 8, 0, 0.5)], 1) == 1


def test_fewer_cards_than_are_looked_at_lower_the_precision() -> None:
    assert precision([(1, 7, 1, 0.9)], 100) == 1 / 100


def test_a_card_that_was_found_is_not_looked_at_again_and_one_that_was_missed_is() -> None:
    found = [(1, 7, 1, 0.9), (2, 7, 1, 0.9), (2, 8, 0, 0.5)]
    assert precision(found, 1) == (1 + 0) / 2
    missed = [(1, 7, 1, 0.1), (1, 8, 0, 0.5), (2, 7, 1, 0.9), (2, 8, 0, 0.5)]
    assert precision(missed, 1) == (0 + 1) / 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_equal_scores_are_taken_by_number(order: tuple[int, int]) -> None:
    rows = [(1, 3, 1, 0.5), (1, 4, 0, 0.5)]
    assert precision([rows[one] for one in order], 1) == 1
