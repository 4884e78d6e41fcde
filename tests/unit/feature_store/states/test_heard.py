"""What a process has heard of states."""

import threading
from concurrent.futures import ThreadPoolExecutor

from feature_store.states import Applied
from feature_store.states.heard import Heard, heard_of
from tidemill.config import load_settings
from use_cases.churn.features import PURCHASES, RETURNS


def note(epoch: int, version: int) -> Applied:
    return Applied("a table", epoch, version, 0, 0)


def test_what_was_heard_never_goes_back() -> None:
    heard = Heard()
    for epoch, version in ((1, 5), (1, 4), (2, 0), (1, 9)):
        heard.hear(note(epoch, version))
    assert heard.position == (2, 0)


def test_of_many_that_hear_at_once_the_newest_is_kept() -> None:
    for _ in range(50):
        heard, start = Heard(), threading.Barrier(8)

        def listen(version: int, heard: Heard = heard, start: threading.Barrier = start) -> None:
            start.wait()
            heard.hear(note(1, version))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(listen, range(8)))
        assert heard.position == (1, 7)


def test_readers_of_one_store_and_group_share_it() -> None:
    settings = load_settings({"TIDEMILL_REDIS__PORT": "7001"})
    other = load_settings({"TIDEMILL_REDIS__PORT": "7002"})
    heard_of(settings, PURCHASES).hear(note(3, 1))
    assert heard_of(settings, PURCHASES).position == (3, 1)
    assert heard_of(settings, RETURNS).position == heard_of(other, PURCHASES).position == (0, -1)
