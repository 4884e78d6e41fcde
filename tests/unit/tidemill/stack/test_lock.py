import os

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
