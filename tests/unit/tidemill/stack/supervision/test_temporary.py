import os
import subprocess
import sys
from pathlib import Path

from tidemill.stack.folders import Folders
from tidemill.stack.supervision.temporary import make_empty, sweep


def test_what_a_killed_command_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folders = Folders(tmp_path)
    for owner in (str(gone.pid), str(os.getpid()), "stream", "12 of mine"):
        (folders.temporary(owner) / "spark-1").mkdir(parents=True)
    sweep(folders)
    assert {path.name for path in (tmp_path / "tmp").iterdir()} == {str(os.getpid()), "stream", "12 of mine"}


def test_there_is_nothing_to_sweep_in_a_new_home(tmp_path: Path) -> None:
    sweep(Folders(tmp_path))


def test_a_folder_is_emptied_and_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tmp" / "stream"
    (folder / "blockmgr-1").mkdir(parents=True)
    make_empty(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0
