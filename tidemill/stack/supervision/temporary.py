"""Temporary files below the home folder: each process has a folder of its own, so that what a killed one left is known.

A service's is emptied when it is started again, its last process gone; a command's is removed when it ends, or, if it
was killed, by the next ``tidemill up``.
"""

import shutil
from pathlib import Path

import psutil

from tidemill.stack.folders import Folders

TEMPORARY = "TMPDIR"


def make_empty(folder: Path) -> None:
    """An empty ``folder`` for its owner's eyes only; what cannot be removed stays until the next time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def sweep(folders: Folders) -> None:
    """Remove the folders of commands that are gone."""
    for folder in folders.temporary("").glob("[0-9]*"):
        if folder.name.isdigit() and not psutil.pid_exists(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
