from pathlib import Path

import pytest

from tidemill.config import Settings, load_settings
from tidemill.config.settings import REPO
from tidemill.stack.down import PurgeRefusedError, down, purge
from tidemill.stack.folders import Folders


def test_a_home_the_stack_made_is_removed(settings: Settings) -> None:
    Folders.of(settings).create()
    (settings.home / "lake").mkdir()
    purge(settings)
    assert not settings.home.exists()


def test_a_folder_the_stack_did_not_make_is_kept(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "thesis.txt").touch()
    with pytest.raises(PurgeRefusedError, match="not made by"):
        purge(settings)
    assert (settings.home / "thesis.txt").exists()


@pytest.mark.parametrize("inside", [REPO, Path.home()], ids=["repository", "home of the user"])
def test_a_folder_that_holds_more_than_the_stack_is_kept(inside: Path) -> None:
    with pytest.raises(PurgeRefusedError, match="not removing it"):
        purge(load_settings({"TIDEMILL_HOME": str(inside.parent)}))


def test_stopping_what_never_ran_stops_nothing(settings: Settings) -> None:
    assert down(settings) == []
    assert not settings.home.exists()
