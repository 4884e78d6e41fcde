"""Each event judged as the lake will judge it: by the bytes that would be sent."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ingestion_layer.http.attributes import completed
from ingestion_layer.http.refusal import Fault, RefusedError
from tidemill.config.errors import nearest
from tidemill.contracts import Contract, Rejection, checker, contracts
from tidemill.contracts.checker import Message

SLICE = 100
"""Of a batch so many are judged without a look at other requests."""


def contract_of(topic: str) -> Contract:
    """The contract of the topic that a path names.

    Raises:
        RefusedError: 404, there is none.
    """
    known = contracts()
    if topic not in known:
        raise RefusedError(404, f"there is no topic {topic[:100]!r}{nearest(topic[:100], known)}")
    return known[topic]


def judge(contract: Contract, event: Any) -> Message | Rejection:
    """The message of ``event``, or why the lake would not take it."""
    return checker(contract.topic).encode(completed(contract, event) if isinstance(event, dict) else event)


def judge_one(contract: Contract, event: Any) -> list[Message]:
    """The one message of a request with one event.

    Raises:
        RefusedError: 422, the event is refused.
    """
    message = judge(contract, event)
    if isinstance(message, Rejection):
        raise RefusedError(422, message.detail, faults=(fault_of(event, message),))
    return [message]


async def judge_all(contract: Contract, events: Sequence[Any], place: str) -> list[Message]:
    """The messages of all ``events``; ``place`` is what a client calls the number of one.

    Raises:
        RefusedError: 422, some are refused: then nothing is sent.
    """
    messages: list[Message] = []
    faults: list[Fault] = []
    for number, event in enumerate(events):
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        message = judge(contract, event)
        if isinstance(message, Rejection):
            faults.append(fault_of(event, message, (place, number)))
        else:
            messages.append(message)
    if faults:
        raise refused_whole(faults, len(events))
    return messages


def fault_of(event: Any, rejection: Rejection, place: tuple[str, int] | None = None) -> Fault:
    identity = event.get("id") if isinstance(event, dict) else None
    name = identity[:128] if isinstance(identity, str) else None
    return Fault(rejection.pointer, rejection.reason, rejection.message, name, place)


def refused_whole(faults: Sequence[Fault], count: int) -> RefusedError:
    """A batch is taken whole or not at all: sent again after a correction it needs no sorting."""
    told = f"{len(faults)} of {count} events are refused, so none of them was sent"
    return RefusedError(422, told, faults=faults)
