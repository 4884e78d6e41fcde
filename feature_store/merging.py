"""States and a request into the features of a service: what the model server and Feast's clients both call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.catalog import REQUEST_TIME, service, state_feature_name
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.derived import service_features
from feature_store.events import Features, Ints
from feature_store.tiles import Layout, Status
from feature_store.tiles.merge import Merged, Plan, merge

UNREADABLE = (Status.UNREADABLE, Status.OTHER_FINGERPRINT)
Inputs = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Answer:
    """The features of a service, one row a request, and how far each group's can be relied on."""

    features: Features
    groups: Mapping[str, Merged]


def merge_service(
    service: FeatureService,
    states: Mapping[str, Sequence[bytes | None]],
    inputs: Inputs,
    times: Ints,
    rebuilding: Mapping[str, int] | None = None,
) -> Answer:
    """``states`` has those of each group, by its name, and ``inputs`` each number a request brings; a row a request.

    ``rebuilding`` has the groups whose states are being made anew, and since when, in microseconds since 1970.
    """
    merged = {group.name: merge(plan(group), states[group.name], times) for group in service.groups}
    for name, since in (rebuilding or {}).items():
        merged[name] = _believed(merged[name], since)
    values = dict(inputs)
    for one in merged.values():
        values.update(one.features)
    return Answer(service_features(service, values, times), merged)


def _believed(merged: Merged, since: int) -> Merged:
    """Without the values of states that were not written ``since`` then, and of those that are not there yet."""
    is_old = (merged.applied_time < since) & ~np.isin(merged.status, UNREADABLE)
    features = {name: np.where(is_old, np.nan, values) for name, values in merged.features.items()}
    return replace(merged, features=features, status=np.where(is_old, Status.REBUILDING, merged.status))


@cache
def plan(group: FeatureGroup) -> Plan:
    return Plan.of(Layout.of(group))


def feast_features(service_name: str, inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[float | None]]:
    """What Feast's on-demand view calls with columns by name; null where a feature has no value."""
    wanted = service(service_name)
    times = np.array(inputs[REQUEST_TIME], dtype=np.int64)
    states = {group.name: inputs[state_feature_name(group)] for group in wanted.groups}
    numbers = {one.name: np.array(inputs[one.name], dtype=np.float64) for one in wanted.inputs}
    answer = merge_service(wanted, states, numbers, times)
    return {name: optional(values) for name, values in answer.features.items()}


def optional(values: NDArray[np.float64]) -> list[float | None]:
    """Without NaN."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124
