"""A key means one body."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingestion_layer.http.receipts import BatchName, Receipts

DAY_S = 86_400.0
NAME = BatchName("shop.transaction.v1", "urn:shop:till:17", "2026-11-27/1")


def made(file: Path, keep_s: float = DAY_S) -> Receipts:
    receipts = Receipts(file, keep_s)
    receipts.prepare()
    return receipts


def test_the_first_body_of_a_key_has_it_also_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "events" / "receipts.db"
    assert made(file).claim(NAME, "first") == "first"
    again = made(file)
    assert [again.claim(NAME, digest) for digest in ("second", "first")] == ["first", "first"]


@pytest.mark.parametrize(
    "other",
    [
        BatchName("shop.click.v1", NAME.source, NAME.key),
        BatchName(NAME.topic, "urn:shop:till:18", NAME.key),
        BatchName(NAME.topic, NAME.source, "2026-11-27/2"),
    ],
    ids=["topic", "source", "key"],
)
def test_a_name_is_topic_source_and_key(tmp_path: Path, other: BatchName) -> None:
    receipts = made(tmp_path / "receipts.db")
    assert receipts.claim(NAME, "first") == "first"
    assert receipts.claim(other, "second") == "second"


def test_of_many_who_claim_at_once_one_has_the_key(tmp_path: Path) -> None:
    receipts = made(tmp_path / "receipts.db")
    with ThreadPoolExecutor(8) as pool:
        held = set(pool.map(lambda number: receipts.claim(NAME, str(number)), range(40)))
    assert len(held) == 1


def test_what_is_older_than_it_is_kept_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "receipts.db"
    made(file).claim(NAME, "first")
    with sqlite3.connect(file) as connection:
        connection.execute("update receipts set at = at - 100")
    assert made(file, keep_s=200).claim(NAME, "second") == "first"
    assert made(file, keep_s=50).claim(NAME, "second") == "second"


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "receipts.db"
    file.write_text("no database at all, but long enough to be read as the header of one" * 20, encoding="utf-8")
    with pytest.raises(sqlite3.DatabaseError):
        made(file)
