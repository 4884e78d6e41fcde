"""Silver's values against those of the messages in bronze: a lake written by delta-rs, with one thing changed."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from data_lake import tables
from data_lake.reconciliation import index
from data_lake.reconciliation.differences import find_differences
from data_lake.reconciliation.equation import AGAIN, BOUNDS
from data_lake.reconciliation.index import topic_index
from data_lake.reconciliation.judge import Judge
from data_lake.reconciliation.reconcile import evaluate
from data_lake.reconciliation.values import SentValues, digest_of, read
from ingestion_layer.kafka.offsets import Offsets
from tests.cases import json_documents
from tidemill.config import Settings
from tidemill.contracts import Checker, Contract, checker
from tidemill.contracts.checker import Event
from tidemill.contracts.columns import ArrayType, ColumnType, DecimalType, MapType, data_types
from tidemill.contracts.rules import SILVER_COLUMNS

TOPIC = "shop.transaction.v1"
TIME = pa.timestamp("us", tz="UTC")
BROKER_TIME = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
INGESTED_AT = datetime(2024, 5, 2, 12, 0, 1, tzinfo=UTC)
BRONZE = pa.schema(
    {
        "generation": pa.int32(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "value": pa.binary(),
        "broker_time": TIME,
        "ingested_at": TIME,
    }
)
SILVER = pa.schema(
    {
        "event_id": pa.string(),
        "event_time": TIME,
        "event_date": pa.date32(),
        "source": pa.string(),
        "order_id": pa.string(),
        "line": pa.int64(),
        "customer_id": pa.string(),
        "product_id": pa.string(),
        "description": pa.string(),
        "quantity": pa.int64(),
        "unit_price": pa.decimal128(18, 4),
        "currency": pa.string(),
        "country": pa.string(),
        "kind": pa.string(),
        "_generation": pa.int32(),
        "_digest": pa.int64(),
        "_partition": pa.int32(),
        "_offset": pa.int64(),
        "broker_time": TIME,
        "ingested_at": TIME,
        "event_month": pa.string(),
    }
)
QUARANTINE = pa.schema({"generation": pa.int32(), "partition": pa.int32(), "offset": pa.int64(), "reason": pa.string()})
Row = dict[str, Any]

VALUE = """{"specversion": "1.0", "id": "ID", "source": "urn:test", "type": "shop.transaction.v1", "time": "%s",
"datacontenttype": "application/json", "dataschema": "urn:tidemill:shop.transaction.v1",
"data": {"order_id": "o1", "line": 1e0, "customer_id": null, "product_id": "p1", "description": "sp\\u00e4te Tasse",
"quantity": 2.0, "unit_price": 900719925.4741, "currency": "GBP", "country": "UK", "kind": "purchase"}}"""


def message(offset: int, time: str = "2024-05-01t23:59:59.1234567-01:00") -> Row:
    value = (VALUE % time).replace("ID", str(offset)).encode()
    times = {"broker_time": BROKER_TIME, "ingested_at": INGESTED_AT}
    return {"generation": None, "partition": 0, "offset": offset, "value": value, **times}


def row(offset: int, **changed: Any) -> Row:
    """What silver has of ``message(offset)``, written by hand."""
    event = checker(TOPIC).read(message(offset)["value"])
    assert isinstance(event, Event)
    return {
        "event_id": str(offset),
        "event_time": datetime(2024, 5, 2, 0, 59, 59, 123_456, UTC),
        "event_date": date(2024, 5, 2),
        "source": "urn:test",
        "order_id": "o1",
        "line": 1,
        "customer_id": None,
        "product_id": "p1",
        "description": "späte Tasse",
        "quantity": 2,
        "unit_price": Decimal("900719925.4741"),
        "currency": "GBP",
        "country": "UK",
        "kind": "purchase",
        "_generation": 1,
        "_digest": event.digest,
        "_partition": 0,
        "_offset": offset,
        "broker_time": BROKER_TIME,
        "ingested_at": INGESTED_AT,
        "event_month": "2024-05",
        **changed,
    }


def findings(
    settings: Settings, bronze: list[Row], silver: list[Row], refused: tuple[int, ...] = (), without: str = ""
) -> list[str]:
    schema = SILVER.remove(SILVER.get_field_index(without)) if without else SILVER
    quarantine = [{"generation": 1, "partition": 0, "offset": n, "reason": "time_out_of_range"} for n in refused]
    for table, rows, columns in (
        (tables.bronze(TOPIC), bronze, BRONZE),
        (tables.silver(TOPIC), silver, schema),
        (tables.quarantine(TOPIC), quarantine, QUARANTINE),
    ):
        write_deltalake(table.path(settings), pa.Table.from_pylist(rows, columns))
    offsets = {0: Offsets(0, len(bronze), len(bronze))}
    with topic_index(settings, TOPIC, offsets, []) as connection:
        return [str(finding) for finding in evaluate(connection, TOPIC).findings]


OTHER = "in silver with another value than its message's"
LACKING = f"in silver without a value that its message has, and an older contract did not know ({AGAIN})"
CHANGED: dict[str, tuple[Row, str | None]] = {
    "nothing": ({}, None),
    "the last digit of a price": ({"unit_price": Decimal("900719925.4742")}, f"{OTHER}: 1 (NAME: unit_price)"),
    "a whole number": ({"quantity": 3}, f"{OTHER}: 1 (NAME: quantity)"),
    "a text": ({"description": "spate Tasse"}, f"{OTHER}: 1 (NAME: description)"),
    "two columns for each other": (
        {"order_id": "p1", "product_id": "o1"},
        f"{OTHER}: 1 (NAME: order_id, product_id)",
    ),
    "a value where the message has none": ({"customer_id": "c"}, f"{OTHER}: 1 (NAME: customer_id)"),
    "null in a column that must have a value": ({"kind": None}, f"{OTHER}: 1 (NAME: kind)"),
    "null in a column that came later": ({"description": None}, f"{LACKING}: 1 (NAME: description)"),
    "both": ({"description": None, "line": 2}, f"{OTHER}: 1 (NAME: line)"),
    "the date": ({"event_date": date(2024, 5, 1)}, f"{OTHER}: 1 (NAME: event_date)"),
    "the month": ({"event_month": "2024-04"}, f"{OTHER}: 1 (NAME: event_month)"),
    "the broker's time": ({"broker_time": INGESTED_AT}, f"{OTHER}: 1 (NAME: broker_time)"),
    "when it came, which bronze may learn anew": ({"ingested_at": BROKER_TIME}, None),
    "the digest": ({"_digest": 1}, f"{OTHER}: 1 (NAME: _digest)"),
    "no digest": ({"_digest": 0}, f"{LACKING}: 1 (NAME: _digest)"),
}


@pytest.mark.parametrize(("changed", "told"), CHANGED.values(), ids=CHANGED.keys())
def test_a_value_of_silver_that_was_not_sent_is_named(settings: Settings, changed: Row, told: str | None) -> None:
    found = findings(settings, [message(0), message(1)], [row(0), row(1, **changed)])
    assert found == ([] if told is None else [told.replace("NAME", "partition 0 offset 1")])


def test_a_lake_of_no_rows_holds(settings: Settings) -> None:
    assert findings(settings, [], []) == []


def test_a_column_that_silver_does_not_have_yet_is_lacking_in_the_rows_whose_message_has_it(settings: Settings) -> None:
    other = {**message(1), "value": message(1)["value"].replace(rb'"sp\u00e4te Tasse"', b"null")}
    digest = checker(TOPIC).read(other["value"]).digest  # type: ignore[union-attr]
    rows = [{**made, "description": None} for made in (row(0), row(1, _digest=digest))]
    found = findings(settings, [message(0), other], rows, without="description")
    assert found == [f"{LACKING}: 1 (partition 0 offset 0: description)"]


BOUND = BROKER_TIME + timedelta(seconds=86_400)


@pytest.mark.parametrize(
    ("time", "is_within"),
    [
        pytest.param(BOUND, True, id="at the latest"),
        pytest.param(BOUND + timedelta(microseconds=1), False, id="after the latest"),
        pytest.param(datetime(2000, 1, 1, tzinfo=UTC), True, id="at the earliest"),
        pytest.param(datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), False, id="before the earliest"),
    ],
)
def test_a_time_is_held_against_its_bounds(settings: Settings, time: datetime, is_within: bool) -> None:
    found = findings(settings, [message(0), message(1, time.isoformat())], [row(0)], refused=(1,))
    told = f"in quarantine as time_out_of_range, though within {BOUNDS}: 1 (partition 0 offset 1)"
    assert found == ([told] if is_within else [])


def test_a_time_beyond_its_bounds_in_silver_is_named_by_the_bounds_of_now(settings: Settings) -> None:
    told = f"in silver, though its time is beyond {BOUNDS}: 1 (partition 0 offset 0)"
    stream = settings.stream.model_copy(update={"earliest_event": date(2024, 5, 3)})
    assert findings(settings.model_copy(update={"stream": stream}), [message(0)], [row(0)]) == [told]


LEAVES: dict[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "TIMESTAMP": TIME,
}


def arrow(kind: ColumnType) -> pa.DataType:
    match kind:
        case DecimalType(precision, scale):
            return pa.decimal128(precision, scale)
        case ArrayType(items):
            return pa.list_(arrow(items))
        case MapType(values):
            return pa.map_(pa.string(), arrow(values))
    return LEAVES[kind.sql]


@pytest.mark.parametrize("seed", range(30))
def test_values_of_any_type_at_any_depth_are_those_that_were_sent(seed: int) -> None:
    rng = random.Random(seed)
    contract = json_documents.contract_of(rng)
    kinds = {name: arrow(kind) for name, kind in data_types(contract).items()}
    made = (json_documents.data(rng, contract.schema["properties"], share=0.4) for _ in range(100))
    documents = [document for document in made if document.fits]
    table = SentValues(contract, pa.schema(kinds)).table([read(sent.text.encode()) for sent in documents])
    assert documents
    assert table.column("misfits").to_pylist() == [[]] * len(documents)
    for name, kind in kinds.items():
        column = table.column(f"sent_{name}")
        assert column.type == kind
        for held, document in zip(column.to_pylist(), documents, strict=True):
            sent = document.value.get(name)
            assert (held is None) if sent is None else json_documents.agrees(held, sent), (name, held, document.text)


def test_a_value_that_the_column_cannot_hold_is_a_misfit_and_the_others_are_told() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "number"}}, "required": []}
    values = SentValues(Contract("t", "t", ("n",), schema), pa.schema({"n": pa.int32(), "m": pa.decimal128(4, 2)}))
    table = values.table([read(b'{"n": %s, "m": %s}' % pair) for pair in ((b"1", b"2.50"), (b"2147483648", b"0.001"))])
    assert table.to_pylist() == [
        {"sent_n": 1, "sent_m": Decimal("2.50"), "misfits": []},
        {"sent_n": None, "sent_m": None, "misfits": ["n", "m"]},
    ]


NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
DEEP = {"type": "array", "items": {"type": "object", "additionalProperties": NUMBERS}}


@pytest.mark.parametrize(
    ("other", "is_equal"),
    [
        pytest.param('{"flat": {"b": 2, "a": 1}, "deep": [{"y": {}, "x": {"d": 2, "c": 1}}]}', True, id="keys"),
        pytest.param('{"flat": {"b": 1, "a": 2}, "deep": [{"y": {}, "x": {"d": 2, "c": 1}}]}', False, id="values"),
        pytest.param('{"flat": {"a": 1, "b": 2}, "deep": [{"x": {"c": 1, "d": 3}, "y": {}}]}', False, id="deep"),
        pytest.param('{"flat": {"a": 1, "b": 2}, "deep": [{"x": {"c": 1, "d": 2}}]}', False, id="an empty map"),
    ],
)
def test_the_order_of_keys_does_not_count_at_any_depth(other: str, is_equal: bool) -> None:
    source = Contract("t", "t", ("flat",), {"properties": {"flat": NUMBERS, "deep": DEEP}, "required": []})
    values = SentValues(source, pa.schema({name: arrow(kind) for name, kind in data_types(source).items()}))
    first = '{"flat": {"a": 1, "b": 2}, "deep": [{"x": {"c": 1, "d": 2}, "y": {}}]}'
    sent = values.table([read(text.encode()) for text in (first, other)])
    connection = duckdb.connect()
    connection.register("sent", sent)
    digest = digest_of([column.sent for column in values.compared()[:2]], "len(misfits)")
    (one,), (two,) = connection.execute(f"SELECT {digest} FROM sent").fetchall()  # noqa: S608
    assert (one == two) is is_equal


NAMES = [name for name in (*BRONZE.names, "time", "misfits", "reason", "digest") if name not in SILVER_COLUMNS]


def test_a_property_may_be_called_like_a_column_of_the_index(tmp_path: Path) -> None:
    properties = {name: {"type": "integer"} for name in NAMES}
    source = Contract(TOPIC, "t", ("time",), {"type": "object", "properties": properties, "required": NAMES})
    event = json.loads(message(0)["value"]) | {"data": dict.fromkeys(NAMES, 1)}
    own = [field for field in SILVER if field.name.startswith("_") or field.name in SILVER_COLUMNS]
    schema = pa.schema([*own, *((name, pa.int64()) for name in NAMES)])
    bronze, silver = str(tmp_path / "bronze"), str(tmp_path / "silver")
    write_deltalake(bronze, pa.Table.from_pylist([{**message(0), "value": json.dumps(event).encode()}], BRONZE))
    write_deltalake(silver, pa.Table.from_pylist([{**row(0, _digest=0), **dict.fromkeys(NAMES, 2)}], schema))
    connection = duckdb.connect()
    connection.execute(index.SCHEMA)
    connection.execute("INSERT INTO bronze_all VALUES (1, 0, 0, NULL, 'urn:test', '0', 5, 1)")
    connection.execute("INSERT INTO silver VALUES ('urn:test', '0', 5, 1, 0, 0, 2)")
    judge = Judge(Checker(source), frozenset(), SentValues(source, schema))
    find_differences(connection, DeltaTable(bronze), DeltaTable(silver), judge)
    assert connection.execute("FROM differences").fetchall() == [(1, 0, 0, NAMES, ["_digest"])]
