"""Every declared group on generated events of its own contract: all who compute it agree, and it can have values."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from feature_store.definitions import LIFETIME, FeatureGroup
from feature_store.definitions.filters import Comparison, Filter
from feature_store.definitions.windows import hop, micros
from feature_store.judge.naive import counted, passes
from tidemill.contracts.registry import Contract, contracts
from tidemill.projects.testing.answers import Difference, differences, states
from tidemill.projects.testing.explanation import spelled
from tidemill.projects.testing.generation import TIME, Generator
from tidemill.projects.testing.given import History, Row, moment, row
from tidemill.projects.testing.given import micros as micros_of

HISTORIES = 40
EVENTS = 24
QUERIES = 3
DATA = 400
SECOND = 1_000_000
NOW = micros_of(TIME) + 17 * 3600 * SECOND + 23 * 60 * SECOND + 1
TEXT_KEYS = ("a", "b", "c")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a group, or with the question that looks for it; the smallest events found that show it."""

    subject: str
    message: str
    example: tuple[str, ...] = ()


def findings(group: FeatureGroup, seed: int, subject: str = "") -> list[Finding]:
    """What generated events say of ``group``; empty when nothing is wrong. The same seed makes the same events.

    ``subject`` is what it is called, if not a feature group.
    """
    called = subject or f"FeatureGroup {group.name}"
    return [replace(finding, subject=called) for finding in _findings(group, seed)]


def _findings(group: FeatureGroup, seed: int) -> list[Finding]:
    contract = next(of for of in contracts().values() if f"silver/{of.table}" == group.source.table)
    random = Random(zlib.crc32(f"{seed} {group.name}".encode()))  # noqa: S311 - not for secrets
    generator = Generator(contract, random, group.entity_column, _keys(group, contract), _hints(group, contract))
    made = [data for data in (generator.data() for _ in range(DATA)) if data is not None]
    if not made:
        why = "no event could be made from it, so nothing was tried: give `examples` where it has a `pattern`"
        return [Finding(group.name, f"{contract.topic}: {why}")]
    impossible = list(_impossible(group, contract, generator, made))
    return impossible or list(_disagreements(group, contract, random, made))


def _keys(group: FeatureGroup, contract: Contract) -> Sequence[Any]:
    """A few entities that the contract allows; none where nobody can think of any, as of a pattern without examples."""
    schema = contract.schema["properties"].get(group.entity_column, {})
    for named in ("enum", "examples"):
        if keys := [key for key in _allowed(schema, schema.get(named, [])) if key is not None]:
            return keys[:3]
    declared = schema.get("type", "string")
    is_whole = declared == "integer" or (isinstance(declared, list) and "integer" in declared)
    low = schema.get("minimum", 1) if is_whole else schema.get("minLength", 1)
    return _allowed(schema, [low, low + 1, low + 2] if is_whole else [key * low for key in TEXT_KEYS])


def _hints(group: FeatureGroup, contract: Contract) -> dict[str, list[Any]]:
    """The values that filters and categories name, and numbers next to them: only what their column may hold."""
    hints: dict[str, list[Any]] = {}
    for condition in group.filters:
        for operand in condition.operands:
            hints.setdefault(condition.column, []).append(operand)
            if isinstance(operand, int | float) and not isinstance(operand, bool):
                hints[condition.column] += [operand + 1, operand - 1]
        if condition.comparison is Comparison.IS_NULL:
            hints.setdefault(condition.column, []).append(None)
    for aggregation in group.aggregations:
        if aggregation.function.value == "count_category" and aggregation.column:
            hints.setdefault(aggregation.column, []).extend(aggregation.arguments)
    properties = contract.schema["properties"]
    return {name: _allowed(properties[name], values) for name, values in hints.items() if name in properties}


def _allowed(schema: Mapping[str, Any], values: Sequence[Any]) -> list[Any]:
    """Those of ``values`` that a property takes, each once."""
    from tidemill.contracts.rules import validator

    allowed = validator(schema)
    return list(dict.fromkeys(value for value in values if allowed.is_valid(value)))


def _impossible(
    group: FeatureGroup, contract: Contract, generator: Generator, made: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    """A filter that no event passes, and a column that no event has which passes them."""
    history = History.of(group, [row(contract, number, {"time": TIME, "data": of}) for number, of in enumerate(made)])
    happened = [counted(of) for of in history.happened]
    passing = [number for number, of in enumerate(happened) if all(passes(of, filter_) for filter_ in group.filters)]
    if not passing:
        yield _never(group, history, happened, generator)
        return
    for name in dict.fromkeys(of.column for of in group.aggregations if of.column):
        if all(happened[number].values[name] is None for number in passing):
            smallest = min((history.rows[number] for number in passing), key=lambda of: len(of.text))
            wants = f" that passes {_all(group.filters)}" if group.filters else ""
            yield Finding(
                group.name,
                f"column {name!r} is never there in an event of {contract.topic}{wants}: its features have no value",
                (_smaller(smallest, generator, frozenset()),),
            )


def _never(group: FeatureGroup, history: History, happened: Sequence[Any], generator: Generator) -> Finding:
    """The filter that never holds, with the smallest event that it refuses and the others let pass."""
    topic = generator.contract.topic
    for condition in group.filters:
        if not any(passes(of, condition) for of in happened):
            others = [other for other in group.filters if other is not condition]
            near = [number for number, of in enumerate(happened) if all(passes(of, other) for other in others)]
            rows = [history.rows[number] for number in near or range(len(happened))]
            smallest = min(rows, key=lambda of: len(of.text))
            value = smallest.values.get(condition.column)
            text = _smaller(smallest, generator, frozenset(other.column for other in group.filters))
            why = f"filter `{spelled(condition)}` never holds for an event of {topic}"
            return Finding(group.name, f"{why}; here {condition.column} is {value!r}", (text,))
    why = f"no event of {topic} passes all of its filters together: {_all(group.filters)}"
    return Finding(group.name, why, (min((of.text for of in history.rows), key=len),))


def _smaller(of: Row, generator: Generator, kept: frozenset[str]) -> str:
    """``of`` without what the contract lets an event lack, but for the columns ``kept`` and the entity's."""
    data = dict(of.data)
    for name in data.keys() - kept - {generator.entity_column}:
        without = {key: value for key, value in data.items() if key != name}
        if generator.is_valid(without):
            data = without
    return Row(of.contract, of.time, of.known, of.values, data).text


def _all(filters: Sequence[Filter]) -> str:
    return " and ".join(f"`{spelled(condition)}`" for condition in filters)


def _disagreements(
    group: FeatureGroup, contract: Contract, random: Random, made: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    for _ in range(HISTORIES):
        rows = [
            row(contract, number, {"time": TIME + timedelta(microseconds=_age(group, random)), "data": of})
            for number, of in enumerate(random.choices(made, k=random.randint(0, EVENTS)))
        ]
        history = History.of(group, rows, *map(str, _keys(group, contract)))
        time = NOW + random.choice((0, 0, 1, SECOND, 3600 * SECOND))
        commits = _commits(random, len(history.rows), time)
        kept = states(history, commits)
        for entity in range(min(QUERIES, len(history.entities))):
            if different := differences(history, entity, time, kept):
                yield _shrunk(history, entity, time, different[0])
                return


def _age(group: FeatureGroup, random: Random) -> int:
    """When an event is, in microseconds after TIME: mostly near where a window of the group begins."""
    lengths = [of.window for of in group.features if of.window != LIFETIME] or [timedelta(days=1)]
    window = random.choice(lengths)
    edge = random.choice((0, 0, micros(window), micros(window), micros(window) + micros(hop(window))))
    near = random.choice((0, 1, -1, SECOND, -SECOND, random.randint(0, micros(window))))
    return NOW - micros_of(TIME) - edge + near


def _commits(random: Random, events: int, time: int) -> list[tuple[int, list[int]]]:
    """All positions in a few commits, each applied before ``time``."""
    positions = list(range(events))
    cuts = sorted(random.randint(0, events) for _ in range(2))
    parts = [positions[: cuts[0]], positions[cuts[0] : cuts[1]], positions[cuts[1] :]]
    ages = sorted((random.choice((0, SECOND, 60 * SECOND, 3600 * SECOND)) for _ in parts), reverse=True)
    return [(time - age, part) for age, part in zip(ages, parts, strict=True)]


def _shrunk(history: History, entity: int, time: int, shown: Difference) -> Finding:
    """The difference with as few events as still show it, applied in one commit."""

    def still(chosen: list[int]) -> Difference | None:
        less = history.take(chosen)
        found = differences(less, entity, time, states(less, [(time, range(len(chosen)))]))
        return next((different for different in found if different.feature == shown.feature), None)

    chosen = list(range(len(history.rows)))
    different = still(chosen)
    if different is None:  # it takes several commits to show
        return _finding(history, chosen, entity, time, shown)
    for number in list(chosen):
        without = [at for at in chosen if at != number]
        if (found := still(without)) is not None:
            chosen, different = without, found
    return _finding(history, chosen, entity, time, different)


def _finding(history: History, chosen: Sequence[int], entity: int, time: int, different: Difference) -> Finding:
    asked = f"of {history.group.entity_column} {history.entities[entity]!r} at {moment(time)}"
    example = tuple(history.rows[number].text for number in chosen)
    return Finding(history.group.name, f"{different}, {asked}", example)
