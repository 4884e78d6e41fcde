"""Why a feature has the value that it has: what became of each event."""

from collections.abc import Iterator
from datetime import timedelta

from feature_store.definitions import LIFETIME, Feature, Filter
from feature_store.definitions.spelling import spell
from feature_store.definitions.windows import tail
from feature_store.judge.naive import Happened, counted, is_covered, passes
from tidemill.projects.testing.given import History, moment

MOST = 6


def explanation(feature: Feature, history: History, entity: int, time: int) -> list[str]:
    """A line for each event of the entity: those that do not count first, and why; with the fewest that show it."""
    fates = list(_fates(feature, history, entity, time))
    left_out = [line for is_counted, line in fates if not is_counted]
    counts = [line for is_counted, line in fates if is_counted]
    shown = [*left_out[:MOST], *counts[: MOST - min(len(left_out), MOST)]]
    if not fates:
        others = f"; there are {', '.join(history.entities[1:MOST])}" if len(history.entities) > 1 else ""
        return [f"{history.group.source.table} has no event of {history.entities[entity]!r}{others}"]
    more = [f"... and {len(fates) - len(shown)} more"] if len(fates) > len(shown) else []
    return [*shown, *more]


def _fates(feature: Feature, history: History, entity: int, time: int) -> Iterator[tuple[bool, str]]:
    for row, happened in zip(history.rows, history.happened, strict=True):
        if happened.entity != entity:
            continue
        why = fate(feature, happened, time)
        yield not why, f"{'left out' if why else 'counts  '}  {row.text}{f'  ({why})' if why else ''}"


def fate(feature: Feature, happened: Happened, time: int) -> str:
    """Why the event does not count for the feature at ``time``; empty when it does."""
    happened = counted(happened)
    for condition in feature.group.filters:
        if not passes(happened, condition):
            return f"{condition.column} is {happened.values[condition.column]!r}, the filter wants {spelled(condition)}"
    if happened.time >= time:
        return f"it is not before {moment(time)}"
    if not is_covered(happened.time, time, feature.window):
        begin = tail(time, feature.window)
        return f"the window of {window(feature.window)} begins at {moment(begin)}, {_ago(begin - happened.time)} later"
    if feature.column is not None and happened.values[feature.column] is None:
        return f"it has no {feature.column}"
    return ""


def spelled(condition: Filter) -> str:
    """A filter as a definition writes it."""
    operands = ", ".join(map(repr, condition.operands))
    return f"{condition.column} {condition.comparison.value}{f' {operands}' if operands else ''}"


def window(length: timedelta) -> str:
    return "a lifetime" if length == LIFETIME else spell(length)


def _ago(duration: int) -> str:
    """The two largest units of a duration in microseconds."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    rest, parts = duration // 1_000_000, list[str]()
    for name, seconds in units:
        number, rest = divmod(rest, seconds)
        if number or parts:
            parts.append(f"{number} {name}")
    return " ".join(parts[:2]) or f"{duration} microseconds"
