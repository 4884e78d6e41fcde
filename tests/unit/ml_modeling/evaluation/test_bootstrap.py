import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, f1_score, roc_auc_score

from ml_modeling.evaluation import bootstrap
from ml_modeling.specification import Bootstrap
from ml_modeling.tasks.binary import weighted_metrics
from ml_modeling.tasks.scoring import Scoring

RULE = Bootstrap(replicates=400, confidence=0.9, seed=4)


def replicates(y, entities, scoring, rule):
    return bootstrap.replicates(entities, rule, lambda weights: weighted_metrics(weights, y, scoring))


@pytest.fixture
def data():
    """300 rows of 120 entities; scores with many ties."""
    random = np.random.default_rng(8)
    entities = np.sort(random.integers(0, 120, 300))
    y = random.integers(0, 2, 300)
    scores = np.clip(0.5 + 0.2 * (y - 0.5) + random.normal(0, 0.25, 300), 0, 1).round(1)
    return y, entities, scores


def test_weighted_metrics_are_those_of_scikit_learn_with_sample_weights(data):
    y, _, scores = data
    weights = np.random.default_rng(2).integers(0, 4, (20, len(y))).astype(float)
    found = weighted_metrics(weights, y, Scoring(scores, 0.6))
    decisions = scores >= 0.6
    for row, weight in enumerate(weights):
        expected = {
            "roc_auc": roc_auc_score(y, scores, sample_weight=weight),
            "average_precision": average_precision_score(y, scores, sample_weight=weight),
            "f1": f1_score(y, decisions, sample_weight=weight),
            "accuracy": accuracy_score(y, decisions, sample_weight=weight),
            "brier": brier_score_loss(y, scores, sample_weight=weight),
        }
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected)


def test_the_interval_agrees_with_drawing_entities_one_by_one(data):
    y, entities, scores = data
    random = np.random.default_rng(77)
    rows_of = {entity: np.flatnonzero(entities == entity) for entity in np.unique(entities)}
    names = np.array(list(rows_of))
    naive = []
    for _ in range(400):
        rows = np.concatenate([rows_of[entity] for entity in random.choice(names, len(names))])
        naive.append(roc_auc_score(y[rows], scores[rows]))
    interval = bootstrap.intervals(replicates(y, entities, Scoring(scores, 0.5), RULE), 0.9)["roc_auc"]
    spread = np.std(naive)
    assert interval.low == pytest.approx(np.percentile(naive, 5), abs=0.4 * spread)
    assert interval.high == pytest.approx(np.percentile(naive, 95), abs=0.4 * spread)


def test_every_replicate_draws_as_many_entities_as_there_are(data):
    _, entities, _ = data
    first_rows = np.unique(entities, return_index=True)[1]
    weights = np.concatenate(list(bootstrap._draws(entities, RULE)))
    assert weights.shape == (400, len(entities))
    assert (weights[:, first_rows].sum(axis=1) == len(first_rows)).all()
    for entity in np.unique(entities)[:10]:
        of_entity = weights[:, entities == entity]
        assert (of_entity == of_entity[:, :1]).all()


def test_repeating_every_row_of_an_entity_leaves_the_interval_as_it_was(data):
    y, entities, scores = data
    once = bootstrap.intervals(replicates(y, entities, Scoring(scores, 0.5), RULE), 0.9)
    twice = bootstrap.intervals(
        replicates(np.repeat(y, 3), np.repeat(entities, 3), Scoring(np.repeat(scores, 3), 0.5), RULE), 0.9
    )
    assert (twice["roc_auc"].low, twice["roc_auc"].high) == pytest.approx(
        (once["roc_auc"].low, once["roc_auc"].high), abs=1e-9
    )


def test_a_model_minus_itself_is_nothing_and_minus_a_worse_one_is_more(data):
    y, entities, scores = data
    own = replicates(y, entities, Scoring(scores, 0.5), RULE)
    worse = replicates(y, entities, Scoring(np.full(len(y), 0.5), 0.5), RULE)
    nothing = bootstrap.difference(own, own, "roc_auc", 0.9)
    assert (nothing.low, nothing.high) == (0.0, 0.0)
    assert bootstrap.difference(own, worse, "roc_auc", 0.9).low > 0


def test_blocks_do_not_change_the_draws(data, monkeypatch):
    y, entities, scores = data
    whole = replicates(y, entities, Scoring(scores, 0.5), RULE)["roc_auc"]
    monkeypatch.setattr(bootstrap, "CELLS", 3_000)
    assert replicates(y, entities, Scoring(scores, 0.5), RULE)["roc_auc"] == pytest.approx(whole)


def test_a_replicate_with_one_label_only_counts_for_no_interval():
    y, entities = np.array([0, 1]), np.array([0, 1])
    draws = replicates(y, entities, Scoring(np.array([0.1, 0.9]), 0.5), RULE)
    assert np.isnan(draws["roc_auc"]).any()
    interval = bootstrap.intervals(draws, 0.9)["roc_auc"]
    assert (interval.low, interval.high) == (1.0, 1.0)
