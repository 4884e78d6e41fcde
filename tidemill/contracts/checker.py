"""The one judge of an event, used before it is produced and again when the lake reads it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs

from tidemill.contracts.columns import data_types
from tidemill.contracts.digest import digest
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse
from tidemill.contracts.registry import Contract, NoKeyError, contract, contracts, envelope
from tidemill.contracts.rules import validator
from tidemill.contracts.serialise import NoJsonError, check_nulls, to_json
from tidemill.contracts.values import MisfitError, converter, micros

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
    UNPROCESSABLE = "unprocessable"


@dataclass(frozen=True)
class Rejection:
    """A reason, and where in the event and how it failed, as ``<JSON pointer>: <message>``; the pointer apart too."""

    reason: Reason
    detail: str
    pointer: str = field(default="", compare=False)

    @property
    def message(self) -> str:
        """The detail without the pointer."""
        return self.detail[len(self.pointer) + 2 :]


class Event(NamedTuple):
    """A valid event; ``time`` in microseconds since 1970, ``data`` a value for each column of the contract."""

    id: str
    source: str
    time: int
    digest: int
    data: Sequence[Any]


class Message(NamedTuple):
    """What is sent."""

    key: bytes
    value: bytes


class Checker:
    """Reads and writes events by the envelope and the contract of one topic."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        whole = {"allOf": [envelope()], "properties": {"type": {"const": contract.topic}, "data": contract.schema}}
        self._whole = validator(whole)
        self._envelope = validator(envelope())
        self._data = validator(contract.schema)
        types = data_types(contract)
        self._names = list(types)
        self._converters = [
            (index, ("data", name), convert)
            for index, (name, kind) in enumerate(types.items())
            if (convert := converter(kind)) is not None
        ]

    def read(self, value: bytes | None) -> Event | Rejection:
        """The event of the message value ``value``, or why it is none of this topic."""
        document = self._document(value)
        if isinstance(document, Rejection):
            return document
        values = self._values(document)
        if isinstance(values, Rejection):
            return values
        time, data = values
        return Event(document["id"], document["source"], time, digest(time, document["data"]), data)

    def encode(self, event: Any) -> Message | Rejection:
        """The message of ``event``, or why it would be none of this topic: judged as the lake will read it."""
        try:
            value = to_json(event)
            document = self._document(value)
            check_nulls(event, value, document)
        except NoJsonError as error:
            reason = Reason.UNREPRESENTABLE if error.is_beyond_limits else Reason.NOT_JSON
            return _rejection(reason, error.path, error.message)
        return self._message(document, value)

    def message(self, value: bytes) -> Message | Rejection:
        """The message of an event that is text already, or why it is none of this topic."""
        return self._message(self._document(value), value)

    def check_bytes(self, value: bytes | None) -> Rejection | None:
        """Why the message value ``value`` is not a valid event of this topic; None when it is one."""
        event = self.read(value)
        return event if isinstance(event, Rejection) else None

    def check(self, event: Any) -> Rejection | None:
        """Why ``event`` cannot be sent to this topic; None when it can."""
        message = self.encode(event)
        return message if isinstance(message, Rejection) else None

    def _document(self, value: bytes | None) -> dict[str, Any] | Rejection:
        if value is None:
            return _rejection(Reason.NOT_JSON, (), "no value (a tombstone)")
        try:
            document = parse(value)
        except NotJsonError as error:
            return _rejection(Reason.NOT_JSON, (), str(error))
        except BeyondLimitsError as error:
            return _rejection(Reason.UNREPRESENTABLE, error.path, str(error))
        if self._whole.is_valid(document):
            valid: dict[str, Any] = document
            return valid
        return self._explain(document)

    def _message(self, document: dict[str, Any] | Rejection, value: bytes) -> Message | Rejection:
        if isinstance(document, Rejection):
            return document
        if isinstance(values := self._values(document), Rejection):
            return values
        try:
            return Message(self._contract.key(document["data"]), value)
        except NoKeyError as error:
            return _rejection(Reason.SCHEMA, ("data",), str(error))

    def _values(self, document: Mapping[str, Any]) -> tuple[int, list[Any]] | Rejection:
        """The instant of a valid event, and a value for each column."""
        place: tuple[str, ...] = ("time",)
        try:
            time = micros(document["time"])
            values = list(map(document["data"].get, self._names))
            for index, field, convert in self._converters:
                if (value := values[index]) is not None:
                    place = field
                    values[index] = convert(value)
        except MisfitError as misfit:
            return _rejection(Reason.UNREPRESENTABLE, (*place, *misfit.path), str(misfit))
        return time, values

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


def _first_problem(schema: jsonschema_rs.Draft202012Validator, instance: Any) -> jsonschema_rs.ValidationError | None:
    """The first only: each is told with the part of the message it is about, and there may be as many as bytes."""
    try:
        schema.validate(instance)
    except jsonschema_rs.ValidationError as problem:
        return problem
    return None


def _rejection(reason: Reason, path: Iterable[str | int], message: str) -> Rejection:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return Rejection(reason, f"{pointer}: {message}"[:MAX_DETAIL], pointer[:MAX_DETAIL])
