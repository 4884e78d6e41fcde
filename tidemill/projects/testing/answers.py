"""The features of a group or a service, once by each of those who compute them.

Backfill is the kernel that training runs in Spark; a state is what the stream keeps of an entity, which a request
merges at its own time; the judge is a loop over the events.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.columns.derived import service_features
from feature_store.columns.events import Queries
from feature_store.definitions import Feature, FeatureGroup, FeatureService, Function
from feature_store.judge.naive import Happened, naive_expression, naive_value, naive_window
from feature_store.kernel import compute
from feature_store.online.merging import merge_service
from feature_store.tiles import Layout, Status, apply
from feature_store.tiles.merge import Plan, merge
from tidemill.projects.testing.given import History

Value = float | None
READABLE = (Status.OK, Status.STALE, Status.NO_STATE)
SUMMED = (Function.SUM, Function.MEAN, Function.STD)


@dataclass(frozen=True)
class Difference:
    """Two that should say the same of a feature do not."""

    feature: str
    who: str
    said: Value
    judged: Value

    def __str__(self) -> str:
        return f"{self.feature}: {self.who} says {self.said}, the judge says {self.judged}"


def judged(history: History, entity: int, time: int) -> dict[str, Value]:
    """What the judge says of each feature."""
    return {of.name: naive_value(of, history.happened, entity, time) for of in history.group.features}


def backfilled(history: History, entity: int, time: int) -> dict[str, Value]:
    """What training sees."""
    queries = Queries(np.array([entity], dtype=np.int64), np.array([time], dtype=np.int64))
    found = compute(history.group, history.events, queries)
    return {name: optional(values[0]) for name, values in found.items()}


def states(history: History, commits: Sequence[tuple[int, Sequence[int]]]) -> list[bytes | None]:
    """The state of each entity after commits of the events at these positions, each with the time it was applied at."""
    layout, made = Layout.of(history.group), [None] * len(history.entities)
    kept: list[bytes | None] = list(made)
    for version, (applied, chosen) in enumerate(commits):
        events = history.events.take(np.array(chosen, dtype=np.int64))
        kept = [*apply(layout, kept, events, np.full(len(chosen), version, dtype=np.int64), applied)]
    return kept


def merged(history: History, kept: Sequence[bytes | None], entity: int, time: int) -> dict[str, Value] | None:
    """What a request reads of a state; None where the state does not answer for that time."""
    found = merge(Plan.of(Layout.of(history.group)), [kept[entity]], np.array([time], dtype=np.int64))
    if found.status[0] not in READABLE:
        return None
    return {name: optional(values[0]) for name, values in found.features.items()}


def differences(history: History, entity: int, time: int, kept: Sequence[bytes | None]) -> list[Difference]:
    """Where backfill or state differ from the judge."""
    expected = judged(history, entity, time)
    said = {"backfill": backfilled(history, entity, time), "state": merged(history, kept, entity, time)}
    return [
        Difference(of.name, who, values[of.name], expected[of.name])
        for who, values in said.items()
        if values is not None
        for of in history.group.features
        if not agree(of, values[of.name], expected[of.name], naive_window(of, history.happened, entity, time))
    ]


def agree(of: Feature, said: Value, expected: Value, window: Sequence[Happened]) -> bool:
    """Whether they are the same, but for the rounding of sums."""
    if said is None or expected is None:
        return said is expected
    if of.function not in SUMMED:
        return said == expected
    numbers = [float(value) for seen in window if isinstance(value := seen.values[of.column or ""], int | float)]
    scale = math.sqrt(math.fsum(number**2 for number in numbers))
    return abs(said - expected) <= 1e-9 * abs(expected) + 1e-13 * scale


def service_values(
    service: FeatureService,
    histories: Mapping[str, History],
    entities: Mapping[str, int],
    inputs: Mapping[str, float],
    time: int,
) -> tuple[dict[str, Value], list[Difference]]:
    """The features of a service at ``time`` (histories and entities by group), and who differs from the judge."""
    at, read = np.array([time], dtype=np.int64), {name: np.array([value]) for name, value in inputs.items()}
    expected: dict[str, Value] = {}
    offline, kept, different = dict(read), {}, []
    for group in service.groups:
        history, entity = histories[group.name], entities[group.name]
        held = states(history, [(time, range(len(history.rows)))])
        different += differences(history, entity, time, held)
        expected |= judged(history, entity, time)
        found = backfilled(history, entity, time)
        offline |= {name: np.array([math.nan if value is None else value]) for name, value in found.items()}
        kept[group.name] = [held[entity]]
    training = {name: optional(values[0]) for name, values in service_features(service, offline, at).items()}
    request = merge_service(service, kept, read, at).features
    for of in service.features:
        right = naive_expression(of, expected, inputs, time)
        for who, said in (("training", training[of.name]), ("request", optional(request[of.name][0]))):
            if not isinstance(of, Feature) and not _close(said, right):
                different.append(Difference(of.name, who, said, right))
    return training, different


def groups_of(services: Sequence[FeatureService]) -> list[FeatureGroup]:
    """The groups that they read, each once."""
    return list(dict.fromkeys(group for service in services for group in service.groups))


def optional(value: float) -> Value:
    return None if math.isnan(value) else float(value)


def _close(said: Value, right: Value) -> bool:
    if said is None or right is None:
        return said is right
    return math.isclose(said, right, rel_tol=1e-9, abs_tol=1e-12)
