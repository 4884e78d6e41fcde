"""A batch taken apart: every message is settled once, whatever kills, and wherever the process ends meanwhile."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stream_processing.spark_streaming.queries.states import QueryStates
from stream_processing.spark_streaming.taking_apart import halving as taking_apart
from stream_processing.spark_streaming.taking_apart import unprocessable
from stream_processing.spark_streaming.taking_apart.halving import (
    Pending,
    Position,
    TakingApart,
    TrialImpossibleError,
)
from stream_processing.spark_streaming.taking_apart.offset_ranges import OffsetRange, Part, halves, size
from stream_processing.spark_streaming.taking_apart.trial import TrialFailedError
from stream_processing.spark_streaming.taking_apart.unprocessable import Unprocessable
from tidemill.config import Settings

Key = tuple[int, int, int]
WHOLE = (OffsetRange(1, 0, 0, 99), OffsetRange(1, 1, 500, 500), OffsetRange(2, 0, 0, 49))


def keys(part: Part) -> list[Key]:
    return [
        (offsets.generation, offsets.partition, offset)
        for offsets in part
        for offset in range(offsets.first, offsets.last + 1)
    ]


@dataclass
class Notes:
    """Where the application was, as its file has it: what is noted is there also after a kill."""

    batch: int = -1
    left: list[Pending] = field(default_factory=list)

    def load(self, batch_id: int) -> list[Pending]:
        return list(self.left) if batch_id == self.batch else []

    def save(self, batch_id: int, left: list[Pending]) -> None:
        self.batch, self.left = batch_id, list(left)

    def clear(self) -> None:
        self.batch, self.left = -1, []


@dataclass
class World:
    """Messages that kill every trial they are in, and what becomes of all."""

    bad: Collection[Key]
    notes: Notes = field(default_factory=Notes)
    written: list[Key] = field(default_factory=list)
    condemned: list[Key] = field(default_factory=list)
    trials: list[Part] = field(default_factory=list)
    on_step: Callable[[], None] = lambda: None

    def passes(self, part: Part, share: float) -> bool:
        self.on_step()
        assert share == size(part) / size(WHOLE) or not part
        self.trials.append(part)
        return not set(self.bad).intersection(keys(part))

    def write(self, part: Part) -> None:
        self.on_step()
        self.written += keys(part)

    def condemn(self, part: Part) -> None:
        self.on_step()
        self.condemned += keys(part)

    def settle(self) -> None:
        position = cast(Position, self.notes)
        TakingApart(self.passes, self.write, self.condemn, position, lambda _: None).settle(7, WHOLE)


@pytest.mark.parametrize(
    "bad",
    [set(), {(1, 0, 0)}, {(1, 1, 500)}, {(2, 0, 49)}, {(1, 0, 41), (1, 0, 42), (2, 0, 7)}],
    ids=["none", "the first", "alone in its partition", "the last", "three"],
)
def test_exactly_the_bad_messages_are_condemned_and_all_others_written_once(bad: set[Key]) -> None:
    world = World(bad)
    world.settle()
    assert sorted(world.condemned) == sorted(bad)
    assert sorted(world.written) == sorted(set(keys(WHOLE)) - bad)
    assert world.notes.left == []


def test_each_is_condemned_only_after_three_trials_alone_and_one_of_a_good_message() -> None:
    world = World({(1, 0, 63)})
    world.settle()
    alone = (OffsetRange(1, 0, 63, 63),)
    assert world.trials[-4:].count(alone) <= 3
    assert world.trials.count(alone) == 3
    assert world.trials[world.trials.index(alone) + 3] == ()


def test_one_bad_message_of_many_takes_at_most_two_trials_a_halving() -> None:
    world = World({(1, 0, 63)})
    world.settle()
    assert len(world.trials) <= 1 + 2 * 10 + 4


def test_an_ordinary_failure_of_the_lake_blames_no_message() -> None:
    """Silver away for an hour: sixty tries, none of which says anything of a message."""
    world, away = World(set()), [True]

    def write(part: Part) -> None:
        if away[0]:
            raise OSError("silver is not writable")
        world.written += keys(part)

    world.write = write  # type: ignore[method-assign]
    for _ in range(60):
        with pytest.raises(OSError, match="not writable"):
            world.settle()
    away[0] = False
    world.settle()
    assert world.condemned == []
    assert set(world.written) == set(keys(WHOLE))


def test_where_the_process_ends_at_any_step_the_next_goes_on_and_nothing_is_lost() -> None:
    rng, bad = random.Random(7), {(1, 0, 41), (2, 0, 7)}
    world = World(bad)

    def end_sometimes() -> None:
        if rng.random() < 0.3:
            raise SystemExit

    world.on_step = end_sometimes
    for _ in range(200):
        try:
            world.settle()
        except SystemExit:
            continue
        break
    assert set(world.condemned) == bad
    assert set(world.written) == set(keys(WHOLE)) - bad


def test_a_message_that_passes_its_trials_and_kills_the_application_is_found_too() -> None:
    world = World(set())
    bad = (1, 0, 41)

    def write(part: Part) -> None:
        if bad in keys(part):
            raise SystemExit
        world.written += keys(part)

    world.write = write  # type: ignore[method-assign]
    for _ in range(100):
        try:
            world.settle()
        except SystemExit:
            continue
        break
    assert world.condemned == [bad]
    assert sorted(world.written) == sorted(set(keys(WHOLE)) - {bad})


def test_where_a_trial_of_a_good_message_fails_too_no_message_is_blamed() -> None:
    world = World(set())
    world.passes = lambda part, share: False  # type: ignore[method-assign]
    with pytest.raises(TrialImpossibleError, match="cannot be taken apart"):
        world.settle()
    assert world.condemned == []
    assert sum(size(pending.part) for pending in world.notes.left) == size(WHOLE)


def test_a_message_that_killed_the_application_is_not_blamed_either_where_a_good_one_does_not_pass() -> None:
    alone = (OffsetRange(1, 0, 63, 63),)
    notes = Notes(7, [Pending(alone, writes=3)])
    world = World(set(), notes)
    world.passes = lambda part, share: False  # type: ignore[method-assign]
    with pytest.raises(TrialImpossibleError):
        world.settle()
    assert (world.condemned, notes.left) == ([], [Pending(alone, writes=3)])


def test_a_trial_that_fails_in_an_ordinary_way_condemns_nothing_and_is_repeated_where_it_was() -> None:
    world, is_full = World({(1, 0, 63)}), [True]
    tried = world.passes

    def passes(part: Part, share: float) -> bool:
        if is_full[0] and size(part) == 1:
            raise TrialFailedError("no space left on device")
        return tried(part, share)

    world.passes = passes  # type: ignore[method-assign]
    for _ in range(5):
        with pytest.raises(TrialFailedError):
            world.settle()
    assert world.condemned == []
    is_full[0] = False
    world.settle()
    assert world.condemned == [(1, 0, 63)]
    assert sorted(world.written) == sorted(set(keys(WHOLE)) - {(1, 0, 63)})


def test_trials_share_no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark is not there: what is given to a trial is noted, and what is removed."""
    scratches: list[str] = []
    removed: list[str] = []

    def passes(_settings: Settings, _topic: str, scratch: str, _part: Part, _share: float) -> bool:
        scratches.append(scratch)
        raise TrialFailedError("the disk is full")

    monkeypatch.setattr(unprocessable.trial, "passes", passes)
    monkeypatch.setattr(unprocessable, "remove", lambda _, folder: removed.append(folder))
    monkeypatch.setattr(unprocessable, "ranges_of", lambda _: WHOLE)
    monkeypatch.setattr(unprocessable, "Position", lambda *_: Notes())
    searched = Unprocessable(Settings(), "shop.click.v1", QueryStates())
    for _ in range(2):
        with pytest.raises(TrialFailedError):
            searched.take_apart(cast(Any, SimpleNamespace(sparkSession=None)), 7, lambda _: None)
    assert len(set(scratches)) == 2
    assert all(scratch.startswith(f"{folder}/") for scratch, folder in zip(scratches, removed, strict=True))


@pytest.mark.parametrize("part", [WHOLE, WHOLE[:1], (OffsetRange(1, 0, 8, 9),)], ids=["three", "one range", "two"])
def test_halves_are_the_whole_and_neither_is_empty(part: Part) -> None:
    left, right = halves(part)
    assert keys(left) + keys(right) == keys(part)
    assert min(size(left), size(right)) > 0


def test_a_note_is_read_back_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str] = {}
    monkeypatch.setattr(taking_apart, "write_text", lambda _, file, text: files.update({file: text}))
    monkeypatch.setattr(taking_apart, "read_text", lambda _, file: files.get(file, ""))
    left = [Pending(WHOLE), Pending(WHOLE[:1], is_bad=True, has_twin=True, writes=2)]
    position = Position(cast(Any, None), Settings(), "silver/t")
    position.save(7, left)
    assert (position.load(7), position.load(8)) == (left, [])
    (file,) = files
    files[file] = files[file][:-5]
    assert position.load(7) == []
