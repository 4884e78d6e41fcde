"""Silver changed by others' hands: a state is what silver is, whatever commit made it so."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner
from deltalake import write_deltalake
from pyspark.sql.streaming.query import StreamingQuery

from data_lake.delta_rs import open_table
from data_lake.tables import silver
from feature_store.consistency.corrections import newest
from feature_store.judge.corrected import affected
from feature_store.states import StateStore
from feature_store.stream import correcting
from feature_store.tiles import REBUILDING_MARK, Status
from tests.cases.transactions import Line, silver_row
from tests.integration.stream_processing.shop import TOPIC, Shop, recent_lines
from tests.integration.stream_processing.test_consistency import log
from tidemill.commands.features import command
from tidemill.config.environment import settings_environment
from use_cases.churn.features import PURCHASES, SERVICE

Change = Callable[[Shop], None]


def path(shop: Shop) -> str:
    return silver(TOPIC).path(shop.settings)


def spark_sql(statement: str, then: Callable[[Line], Line | None]) -> Change:
    """``statement`` by Spark; ``then`` is what becomes of each line, None for nothing."""

    def change(shop: Shop) -> None:
        shop.spark.sql(statement.format(silver=f"delta.`{path(shop)}`"))
        shop.arrived = [changed for line in shop.arrived if (changed := then(line)) is not None]

    return change


def without(customer: str) -> Callable[[Line], Line | None]:
    return lambda line: None if line.customer_id == customer else line


def doubled(line: Line) -> Line:
    return replace(line, quantity=line.quantity * 2) if line.customer_id == "c2" else line


def renamed(line: Line) -> Line:
    return replace(line, customer_id="c1") if line.customer_id == "c2" else line


def halved_or_gone(line: Line) -> Line | None:
    if line.customer_id == "c3":
        return None
    return replace(line, unit_price=Decimal(1)) if line.customer_id == "c2" else line


def deleted_and_restored(shop: Shop) -> None:
    before = open_table(silver(TOPIC), shop.settings).version()
    open_table(silver(TOPIC), shop.settings).delete("customer_id = 'c1'")
    run(shop)
    assert_as_silver_is(shop, gone=["c1"])
    open_table(silver(TOPIC), shop.settings).restore(before)


def restored_by_spark(shop: Shop) -> None:
    before = open_table(silver(TOPIC), shop.settings).version()
    spark_sql("UPDATE {silver} SET quantity = 1000 WHERE customer_id < 'c4'", lambda line: line)(shop)
    shop.spark.sql(f"RESTORE delta.`{path(shop)}` TO VERSION AS OF {before}")


def overwritten(shop: Shop) -> None:
    kept = [line for line in shop.arrived if line.customer_id in {"c1", "c2", None}]
    new = [*kept, *(replace(line, event_id=f"{line.event_id}-new") for line in kept[:5])]
    write_rows(shop, new, "overwrite")
    shop.arrived = new


def write_rows(shop: Shop, lines: list[Line], mode: Any) -> None:
    import pyarrow as pa

    delta = open_table(silver(TOPIC), shop.settings)
    rows = [silver_row(line) | {"ingested_at": datetime.now(UTC)} for line in lines]
    write_deltalake(delta, pa.Table.from_pylist(rows, schema=pa.schema(delta.schema().to_arrow())), mode=mode)


CHANGES: dict[str, Change] = {
    "delete": spark_sql("DELETE FROM {silver} WHERE customer_id = 'c1'", without("c1")),
    "delete and restore": deleted_and_restored,
    "update and restore, in one batch": restored_by_spark,
    "update": spark_sql("UPDATE {silver} SET quantity = quantity * 2 WHERE customer_id = 'c2'", doubled),
    "rename": spark_sql("UPDATE {silver} SET customer_id = 'c1' WHERE customer_id = 'c2'", renamed),
    "merge": spark_sql(
        "MERGE INTO {silver} t USING (SELECT 'c2' AS who UNION ALL SELECT 'c3') s ON t.customer_id = s.who "
        "WHEN MATCHED AND who = 'c2' THEN UPDATE SET unit_price = 1 WHEN MATCHED THEN DELETE",
        halved_or_gone,
    ),
    "overwrite": overwritten,
    "optimize": spark_sql("OPTIMIZE {silver}", lambda line: line),
}

TRIED_IN_CI = {"merge"}


def run(shop: Shop) -> None:
    for query in shop.queries:
        query.processAllAvailable()


def assert_as_silver_is(shop: Shop, gone: list[str] = []) -> None:  # noqa: B006 - never changed
    """Every state is what the loop over silver's events says, and who has no events has no state."""
    customers = sorted({*(f"c{number}" for number in range(8)), *shop.customers})
    there = {line.customer_id for line in shop.arrived} - {*gone}
    for customer, row in zip(customers, shop.read(customers), strict=True):
        if customer not in there:
            assert set(row.status.values()) == {Status.NO_STATE}, customer
            assert all(store.read([customer]) == [None] for store in stores(shop)), customer
            continue
        found = dict(zip(SERVICE.names, row.values, strict=True))
        assert row.status["purchases"] is Status.OK, customer
        for group in SERVICE.groups:
            judged = zip((one.name for one in group.features), shop.judged(group, customer, row.time), strict=True)
            expected = dict(judged)
            assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9), customer


def stores(shop: Shop) -> list[StateStore]:
    return [StateStore(shop.settings, group) for group in SERVICE.groups]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=() if name in TRIED_IN_CI else pytest.mark.matrix)
        for name, change in CHANGES.items()
    ],
)
def test_states_are_what_silver_is_after(shop: Shop, change: Change) -> None:
    shop.arrive(recent_lines(21, 120))
    with running(shop):
        shop.arrive(recent_lines(22, 60))
        run(shop)
        assert_as_silver_is(shop)
        change(shop)
        shop.arrive(recent_lines(23, 40))
        run(shop)
        assert_as_silver_is(shop)


@contextmanager
def running(shop: Shop) -> Iterator[list[StreamingQuery]]:
    shop.queries = shop.stream()
    try:
        yield shop.queries
    finally:
        for query in shop.queries:
            query.stop()


def interrupted(*_: object) -> None:
    raise RuntimeError("killed")


@pytest.mark.matrix
@pytest.mark.parametrize("step", ["apply_to_states", "make_anew", "forget_marked"])
def test_a_correction_that_was_interrupted_says_so_and_is_done_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    shop.arrive(recent_lines(24, 120))
    shop.run_stream()
    CHANGES["merge"](shop)
    shop.arrive(line for line in recent_lines(25, 40) if line.customer_id != "c3")

    where = "stream_processing.spark_streaming.features" if step == "forget_marked" else correcting.__name__
    with monkeypatch.context() as patched:
        patched.setattr(f"{where}.{step}", interrupted)
        run_until_killed(shop)
    (row,) = shop.read(["c3"])
    assert row.status["purchases"] is Status.REBUILDING
    assert not row.is_unknown
    assert row.values == (None,) * len(row.values)
    with running(shop):
        run(shop)
        run(shop)
        assert_as_silver_is(shop)


def run_until_killed(shop: Shop) -> None:
    for group in SERVICE.groups:
        query = shop.start(group)
        with pytest.raises(Exception, match="killed"):
            query.processAllAvailable()
        query.stop()


def test_only_the_touched_are_marked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.arrive(recent_lines(26, 120))
    shop.run_stream()
    CHANGES["update"](shop)
    monkeypatch.setattr(correcting, "make_anew", interrupted)
    run_until_killed(shop)
    store = StateStore(shop.settings, PURCHASES)
    customers = shop.customers
    marked = [
        customer for customer, state in zip(customers, store.read(customers), strict=True) if state == REBUILDING_MARK
    ]
    assert marked == ["c2"]


def test_corrections_are_listed_once_with_the_predictions_they_would_have_changed(shop: Shop) -> None:
    shop.arrive(recent_lines(27, 120))
    shop.run_stream()
    asked = shop.customers
    log(shop, asked, shop.read(asked))
    CHANGES["update"](shop)
    CHANGES["delete"](shop)
    for group in SERVICE.groups:
        applier = shop.applier(group)
        feed = shop.spark.read.format("delta").options(readChangeFeed="true", startingVersion="2").load(path(shop))
        for attempt in range(2):
            applier(feed, attempt)

    found = {(one.feature_group, one.version): one for one in newest(shop.settings, 10)}

    assert {key: (one.operation, one.entities) for key, one in found.items()} == {
        (group.name, version): (operation, 1)
        for group in SERVICE.groups
        for version, operation in ((2, "UPDATE"), (3, "DELETE"))
    }
    bought = [line for line in shop.arrived if line.customer_id == "c2"]
    assert found["purchases", 2].rows == 2 * len(bought)  # before and after
    changed = {key: affected(shop.settings, one, timedelta(days=1), 100) for key, one in found.items()}
    assert [changed["purchases", version].different for version in (2, 3)] == [1, 1]
    assert changed["returns", 2].different == 0  # an amount is none of its features
    assert all(one.looked_at >= one.different for one in changed.values())
    listed = CliRunner().invoke(command, ["corrections", "--json"], env=settings_environment(shop.settings))
    shown = {(row["feature_group"], row["version"]): row["different"] for row in json.loads(listed.output)}
    assert shown == {key: one.different for key, one in changed.items()}
