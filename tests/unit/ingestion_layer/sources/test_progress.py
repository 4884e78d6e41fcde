"""The progress of a source: kept whole, and held by one process."""

from pathlib import Path

import pytest

from ingestion_layer.sources.progress import AlreadyRunningError, Progress, ProgressError, ProgressFile


def test_progress_is_read_as_it_was_saved(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "p.json")
    assert file.load() == Progress()
    progress = Progress(7, True, {"events": 3}, {"rejected_bytes": 12})
    file.save(progress)
    assert file.load() == progress


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"position": 1')
    with pytest.raises(ProgressError, match=r"p\.json"):
        ProgressFile(path).load()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "p.json")
    with file.held(), pytest.raises(AlreadyRunningError), ProgressFile(file.path).held():
        pass
    with file.held():
        pass
