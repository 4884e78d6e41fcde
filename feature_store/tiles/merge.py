"""States and times into feature values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from feature_store.columns.double_double import Floats
from feature_store.columns.events import Features, Ints
from feature_store.definitions import Function
from feature_store.definitions.windows import micros, tail
from feature_store.tiles.layout import Layout
from feature_store.tiles.quantiles import Ranked, value_rows
from feature_store.tiles.state import Header, States, Status, decode
from feature_store.tiles.values import Held, Loops, feature_values


@dataclass(frozen=True)
class Merged:
    """Feature values and how far to rely on them, and what each state says of itself, one a state."""

    features: Features
    status: Ints
    header: Header


@dataclass(frozen=True)
class Plan:
    """What is known before a request; build once for each group and keep."""

    layout: Layout
    loops: Loops
    names: tuple[str, ...]

    @classmethod
    def of(cls, layout: Layout) -> Self:
        return cls(layout, Loops.of(layout), tuple(feature.name for feature in layout.group.features))


def merge(plan: Plan, states: Sequence[bytes | None], times: Ints) -> Merged:
    """The features of each entity at its time.

    Exact for the times that the state answers for, but for events that arrive later. Other times, and bytes that are
    no state of this definition, give no values, and a status that says why.
    """
    layout, decoded = plan.layout, decode(plan.layout, states)
    status, header, stale_after = decoded.status, decoded.header, layout.group.stale_after
    is_outside = (times < header.since) | (times > header.until)
    if stale_after is not None:
        status[(times - header.time > micros(stale_after)) & (status == Status.OK)] = Status.STALE
    values = feature_values(plan.loops, Held.of(decoded.tables), times)
    if layout.ranked:
        _put_quantiles(plan, decoded, times, values)
    if decoded.unusable:
        values[:, decoded.unusable] = np.nan
    if is_outside.any():
        values[:, is_outside] = np.nan
        status[is_outside] = np.where(times < header.since, Status.PAST, Status.REBUILDING)[is_outside]
    return Merged(dict(zip(plan.names, values, strict=True)), status, header)


def _put_quantiles(plan: Plan, states: States, times: Ints, values: Floats) -> None:
    layout, past = plan.layout, states.tables["events"]
    past = past.take(past.rows["time"] < times[past.owner])
    ranked = Ranked.of(states.tables, value_rows(layout, past.owner, past.rows))
    tails = np.stack([tail(times, window) for window in layout.windows], axis=1)
    for one in layout.series:
        if one.function is Function.QUANTILE and isinstance(one.argument, float):
            found = ranked.quantiles(layout, layout.ranked.index(one.reading), one.argument, tails)
            for position, name in one.names.items():
                values[plan.names.index(name)] = found[:, position]
