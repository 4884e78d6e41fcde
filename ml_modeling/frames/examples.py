"""Labelled examples in memory: one row an entity or event and time, as arrays for the learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feature_store.definitions import Task
from ml_modeling.frames.splits import Part, Split
from tidemill.config.errors import TerminalError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ENTITY, TIME, LABEL, MATURED, KEY = "entity", "time", "label", "matured_at", "row_key"
OWN = (ENTITY, TIME, LABEL, MATURED, KEY)
GROUP_OF = "group_of__"
"""Before the name of a sensitive column, so that it is no feature."""
UNKNOWN = "unknown"
"""The group of whoever said nothing of themselves."""


class FrameError(TerminalError):
    """A training frame that cannot be learned from; the message names the column or the count."""


@dataclass(frozen=True)
class Examples:
    """``x`` has shape (n, features), nan where missing; ``entities`` (n,) tells who it is.

    ``y`` (n,) is 0 or 1 for a yes-or-no label, the number of the class, or the number that is to be predicted.
    ``groups`` are the group (n,) that each row belongs to, by sensitive column.
    """

    x: Floats
    y: npt.NDArray[Any]
    entities: Integers
    groups: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Integers) -> "Examples":
        """The examples at ``rows``."""
        groups = {column: values[rows] for column, values in self.groups.items()}
        return Examples(self.x[rows], self.y[rows], self.entities[rows], groups)

    @property
    def base_rate(self) -> float:
        """The share of positive labels, or the mean of numbers."""
        return float(self.y.mean())


@dataclass(frozen=True)
class TrainingFrame:
    """``rows`` has columns ``entity``, ``time`` and ``matured_at`` (UTC, without a zone), ``label`` and ``features``.

    Where an entity may have several rows of one time, ``row_key`` tells them apart. ``group_of__<column>`` is the group
    that a row belongs to by a sensitive column.
    """

    rows: pd.DataFrame
    features: tuple[str, ...]
    task: Task = Task.BINARY

    def __post_init__(self) -> None:
        _check(self.rows, self.features)
        _check_labels(self.rows[LABEL], self.task)

    def rows_of(self, split: Split, part: Part) -> pd.DataFrame:
        """The rows of a part whose labels are known before the next part begins."""
        known = (self.rows[MATURED] <= pd.Timestamp(split.known_by(part))).to_numpy()
        return self.rows[split.holds(part, self.rows[TIME]) & known]

    def part(self, split: Split, part: Part) -> Examples:
        """The examples of a part, in order."""
        return to_examples(self.rows_of(split, part), self.features, self.task)


def check_filled(part: str, examples: Examples, features: tuple[str, ...]) -> None:
    """Each feature has a value in some row of a part that a model is fitted on.

    Raises:
        FrameError: one has none: the model could not have learnt what it means.
    """
    empty = [name for name, column in zip(features, examples.x.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise FrameError(
            f"no value in any of the {len(examples)} rows of the {part} part: {', '.join(empty)}; was the table "
            "computed at these cutoffs, and has its source events that old?"
        )


def check_groups(examples: Examples, columns: Sequence[str]) -> None:
    """Each sensitive column says of which group every row is.

    Raises:
        FrameError: one is not in the frame.
    """
    if missing := [column for column in columns if column not in examples.groups]:
        raise FrameError(f"the frame has no column {', '.join(f'{GROUP_OF}{column}' for column in missing)}")


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` by time and entity, so that the order they were read in does not matter."""
    return rows.sort_values([TIME, ENTITY, *(name for name in (KEY,) if name in rows)], kind="stable")


def to_examples(rows: pd.DataFrame, features: tuple[str, ...], task: Task = Task.BINARY) -> Examples:
    """The arrays of ``rows``, in order."""
    ordered = in_order(rows)
    return Examples(
        x=ordered[list(features)].to_numpy(dtype=np.float64, na_value=np.nan),
        y=ordered[LABEL].to_numpy(dtype=np.float64 if task is Task.REGRESSION else np.int64),
        entities=pd.factorize(ordered[ENTITY], sort=True)[0].astype(np.int64),
        groups={
            name.removeprefix(GROUP_OF): ordered[name].to_numpy(dtype=str)
            for name in map(str, ordered.columns)
            if name.startswith(GROUP_OF)
        },
    )


def _check(rows: pd.DataFrame, features: tuple[str, ...]) -> None:
    if rows.empty:
        raise FrameError("the training frame has no row: no entity was active at any cutoff, or no event has its label")
    if taken := [name for name in features if name in OWN or name.startswith(GROUP_OF)]:
        raise FrameError(f"{', '.join(taken)} cannot be features")
    identity = [ENTITY, TIME, *(name for name in (KEY,) if name in rows)]
    twice = int(rows.duplicated(identity).sum())
    if twice:
        raise FrameError(f"{twice} rows repeat an entity at the same time")
    values = rows[list(features)].to_numpy(dtype=np.float64, na_value=np.nan)
    for name, column in zip(features, values.T, strict=True):
        if np.isinf(column).any():
            raise FrameError(f"feature {name} is infinite in {int(np.isinf(column).sum())} rows")


def _check_labels(labels: "pd.Series[Any]", task: Task) -> None:
    if task is Task.REGRESSION:
        wrong = int((~np.isfinite(labels.to_numpy(dtype=np.float64))).sum())
        if wrong:
            raise FrameError(f"column {LABEL} is no finite number in {wrong} rows")
        return
    values = set(labels.unique())
    if task is Task.BINARY and not values <= {0, 1}:
        raise FrameError(f"column {LABEL} has values beside 0 and 1: {sorted(values - {0, 1})[:5]}")
    if unknown := [value for value in values if int(value) != value or value < 0]:
        raise FrameError(f"column {LABEL} has values that are no classes: {sorted(unknown)[:5]}")
