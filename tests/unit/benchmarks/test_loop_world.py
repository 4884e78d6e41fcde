import numpy as np
import pytest
from loop_world import CALM, DAY, DRIFTS, FEATURES, MOVED, NONE, Drift, World, asked, people

from tests.unit.benchmarks.drawn import random

MANY = 200_000


def test_people_who_have_not_changed_are_as_the_latent_normals_say() -> None:
    x, p = people(random(), CALM, MANY)
    assert x.shape == (MANY, len(FEATURES))
    assert np.abs(x[:, :6].mean(axis=0)).max() < 0.01
    assert np.median(x[:, 6]) == pytest.approx(1.0, abs=0.02)  # of a lognormal
    assert np.isnan(x[:, 9]).mean() == pytest.approx(0.1, abs=0.005)
    assert 0.2 < p.mean() < 0.4


def test_a_shift_moves_a_fifth_of_the_features_and_nothing_else() -> None:
    x, _ = people(random(), World(shift=0.5), MANY)
    means = x[:, :6].mean(axis=0)
    assert means[list(MOVED)] == pytest.approx([0.5, 0.5], abs=0.01)
    assert np.abs(np.delete(means, MOVED)).max() < 0.01


def test_values_go_missing_by_the_share() -> None:
    x, _ = people(random(), World(missing=0.3), MANY)
    assert np.isnan(x[:, MOVED]).mean(axis=0) == pytest.approx([0.3, 0.3], abs=0.01)


def test_a_concept_drift_leaves_the_inputs_as_they_were_and_changes_what_comes_true() -> None:
    before, p_before = people(random(), CALM, MANY)
    after, p_after = people(random(), World(concept=1.0), MANY)
    assert np.nanmean(after, axis=0) == pytest.approx(np.nanmean(before, axis=0), abs=0.02)
    assert np.corrcoef(before[:, 0], p_before)[0, 1] > 0.3 > np.corrcoef(after[:, 0], p_after)[0, 1]


def test_the_odds_of_a_positive_grow_and_positives_look_as_before() -> None:
    before, p_before = people(random(), CALM, MANY)
    after, p_after = people(random(), World(odds=3.0), MANY)
    odds = [p.mean() / (1 - p.mean()) for p in (p_before, p_after)]
    assert odds[1] / odds[0] == pytest.approx(3.0, rel=0.05)
    of_positives = [(x[:, 0] * p).sum() / p.sum() for x, p in ((before, p_before), (after, p_after))]
    assert of_positives[1] == pytest.approx(of_positives[0], abs=0.02)


def test_a_gradual_drift_grows_by_the_day_and_stays() -> None:
    drift = Drift("gradual", "", World(shift=1.0), days=10)
    shifts = [drift.world_after(days).shift for days in (-1, 0, 4, 9, 100)]
    assert shifts == pytest.approx([0.0, 0.1, 0.5, 1.0, 1.0])


def test_a_sudden_drift_is_there_on_its_first_day_and_not_before() -> None:
    assert {drift.world_after(-1) for drift in DRIFTS} == {CALM}
    assert all(drift.world_after(0) == drift.world for drift in DRIFTS if not drift.days)


def test_labels_are_known_within_90_days_and_positives_sooner() -> None:
    drawn = asked(random(), NONE, 10, 20, 500)
    delays = (drawn.known_at - drawn.at) / DAY
    assert delays.min() >= 0
    assert 44 < delays[drawn.y == 1].max() <= 45
    assert 89 < delays[drawn.y == 0].max() <= 90
    assert drawn.y.mean() == pytest.approx(drawn.p.mean(), abs=0.02)


def test_predictions_are_in_the_order_of_their_time_and_found_by_it() -> None:
    drawn = asked(random(), NONE, 10, 5, 100)
    assert (np.diff(drawn.at) >= 0).all()
    rows = drawn.between(DAY, 2 * DAY)
    assert rows.stop - rows.start == ((drawn.at >= DAY) & (drawn.at < 2 * DAY)).sum()
