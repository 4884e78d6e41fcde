import pytest

from tidemill.config import Settings
from tidemill.config.errors import TerminalError
from tidemill.demo import ending


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each stack that was stopped."""
    stacks: list[Settings] = []
    monkeypatch.setattr(ending, "down", stacks.append)
    return stacks


def test_a_demo_that_fails_leaves_no_stack_where_it_was_to_stop_it(settings: Settings, stopped: list[Settings]) -> None:
    with pytest.raises(TerminalError, match="it took too long"), ending.stack_ends(settings, True):
        assert stopped == []
        raise TerminalError("it took too long")
    assert stopped == [settings]


def test_a_demo_leaves_its_stack_to_look_at(settings: Settings, stopped: list[Settings]) -> None:
    with ending.stack_ends(settings, False):
        pass
    assert stopped == []
