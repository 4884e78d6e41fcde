"""Which files of a drop folder are taken, and where those go that nobody can read."""

import json
import os
import threading
from pathlib import Path

import pytest

from ingestion_layer.sources.mapped.dropped import DropFolder, FolderError, FolderInUseError, watch
from ingestion_layer.sources.mapped.mapping import mapping_called
from tidemill.config import load_settings


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (inbox := tmp_path / "inbox").mkdir()
    return inbox


@pytest.fixture
def folder(inbox: Path, tmp_path: Path) -> DropFolder:
    return DropFolder(
        load_settings({"TIDEMILL_HOME": str(tmp_path / "home")}), mapping_called("partner_inventory"), inbox
    )


def dropped(path: Path, content: bytes, age_s: float = 60) -> Path:
    path.write_bytes(content)
    now = path.stat().st_mtime
    os.utime(path, (now - age_s, now - age_s))
    return path


def test_the_oldest_comes_first_and_what_is_still_written_waits(folder: DropFolder, inbox: Path) -> None:
    dropped(inbox / "b.csv", b"", age_s=100)
    dropped(inbox / "a.csv", b"", age_s=50)
    dropped(inbox / ".hidden.csv", b"")
    dropped(inbox / "c.csv.part", b"")
    dropped(inbox / "fresh.csv", b"", age_s=0)
    with folder.held():
        assert [path.name for path in folder.waiting()] == ["b.csv", "a.csv"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("stock.csv", b"product,units\nP1,3\n", "no column 'product_id', 'location_id'"),
        ("stock.csv", "product_id\nKäse".encode("latin-1"), "not utf-8-sig"),
        ("stock.xlsx", b"PK\x03\x04 cut off", "not a whole workbook"),
        ("stock.parquet", b"PAR1", "not a whole Parquet file"),
        ("stock.pdf", b"%PDF", "ends with none of"),
    ],
)
def test_a_bad_file_is_rejected_with_its_reason_beside_it(
    folder: DropFolder, inbox: Path, name: str, content: bytes, says: str
) -> None:
    dropped(inbox / name, content)
    with folder.held():
        (handled,) = watch(folder, 0.1, threading.Event(), once=True)
    assert handled.outcome == "rejected"
    assert (inbox / "rejected" / name).read_bytes() == content
    assert not (inbox / name).exists()
    told = json.loads((inbox / "rejected" / f"{name}.reason.json").read_text(encoding="utf-8"))
    assert says in told["reason"]
    assert told["file"] == name


def test_a_bad_file_of_the_same_name_is_kept_beside_the_first(folder: DropFolder, inbox: Path) -> None:
    for content in (b"a,b\n", b"c,d\n"):
        dropped(inbox / "stock.csv", content)
        with folder.held():
            list(watch(folder, 0.1, threading.Event(), once=True))
    assert (inbox / "rejected" / "stock.csv").read_bytes() == b"a,b\n"
    assert (inbox / "rejected" / "stock.2.csv").read_bytes() == b"c,d\n"
    assert (inbox / "rejected" / "stock.2.csv.reason.json").is_file()


def test_one_process_watches_a_folder(folder: DropFolder) -> None:
    with folder.held(), pytest.raises(FolderInUseError), folder.held():
        raise AssertionError("two hold it")


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="is no folder"):
        DropFolder(load_settings(), mapping_called("partner_inventory"), tmp_path / "none")
