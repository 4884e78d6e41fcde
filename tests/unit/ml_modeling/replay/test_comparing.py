"""Differences counted batch by batch are those of all rows at once."""

import numpy as np
import pytest

from ml_modeling.registry.scorer import Floats
from ml_modeling.replay import comparing
from ml_modeling.replay.comparing import Comparing, Proving, Replayed, behind
from ml_modeling.replay.logged import LoggedAnswers

FEATURES = ("age", "spend")


def logged(matrix: Floats, answers: Floats, decisions: list[str]) -> LoggedAnswers:
    count = len(matrix)
    yes = np.ones(count, dtype=bool)
    names = [f"r{row}" for row in range(count)]
    return LoggedAnswers(names, names, matrix, answers, np.array(decisions, dtype=object), yes, yes, yes, ~yes)


def replayed(answers: Floats, decisions: list[str]) -> Replayed:
    return Replayed(answers, np.array(decisions, dtype=object))


def decided(answers: Floats) -> list[str]:
    return ["yes" if answer >= 0.5 else "no" for answer in answers[:, 0]]


def test_one_bit_is_a_difference_and_is_shown() -> None:
    before = np.array([[0.25], [0.5], [0.75]])
    now = np.array([[0.25], [np.nextafter(0.5, 1)], [0.75]])
    proving = Proving()
    proving.add(logged(np.zeros((3, 2)), before, decided(before)), replayed(before, decided(before)))
    assert proving.result("") is not None
    assert proving.different == 0
    proving.add(logged(np.eye(3, 2), before, decided(before)), replayed(now, decided(now)))
    found = proving.result("why")
    assert found is not None
    assert (found.answers, found.different, [one.request_id for one in found.examples]) == (6, 1, ["r1"])
    assert found.examples[0].replayed == (0.5000000000000001,)


def test_another_decision_at_the_same_score_is_a_difference() -> None:
    answers = np.array([[0.5]])
    proving = Proving()
    proving.add(logged(np.zeros((1, 2)), answers, ["no"]), replayed(answers, ["yes"]))
    assert proving.different == 1


def test_nothing_to_say_of_nothing() -> None:
    assert Proving().result("") is None
    assert Comparing(FEATURES).result() is None


def test_batches_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    matrix = random.normal(size=(3_000, 2))
    matrix[::7, 0] = np.nan
    before = random.random((3_000, 1))
    now = np.clip(before + np.where(np.isnan(matrix[:, :1]), 0.2, 0.01 * matrix[:, :1]), 0, 1)
    found = Comparing(FEATURES)
    for part in np.array_split(np.arange(3_000), 11):
        found.add(logged(matrix[part], before[part], decided(before[part])), replayed(now[part], decided(now[part])))
    result = found.result()
    assert result is not None
    change = (now - before)[:, 0]
    assert (result.answers, result.sampled) == (3_000, 3_000)
    assert result.mean == pytest.approx(change.mean())
    assert result.mean_absolute == pytest.approx(np.abs(change).mean())
    assert result.largest == np.abs(change).max()
    assert result.quantiles["0.5"] == pytest.approx(np.median(change))
    ups = int(((before < 0.5) & (now >= 0.5)).sum())
    downs = int(((before >= 0.5) & (now < 0.5)).sum())
    assert result.decisions == {"no -> yes": ups, "yes -> no": downs}
    assert (result.behind[0].feature, result.behind[0].high_range) == ("age", "missing")
    sizes = [abs(one.replayed[0] - one.logged[0]) for one in result.examples]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == comparing.EXAMPLES


def test_the_sample_is_bounded_and_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "SAMPLE", 400)
    found = Comparing(FEATURES)
    for batch in range(50):
        rows = np.arange(batch * 100, (batch + 1) * 100, dtype=float).reshape(-1, 1)
        matrix, answers = np.hstack([rows, rows]), np.zeros((100, 1))
        found.add(logged(matrix, answers, ["no"] * 100), replayed(rows / 5_000, ["no"] * 100))
    result = found.result()
    assert result is not None
    assert (result.answers, result.sampled) == (5_000, 400)
    assert result.quantiles["0.5"] == pytest.approx(0.5, abs=0.1)


def test_answers_of_classes_differ_by_half_the_sum_of_what_their_probabilities_do() -> None:
    before, now = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]), np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    found = Comparing(FEATURES)
    found.add(logged(np.eye(2), before, ["c", "c"]), replayed(now, ["a", "c"]))
    result = found.result()
    assert result is not None
    assert (result.mean, result.largest) == (pytest.approx(0.15), pytest.approx(0.3))
    assert result.decisions == {"c -> a": 1}


def test_a_logged_answer_of_another_kind_is_not_compared() -> None:
    found = Comparing(FEATURES)
    before = np.array([[np.nan], [0.5]])
    found.add(logged(np.eye(2), before, ["no", "no"]), replayed(np.array([[0.1], [0.7]]), ["no", "yes"]))
    result = found.result()
    assert result is not None
    assert (result.answers, result.decisions) == (1, {"no -> yes": 1})


def test_a_share_is_one_where_ranges_tell_all_and_none_where_a_feature_has_one_value() -> None:
    column = np.repeat([1.0, 2.0, np.nan], 10)
    told = behind("age", column, np.repeat([0.0, 3.0, -1.0], 10))
    assert told is not None
    assert told.share == pytest.approx(1.0)
    assert (told.low, told.low_range, told.high) == (-1.0, "missing", 3.0)
    assert behind("age", np.ones(30), np.arange(30.0)) is None
    assert behind("age", np.full(30, np.nan), np.arange(30.0)) is None


@pytest.mark.parametrize("sizes", [(0.25, 0.25, 0.25), (0.25, 0.5, 0.5)])
def test_of_differences_of_one_size_the_first_are_shown(sizes: tuple[float, ...]) -> None:
    found = Comparing(FEATURES)
    for size in sizes:
        now = replayed(np.full((20, 1), size), ["no"] * 20)
        found.add(logged(np.zeros((20, 2)), np.zeros((20, 1)), ["no"] * 20), now)
    result = found.result()
    assert result is not None
    assert [one.request_id for one in result.examples] == [f"r{row}" for row in range(comparing.EXAMPLES)]
    assert {one.replayed for one in result.examples} == {(max(sizes),)}
