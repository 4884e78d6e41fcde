"""Tiles, whatever the batches, replays and delays they are made from, give what the judge computes."""

import importlib
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from feature_store.columns.events import Column, Events
from feature_store.definitions import LIFETIME, FeatureGroup, column, days, hours, minutes
from feature_store.definitions.windows import micros, tail
from feature_store.tiles import (
    MARGIN,
    MOST_AHEAD,
    MOST_PENDING,
    REBUILDING_MARK,
    Layout,
    StateError,
    Status,
    apply,
    quantiles,
    values,
)
from feature_store.tiles.compiled import compiled
from feature_store.tiles.merge import Plan, merge
from tests.cases.naive_windows import Happened
from tests.cases.window_histories import (
    DAY,
    GROUP,
    HOUR,
    MINUTE,
    RICH,
    UNFILTERED,
    amount,
    as_columns,
    assert_agrees,
    happened,
    histories,
    mixed_magnitudes,
)

ENTITIES = 4
LAYOUT = Layout.of(GROUP)
PLAN = Plan.of(LAYOUT)
States = list[bytes | None]
SOON = (0, 1, 30_000_000, MINUTE, HOUR, 13 * DAY)
LATER = (-micros(MARGIN), -micros(MARGIN), 1 - micros(MARGIN), 0, 1, 5 * MINUTE, HOUR, DAY, 13 * DAY)


def committed(
    layout: Layout, states: list[bytes | None], batch: list[tuple[int, Happened]], now: int
) -> list[bytes | None]:
    """``states`` after the commits in ``batch``, given as (version, event)."""
    versions = np.array([version for version, _ in batch], dtype=np.int64)
    return [*apply(layout, states, as_columns([event for _, event in batch]), versions, now)]


@pytest.mark.parametrize("group", [GROUP, RICH, UNFILTERED], ids=lambda group: group.name)
@settings(max_examples=200)
@given(data=st.data())
def test_tiles_agree_with_the_judge(group: FeatureGroup, data: Any) -> None:
    history = data.draw(histories())
    commits = sorted((data.draw(st.integers(1, 5), label="commit"), number) for number in range(len(history)))
    batch = [(version, history[number]) for version, number in commits]
    clock = sorted(data.draw(st.lists(st.sampled_from(moments_near(history)), min_size=5, max_size=5), label="clock"))
    layout = Layout.of(group)
    states: States = [None] * ENTITIES
    for now, upto in zip(clock, range(1, 6), strict=True):
        since = data.draw(st.integers(1, upto), label="replayed from")
        states = committed(layout, states, [one for one in batch if since <= one[0] <= upto], now)
    asked = [(entity, clock[-1] + data.draw(st.sampled_from(LATER))) for entity in range(ENTITIES)]
    merged = merge(Plan.of(layout), states, np.array([time for _, time in asked]))
    assert list(merged.status) == [Status.OK] * ENTITIES
    assert_agrees(merged.features, history, asked, group)


@pytest.mark.parametrize("group", [GROUP, RICH], ids=lambda group: group.name)
def test_a_window_begins_with_its_tail_and_ends_before_its_time(group: FeatureGroup) -> None:
    layout, now = Layout.of(group), 19_783 * DAY + 17 * HOUR + 23 * MINUTE + 1
    begins = [tail(now, window) for window in layout.windows if window != LIFETIME]
    for edge in (*begins, now):
        times = (edge, edge - 1, edge + 1)
        history = [happened((entity, at), entity, 5.0, "card", 0) for entity, at in enumerate(times)]
        for applied in (edge, now):
            states = committed(layout, [None] * ENTITIES, [(1, event) for event in history], applied)
            asked = [(entity, now) for entity in range(len(times))]
            merged = merge(Plan.of(layout), states[: len(times)], np.full(len(times), now))
            assert_agrees(merged.features, history, asked, group)


@pytest.mark.parametrize("largest", [9, 15, 40])
def test_a_sum_is_right_whatever_is_in_the_same_batch(largest: int) -> None:
    history = mixed_magnitudes(largest)
    states: States = [None] * ENTITIES
    for version, since in enumerate(range(0, len(history), 15)):
        batch = history[since : since + 15]
        states = committed(LAYOUT, states, [(version, event) for event in batch], batch[-1].time + 1)
        asked = [(entity, batch[-1].time + HOUR) for entity in range(ENTITIES)]
        merged = merge(PLAN, states, np.array([time for _, time in asked]))
        assert_agrees(merged.features, history[: since + 15], asked)


def moments_near(history: list[Happened]) -> list[int]:
    return [event.time + ahead for event in history for ahead in SOON] or [0]


def test_many_distinct_values_are_estimated_within_the_published_error() -> None:
    group = FeatureGroup(
        "wide", GROUP.entity, GROUP.source, (column("item").count_distinct(),), windows=(days(1), days(7), LIFETIME)
    )
    truth = {"1d": 300, "7d": 3_000, "all": 30_000}
    now = 1_000 * DAY
    items = np.concatenate([np.arange(truth["all"]), np.arange(truth["7d"]), np.arange(truth["1d"])])
    ages = np.repeat([20 * DAY, 3 * DAY, HOUR], list(truth.values())[::-1])
    merged = merged_in_batches(Layout.of(group), now - ages, Column(items, np.ones(len(items), dtype=np.bool_)), "item")
    for window, expected in truth.items():
        found = merged[f"wide__item_count_distinct_{window}"]
        assert abs(found - expected) <= 3 * 1.04 / math.sqrt(2048) * expected


CROWD = FeatureGroup(
    "crowd", GROUP.entity, GROUP.source, (column("item").count_distinct(),), windows=(days(30), days(90))
)


def crowd(later: int) -> tuple[NDArray[np.int64], Column]:
    """Times and values of 300 items within a day, and of a new one on each of the ``later`` days up to day 999."""
    times = np.concatenate([np.arange(300) * MINUTE, np.arange(1, later + 1) * DAY]) + (999 - later) * DAY
    return times, Column(np.arange(len(times)), np.ones(len(times), dtype=np.bool_))


@pytest.mark.parametrize(("later", "in_90_days"), [(90, 90), (400, 90), (89, 389), (31, 331)])
def test_distinct_values_after_a_crowd_are_counted_exactly(later: int, in_90_days: int) -> None:
    merged = merged_in_batches(Layout.of(CROWD), *crowd(later), "item")
    assert merged["crowd__item_count_distinct_30d"] == 30
    is_exact = in_90_days == 90
    assert merged["crowd__item_count_distinct_90d"] == pytest.approx(in_90_days, rel=0 if is_exact else 3 * 0.023)


def test_a_crowd_is_estimated_as_the_same_number_whatever_the_batches() -> None:
    in_batches, at_once = (merged_in_batches(Layout.of(CROWD), *crowd(60), "item", batches) for batches in (11, 1))
    name = "crowd__item_count_distinct_90d"
    assert in_batches[name] == at_once[name]
    assert in_batches[name] != 360


def test_quantiles_of_many_values_have_a_rank_within_the_published_error() -> None:
    group = FeatureGroup(
        "deep", GROUP.entity, GROUP.source, (amount.quantiles(0.1, 0.5, 0.99),), windows=(days(1), days(30), LIFETIME)
    )
    numbers = np.random.default_rng(7).lognormal(size=20_000)
    ages = np.linspace(40 * DAY, HOUR, len(numbers)).astype(np.int64)
    now = 1_000 * DAY
    merged = merged_in_batches(
        Layout.of(group), now - ages, Column(numbers, np.ones(len(numbers), dtype=np.bool_)), "amount"
    )
    for window, length in {"1d": DAY, "30d": 30 * DAY, "all": 100 * DAY}.items():
        seen = numbers[ages <= length]
        for name, share in {"p10": 0.1, "p50": 0.5, "p99": 0.99}.items():
            rank = float((seen <= merged[f"deep__amount_{name}_{window}"]).mean())
            assert abs(rank - share) <= 0.0165 + 1 / len(seen)


def merged_in_batches(
    layout: Layout, times: NDArray[np.int64], column: Column, name: str, batches: int = 11
) -> dict[str, float]:
    """The features on day 1,000 of one entity whose events were applied in so many commits."""
    state: States = [None]
    order = np.argsort(times, kind="stable")
    for version, chosen in enumerate(np.array_split(order, batches)):
        ties = chosen.astype(np.uint64)
        events = Events(np.zeros(len(chosen), dtype=np.int64), times[chosen], ties, {name: column.take(chosen)})
        state = [*apply(layout, state, events, np.full(len(chosen), version), int(times[chosen[-1]]) + 2 * MINUTE)]
    merged = merge(Plan.of(layout), state, np.array([1_000 * DAY]))
    return {feature: float(values[0]) for feature, values in merged.features.items()}


EVENT = Happened(0, 10 * DAY, 1, {"amount": 5.0, "kind": "card", "item": 1}, 10 * DAY)
STATE = apply(LAYOUT, [None], as_columns([EVENT]), np.array([3]), 11 * DAY)[0]


@given(st.binary(max_size=400).filter(lambda state: state != REBUILDING_MARK))
def test_random_bytes_are_unreadable(state: bytes) -> None:
    merged = merge(PLAN, [state, STATE], np.array([11 * DAY, 11 * DAY]))
    assert list(merged.status) == [Status.UNREADABLE, Status.OK]
    assert all(math.isnan(values[0]) for values in merged.features.values())
    assert merged.features["payments__amount_sum_7d"][1] == 5.0


def test_a_mark_has_no_values_and_takes_no_events() -> None:
    merged = merge(PLAN, [REBUILDING_MARK, STATE], np.array([11 * DAY, 11 * DAY]))
    assert list(merged.status) == [Status.REBUILDING, Status.OK]
    assert all(math.isnan(values[0]) for values in merged.features.values())
    with pytest.raises(StateError, match="state 0 is REBUILDING"):
        apply(LAYOUT, [REBUILDING_MARK], as_columns([EVENT]), np.array([3]), 11 * DAY)


@given(st.integers(0, len(STATE) - 1), st.integers(1, 255))
def test_a_damaged_state_is_never_taken_for_a_good_one(position: int, damage: int) -> None:
    damaged = bytes([*STATE[:position], STATE[position] ^ damage, *STATE[position + 1 :]])
    assert merge(PLAN, [damaged], np.array([11 * DAY])).status[0] == Status.UNREADABLE
    assert merge(PLAN, [STATE[:position]], np.array([11 * DAY])).status[0] == Status.UNREADABLE


def test_an_apply_by_a_slow_clock_takes_no_event_for_older_than_it_was() -> None:
    later = apply(LAYOUT, [STATE], as_columns([]), np.zeros(0, dtype=np.int64), 10 * DAY)
    merged = merge(PLAN, later, np.array([11 * DAY]))
    assert list(merged.header.time) == [11 * DAY]
    assert list(merged.header.version) == [3]


def test_no_state_is_an_entity_without_events() -> None:
    merged = merge(PLAN, [None], np.array([11 * DAY]))
    assert list(merged.status) == [Status.NO_STATE]
    assert_agrees(merged.features, [], [(0, 11 * DAY)])


def test_the_state_of_another_definition_has_no_values_and_takes_no_events() -> None:
    other = Layout.of(RICH)
    merged = merge(Plan.of(other), [STATE], np.array([11 * DAY]))
    assert list(merged.status) == [Status.OTHER_FINGERPRINT]
    assert all(math.isnan(values[0]) for values in merged.features.values())
    with pytest.raises(StateError, match=r"rich: state 0 is OTHER_FINGERPRINT, 1 in all: it must be made anew"):
        apply(other, [STATE], as_columns([EVENT]), np.array([4]), 11 * DAY)


def test_a_state_is_stale_beyond_the_groups_limit_and_keeps_its_values() -> None:
    layout = Layout.of(replace(GROUP, stale_after=hours(1)))
    at = [11 * DAY + HOUR, 11 * DAY + HOUR + 1]
    merged = merge(Plan.of(layout), [STATE, STATE], np.array(at))
    assert list(merged.status) == [Status.OK, Status.STALE]
    assert list(merged.features["payments__amount_sum_all"]) == [5.0, 5.0]


def test_a_state_does_not_grow_with_what_no_window_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "MOST_EXACT", 4)
    several = (*GROUP.aggregations, amount.quantiles(0.5), column("item").count_distinct(), amount.last_k(5))
    layout = Layout.of(replace(GROUP, windows=(minutes(5), hours(12), days(13)), aggregations=several))
    state: States = [None]
    sizes = []
    for number in range(4 * 40):
        values = {"amount": float(number), "kind": "card", "item": number}
        event = replace(EVENT, time=number * 6 * HOUR, values=values)
        state = [*apply(layout, state, as_columns([event]), np.array([number]), number * 6 * HOUR)]
        sizes.append(len(state[0] or b""))
    assert max(sizes) <= 1.01 * max(sizes[: 4 * 20])


SECOND = 1_000_000
NOW = 20 * DAY + 17 * MINUTE


def at_times(times: list[int]) -> Events:
    return as_columns([replace(EVENT, time=time, tie=number) for number, time in enumerate(times)])


def asked(state: States, *times: int) -> tuple[list[Status], list[float]]:
    """The statuses at each of ``times``, and how many events there were then."""
    merged = merge(PLAN, state * len(times), np.array(times))
    counts = merged.features["payments__count_all"]
    return [Status(status) for status in merged.status], [-1.0 if math.isnan(one) else one for one in counts]


def test_an_event_ahead_of_the_clock_never_counts_before_its_time() -> None:
    ahead = [NOW + HOUR + number for number in range(MOST_AHEAD + 2_000)]
    first_left_out = ahead[MOST_AHEAD]
    state: States = [None]
    sizes = []
    for version in range(4):  # late news of the same times, too
        times = ahead if version == 0 else [NOW + HOUR + 5] * 3_000
        versions = np.full(len(times), version)
        state = [*apply(LAYOUT, state, at_times(times), versions, NOW + version * SECOND)]
        sizes.append(len(state[0] or b""))
    assert asked(state, NOW + 5 * SECOND, NOW + HOUR) == ([Status.OK] * 2, [0.0, 0.0])
    assert asked(state, NOW + 2 * HOUR) == ([Status.REBUILDING], [-1.0])
    assert max(sizes) < 2 * MOST_AHEAD * LAYOUT.event.itemsize

    (whole,) = apply(LAYOUT, [None], at_times(ahead), np.zeros(len(ahead), dtype=np.int64), NOW)
    assert asked([whole], first_left_out, first_left_out + 1) == ([Status.OK, Status.REBUILDING], [MOST_AHEAD, -1.0])
    (anew,) = apply(LAYOUT, [None], at_times(ahead), np.zeros(len(ahead), dtype=np.int64), ahead[-1] + 1)
    assert asked([anew], ahead[-1] + 1) == ([Status.OK], [float(len(ahead))])


def test_what_was_folded_early_is_not_asked_about_before_its_time() -> None:
    events = [NOW - 20 * SECOND + number for number in range(3_000)]
    state = [*apply(LAYOUT, [None], at_times(events), np.zeros(len(events), dtype=np.int64), NOW)]
    folded = events[-MOST_PENDING - 1]
    assert asked(state, NOW - 30 * SECOND, folded, folded + 1, NOW) == (
        [Status.PAST, Status.PAST, Status.OK, Status.OK],
        [-1.0, -1.0, 3_000.0 - MOST_PENDING, 3_000.0],
    )


@settings(max_examples=200)
@given(data=st.data())
def test_what_is_answered_as_right_is_what_the_judge_computes_at_any_bound(data: Any) -> None:
    history = data.draw(histories())
    commits = sorted((data.draw(st.integers(1, 3), label="commit"), number) for number in range(len(history)))
    clock = sorted(data.draw(st.lists(st.sampled_from(moments_near(history)), min_size=3, max_size=3), label="clock"))
    states: States = [None] * ENTITIES
    with pytest.MonkeyPatch.context() as patched:
        for name in ("MOST_PENDING", "MOST_AHEAD"):
            patched.setattr(sys.modules[apply.__module__], name, data.draw(st.integers(1, 3), label=name))
        for upto, now in enumerate(clock, 1):
            batch = [(version, history[number]) for version, number in commits if version == upto]
            states = committed(LAYOUT, states, batch, now)
    times = [data.draw(st.sampled_from(moments_near(history)), label="asked") for _ in range(ENTITIES)]
    merged = merge(PLAN, states, np.array(times))
    right = [number for number, status in enumerate(merged.status) if status <= Status.NO_STATE]
    chosen = {name: values[right] for name, values in merged.features.items()}
    assert_agrees(chosen, history, [(number, times[number]) for number in right])
    for number in set(range(ENTITIES)) - set(right):
        assert merged.status[number] in (Status.PAST, Status.REBUILDING)
        assert all(math.isnan(values[number]) for values in merged.features.values())


def test_no_request_waits_for_a_loop_to_be_compiled() -> None:
    for layout in (LAYOUT, Layout.of(RICH)):
        (state,) = apply(layout, [None], as_columns([EVENT]), np.array([3]), 11 * DAY)
        for states in ([None], [state], [state, None], [b"", state] * 40):
            merge(Plan.of(layout), states, np.full(len(states), 11 * DAY))
    assert len(values._values.signatures) == 1  # type: ignore[attr-defined]


def test_machine_code_of_other_sources_is_not_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_loop.py").write_text("def twice(number): return 2 * number")
    monkeypatch.syspath_prepend(tmp_path)
    twice = importlib.import_module("some_loop").twice
    for sources, is_cached in (("before", False), ("before", True), ("after", False)):
        loop = compiled(twice, sources)
        assert loop(21) == 42
        assert bool(loop.stats.cache_hits) is is_cached  # type: ignore[attr-defined]
