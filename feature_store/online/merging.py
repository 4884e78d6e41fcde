"""States and a request into the features of a service: what the model server and Feast's clients both call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.catalog import REQUEST_TIME, service, state_feature_name
from feature_store.columns.derived import service_features
from feature_store.columns.events import Features, Ints, Mask
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.tiles import Layout, Status
from feature_store.tiles.merge import Merged, Plan, merge
from tidemill.config.errors import TerminalError

YEAR_1973 = 10**14
Inputs = Mapping[str, NDArray[np.float64]]


class RequestTimeError(TerminalError):
    """A request for a time that states cannot answer for, or that is none."""


@dataclass(frozen=True)
class Answer:
    """The features of a service, one row a request, and how far each group's can be relied on."""

    features: Features
    groups: Mapping[str, Merged]


@dataclass(frozen=True)
class Belief:
    """What the store says of the states of a group beside themselves.

    Right are those of ``epoch``; not those of the requests that are ``rebuilding``, but for those that were made in the
    epoch already when all ``is_anew``. None is when the store ``is_lost``. ``missing`` are requests without a state
    that the store is known to have had.
    """

    epoch: int
    is_lost: bool = False
    is_anew: bool = False
    rebuilding: Mask | None = None
    missing: Mask | None = None


def merge_service(
    service: FeatureService,
    states: Mapping[str, Sequence[bytes | None]],
    inputs: Inputs,
    times: Ints,
    beliefs: Mapping[str, Belief] | None = None,
) -> Answer:
    """``states`` has those of each group, by its name, and ``inputs`` each number a request brings; a row a request.

    Without ``beliefs``, by group, each state is believed that can be read.
    """
    merged = {group.name: merge(plan(group), states[group.name], times) for group in service.groups}
    for name, belief in (beliefs or {}).items():
        merged[name] = _believed(merged[name], belief)
    values = dict(inputs)
    for one in merged.values():
        values.update(one.features)
    return Answer(service_features(service, values, times), merged)


def _believed(merged: Merged, belief: Belief) -> Merged:
    """Without the values of states that are not those that the store should have."""
    is_other = merged.header.epoch != belief.epoch
    is_whole = belief.missing is None and belief.rebuilding is None and not belief.is_lost
    if is_whole and not is_other.any():
        return merged
    lost = is_other & ((merged.status == Status.OK) | (merged.status == Status.STALE)) | belief.is_lost
    if belief.missing is not None:
        lost |= belief.missing
    rebuilding = np.zeros(len(lost), dtype=np.bool_)
    if belief.rebuilding is not None and not belief.is_lost:
        rebuilding = belief.rebuilding & is_other if belief.is_anew else belief.rebuilding
    if not (lost | rebuilding).any():
        return merged
    status = np.where(rebuilding, Status.REBUILDING, np.where(lost, Status.LOST, merged.status))
    features = {name: np.where(lost | rebuilding, np.nan, values) for name, values in merged.features.items()}
    return replace(merged, features=features, status=status)


@cache
def plan(group: FeatureGroup) -> Plan:
    return Plan.of(Layout.of(group))


def feast_features(service_name: str, inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[float | None]]:
    """What Feast's on-demand view calls with columns by name; null where a feature has no value.

    Raises:
        RequestTimeError: a request is for a time that its states cannot answer for, or in another unit.
    """
    wanted = service(service_name)
    times = np.array(inputs[REQUEST_TIME], dtype=np.int64)
    states = {group.name: inputs[state_feature_name(group)] for group in wanted.groups}
    numbers = {one.name: np.array(inputs[one.name], dtype=np.float64) for one in wanted.inputs}
    answer = merge_service(wanted, states, numbers, times)
    _check_times(answer, times)
    return {name: optional(values) for name, values in answer.features.items()}


def _check_times(answer: Answer, times: Ints) -> None:
    for name, merged in answer.groups.items():
        # Feast itself calls with bytes that are no state, and any number.
        readable = (merged.status != Status.UNREADABLE) & (merged.status != Status.OTHER_FINGERPRINT)
        if (wrong := readable & (times < YEAR_1973)).any():
            raise RequestTimeError(
                f"{REQUEST_TIME} {times[wrong][0]} is no time in microseconds since 1970; is it in seconds?"
            )
        if (past := merged.status == Status.PAST).any():
            raise RequestTimeError(
                f"{REQUEST_TIME} {times[past][0]}: the states of {name} answer from {merged.header.since[past][0]} on; "
                "for the features of the past use get_historical_features, or build_training_frame"
            )


def optional(values: NDArray[np.float64]) -> list[float | None]:
    """Without NaN."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124
