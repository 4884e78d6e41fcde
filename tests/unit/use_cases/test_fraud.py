"""The features of fraud: their tables, their values by the naive loop, and that no verdict is seen before its time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from data_lake.tables import table
from feature_store.columns.derived import evaluate
from feature_store.columns.events import Column, Events, Queries
from feature_store.definitions import FeatureGroup
from feature_store.kernel import compute
from tests.cases.card_payments import Tables, tables
from tests.cases.naive_windows import naive_value
from use_cases.fraud import features, labels

VERDICT_GROUPS = [group for group in features.SERVICE.groups if group.source == features.VERDICTS]


@pytest.fixture(scope="module")
def cards() -> Tables:
    return tables()


def by_name(group: FeatureGroup) -> str:
    return group.name


@pytest.mark.parametrize("group", features.SERVICE.groups, ids=by_name)
def test_a_group_reads_columns_that_its_table_has(group: FeatureGroup) -> None:
    declared = {column.name for column in table(group.source.table).columns}
    source = group.source
    assert {*group.columns, group.entity_column, source.event_time, source.known_time, *source.tie_breaker} <= declared


def test_the_label_is_a_column_of_the_verdict_and_the_key_one_of_both() -> None:
    for source, columns in labels.LABEL.reads:
        assert set(columns) <= {column.name for column in table(source.table).columns}
    assert (labels.LABEL.events, labels.LABEL.of) == (features.PAYMENTS, features.VERDICTS)


@pytest.mark.parametrize("group", features.SERVICE.groups, ids=by_name)
def test_features_of_simulated_cards_are_those_of_the_naive_loop(cards: Tables, group: FeatureGroup) -> None:
    asked = np.random.default_rng(5).choice(len(cards.paid), 12, replace=False)
    entity, time = cards.entity(group)[asked], cards.paid.time[asked]
    found = compute(group, cards.events(group), Queries(entity, time))
    history, asked_of = cards.history(group), list(zip(entity.tolist(), time.tolist(), strict=True))
    for feature in group.features:
        naive = [naive_value(feature, history, who, when) for who, when in asked_of]
        expected = [np.nan if value is None else value for value in naive]
        np.testing.assert_allclose(found[feature.name], expected, rtol=1e-9)


@pytest.mark.parametrize("group", VERDICT_GROUPS, ids=by_name)
def test_what_becomes_known_later_changes_nothing(cards: Tables, group: FeatureGroup) -> None:
    """Every verdict from the question on is turned around: no feature may tell."""
    now = int(np.median(cards.paid.time))
    known = cards.events(group)
    fraud = known.columns["is_fraud"].values
    other = np.where(known.time < now, fraud, ~fraud)
    turned = Events(known.entity, known.time, known.tie, {"is_fraud": Column(other, np.ones(len(other), dtype=bool))})
    asked = Queries(np.unique(known.entity), np.full(len(np.unique(known.entity)), now))
    before, after = compute(group, known, asked), compute(group, turned, asked)
    for feature in group.features:
        np.testing.assert_array_equal(before[feature.name], after[feature.name])


@pytest.mark.parametrize(
    ("time", "is_night", "is_weekend"),
    [
        ("2018-08-10 23:59:59", 0, 0),
        ("2018-08-11 00:00:00", 1, 1),
        ("2018-08-12 06:59:59", 1, 1),
        ("2018-08-13 07:00:00", 0, 0),
    ],
)
def test_night_ends_at_seven_and_the_weekend_on_sunday(time: str, is_night: int, is_weekend: int) -> None:
    since_1970 = datetime.fromisoformat(time).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    times = np.array([since_1970 // timedelta(microseconds=1)])
    assert evaluate(features.IS_NIGHT.expression, {}, times)[0] == is_night
    assert evaluate(features.IS_WEEKEND.expression, {}, times)[0] == is_weekend
