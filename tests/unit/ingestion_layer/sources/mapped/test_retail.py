"""A real file through a mapping, held against csv and Decimal."""

import csv
import gzip
import json
from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from ingestion_layer.sources.mapped.files import FileSource
from ingestion_layer.sources.progress import Progress
from tests.cases.mappings import mapping
from tidemill.config import load_settings
from tidemill.config.settings import REPO

FILE = Path(REPO).parent / "shared" / "data" / "online-retail.csv.gz"
RETAIL = """
contract: shop.transaction.v1
time: {column: InvoiceDate}
zone: UTC
columns:
  InvoiceNo: order_id
  StockCode: product_id
  Description: description
  Quantity: quantity
  UnitPrice: unit_price
  CustomerID: {property: customer_id, whole: true}
  Country: country
constants: {line: 1, currency: GBP, kind: purchase}
"""

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not there")


@pytest.mark.parametrize("rows", [40_000, pytest.param(541_909, marks=pytest.mark.matrix)])
def test_sums_by_country_are_those_of_csv_and_decimal(rows: int, tmp_path: Path) -> None:
    file = tmp_path / "first.csv.gz"
    with gzip.open(FILE) as every, gzip.open(file, "wb", compresslevel=1) as first:
        first.writelines(islice(every, rows + 1))
    expected: Counter[str] = Counter()
    rejected = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        for row in reader:
            quantity, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
            if quantity < 1 or price < 0:
                rejected.append(reader.line_num)
                continue
            expected[row["Country"]] += quantity * price  # type: ignore[assignment]
            expected["guests"] += not row["CustomerID"]
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})
    source = FileSource(settings, mapping(tmp_path, RETAIL, "retail"), file, processes=2)
    sums: Counter[str] = Counter()
    ids = set()
    for batch in source.batches(Progress()):
        for outgoing in batch.outgoing.values():
            for message in outgoing:
                event = json.loads(message.value, parse_float=Decimal)  # type: ignore[union-attr]
                data = event["data"]
                sums[data["country"]] += data["quantity"] * data["unit_price"]
                sums["guests"] += data["customer_id"] is None
                ids.add(event["id"])
    assert sums == expected
    assert len(ids) == source.counts["events"] == rows - len(rejected)
    lines = source.rejected_path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["line"] for line in lines] == rejected
