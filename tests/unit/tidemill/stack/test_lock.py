import fcntl
import os
from typing import IO

import pytest

from tidemill.config import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.lock import StackLockedError, locked


def test_a_second_holder_is_refused_naming_the_first(settings: Settings) -> None:
    folders = Folders.of(settings)
    folders.create()
    with locked(folders), pytest.raises(StackLockedError, match=f"process {os.getpid()} "), locked(folders):
        pass


def test_the_lock_is_free_again_afterwards(settings: Settings) -> None:
    folders = Folders.of(settings)
    folders.create()
    for _ in range(2):
        with locked(folders):
            pass


def test_the_lock_of_a_home_that_was_removed_meanwhile_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, take = Folders.of(settings), fcntl.flock

    def take_late(file: IO[str], how: int) -> None:
        settings.home.rename(settings.home.with_name("removed"))
        take(file, how)

    folders.create()
    monkeypatch.setattr(fcntl, "flock", take_late)
    with pytest.raises(StackLockedError, match="has just been removed"), locked(folders):
        pass
