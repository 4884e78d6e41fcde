"""A user id that the system has no name for, as a container may be given."""

import pytest

from tidemill.config.settings import ConfigError, load_settings
from tidemill.config.user import UnnamedUserError, check_named, own_home, user_name

NOBODYS_ID = 2**31 - 9


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: NOBODYS_ID)


def test_the_name_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnnamedUserError, match=rf"user id {NOBODYS_ID} has no name: .* --by, or set USER"):
        user_name()
    monkeypatch.setenv("USER", "ada")
    assert user_name() == "ada"


def test_what_java_needs_is_told_as_the_line_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("HOME", "/home/ada")
    with pytest.raises(UnnamedUserError, match=rf"add the line tidemill:x:{NOBODYS_ID}:\d+::/home/ada:/bin/sh to it"):
        check_named()


def test_nobody_has_no_home_folder() -> None:
    assert own_home() is None


def test_a_home_that_needs_the_users_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"home = '~/data' in environment TIDEMILL_HOME: .* give the whole path"):
        load_settings({"TIDEMILL_HOME": "~/data"})
