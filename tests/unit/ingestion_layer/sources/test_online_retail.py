"""The rules of the replay, one by one."""

import gzip
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_layer.sources.online_retail.reading import UnreadableFileError
from ingestion_layer.sources.online_retail.rejected import RejectedRows
from ingestion_layer.sources.online_retail.source import TOPIC, OnlineRetailSource, order_line
from ingestion_layer.sources.online_retail.staging import GoodRow, staged
from ingestion_layer.sources.progress import Progress
from tests.cases.online_retail import GOOD, HEADER, row, write_csv
from tests.cases.workbooks import resized
from tidemill.config import load_settings
from tidemill.contracts import Rejection, checker

Event = dict[str, Any]


def replayed(path: Path, home: Path) -> tuple[list[Event], OnlineRetailSource]:
    """The events of a file, checked as the producer does, and the source with its counts."""
    source = OnlineRetailSource(load_settings({"TIDEMILL_HOME": str(home)}), path)
    events = []
    for batch in source.batches(Progress()):
        for event in batch.outgoing[TOPIC]:
            assert isinstance(event, dict)
            rejection = checker(TOPIC).check(event)
            if isinstance(rejection, Rejection):
                source.on_rejected(event, TOPIC, rejection)
            else:
                events.append(event)
    return events, source


def of_rows(tmp_path: Path, rows: Iterable[Sequence[str]]) -> tuple[list[Event], OnlineRetailSource]:
    return replayed(write_csv(tmp_path / "retail.csv", rows), tmp_path / "home")


def test_a_sale_becomes_an_event(tmp_path: Path) -> None:
    (event,), _ = of_rows(tmp_path, [row()])
    assert event["type"] == TOPIC
    assert event["time"] == "2010-12-01T08:26:00.000000Z"
    assert event["data"] == {
        "order_id": "536365",
        "line": 1,
        "customer_id": "17850",
        "product_id": "85123A",
        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "quantity": 6,
        "unit_price": 2.55,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    }


def test_a_c_invoice_is_a_return_of_a_positive_quantity(tmp_path: Path) -> None:
    (event,), source = of_rows(tmp_path, [row(InvoiceNo="C536379", Quantity="-2")])
    assert (event["data"]["kind"], event["data"]["quantity"]) == ("return", 2)
    assert source.counts["returns"] == 1


def test_a_row_without_customer_is_a_guest(tmp_path: Path) -> None:
    (event,), source = of_rows(tmp_path, [row(CustomerID="")])
    assert event["data"]["customer_id"] is None
    assert source.counts["guests"] == 1


@pytest.mark.parametrize("customer", ["17850", "17850.0", " 17850 "])
def test_a_customer_is_written_without_decimals(tmp_path: Path, customer: str) -> None:
    (event,), _ = of_rows(tmp_path, [row(CustomerID=customer)])
    assert event["data"]["customer_id"] == "17850"


def test_equal_rows_have_equal_ids_and_are_counted(tmp_path: Path) -> None:
    events, source = of_rows(
        tmp_path, [row(), row(StockCode="71053"), row(), row(CustomerID="17850"), row(Quantity="7")]
    )
    ids = [event["id"] for event in events]
    assert ids[0] == ids[2] == ids[3]
    assert len(set(ids)) == 3
    assert events[0] == events[2]
    assert [event["data"]["line"] for event in events] == [1, 2, 1, 1, 3]
    assert (source.counts["duplicates"], source.counts["unique_ids"]) == (2, 3)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"InvoiceNo": "A563186", "UnitPrice": "-11062.06", "Quantity": "1"}, "negative_price"),
        ({"InvoiceNo": "A563185", "UnitPrice": "11062.06", "Quantity": "1"}, "bad_debt_adjustment"),
        ({"UnitPrice": "0"}, "zero_price"),
        ({"UnitPrice": "0.0"}, "zero_price"),
        ({"Quantity": "-3"}, "stock_adjustment"),
        ({"Quantity": "-3", "UnitPrice": "0"}, "stock_adjustment"),
        ({"Quantity": "0"}, "zero_quantity"),
        ({"InvoiceNo": "C1", "Quantity": "3"}, "return_of_positive_quantity"),
        ({"InvoiceNo": ""}, "invoice_missing"),
        ({"StockCode": " "}, "stock_code_missing"),
        ({"Country": ""}, "country_missing"),
        ({"Quantity": "six"}, "quantity_unreadable"),
        ({"Quantity": "1.5"}, "quantity_unreadable"),
        ({"Quantity": ""}, "quantity_unreadable"),
        ({"UnitPrice": "2,55"}, "price_unreadable"),
        ({"UnitPrice": "nan"}, "price_unreadable"),
        ({"UnitPrice": ""}, "price_unreadable"),
        ({"UnitPrice": "2.55555"}, "price_unrepresentable"),
        ({"UnitPrice": "1" * 18}, "price_unrepresentable"),
        ({"InvoiceDate": "yesterday"}, "time_unreadable"),
        ({"InvoiceDate": "2010-02-30 08:26:00"}, "time_unreadable"),
        ({"InvoiceDate": ""}, "time_unreadable"),
        ({"StockCode": "X" * 65}, "contract"),
        ({"Quantity": "2000000000"}, "contract"),
    ],
)
def test_a_row_that_is_no_sale_is_rejected_with_its_reason(
    tmp_path: Path, changed: dict[str, str], reason: str
) -> None:
    events, source = of_rows(tmp_path, [row(**changed), row()])
    assert len(events) == 1
    assert {name: count for name, count in source.counts.items() if name.startswith("rejected/")} == {
        f"rejected/{reason}": 1
    }
    _, line = source.rejected_path.read_text().splitlines()
    assert line.startswith(f"1,{reason},")


@pytest.mark.parametrize("cells", [row()[:5], (*row(), "more")])
def test_a_row_with_another_number_of_cells_is_rejected(tmp_path: Path, cells: Sequence[str]) -> None:
    events, source = of_rows(tmp_path, [cells, row()])
    assert len(events) == 1
    assert source.counts["rejected/column_count"] == 1


def test_a_contract_rejection_says_where(tmp_path: Path) -> None:
    _, source = of_rows(tmp_path, [row(), row(StockCode="X" * 65)])
    assert "/data/product_id" in source.rejected_path.read_text()


@pytest.mark.parametrize("time", ["2010-12-01 08:26", "2010-12-01T08:26:00", "12/1/2010 8:26", "12/1/10 8:26"])
def test_times_of_the_known_copies_are_read(tmp_path: Path, time: str) -> None:
    (event,), _ = of_rows(tmp_path, [row(InvoiceDate=time)])
    assert event["time"] == "2010-12-01T08:26:00.000000Z"


@given(st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(1_000_000_000), places=4))
def test_a_price_keeps_every_digit(price: Decimal) -> None:
    good = GoodRow(1, "r", False, "1", 1, None, "P", None, 1, str(price), "EIRE", "2010-12-01T08:26:00.000000Z")
    written = orjson.dumps(order_line(good)).split(b'"unit_price":')[1].split(b",")[0]
    assert Decimal(written.decode()) == price


def test_the_same_rows_in_any_format_are_the_same_events(tmp_path: Path) -> None:
    rows = [row(), row(CustomerID=""), row(InvoiceNo="C1", Quantity="-1", UnitPrice="3.10")]
    expected, _ = of_rows(tmp_path, rows)
    gzipped = write_csv(tmp_path / "retail.csv.gz", rows)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER)
    for cells in rows:
        number = cells[6] and int(float(cells[6]))
        time = datetime.fromisoformat(cells[4])
        sheet.append([*cells[:3], int(cells[3]), time, float(cells[5]), number or None, cells[7]])
    book.save(tmp_path / "retail.xlsx")
    assert replayed(gzipped, tmp_path / "a")[0] == expected
    assert replayed(tmp_path / "retail.xlsx", tmp_path / "b")[0] == expected
    assert replayed(resized(tmp_path / "retail.xlsx", "A1:H2"), tmp_path / "c")[0] == expected


def test_a_windows_copy_is_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "retail.csv", [row(Description="CAF\u00c9 \u00a3")], encoding="latin-1")
    (event,), _ = replayed(path, tmp_path / "home")
    assert event["data"]["description"] == "CAF\u00c9 \u00a3"


def test_the_second_edition_is_read(tmp_path: Path) -> None:
    header = ["Invoice", *HEADER[1:5], "Price", "Customer ID", "Country"]
    (event,), _ = replayed(write_csv(tmp_path / "retail.csv", [row()], header), tmp_path / "home")
    assert event["data"]["order_id"] == GOOD["InvoiceNo"]


def broken_gzip(path: Path) -> Path:
    path.write_bytes(gzip.compress(b"InvoiceNo,StockCode\n" * 1000)[:-20])
    return path


def not_a_workbook(path: Path) -> Path:
    path.write_text("InvoiceNo")
    return path


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (lambda path: path, "absent.csv", "no such file"),
        (lambda path: write_csv(path, [], header=HEADER[:-2]), "short.csv", "lacks CustomerID, Country"),
        (lambda path: write_csv(path, [], header=()), "empty.csv", "lacks InvoiceNo"),
        (broken_gzip, "broken.csv.gz", "gzip"),
        (not_a_workbook, "text.xlsx", "workbook"),
        (lambda path: write_csv(path, [row(Description="x" * 200_000)]), "huge.csv", "csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: Any, name: str, says: str) -> None:
    path = make(tmp_path / name)
    with pytest.raises(UnreadableFileError, match=rf"{name}.*{says}"), staged(path, tmp_path / "staging"):
        pass


def test_what_a_killed_run_wrote_beyond_its_progress_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    with RejectedRows(path, 0) as rejected:
        rejected.add(1, "zero_price", "", ["a"])
        size = rejected.size()
        rejected.add(2, "zero_price", "", ["b"])
    with RejectedRows(path, size) as rejected:
        rejected.add(2, "zero_price", "", ["b"])
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["row", "1", "2"]
    path.unlink()
    with RejectedRows(path, size) as rejected:
        rejected.add(3, "zero_price", "", ["c"])
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["row", "3"]


def test_a_replay_goes_on_after_its_position(tmp_path: Path) -> None:
    rows = [row(StockCode=str(number)) for number in range(5)]
    path = write_csv(tmp_path / "retail.csv", rows)
    whole, _ = replayed(path, tmp_path / "home")
    source = OnlineRetailSource(load_settings({"TIDEMILL_HOME": str(tmp_path / "home")}), path)
    rest = [event for batch in source.batches(Progress(position=3)) for event in batch.outgoing[TOPIC]]
    assert rest == whole[3:]
