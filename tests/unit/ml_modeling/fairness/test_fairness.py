"""Figures by group against a loop over rows; what is judged, what is told, and how often chance raises an alarm."""

import numpy as np
import pytest

from feature_store.definitions import Task
from ml_modeling.evaluation import plots
from ml_modeling.evaluation.estimate import Estimate
from ml_modeling.fairness.disparity import furthest
from ml_modeling.fairness.groups import group_report
from ml_modeling.fairness.limits import excess, is_kept, told
from ml_modeling.fairness.mitigation import reweighted
from ml_modeling.fairness.outcomes import outcomes
from ml_modeling.fairness.report import Disparity
from ml_modeling.fairness.sensitive import check_told
from ml_modeling.frames.examples import Examples
from ml_modeling.frames.leakage import LeakageError
from ml_modeling.specification import BinaryFairness, Bootstrap, Limit, Mitigation, RegressionFairness
from ml_modeling.tasks.scoring import Scoring

RULE = Bootstrap(replicates=200, confidence=0.95, seed=4)
FAIR = BinaryFairness(columns=("region",), gates={"selection_rate": {"difference": 0.1}})
NAIVE = {
    "selection_rate": lambda rows: [chosen for _, chosen in rows],
    "true_positive_rate": lambda rows: [chosen for label, chosen in rows if label == 1],
    "false_positive_rate": lambda rows: [chosen for label, chosen in rows if label == 0],
}


def people(seed, n=900, shares=(0.5, 0.3, 0.2), shift=0.0):
    """Rows of two a person; the people of the south are given higher scores by ``shift``."""
    random = np.random.default_rng(seed)
    who = np.arange(n) // 2
    groups = random.choice(["north", "south", "west"], size=n // 2 + 1, p=shares)[who]
    y = (random.random(n) < 0.4).astype(np.int64)
    scores = 0.3 * y + 0.7 * random.random(n) + shift * (groups == "south")
    return Examples(random.normal(size=(n, 2)), y, who, {"region": groups}), Scoring(scores)


def test_the_figures_of_a_group_are_those_counted_row_by_row_and_fairlearns_are_the_same():
    test, scoring = people(1)
    report = group_report(Task.BINARY, test, scoring, FAIR, RULE)
    assert [group.group for group in report.groups] == ["north", "south", "west"]
    for group in report.groups:
        mine = test.groups["region"] == group.group
        rows = list(zip(test.y[mine].tolist(), (scoring.scores[mine] >= 0.5).tolist(), strict=True))
        assert group.examples == len(rows)
        for metric, counted in NAIVE.items():
            expected = counted(rows)
            assert group.counted[metric] == len(expected)
            assert group.metrics[metric].value == pytest.approx(sum(expected) / len(expected))
            assert group.metrics[metric].low <= group.metrics[metric].value <= group.metrics[metric].high


def test_errors_of_numbers_are_compared_with_their_sign_and_without():
    test, _ = people(2)
    values = np.where(test.groups["region"] == "south", test.y + 2.0, test.y - 1.0)
    fairness = RegressionFairness(columns=("region",))
    report = group_report(Task.REGRESSION, test, Scoring(values), fairness, RULE)
    assert {group.group: group.metrics["mean_error"].value for group in report.groups} == pytest.approx(
        {"north": -1.0, "south": 2.0, "west": -1.0}
    )
    signed, absolute = report.disparities
    assert (signed.highest, signed.difference.value, signed.ratio) == ("south", pytest.approx(3.0), None)
    assert absolute.ratio.value == pytest.approx(0.5)


def test_a_group_that_is_too_small_is_told_and_not_judged():
    test, scoring = people(3, shares=(0.55, 0.42, 0.03), shift=0.3)
    lonely = Scoring(np.where(test.groups["region"] == "west", 1.0, scoring.scores))
    report = group_report(Task.BINARY, test, lonely, FAIR, RULE)
    (found,) = report.disparities_in("selection_rate")
    assert (found.judged, found.too_small) == (("north", "south"), ("west",))
    assert found.highest == "south"
    assert {group.group for group in report.groups} == {"north", "south", "west"}
    assert "; too small to be judged: west" in told(found, FAIR.gates["selection_rate"])


def test_without_two_groups_that_are_large_enough_there_is_nothing_to_judge():
    test, scoring = people(3, n=200, shares=(0.9, 0.05, 0.05))
    (found,) = group_report(Task.BINARY, test, scoring, FAIR, RULE).disparities_in("selection_rate")
    assert found.difference is None
    assert is_kept(found, Limit(difference=0.0))
    assert is_kept(found, Limit(ratio=1.0))
    assert told(found, Limit(ratio=1.0)).startswith("nothing to compare: large enough is north alone; too small")
    assert excess(Task.BINARY, test, scoring, FAIR) == 0.0


def test_who_said_nothing_is_a_group_of_its_own():
    test, scoring = people(5)
    silent = Examples(test.x, test.y, test.entities, {"region": np.array(["unknown"] * len(test))})
    (group,) = group_report(Task.BINARY, silent, scoring, FAIR, RULE).groups
    assert (group.group, group.examples) == ("unknown", len(test))


@pytest.mark.parametrize(
    ("limit", "low", "high", "kept"),
    [
        (Limit(difference=0.1), 0.1, 0.4, True),
        (Limit(difference=0.1), 0.101, 0.4, False),
        (Limit(ratio=0.8), 0.3, 0.8, True),
        (Limit(ratio=0.8), 0.3, 0.799, False),
    ],
)
def test_a_gate_fails_when_the_whole_interval_is_beyond_the_limit(limit, low, high, kept):
    estimate = Estimate(value=0.2, low=low, high=high)
    of_limit = {"difference": estimate} if limit.difference is not None else {"ratio": estimate}
    given = {"difference": Estimate(value=0.2, low=0.0, high=1.0), **of_limit}
    found = Disparity(column="region", metric="mae", judged=("a", "b"), too_small=(), highest="a", lowest="b", **given)
    assert is_kept(found, limit) is kept
    assert "between a and b" in told(found, limit)


@pytest.mark.parametrize("seed", range(3))
def test_groups_by_lot_raise_no_alarm_and_a_shift_does(seed):
    test, scoring = people(seed)
    (found,) = group_report(Task.BINARY, test, scoring, FAIR, RULE).disparities_in("selection_rate")
    assert is_kept(found, Limit(difference=0.05))
    test, scoring = people(seed, shift=0.3)
    (found,) = group_report(Task.BINARY, test, scoring, FAIR, RULE).disparities_in("selection_rate")
    assert (found.highest, is_kept(found, Limit(difference=0.1))) == ("south", False)
    assert not is_kept(found, Limit(ratio=0.8))


def test_ten_pairs_of_equal_groups_raise_a_false_alarm_as_rarely_as_one_pair():
    """Means of five equal groups: at least one difference is shown to be above zero in about 5 % of the runs."""
    random = np.random.default_rng(0)
    values = random.normal(0.5, 0.04, size=(400, 5))
    draws = [means + random.normal(0, 0.04, size=(300, 5)) for means in values]
    apart = [
        furthest(means.tolist(), drawn, 0.95, with_ratio=False) for means, drawn in zip(values, draws, strict=True)
    ]
    assert 0.02 <= np.mean([found.difference.low > 0 for found in apart]) <= 0.09


def test_groups_that_all_have_zero_are_alike():
    apart = furthest([0.0, 0.0], np.zeros((50, 2)), 0.95, with_ratio=True)
    assert (apart.difference.high, apart.ratio.value) == (0.0, 1.0)


def test_more_strength_counts_the_favoured_decision_less_in_the_group_that_is_chosen_most():
    test, scoring = people(6, shift=0.25)
    fairness = FAIR.model_copy(
        update={"mitigation": Mitigation(candidate="any", column="region", constraint="demographic_parity")}
    )
    south, shares = test.groups["region"] == "south", []
    for strength in (0.0, 0.1, 0.4):
        labels, weights = reweighted(test, scoring.scores, 0.5, strength, fairness)
        assert weights.mean() == pytest.approx(1.0)
        positive = weights * labels
        shares.append(positive[south].sum() / weights[south].sum() - positive[~south].sum() / weights[~south].sum())
        if not strength:
            assert (labels == test.y).all()
    assert shares[0] > shares[1] > shares[2]


@pytest.mark.parametrize("told_by", ["the groups' numbers", "one cut for each"])
def test_a_feature_that_tells_the_group_by_another_name_stops_the_training(told_by):
    test, _ = people(7)
    codes = np.unique(test.groups["region"], return_inverse=True)[1].astype(float)
    noise = 0.0 if told_by == "the groups' numbers" else np.random.default_rng(1).normal(0, 0.05, len(test))
    leaking = Examples(np.column_stack([test.x, codes + noise]), test.y, test.entities, test.groups)
    features = ("orders", "spent", "segment")
    with pytest.raises(LeakageError, match=r"segment alone tells region of 100\.0% .* in fairness\.as_features"):
        check_told(leaking, features, FAIR)
    check_told(leaking, features, FAIR.model_copy(update={"as_features": ("region",)}))
    check_told(test, features[:2], FAIR)


def test_what_is_counted_of_numbers_has_no_threshold():
    test, scoring = people(8)
    assert set(outcomes(Task.REGRESSION, test, scoring)) == {"mean_error", "mae"}


def test_the_picture_has_a_place_for_each_metric_of_each_column():
    test, scoring = people(9, shares=(0.9, 0.08, 0.02))
    figure = plots.groups(group_report(Task.BINARY, test, scoring, FAIR, RULE))
    assert [axes.get_title() for axes in figure.axes] == [f"{metric} by region" for metric in NAIVE]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["north", "south", "west"]
