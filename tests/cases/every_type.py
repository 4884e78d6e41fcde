"""A table with every type that the registry has, rows to fill it, and what each way of changing it should leave."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from data_lake.table import Table
from tidemill.contracts.columns import Column

Row = dict[str, Any]

TABLE = Table(
    name="silver/every_type",
    description="every type",
    columns=(
        Column("id", "BIGINT", False),
        Column("text", "STRING", True),
        Column("amount", "DECIMAL(18,4)", True),
        Column("ratio", "DOUBLE", True),
        Column("flag", "BOOLEAN", True),
        Column("small", "INT", True),
        Column("seen_at", "TIMESTAMP", True),
        Column("day", "DATE", True),
        Column("raw", "BINARY", True),
        Column("tags", "ARRAY<STRING>", True),
        Column("prices", "MAP<STRING, DECIMAL(18,4)>", True),
        Column("items", "ARRAY<STRUCT<name: STRING, raw: BINARY>>", True),
        Column("month", "STRING", False),
    ),
    keys=("id",),
    partition_by=("month",),
    properties={"delta.enableChangeDataFeed": "true"},
)


def row(number: int, text: str, at: datetime, month: str = "2024-05") -> Row:
    """A row all of whose values follow from ``number``, but for its text and time."""
    return {
        "id": number,
        "text": text,
        "amount": Decimal(number) + Decimal("0.0001"),
        "ratio": number / 10,
        "flag": number % 2 == 0,
        "small": number,
        "seen_at": at,
        "day": date(2024, 5, number),
        "raw": bytes([0, number, 255]),
        "tags": [text, "all"],
        "prices": {"EUR": Decimal(number) + Decimal("0.5000")},
        "items": [{"name": text, "raw": bytes([number])}, {"name": None, "raw": None}],
        "month": month,
    }


def nulls(number: int, month: str) -> Row:
    """A row of which only the id and the partition are known."""
    return {column.name: None for column in TABLE.columns} | {"id": number, "month": month}


ROWS = (
    row(1, "apple", datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)),
    row(2, "banana", datetime(2024, 5, 2, tzinfo=UTC)),
    row(3, "cherry", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    # Nanoseconds since 1970 end in 2262: a reader that takes INT96 for them fails here.
    row(4, "dätę", datetime(2300, 1, 1, tzinfo=UTC), month="2024 %/ü"),
    nulls(5, "2024-05"),
)
ADDED = row(6, "ARROW:schema", datetime(2024, 5, 6, tzinfo=UTC))
MERGED = row(1, "apricot", datetime(2024, 5, 1, 12, 0, 0, 123457, tzinfo=UTC))

# Each change starts from ROWS.
LEFT: Mapping[str, tuple[Row, ...]] = {
    "append": (*ROWS, ADDED),
    "delete": (ROWS[0], *ROWS[2:]),
    "update": (ROWS[0], ROWS[1] | {"text": "blueberry"}, *ROWS[2:]),
    "merge": (MERGED, *ROWS[1:], ADDED),
    "optimize": ROWS,
}

# A condition for `lake sql`, and the same of a row.
CONDITIONS: Mapping[str, Callable[[Row], bool]] = {
    "text = 'apple'": lambda row: row["text"] == "apple",
    "text = 'ARROW:schema'": lambda row: row["text"] == "ARROW:schema",
    "text IN ('apple', 'cherry')": lambda row: row["text"] in {"apple", "cherry"},
    "text LIKE 'b%'": lambda row: (row["text"] or "").startswith("b"),
    "text > 'b' AND text < 'd'": lambda row: row["text"] is not None and "b" < row["text"] < "d",
    "text IS NULL": lambda row: row["text"] is None,
    "text != 'dätę' AND month = '2024-05'": lambda row: row["text"] not in {None, "dätę"} and row["month"] == "2024-05",
    "month = '2024 %/ü'": lambda row: row["month"] == "2024 %/ü",
    "seen_at > TIMESTAMPTZ '2024-05-01 12:00:00.123456+00'": lambda row: (
        row["seen_at"] is not None and row["seen_at"] > datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
    ),
    "seen_at < TIMESTAMPTZ '1970-01-01 00:00:00+00'": lambda row: (
        row["seen_at"] is not None and row["seen_at"].year < 1970
    ),
    "seen_at = TIMESTAMPTZ '2300-01-01 00:00:00+00'": lambda row: row["seen_at"] == datetime(2300, 1, 1, tzinfo=UTC),
    "amount = 2.0001": lambda row: row["amount"] == Decimal("2.0001"),
    "amount BETWEEN 1.0001 AND 3.0000": lambda row: (
        row["amount"] is not None and Decimal("1.0001") <= row["amount"] <= 3
    ),
    "ratio >= 0.3": lambda row: row["ratio"] is not None and row["ratio"] >= 0.3,
    "flag": lambda row: row["flag"] is True,
    "small = 4": lambda row: row["small"] == 4,
    "day = DATE '2024-05-03'": lambda row: row["day"] == date(2024, 5, 3),
    r"raw = '\x00\x01\xFF'::BLOB": lambda row: row["raw"] == b"\x00\x01\xff",
    "list_contains(tags, 'banana')": lambda row: "banana" in (row["tags"] or ()),
    "prices['EUR'] = 3.5": lambda row: (row["prices"] or {}).get("EUR") == Decimal("3.5"),
    "items[1].name = 'cherry'": lambda row: row["items"] is not None and row["items"][0]["name"] == "cherry",
    "items[2].name IS NULL": lambda row: True,
}
