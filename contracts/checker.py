"""The one judge of an event, used before it is produced and again when the lake reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs
import orjson

from contracts.columns import data_types
from contracts.digest import digest
from contracts.json_text import BeyondLimitsError, NotJsonError, parse
from contracts.registry import Contract, contract, contracts, envelope
from contracts.values import MisfitError, converter, micros

MAX_DETAIL = 300


class Reason(StrEnum):
    """Why an event is quarantined."""

    NOT_JSON = "not_json"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    SCHEMA = "schema"
    UNREPRESENTABLE = "unrepresentable"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Rejection:
    """A reason, and where in the event and how it failed, as ``<JSON pointer>: <message>``."""

    reason: Reason
    detail: str


class Event(NamedTuple):
    """A valid event; ``time`` in microseconds since 1970, ``data`` a value for each column of the contract."""

    id: str
    source: str
    time: int
    digest: int
    data: Sequence[Any]


class Checker:
    """Reads events by the envelope and the contract of one topic."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        whole = {"allOf": [envelope()], "properties": {"type": {"const": contract.topic}, "data": contract.schema}}
        self._whole = _validator(whole)
        self._envelope = _validator(envelope())
        self._data = _validator(contract.schema)
        types = data_types(contract)
        self._names = list(types)
        converters = ((index, converter(kind)) for index, kind in enumerate(types.values()))
        self._converters = [(index, convert) for index, convert in converters if convert is not None]

    def read(self, value: bytes | None) -> Event | Rejection:
        """The event of the message value ``value``, or why it is none of this topic."""
        if value is None:
            return _rejection(Reason.NOT_JSON, (), "no value (a tombstone)")
        try:
            document = parse(value)
        except NotJsonError as error:
            return _rejection(Reason.NOT_JSON, (), str(error))
        except BeyondLimitsError as error:
            return _rejection(Reason.UNREPRESENTABLE, error.path, str(error))
        if not self._whole.is_valid(document):
            return self._explain(document)
        return self._event(document)

    def check_bytes(self, value: bytes | None) -> Rejection | None:
        """Why the message value ``value`` is not a valid event of this topic; None when it is one."""
        event = self.read(value)
        return event if isinstance(event, Rejection) else None

    def check(self, event: Any) -> Rejection | None:
        """Why the parsed ``event`` is not a valid event of this topic; None when it is one."""
        try:
            return self.check_bytes(orjson.dumps(event))
        except TypeError as error:
            return _rejection(Reason.NOT_JSON, (), str(error))

    def _event(self, document: dict[str, Any]) -> Event | Rejection:
        data = document["data"]
        try:
            time = micros(document["time"])
        except MisfitError as misfit:
            return _rejection(Reason.UNREPRESENTABLE, ("time",), str(misfit))
        values = list(map(data.get, self._names))
        for index, convert in self._converters:
            if (value := values[index]) is not None:
                try:
                    values[index] = convert(value)
                except MisfitError as misfit:
                    path = ("data", self._names[index], *misfit.path)
                    return _rejection(Reason.UNREPRESENTABLE, path, str(misfit))
        return Event(document["id"], document["source"], time, digest(time, data), values)

    def _explain(self, document: Any) -> Rejection:
        problem = _first_problem(self._envelope, document)
        if problem is not None:
            return _rejection(Reason.NOT_CLOUDEVENT, problem.instance_path, problem.message)
        kind = document["type"]
        if kind != self._contract.topic:
            known = "a contract of another topic" if kind in contracts() else "no contract"
            return _rejection(Reason.UNKNOWN_TYPE, ("type",), f"{kind!r} has {known}")
        problem = _first_problem(self._data, document["data"])
        if problem is None:
            return _rejection(Reason.SCHEMA, (), "does not match the contract")
        return _rejection(Reason.SCHEMA, ("data", *problem.instance_path), problem.message)


@cache
def checker(topic: str) -> Checker:
    """The compiled checker of ``topic``."""
    return Checker(contract(topic))


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """One whose patterns run in time linear in the text."""
    return jsonschema_rs.Draft202012Validator(
        schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _first_problem(
    validator: jsonschema_rs.Draft202012Validator, instance: Any
) -> jsonschema_rs.ValidationError | None:
    return next(validator.iter_errors(instance), None)


def _rejection(reason: Reason, path: Iterable[str | int], message: str) -> Rejection:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return Rejection(reason, f"{pointer}: {message}"[:MAX_DETAIL])
