"""The folder of supervisord's socket where the home's path is too long for one."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.stack import folders as module
from tidemill.stack.folders import Folders, SocketFolderError


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Of a home whose socket is outside it."""
    monkeypatch.setattr(module, "SHORT", tmp_path)
    folders = Folders(tmp_path / Path(*["folder"] * 30))
    folders.create()
    return folders


def test_only_who_needs_the_socket_makes_its_folder(deep: Folders, tmp_path: Path) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {"folder"}
    deep.create_socket_folder()
    deep.create_socket_folder()
    assert stat.S_IMODE(deep.socket.parent.stat().st_mode) == 0o700
    deep.remove_socket()
    assert {path.name for path in tmp_path.iterdir()} == {"folder"}


def open_to_all(place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)


def a_link(place: Path) -> None:
    (place.parent / "elsewhere").mkdir(mode=0o700)
    place.symlink_to("elsewhere")


def another_users(place: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make one")
    place.mkdir(mode=0o700)
    os.chown(place, 65534, -1)


@pytest.mark.parametrize("make", [open_to_all, a_link, another_users])
def test_a_folder_that_is_not_ones_own_is_refused(deep: Folders, make: Callable[[Path], None]) -> None:
    make(deep.socket.parent)
    with pytest.raises(SocketFolderError, match=f"^{deep.socket.parent}, .* is not a folder of yours alone: remove it"):
        deep.create_socket_folder()
