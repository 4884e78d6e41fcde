"""Who looks after the states of several groups."""

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from stream_processing.spark_streaming import state_watch
from stream_processing.spark_streaming.state_watch import StateWatch
from tidemill.config import load_settings


@dataclass
class Keeper:
    """Stands in for one with Redis and Spark: its repair takes as long as it is told to."""

    may_end: threading.Event
    looks: int = 0
    looked: threading.Event = field(default_factory=threading.Event)
    ledger: str = "there is one"
    lock: Any = field(default_factory=threading.RLock)

    def look(self) -> None:
        self.looks += 1
        if self.looks >= 3:
            self.looked.set()
        assert self.may_end.wait(30)

    def has_other_table(self) -> bool:
        return False

    def scrub(self, _buckets: int) -> None: ...


@dataclass
class Query:
    name: str
    keeper: Keeper


def test_while_the_states_of_one_group_are_repaired_the_others_are_looked_after_and_all_end_with_the_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_watch, "LOOK_S", 0.01)
    repaired, at_once, stop = threading.Event(), threading.Event(), threading.Event()
    at_once.set()
    slow, quick = Keeper(repaired), Keeper(at_once)
    watch = StateWatch(load_settings(), cast("Any", [Query("slow", slow), Query("quick", quick)]))
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    assert quick.looked.wait(10)
    assert slow.looks == 1
    stop.set()
    repaired.set()
    thread.join(10)
    assert not thread.is_alive()
