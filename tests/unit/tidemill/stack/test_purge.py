import re
import shutil
from pathlib import Path

import pytest

from tidemill.config import Settings, load_settings
from tidemill.config.settings import REPO
from tidemill.stack.down import PurgeRefusedError, down, purge
from tidemill.stack.folders import OWN, Folders
from tidemill.stack.lock import StackLockedError, locked


def test_a_home_the_stack_made_is_removed(settings: Settings) -> None:
    Folders.of(settings).create()
    (settings.home / "lake").mkdir()
    purge(settings)
    assert not settings.home.exists()


def test_nothing_is_removed_while_another_command_changes_the_stack(settings: Settings) -> None:
    folders = Folders.of(settings)
    folders.create()
    with locked(folders), pytest.raises(StackLockedError):
        purge(settings)
    assert folders.marker.exists()


def test_a_stack_that_is_started_while_the_old_home_is_removed_is_a_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, removed = Folders.of(settings), []

    def start_and_remove(folder: Path) -> None:
        removed.append(folder)
        folders.create()
        with locked(folders):
            rmtree(folder)

    rmtree = shutil.rmtree
    folders.create()
    (settings.home / "lake").mkdir()
    monkeypatch.setattr("tidemill.stack.down.shutil.rmtree", start_and_remove)
    purge(settings)
    assert folders.marker.exists()
    assert not (settings.home / "lake").exists()
    assert not removed[0].exists()


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


def test_a_folder_that_had_files_of_others_when_it_became_a_home_is_kept(settings: Settings) -> None:
    (settings.home / "thesis").mkdir(parents=True)
    Folders.of(settings).create()
    with pytest.raises(PurgeRefusedError, match="not made by"):
        purge(settings)
    assert (settings.home / "thesis").exists()


def test_what_others_put_into_a_home_later_is_kept(settings: Settings) -> None:
    Folders.of(settings).create()
    (settings.home / "thesis").mkdir()
    with pytest.raises(PurgeRefusedError, match="holds thesis, which is not the stack's"):
        purge(settings)
    assert (settings.home / "thesis").exists()


def test_a_home_that_something_is_mounted_on_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Folders.of(settings).create()

    def is_busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", is_busy)
    with pytest.raises(PurgeRefusedError, match=r"cannot be moved aside .* busy.*: the stack is down, remove what"):
        purge(settings)
    assert settings.home.exists()


def test_a_home_in_which_the_project_lies_is_kept(tmp_path: Path) -> None:
    project = tmp_path / "lake" / "shop"
    project.mkdir(parents=True)
    (project / "tidemill.toml").write_text('home = "../.."\n')
    settings = load_settings({"TIDEMILL_PROJECT": str(project)})
    Folders.of(settings).create()
    with pytest.raises(PurgeRefusedError, match=r"holds .*shop: not removing it"):
        purge(settings)
    assert project.exists()


def test_all_that_the_page_of_operations_lists_is_the_stacks_own() -> None:
    page = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("| folder | holds |\n")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[1:]]
    listed = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert {"lake", "ports.json"} <= listed
    assert listed <= OWN


def test_stopping_what_never_ran_stops_nothing(settings: Settings) -> None:
    assert down(settings) == []
    assert not settings.home.exists()
