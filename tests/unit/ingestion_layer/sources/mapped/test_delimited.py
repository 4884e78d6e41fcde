"""csv through a mapping: what each cell becomes, which rows are rejected, and which files are refused."""

import csv
import gzip
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion_layer.sources.mapped.events import Judge
from ingestion_layer.sources.mapped.formats import delimited
from ingestion_layer.sources.mapped.formats.choice import reader
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError
from ingestion_layer.sources.mapped.mapping import SourceMapping
from ingestion_layer.sources.mapped.properties import Remembered
from tests.cases.mappings import HEADER, ORDERS, ROW, judged, mapping, order, read
from tidemill.contracts import event_id
from tidemill.contracts.checker import checker


@pytest.fixture
def orders(tmp_path: Path) -> SourceMapping:
    return mapping(tmp_path)


def written(path: Path, *rows: list[str], header: tuple[str, ...] = HEADER, **dialect: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, **dialect)
        writer.writerows([header, *rows])
    return path


def test_a_row_becomes_this_event(tmp_path: Path, orders: SourceMapping) -> None:
    (event,), rejects = read(written(tmp_path / "a.csv", list(ROW)), orders)
    assert rejects == []
    assert event == {
        "specversion": "1.0",
        "id": event_id("urn:test:orders", '"A1"\x1f1'),
        "source": "urn:test:orders",
        "type": "shop.transaction.v1",
        "time": "2010-12-01T08:26:00.000000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:tidemill:shop.transaction.v1",
        "data": {
            "order_id": "A1",
            "line": 1,
            "customer_id": "17850",
            "product_id": "85123A",
            "description": "LANTERN",
            "quantity": 6,
            "unit_price": 2.55,
            "currency": "GBP",
            "country": "United Kingdom",
            "kind": "purchase",
        },
    }


BAD = [
    ({"quantity": "six"}, ("unreadable", "quantity", "/data/quantity"), "'six' is no whole number"),
    ({"quantity": "6.5"}, ("unreadable", "quantity", "/data/quantity"), "'6.5' is no whole number"),
    ({"quantity": "0"}, ("schema", "quantity", "/data/quantity"), "less than the minimum of 1"),
    ({"price": "1,5"}, ("unreadable", "price", "/data/unit_price"), "'1,5' is no number"),
    ({"price": "NaN"}, ("unreadable", "price", "/data/unit_price"), "'NaN' is no number"),
    ({"price": "0.12345"}, ("unrepresentable", "price", "/data/unit_price"), "does not fit DECIMAL(18,4)"),
    ({"price": ""}, ("missing", "price", "/data/unit_price"), "requires"),
    ({"at": "1.12.2010"}, ("unreadable", "at", "/time"), "is no time in ISO 8601"),
    ({"at": ""}, ("missing", "at", "/time"), "no value"),
    ({"order": ""}, ("missing", "order", "/id"), "names the record"),
    ({"product": "P" * 65}, ("schema", "product", "/data/product_id"), "longer than 64"),
]


@pytest.mark.parametrize(("cells", "place", "detail"), BAD)
def test_a_row_that_does_not_fit_is_told_by_line_column_and_place(
    tmp_path: Path, orders: SourceMapping, cells: dict[str, str], place: tuple[str, str, str], detail: str
) -> None:
    events, (reject,) = read(written(tmp_path / "a.csv", list(ROW), order(**cells), order(order="A2")), orders)
    assert [event["data"]["order_id"] for event in events] == ["A1", "A2"]
    assert (reject.line, (reject.reason, reject.column, reject.pointer)) == (3, place)
    assert detail in reject.detail
    assert reject.row == dict(zip(HEADER, order(**cells), strict=True))


def test_lines_are_those_of_an_editor(tmp_path: Path, orders: SourceMapping) -> None:
    """Empty lines and line breaks within quotes count."""
    file = tmp_path / "a.csv"
    row = ",".join(ROW)
    text = "\n".join(
        [",".join(HEADER), row, "", row.replace("LANTERN", '"LAN\nTERN"'), row.replace(",6,", ",x,"), "a,b", row]
    )
    file.write_text(text, encoding="utf-8")
    events, rejects = read(file, orders)
    assert [event["data"]["description"] for event in events] == ["LANTERN", "LAN\nTERN", "LANTERN"]
    assert [(reject.line, reject.reason) for reject in rejects] == [(6, "unreadable"), (7, "column_count")]
    assert rejects[1].row == ["a", "b"]


def test_a_quote_in_the_wrong_place_costs_its_row_only(tmp_path: Path, orders: SourceMapping) -> None:
    file = written(tmp_path / "a.csv", list(ROW))
    with file.open("a", encoding="utf-8") as more:
        more.write(",".join(ROW).replace("LANTERN", '"LAN"TERN') + "\n" + ",".join(order(order="A2")) + "\n")
    events, (reject,) = read(file, orders)
    assert [event["data"]["order_id"] for event in events] == ["A1", "A2"]
    assert (reject.line, reject.reason) == (3, "unreadable_row")


def test_reading_goes_on_behind_any_line(tmp_path: Path, orders: SourceMapping) -> None:
    rows = [order(order=f"A{number}", text="two\nlines" if number % 3 == 0 else "") for number in range(20)]
    of = reader(written(tmp_path / "a.csv", *rows), orders)
    whole = [event["data"]["order_id"] for event in judged(of.chunks(0), orders)[0]]
    assert whole == [f"A{number}" for number in range(20)]
    starts = {line: index for chunk in of.chunks(0) for index, line in enumerate(chunk.lines)}
    for line, index in starts.items():
        rest = [event["data"]["order_id"] for event in judged(of.chunks(line), orders)[0]]
        assert rest == whole[index + 1 :]


def test_texts_are_as_written_and_numbers_by_value(tmp_path: Path, orders: SourceMapping) -> None:
    file = written(tmp_path / "a.csv", order(quantity=" +06.0 ", price="02.50", text='  5" \\ \t☃ ', customer="NA"))
    (event,), _ = read(file, orders)
    data = event["data"]
    assert (data["quantity"], data["unit_price"], data["customer_id"]) == (6, 2.5, "NA")
    assert data["description"] == '  5" \\ \t☃ '


def test_equal_values_have_equal_ids_however_they_are_written(tmp_path: Path, orders: SourceMapping) -> None:
    events, _ = read(written(tmp_path / "a.csv", order(line="7"), order(line="7.0"), order(line="8")), orders)
    assert events[0]["id"] == events[1]["id"] != events[2]["id"]


def test_without_id_columns_a_row_is_its_place_in_the_file(tmp_path: Path) -> None:
    by = mapping(tmp_path, ORDERS.replace("id: [order, line]", ""))
    events, _ = read(written(tmp_path / "a.csv", list(ROW), list(ROW)), by)
    assert [event["id"] for event in events] == [
        event_id("urn:test:orders", "a-digest/2"),
        event_id("urn:test:orders", "a-digest/3"),
    ]


GERMAN = """
csv: {delimiter: ';', encoding: latin-1}
numbers: {decimal: ',', thousands: '.'}
null_tokens: ['', '-']
"""


def test_a_dialect_of_another_country_is_declared(tmp_path: Path) -> None:
    text = ORDERS.replace("zone: UTC", "zone: Europe/Berlin")
    text = text.replace("land: country", "land: {property: country, values: {D: Germany}}")
    text = text.replace("{column: at}", "{column: at, format: '%d.%m.%Y %H:%M'}")
    by = mapping(tmp_path, text + GERMAN)
    rows = [
        order(price="1.234,50", at="01.07.2026 12:00", land="D", customer="-", text="Öl"),
        order(price="3.5", order="A2", at="01.01.2026 12:00"),
        order(price="3,5", order="A2", at="01.01.2026 12:00"),
        order(price="3,5", at="29.03.2026 02:30"),
    ]
    file = tmp_path / "a.csv"
    file.write_text("\n".join(";".join(row) for row in ([*HEADER], *rows)), encoding="latin-1")
    (first, second), (point, gap) = read(file, by)
    told = [first["data"][name] for name in ("unit_price", "country", "customer_id", "description")]
    assert told == [1234.5, "Germany", None, "Öl"]
    assert (first["time"], second["time"]) == ("2026-07-01T10:00:00.000000Z", "2026-01-01T11:00:00.000000Z")
    assert second["data"]["unit_price"] == 3.5
    assert (point.line, point.detail) == (3, "'3.5' has '.' where numbers.thousands does not stand")
    assert (gap.line, gap.column) == (5, "at")
    assert "no clock of Europe/Berlin showed" in gap.detail


def test_a_file_without_a_header_has_the_declared_columns(tmp_path: Path) -> None:
    by = mapping(tmp_path, f"{ORDERS}csv: {{header: [{', '.join(HEADER)}]}}\n")
    file = tmp_path / "a.csv"
    file.write_text(",".join(ROW), encoding="utf-8")
    events, _ = read(file, by)
    assert len(events) == 1


def test_another_header_is_refused_with_the_nearest_column(tmp_path: Path, orders: SourceMapping) -> None:
    header = tuple(name.replace("price", "prize") for name in HEADER)
    with pytest.raises(UnreadableFileError, match=r"a\.csv has no column 'price', which orders\.yaml reads.*'prize'"):
        read(written(tmp_path / "a.csv", list(ROW), header=header), orders)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, orders: SourceMapping) -> None:
    with pytest.raises(UnreadableFileError, match="has the column 'price' more than once"):
        read(written(tmp_path / "a.csv", [*ROW, "1"], header=(*HEADER, "price")), orders)


def test_another_encoding_is_refused_before_a_row_counts(tmp_path: Path, orders: SourceMapping) -> None:
    file = tmp_path / "a.csv"
    lines = [",".join(HEADER), ",".join(ROW), ",".join(order(text="Käse"))]
    file.write_text("\n".join(lines), encoding="latin-1")
    with pytest.raises(UnreadableFileError, match=r"near line 3 .* not utf-8-sig .* csv\.encoding"):
        reader(file, orders).check()


def test_a_gzip_file_that_was_cut_off_is_refused(tmp_path: Path, orders: SourceMapping) -> None:
    whole = gzip.compress(written(tmp_path / "a.csv", *[list(ROW)] * 500).read_bytes())
    file = tmp_path / "a.csv.gz"
    file.write_bytes(whole)
    assert len(read(file, orders)[0]) == 500
    file.write_bytes(whole[:-20])
    with pytest.raises(UnreadableFileError, match="not a whole gzip file"):
        reader(file, orders).check()


def test_a_file_that_ends_within_quotes_says_where_they_began(tmp_path: Path, orders: SourceMapping) -> None:
    file = tmp_path / "a.csv"
    file.write_text(",".join(HEADER) + "\n" + ",".join(ROW) + '\nA2,1,17850,"85123A', encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="in quotes that begins on line 3 has no end"):
        read(file, orders)


@pytest.mark.parametrize("name", ["none.csv", "a.doc", "."])
def test_what_is_no_file_of_a_format_is_refused(tmp_path: Path, orders: SourceMapping, name: str) -> None:
    (tmp_path / "a.doc").touch()
    with pytest.raises(UnreadableFileError, match=r"\.csv, \.tsv"):
        reader(tmp_path / name, orders)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PRICES = st.decimals(min_value=0, max_value=10**9, places=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(TEXTS, PRICES, st.integers(1, 10**9)), min_size=1, max_size=20))
def test_what_was_written_is_what_is_sent(
    tmp_path: Path, orders: SourceMapping, lines: list[tuple[str, Decimal, int]]
) -> None:
    """csv to event and back: texts by character, prices by Decimal, as a reader without our code sees the bytes."""
    rows = [
        order(order=f"A{number}", text=text, price=str(price), quantity=str(quantity))
        for number, (text, price, quantity) in enumerate(lines)
    ]
    file = written(tmp_path / "a.csv", *rows, quoting=csv.QUOTE_ALL)
    of = reader(file, orders)
    of.check()
    values = [value for chunk in of.chunks(0) for value in Judge(orders, "d").judge(chunk).values]
    assert all(checker("shop.transaction.v1").check_bytes(value) is None for value in values)
    told = [json.loads(value, parse_float=Decimal)["data"] for value in values]
    assert [(event["description"] or "", event["unit_price"], event["quantity"]) for event in told] == [
        ("" if not text.strip() else text, price, quantity) for text, price, quantity in lines
    ]
    assert [event["order_id"] for event in told] == [f"A{number}" for number in range(len(lines))]


@pytest.mark.parametrize("cell", ["1e50", "1e99999999999999999999", "9e999999", "-1e400"])
@pytest.mark.parametrize("column", ["price", "line", "quantity"])
def test_a_number_beyond_all_numbers_is_a_reject(tmp_path: Path, column: str, cell: str) -> None:
    by = mapping(tmp_path, ORDERS.replace("id: [order, line]", "id: [order, line, price]"))
    (event,), (reject,) = read(written(tmp_path / "a.csv", order(**{column: cell}), list(ROW)), by)
    assert event["data"]["order_id"] == "A1"
    assert reject.line == 2


@pytest.mark.parametrize("cell", ["9e999999", "1e99999999999999999999", "nan", "-inf", "99999999999999999999"])
def test_an_epoch_beyond_all_times_is_a_reject(tmp_path: Path, cell: str) -> None:
    by = mapping(tmp_path, ORDERS.replace("{column: at}", "{column: at, format: epoch_us}"))
    events, (reject,) = read(written(tmp_path / "a.csv", order(at=cell)), by)
    assert events == []
    assert (reject.reason, reject.pointer) == ("unreadable", "/time")


def test_a_line_without_an_end_is_refused_before_memory_is_full(tmp_path: Path, orders: SourceMapping) -> None:
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write(",".join(HEADER) + "\n")
        for _ in range(50):
            file.write("," * 2**20)
    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="line 2 is longer than 1,048,576 characters"):
        list(reader(path, orders).chunks(0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 2**20


def test_long_rows_are_read_fewer_at_once(
    tmp_path: Path, orders: SourceMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [order(line=str(number), text="x" * 1000) for number in range(1000)]
    file = written(tmp_path / "a.csv", *rows)
    whole = judged(reader(file, orders).chunks(0), orders)
    monkeypatch.setattr(delimited, "BYTES_AT_ONCE", 200_000)
    chunks = list(reader(file, orders).chunks(0))
    assert max(map(len, chunks)) == 200
    assert [line for chunk in chunks for line in chunk.lines] == list(range(2, 1002))
    assert judged(chunks, orders) == whole


def test_long_texts_are_not_remembered(tmp_path: Path, orders: SourceMapping) -> None:
    made: list[str] = []
    remembered = Remembered(lambda cell: made.append(cell) or cell)
    for _ in range(2):
        for text in ("short", "long" * 100):
            assert remembered[text] == text
    assert list(remembered) == ["short"]
    assert made == ["short", "long" * 100, "long" * 100]
