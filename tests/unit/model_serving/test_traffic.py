"""The traffic as the server knows it, from a real store in a file that comes, goes and is damaged."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_serving import traffic as traffic_module
from model_serving.traffic import TrafficFollower
from monitoring.control import ControlStore, control_store
from tests.unit.model_serving.rollouts import traffic
from tidemill.config import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})


@pytest.fixture
def file(settings: Settings) -> Path:
    return settings.home / "control.db"


@pytest.fixture
def store(settings: Settings) -> Iterator[ControlStore]:
    with control_store(settings) as made:
        made.prepare()
        yield made


def set_share(store: ControlStore, epoch: int, share: int) -> None:
    store.rollouts.change("churn", epoch, traffic(share), actor="test", reason="a test")


def share_of(follower: TrafficFollower) -> int | None:
    rollout = follower.of("churn")
    return None if rollout is None else rollout.traffic.share


def test_where_no_store_was_ever_made_there_is_no_traffic_no_trouble_and_still_no_store(
    settings: Settings, file: Path
) -> None:
    follower = TrafficFollower(settings, ["churn"])
    follower.refresh()

    assert (follower.of("churn"), follower.trouble, file.exists()) == (None, None, False)


def test_a_store_that_is_made_later_is_followed(settings: Settings, file: Path) -> None:
    follower = TrafficFollower(settings, ["churn", "fraud"])
    follower.refresh()
    with control_store(settings) as store:
        set_share(store, 0, 10)
    follower.refresh()

    assert share_of(follower) == 10
    assert follower.of("fraud") is None


def test_each_change_is_followed(settings: Settings, store: ControlStore) -> None:
    follower = TrafficFollower(settings, ["churn"])
    seen = []
    for epoch, share in enumerate((0, 10, 50, 0)):
        set_share(store, epoch, share)
        follower.refresh()
        seen.append((share_of(follower), follower.of("churn").epoch))  # type: ignore[union-attr]

    assert seen == [(0, 1), (10, 2), (50, 3), (0, 4)]


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_while_the_store_is_away_the_last_known_traffic_stays_and_it_is_told(
    settings: Settings, store: ControlStore, file: Path, how: str
) -> None:
    set_share(store, 0, 10)
    follower = TrafficFollower(settings, ["churn"])
    follower.refresh()
    store.close()
    follower.close()
    kept = Path(shutil.move(file, file.with_suffix(".kept")))
    if how == "damaged":
        file.write_bytes(b"no database" * 1000)
    follower.refresh()

    assert share_of(follower) == 10
    assert follower.trouble is not None
    assert "control store" in follower.trouble
    if how == "gone":
        assert not file.exists()  # looking for it must not make an empty one
    shutil.move(kept, file)
    follower.refresh()
    assert (share_of(follower), follower.trouble) == (10, None)


def test_a_store_that_was_silent_for_long_is_told_although_it_gave_no_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen database lets its reader wait."""
    now = [100.0]
    monkeypatch.setattr(traffic_module.time, "monotonic", lambda: now[0])
    follower = TrafficFollower(settings, ["churn"])
    follower.refresh()
    now[0] += 9
    assert follower.trouble is None
    now[0] += 2

    assert follower.trouble == "the control store has not answered for 11 s"
