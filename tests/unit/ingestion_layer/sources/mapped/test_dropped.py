"""Which files of a drop folder are taken, and where those go that nobody can read."""

import json
import lzma
import os
import threading
from pathlib import Path

import pytest

from ingestion_layer.sources.mapped.dropped import DropFolder, FolderError, FolderInUseError, watch
from ingestion_layer.sources.mapped.files import FileSource
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


def test_links_are_left(folder: DropFolder, inbox: Path, tmp_path: Path) -> None:
    (secret := tmp_path / "secret.toml").write_text('password = "hunter2"\n', encoding="utf-8")
    (inbox / "a.jsonl").symlink_to(secret)
    os.utime(secret, (1, 1))
    with folder.held():
        assert list(watch(folder, 0.1, threading.Event(), once=True)) == []
    assert [list((inbox / name).iterdir()) for name in ("done", "rejected")] == [[], []]


def test_a_file_that_became_a_link_meanwhile_is_left(folder: DropFolder, inbox: Path, tmp_path: Path) -> None:
    (secret := tmp_path / "secret.toml").write_text('password = "hunter2"\n', encoding="utf-8")
    dropped(inbox / "a.csv", b"a,b\n")
    with folder.held():
        (path,) = folder.waiting()
        path.unlink()
        path.symlink_to(secret)
        assert folder.handle(path, threading.Event()) is None
    assert list((inbox / "rejected").iterdir()) == []


@pytest.mark.parametrize("name", ["done", "rejected"])
def test_a_folder_that_is_a_link_is_refused(folder: DropFolder, inbox: Path, tmp_path: Path, name: str) -> None:
    (inbox / name).symlink_to(tmp_path)
    with pytest.raises(FolderError, match="is a link"), folder.held():
        raise AssertionError("it was taken")


def test_a_very_long_name_is_told_in_a_shorter_one(folder: DropFolder, inbox: Path) -> None:
    name = "ü" * 122 + ".csv"
    dropped(inbox / name, b"a,b\n")
    with folder.held():
        (handled,) = watch(folder, 0.1, threading.Event(), once=True)
    moved = Path(handled.moved_to)
    assert (handled.file, moved.read_bytes(), moved.suffix) == (name, b"a,b\n", ".csv")
    assert json.loads(moved.with_name(f"{moved.name}.reason.json").read_text(encoding="utf-8"))["file"] == name


def test_a_file_that_nobody_foresaw_keeps_no_other_waiting(
    folder: DropFolder, inbox: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def total(source: FileSource) -> int:
        raise lzma.LZMAError(source.path.name)

    monkeypatch.setattr(FileSource, "total", property(total))
    dropped(inbox / "a.csv", b"a", age_s=100)
    dropped(inbox / "b.csv", b"b", age_s=50)
    with folder.held():
        handled = list(watch(folder, 0.1, threading.Event(), once=True))
    assert [(of.file, of.outcome, of.reason) for of in handled] == [
        (name, "rejected", f"{name}: it cannot be read (LZMAError: {name})") for name in ("a.csv", "b.csv")
    ]
    assert "Traceback" in capsys.readouterr().err
