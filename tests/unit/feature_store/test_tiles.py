"""Tiles, whatever the batches, replays and delays they are made from, give what the judge computes."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.tiles import MARGIN, Layout, Status, apply, merge
from feature_store.windows import micros
from tests.cases.naive_windows import Happened
from tests.cases.window_histories import GROUP, as_columns, assert_agrees, histories

LAYOUT = Layout.of(GROUP)
ENTITIES = 4
AHEAD = (0, 1, -micros(MARGIN), 1 - micros(MARGIN), 300_000_000, 3_600_000_000, 86_400_000_000, 13 * 86_400_000_000)


def committed(states: list[bytes | None], batch: list[tuple[int, Happened]], now: int) -> list[bytes | None]:
    """``states`` after the commits in ``batch``, given as (version, event)."""
    versions = np.array([version for version, _ in batch], dtype=np.int64)
    return [*apply(LAYOUT, states, as_columns([event for _, event in batch]), versions, now)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_tiles_agree_with_the_judge(data: Any) -> None:
    history = data.draw(histories())
    commits = sorted((data.draw(st.integers(1, 5), label="commit"), number) for number in range(len(history)))
    batch = [(version, history[number]) for version, number in commits]
    clock = sorted(data.draw(st.lists(st.sampled_from(moments_near(history)), min_size=5, max_size=5), label="clock"))
    states: list[bytes | None] = [None] * ENTITIES
    for now, upto in zip(clock, range(1, 6), strict=True):
        since = data.draw(st.integers(1, upto), label="replayed from")
        states = committed(states, [one for one in batch if since <= one[0] <= upto], now)
    asked = [(entity, clock[-1] + data.draw(st.sampled_from(AHEAD))) for entity in range(ENTITIES)]
    merged = merge(LAYOUT, states, np.array([time for _, time in asked]))
    assert list(merged.status) == [Status.OK] * ENTITIES
    assert_agrees(merged.features, history, asked)


def moments_near(history: list[Happened]) -> list[int]:
    return [event.time + ahead for event in history for ahead in AHEAD] or [0]
