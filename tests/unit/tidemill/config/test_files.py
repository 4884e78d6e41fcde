"""Small files that are whole or not there."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidemill.config.files import cut_back, replace_file, write_once

LONG = [bytes([letter]) * 1_000_000 for letter in b"abcdefgh"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "note.json"


def alone(file: Path) -> bool:
    return os.listdir(file.parent) == [file.name]  # noqa: PTH208 - also what is hidden


@pytest.mark.parametrize("write", [replace_file, write_once])
def test_of_threads_that_write_at_once_one_has_written_the_whole_file(
    write: Callable[[Path, bytes], None], file: Path
) -> None:
    with ThreadPoolExecutor(len(LONG)) as pool:
        list(pool.map(lambda content: write(file, content), LONG))
    assert file.read_bytes() in LONG
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert alone(file)


def test_a_file_is_replaced(file: Path) -> None:
    replace_file(file, b"first")
    replace_file(file, b"second")
    assert file.read_bytes() == b"second"


def test_what_is_written_once_stays(file: Path) -> None:
    write_once(file, b"first")
    write_once(file, b"second")
    assert file.read_bytes() == b"first"
    assert alone(file)


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        replace_file(file, b"content")
    assert alone(file)


@pytest.mark.parametrize(("size", "left"), [(0, b""), (3, b"abc"), (6, b"abcdef"), (9, b"abcdef")])
def test_a_file_is_cut_back_and_never_filled_up(tmp_path: Path, size: int, left: bytes) -> None:
    file, missing = tmp_path / "rows", tmp_path / "folder" / "rows"
    file.write_bytes(b"abcdef")
    assert (cut_back(file, size), file.read_bytes()) == (len(left), left)
    assert (cut_back(missing, size), missing.read_bytes()) == (0, b"")
