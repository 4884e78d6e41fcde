"""The real file, judged by the rules, against the same counts taken from it with pandas."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from ingestion_layer.sources.online_retail.source import TOPIC, OnlineRetailSource
from ingestion_layer.sources.progress import Progress
from tidemill.config import load_settings
from tidemill.config.settings import REPO
from tidemill.contracts import checker

FILE = Path(REPO).parent / "shared" / "data" / "online-retail.csv.gz"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not there")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Every row as text, with the good ones marked by a rule written independently."""
    rows = pd.read_csv(FILE, dtype=str, keep_default_na=False)
    rows["quantity"] = rows["Quantity"].astype(int)
    rows["price"] = rows["UnitPrice"].map(Decimal)
    is_return = rows["InvoiceNo"].str.startswith("C")
    rows["good"] = (rows["price"] > 0) & ~rows["InvoiceNo"].str.startswith("A") & ((rows["quantity"] < 0) == is_return)
    rows["revenue"] = rows["quantity"] * rows["price"]
    return rows


def test_the_replay_agrees_with_pandas(rows: pd.DataFrame, tmp_path: Path) -> None:
    source = OnlineRetailSource(load_settings({"TIDEMILL_HOME": str(tmp_path)}), FILE)
    revenue: dict[str, Decimal] = {}
    seen: set[str] = set()
    for batch in source.batches(Progress()):
        for event in batch.outgoing[TOPIC]:
            assert isinstance(event, dict)
            assert checker(TOPIC).check(event) is None
            if event["id"] not in seen:
                seen.add(event["id"])
                data = event["data"]
                sign = -1 if data["kind"] == "return" else 1
                month = event["time"][:7]
                value = sign * data["quantity"] * Decimal(str(data["unit_price"]))
                revenue[month] = revenue.get(month, Decimal(0)) + value
    good = rows[rows["good"]]
    distinct = good.drop_duplicates(subset=list(rows.columns[:8]))
    counts = source.counts
    assert counts["events"] == len(good)
    assert counts["unique_ids"] == len(seen) == len(distinct)
    assert counts["duplicates"] == len(good) - len(distinct)
    assert counts["guests"] == (good["CustomerID"] == "").sum()
    assert counts["returns"] == good["InvoiceNo"].str.startswith("C").sum()
    assert revenue == distinct.groupby(distinct["InvoiceDate"].str[:7])["revenue"].sum().to_dict()


def test_every_rejected_row_is_written_with_its_reason(rows: pd.DataFrame, tmp_path: Path) -> None:
    source = OnlineRetailSource(load_settings({"TIDEMILL_HOME": str(tmp_path)}), FILE)
    for batch in source.batches(Progress()):
        for _ in batch.outgoing[TOPIC]:
            pass
    bad = rows[~rows["good"]]
    is_adjustment = (bad["quantity"] < 0) & ~bad["InvoiceNo"].str.startswith("C")
    expected = Counter(
        negative_price=int((bad["price"] < 0).sum()),
        bad_debt_adjustment=int((bad["InvoiceNo"].str.startswith("A") & (bad["price"] >= 0)).sum()),
        stock_adjustment=int(is_adjustment.sum()),
        zero_price=int(((bad["price"] == 0) & ~is_adjustment).sum()),
    )
    written = pd.read_csv(source.rejected_path, dtype=str, keep_default_na=False)
    assert Counter(written["reason"].tolist()) == expected
    assert (written["row"].astype(int) - 1).tolist() == bad.index.tolist()
    columns = list(rows.columns[:8])
    assert written[columns].to_numpy().tolist() == bad[columns].to_numpy().tolist()
