"""States and a request into the features of a service: what the model server and Feast's clients both call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.catalog import REQUEST_TIME, service, state_feature_name
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.derived import service_features
from feature_store.events import Features, Ints
from feature_store.tiles import Layout
from feature_store.tiles.merge import Merged, Plan, merge

Inputs = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Answer:
    """The features of a service, one row a request, and how far each group's can be relied on."""

    features: Features
    groups: Mapping[str, Merged]


def merge_service(
    service: FeatureService, states: Mapping[str, Sequence[bytes | None]], inputs: Inputs, times: Ints
) -> Answer:
    """``states`` has those of each group, by its name, and ``inputs`` each number a request brings; a row a request."""
    merged = {group.name: merge(plan(group), states[group.name], times) for group in service.groups}
    values = dict(inputs)
    for one in merged.values():
        values.update(one.features)
    return Answer(service_features(service, values, times), merged)


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
