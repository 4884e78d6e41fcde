"""A partition's events become features of everybody in it, at one moment, against the judge that loops over events."""

from random import Random

import pyarrow as pa
import pytest

from feature_store.definitions import (
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Source,
    column,
    count,
    days,
)
from feature_store.lake.silver import KNOWN, TIE
from feature_store.lake.spans import ENTITY, TIME
from feature_store.offline.partition import READING, features_at, read_as, readings
from tests.cases.naive_windows import Happened, naive_value

CUSTOMER = Entity("customer", "customer_id")
ORDERS, CLICKS = Source("silver/orders"), Source("silver/clicks")
BOUGHT = FeatureGroup(
    "bought",
    CUSTOMER,
    ORDERS,
    aggregations=(count(), column("what").sum(), column("shop").count_distinct()),
    windows=(days(7), LIFETIME),
    filters=(column("shop") != "test",),
)
DEAR = FeatureGroup("dear", CUSTOMER, ORDERS, (column("what").max(),), (days(90),), (column("what") > 50,))
SEEN = FeatureGroup("seen", CUSTOMER, CLICKS, (column("what").count_distinct(), count()), (days(30),))
RATE = Derived("bought_of_seen", BOUGHT["count_7d"] / SEEN["count_30d"])
SERVICE = FeatureService("everybody", (*SEEN.features, RATE, *BOUGHT.features, *DEAR.features))
DAY = 86_400_000_000
MOMENT = 20_000 * DAY + 12_345
PEOPLE = [f"c{number}" for number in range(30)]


def events(rng: Random, number: int, source: Source) -> list[Happened]:
    """Before the moment; the column called ``what`` is a number of orders, a text of clicks."""
    return [
        Happened(
            rng.randrange(len(PEOPLE)) if source is CLICKS else rng.randrange(len(PEOPLE) - 5),
            at := MOMENT - 1 - rng.randrange(100 * DAY),
            tie,
            {"what": rng.choice("abc")}
            if source is CLICKS
            else {"what": rng.random() * 100, "shop": rng.choice(("north", "south", "test"))},
            at + rng.choice((0, 30 * DAY)),
        )
        for tie in range(number)
    ]


def batch(history: list[Happened], reading: int) -> pa.Table:
    """As Spark sends them: what another reading reads is null."""
    own = {
        read_as(reading, name): [event.values[name] for event in history]
        for name in (history[0].values if history else ())
    }
    kinds = {read_as(0, "what"): pa.string(), read_as(1, "what"): pa.float64(), read_as(1, "shop"): pa.string()}
    nothing = [None] * len(history)
    columns = {name: pa.array(own.get(name, nothing), kind) for name, kind in kinds.items()}
    return pa.table(
        {
            ENTITY: pa.array([PEOPLE[event.entity] for event in history], pa.string()),
            READING: pa.array([reading] * len(history), pa.int32()),
            TIME: pa.array([event.time for event in history], pa.int64()),
            TIE: pa.array([event.tie for event in history], pa.int64()),
            KNOWN: pa.array([event.known_time for event in history], pa.int64()),
            **columns,
        }
    )


@pytest.mark.parametrize("as_known", [False, True], ids=["as it was", "as known"])
def test_everybody_has_the_judges_values_of_every_table(as_known: bool) -> None:
    assert readings(SERVICE) == [[SEEN], [BOUGHT, DEAR]]
    rng = Random(5)
    clicks, orders = events(rng, 300, CLICKS), events(rng, 200, ORDERS)
    # Of two readings in turns, as they come out of a shuffle.
    batches = [*batch(clicks, 0).to_batches(max_chunksize=90), *batch(orders, 1).to_batches(max_chunksize=70)]
    rng.shuffle(batches)
    (found,) = features_at(MOMENT, SERVICE, "customer_id", as_known=as_known)(batches)
    assert found.schema.names == ["customer_id", *SERVICE.names]
    assert sorted(found["customer_id"].to_pylist()) == sorted({PEOPLE[event.entity] for event in [*clicks, *orders]})
    for row in found.to_pylist():
        entity = PEOPLE.index(row["customer_id"])
        for group, history in ((SEEN, clicks), (BOUGHT, orders), (DEAR, orders)):
            for feature in group.features:
                expected = naive_value(feature, history, entity, MOMENT, as_known)
                assert row[feature.name] == (None if expected is None else pytest.approx(expected, rel=1e-12))
        seen = row["seen__count_30d"]
        assert row["bought_of_seen"] == (row["bought__count_7d"] / seen if seen else None)


def test_a_partition_without_events_has_nobody() -> None:
    assert not list(features_at(MOMENT, SERVICE, "customer_id")([]))
    empty = batch([], 0).to_batches() or [pa.RecordBatch.from_pylist([], batch([], 0).schema)]
    assert [len(found) for found in features_at(MOMENT, SERVICE, "customer_id")(empty)] == [0]
