"""The one check of an event, used before it is produced and again when the lake reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from contracts.registry import Contract, contract, contracts, envelope

MAX_DETAIL = 300


class Reason(StrEnum):
    """Why an event is quarantined."""

    NOT_JSON = "not_json"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    SCHEMA = "schema"
    UNREPRESENTABLE = "unrepresentable"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    UNPROCESSABLE = "unprocessable"


@dataclass(frozen=True)
class Rejection:
    """A reason, and where in the event and how it failed, as ``<JSON pointer>: <message>``."""

    reason: Reason
    detail: str


class Checker:
    """Checks events against the envelope and the contract of one topic."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        whole = {"allOf": [envelope()], "properties": {"type": {"const": contract.topic}, "data": contract.schema}}
        self._whole = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        self._envelope = jsonschema_rs.Draft202012Validator(envelope(), validate_formats=True)
        self._data = jsonschema_rs.Draft202012Validator(contract.schema, validate_formats=True)

    def check_bytes(self, value: bytes | None) -> Rejection | None:
        """Why the message value ``value`` is not a valid event of this topic; None when it is one."""
        if value is None:
            return Rejection(Reason.NOT_JSON, ": no value (a tombstone)")
        try:
            event = orjson.loads(value)
        except (orjson.JSONDecodeError, RecursionError) as error:
            return Rejection(Reason.NOT_JSON, f": {error}"[:MAX_DETAIL])
        return self.check(event)

    def check(self, event: Any) -> Rejection | None:
        """Why the parsed ``event`` is not a valid event of this topic; None when it is one."""
        try:
            if self._whole.is_valid(event):
                return None
            return self._explain(event)
        except ValueError as error:
            return Rejection(Reason.NOT_JSON, f": {error}"[:MAX_DETAIL])

    def _explain(self, event: Any) -> Rejection:
        problem = _first_problem(self._envelope, event)
        if problem is not None:
            return Rejection(Reason.NOT_CLOUDEVENT, problem)
        if event["type"] != self._contract.topic:
            known = "a contract of another topic" if event["type"] in contracts() else "no contract"
            return Rejection(Reason.UNKNOWN_TYPE, f"/type: {event['type']!r} has {known}"[:MAX_DETAIL])
        problem = _first_problem(self._data, event["data"], prefix=("data",))
        return Rejection(Reason.SCHEMA, problem or ": does not match the contract")


@cache
def checker(topic: str) -> Checker:
    """The compiled checker of ``topic``."""
    return Checker(contract(topic))


def _first_problem(
    validator: jsonschema_rs.Draft202012Validator, instance: Any, prefix: Sequence[str] = ()
) -> str | None:
    problem = next(validator.iter_errors(instance), None)
    if problem is None:
        return None
    path = [*prefix, *problem.instance_path]
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return f"{pointer}: {problem.message}"[:MAX_DETAIL]
