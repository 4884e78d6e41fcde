"""A few days of the loop, from the look to the promotion."""

from collections.abc import Callable

import numpy as np
import pytest
from loop_life import Life, Loop, SetClock, Setting, Trainings
from loop_rollout import served
from loop_world import DAY, NONE, Asked, Drift, World, asked

from monitoring.control import ControlStore, Source, State
from tests.unit.benchmarks.drawn import random

BEGIN, ONSET, DAYS, A_DAY = 330, 2, 12, 400
Lived = tuple[Life, Asked, ControlStore]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[ControlStore, SetClock]:
    clock = SetClock()
    return ControlStore(f"sqlite:///{tmp_path_factory.mktemp('control')}/control.db", clock), clock


@pytest.fixture(scope="module")
def lived(store: tuple[ControlStore, SetClock]) -> Callable[[Drift], Lived]:
    def live(drift: Drift) -> Lived:
        everything = asked(random(5), drift, BEGIN + ONSET, BEGIN + DAYS, A_DAY)
        answered = served(random(6), len(everything))
        setting = Setting(everything, answered, Trainings(everything), BEGIN, BEGIN + DAYS)
        return Loop(setting, *store, drift.kind).lived(), everything, store[0]

    return live


def test_without_drift_nothing_happens_and_the_champion_answers(lived: Callable[[Drift], Lived]) -> None:
    life, everything, store = lived(NONE)
    assert (life.found, life.requested, life.trained, life.promoted) == ([], [], [], [])
    champion = Trainings(everything).of(BEGIN)
    of_year = everything.between(BEGIN * DAY, (BEGIN + DAYS) * DAY)
    assert life.said[of_year] == pytest.approx(champion.scores(everything.x[of_year]))
    assert not store.requests.newest(NONE.kind)


def test_a_large_drift_leads_to_one_request_and_over_a_canary_to_a_new_champion(
    lived: Callable[[Drift], Lived],
) -> None:
    life, everything, store = lived(Drift("shift", "", World(shift=2.0)))
    first, source = life.found[0]
    assert source is Source.DRIFT
    assert ONSET < first / DAY - BEGIN <= ONSET + 1
    oldest = store.requests.newest("shift")[-1]
    assert oldest.asked > 1
    assert oldest.state is State.PROMOTED
    # 200 answers at 10 per cent of 400 a day take five days, at 50 per cent one, and at all of them half a day.
    assert 5 < (life.promoted[0].at - life.trained[0]) / DAY < 8
    after = everything.between(life.promoted[0].at, life.promoted[0].at + DAY / 4)
    challenger = Trainings(everything).of(int(life.trained[0] // DAY))
    failed_at_most = 0.05
    differs = ~np.isclose(life.said[after], challenger.scores(everything.x[after]))
    assert differs.mean() < failed_at_most
