"""The same rows in every format are the same events, digit by digit; what is damaged is one sentence."""

import csv
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.events import Judge
from ingestion_layer.sources.mapped.formats.choice import reader
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError
from ingestion_layer.sources.mapped.mapping import SourceMapping
from ingestion_layer.sources.mapped.rejected import RejectedLines
from tests.cases.mappings import HEADER, ORDERS, judged, mapping, read
from tests.cases.workbooks import resized

PRICES = [Decimal("2.55"), Decimal("0.1"), Decimal("1234567.8901"), Decimal("3")]
ROWS: list[dict[str, Any]] = [
    {
        "order": f"A{number}",
        "line": number + 1,
        "customer": None if number == 1 else 17850 + number,
        "product": "85123A",
        "text": 'LANTERN "x"',
        "quantity": 6,
        "price": price,
        "land": "United Kingdom",
        "at": datetime(2010, 12, 1, 8, 26, number),
    }
    for number, price in enumerate(PRICES)
]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    def line(row: dict[str, Any]) -> str:
        text = json.dumps(row | {"price": "PRICE", "at": row["at"].isoformat()})
        return text.replace('"PRICE"', str(row["price"]))

    path.write_text("\n".join(map(line, rows)), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows).cast(
        pa.Table.from_pylist(rows).schema.set(HEADER.index("price"), pa.field("price", pa.decimal128(18, 4)))
    )
    pq.write_table(table, path, row_group_size=2)


def write_xlsx(path: Path, rows: list[dict[str, Any]]) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(HEADER)
    for row in rows:
        sheet.append([float(cell) if isinstance(cell, Decimal) else cell for cell in row.values()])
    workbook.save(path)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "xlsx": write_xlsx,
}


@pytest.fixture
def orders(tmp_path: Path) -> SourceMapping:
    return mapping(tmp_path, ORDERS.replace("customer: customer_id", "customer: {property: customer_id, whole: true}"))


@pytest.fixture(params=sorted(WRITERS))
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"rows.{request.param}"
    WRITERS[request.param](path, ROWS)
    return path


def messages(file: Path, by: SourceMapping) -> list[Any]:
    of = reader(file, by)
    of.check()
    chunks = [Judge(by, "d").judge(chunk) for chunk in of.chunks(0)]
    assert [reject for chunk in chunks for reject in chunk.rejects] == []
    return [json.loads(value, parse_float=Decimal) for chunk in chunks for value in chunk.values]


def test_every_format_gives_the_same_events(file: Path, orders: SourceMapping, tmp_path: Path) -> None:
    events = messages(file, orders)
    assert [event["data"]["unit_price"] for event in events] == PRICES
    assert [event["data"]["customer_id"] for event in events] == ["17850", None, "17852", "17853"]
    assert [event["time"] for event in events] == [f"2010-12-01T08:26:0{n}.000000Z" for n in range(4)]
    write_csv(reference := tmp_path / "reference.csv", ROWS)
    assert [(event["id"], event["data"]) for event in events] == [
        (event["id"], event["data"]) for event in messages(reference, orders)
    ]


def test_reading_goes_on_behind_a_line(file: Path, orders: SourceMapping) -> None:
    of = reader(file, orders)
    (lines,) = [list(chunk.lines) for chunk in of.chunks(0)]
    for number, line in enumerate(lines):
        rest = [event["data"]["order_id"] for event in judged(of.chunks(line), orders)[0]]
        assert rest == [f"A{n}" for n in range(number + 1, 4)]
    assert of.check() == max(lines)


def test_a_file_that_was_cut_off_is_one_sentence(file: Path, orders: SourceMapping) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    if file.suffix == ".jsonl":
        (reject,) = judged(reader(file, orders).chunks(0), orders)[1]
        assert reject.reason == "not_json"
    elif file.suffix == ".csv":
        (reject,) = judged(reader(file, orders).chunks(0), orders)[1]
        assert reject.reason == "column_count"
    else:
        with pytest.raises(UnreadableFileError, match=r"rows\.\w+: not a whole"):
            reader(file, orders).check()


def test_another_header_is_refused(orders: SourceMapping, tmp_path: Path) -> None:
    for ending in ("parquet", "xlsx"):
        rows = [{("prize" if name == "price" else name): cell for name, cell in row.items()} for row in ROWS]
        path = tmp_path / f"other.{ending}"
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            workbook = openpyxl.Workbook()
            assert workbook.active is not None
            workbook.active.append(list(rows[0]))
            workbook.save(path)
        with pytest.raises(UnreadableFileError, match=r"no column 'price', .* did you mean 'prize'"):
            reader(path, orders).check()


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        ("price", pa.date32(), "'price' is of type date32.*of which no DECIMAL"),
        ("at", pa.bool_(), "'at' is of type bool, of which no TIMESTAMP"),
        ("text", pa.list_(pa.string()), "'text' is of type list.*of which no STRING"),
    ],
)
def test_parquet_of_another_type_is_refused(
    tmp_path: Path, orders: SourceMapping, column: str, kind: Any, says: str
) -> None:
    table = pa.Table.from_pylist([row | {"price": "1"} for row in ROWS])
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.nulls(4, kind)), tmp_path / "a.parquet")
    with pytest.raises(UnreadableFileError, match=says):
        reader(tmp_path / "a.parquet", orders).check()


def test_a_column_of_json_lines_may_lie_deep(tmp_path: Path) -> None:
    by = mapping(tmp_path, ORDERS.replace("  price: unit_price", "  cost.net: unit_price"))
    row = ROWS[0] | {"at": "2010-12-01T08:26:00Z", "customer": "1", "cost": {"net": 1.25}}
    del row["price"]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([json.dumps(row), "[1]", json.dumps(row | {"cost": 3}), "{"]), encoding="utf-8")
    (event,), rejects = judged(reader(path, by).chunks(0), by)
    assert event["data"]["unit_price"] == 1.25
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "not_json"), (3, "missing"), (4, "not_json")]


def test_a_workbook_may_have_its_header_lower_and_another_sheet(tmp_path: Path) -> None:
    by = mapping(tmp_path, ORDERS + "xlsx: {sheet: Orders, header_row: 3}\n")
    workbook = openpyxl.Workbook()
    sheet = workbook.create_sheet("Orders")
    for row in (["Report"], [], list(HEADER), list((ROWS[0] | {"price": 0.1, "customer": "1"}).values()), [], ["x"]):
        sheet.append(row)
    workbook.save(tmp_path / "a.xlsx")
    (event,), (reject,) = judged(reader(tmp_path / "a.xlsx", by).chunks(0), by)
    assert event["data"]["unit_price"] == 0.1
    assert (reject.line, reject.reason) == (6, "missing")
    with pytest.raises(UnreadableFileError, match="has no sheet 'Orders'"):
        write_xlsx(tmp_path / "b.xlsx", ROWS)
        reader(tmp_path / "b.xlsx", by).check()


def test_moments_of_parquet_are_moments(tmp_path: Path, orders: SourceMapping) -> None:
    rows = [row | {"at": datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)} for row in ROWS]
    table = pa.Table.from_pylist(rows)
    at = table.column("at").cast(pa.timestamp("ns", "America/New_York"))
    pq.write_table(table.set_column(table.column_names.index("at"), "at", at), tmp_path / "a.parquet")
    events, _ = judged(reader(tmp_path / "a.parquet", orders).chunks(0), orders)
    assert {event["time"] for event in events} == {"2026-01-01T12:00:00.123456Z"}


@pytest.mark.parametrize("said", ["A1:I2", "A1", "A1:B3"])
def test_what_a_sheet_says_of_its_size_cuts_off_no_row(tmp_path: Path, orders: SourceMapping, said: str) -> None:
    write_xlsx(whole := tmp_path / "whole.xlsx", ROWS)
    assert messages(resized(whole, said), orders) == messages(whole, orders)


def test_a_workbook_with_damaged_bytes_is_one_sentence(tmp_path: Path, orders: SourceMapping) -> None:
    """Wherever a byte is another one, the file is read or refused, and nothing else."""
    write_xlsx(path := tmp_path / "rows.xlsx", ROWS)
    whole, refused = path.read_bytes(), 0
    for place in range(30, len(whole), len(whole) // 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read(path, orders)
        except UnreadableFileError:
            refused += 1
    assert refused > 10


def test_times_of_parquet_beyond_the_calendar_are_rejects(tmp_path: Path, orders: SourceMapping) -> None:
    table = pa.Table.from_pylist(ROWS)
    at = pa.array([2**62, 1_291_191_960_000_000, -(2**62), None], pa.timestamp("us"))
    pq.write_table(table.set_column(table.column_names.index("at"), "at", at), tmp_path / "a.parquet")
    (event,), rejects = read(tmp_path / "a.parquet", orders)
    assert event["time"] == "2010-12-01T08:26:00.000000Z"
    assert [(reject.line, reject.reason, reject.pointer) for reject in rejects] == [
        (1, "unreadable", "/time"),
        (3, "unreadable", "/time"),
        (4, "missing", "/time"),
    ]
    assert "outside the years 1 to 9999" in rejects[0].detail


def test_every_reject_can_be_written(tmp_path: Path, orders: SourceMapping) -> None:
    beyond, line = 10**30, {**ROWS[0], "price": 1, "at": "2010-12-01T08:26:00"}
    path = tmp_path / "a.jsonl"
    lines = [line | {"quantity": beyond}, line | {"line": None, "text": "\ud83d"}]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    times = Chunk(1, [1], {name: [datetime(2010, 12, 1) if name == "at" else None] for name in HEADER})
    _, rejects = judged([*reader(path, orders).chunks(0), times], orders)
    with RejectedLines(tmp_path / "rejects.jsonl", 0) as file:
        file.add(rejects)
    written = [json.loads(text) for text in (tmp_path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(written) == 3
    assert written[0]["row"]["quantity"] == beyond
    assert written[2]["row"]["at"].startswith("2010-12-01")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99])
def test_a_workbook_that_says_another_compression_is_one_sentence(
    tmp_path: Path, orders: SourceMapping, method: int
) -> None:
    write_xlsx(path := tmp_path / "rows.xlsx", ROWS)
    said = method.to_bytes(2, "little")
    content = re.sub(rb"(?s)(PK\x03\x04.{4})..", rb"\1" + said, path.read_bytes())
    path.write_bytes(re.sub(rb"(?s)(PK\x01\x02.{6})..", rb"\1" + said, content))
    with pytest.raises(UnreadableFileError, match="not a whole workbook"):
        read(path, orders)
