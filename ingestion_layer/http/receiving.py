"""The two ways in: requests with CloudEvents, and batches of lines."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope

from ingestion_layer.http import metrics
from ingestion_layer.http.answer import Answer, json_answer
from ingestion_layer.http.batch import LineBatch
from ingestion_layer.http.binding import events_in
from ingestion_layer.http.judging import contract_of, judge_all, judge_one
from ingestion_layer.http.lines import batch_name
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.server import Server
from tidemill.contracts import Contract
from tidemill.contracts.checker import Message

Taken = tuple[list[Message], Any]
"""The messages that a request is, and what it is answered when they are acknowledged."""

Taking = Callable[[Server, Contract, Scope, bytes], Awaitable[Taken]]


async def receive_events(server: Server, topic: str, scope: Scope, receive: Receive) -> Answer:
    """``POST /events/{topic}``: one CloudEvent or a batch, in structured, binary or batch mode."""
    return await _received(server, topic, scope, receive, _take_events)


async def receive_lines(server: Server, topic: str, scope: Scope, receive: Receive) -> Answer:
    """``POST /batches/{topic}``: lines of time and data, under a key."""
    return await _received(server, topic, scope, receive, _take_lines)


async def _received(server: Server, topic: str, scope: Scope, receive: Receive, take: Taking) -> Answer:
    contract = contract_of(topic)
    server.check_has_topics()
    reservation = server.room.reservation()
    try:
        body = await server.reader.read(dict(scope["headers"]), receive, reservation)
        messages, told = await _counted(topic, take(server, contract, scope, body))
    except BaseException:
        reservation.release()
        raise
    await server.sender.send(topic, messages, reservation.release)
    metrics.accepted_of(topic).inc(len(messages))
    return json_answer(202, told)


async def _counted(topic: str, taken: Awaitable[Taken]) -> Taken:
    try:
        return await taken
    except RefusedError as refused:
        for fault in refused.faults:
            metrics.refused.labels(topic, fault.reason).inc()
        raise


async def _take_events(server: Server, contract: Contract, scope: Scope, body: bytes) -> Taken:
    events, is_batch = events_in(scope["headers"], body)
    messages = await judge_all(contract, events, "index") if is_batch else judge_one(contract, events[0])
    server.sender.check_sizes(messages)
    return messages, {"topic": contract.topic, "accepted": len(messages)}


async def _take_lines(server: Server, contract: Contract, scope: Scope, body: bytes) -> Taken:
    batch = LineBatch(contract, batch_name(contract.topic, scope["headers"], scope["query_string"]), body)
    for _ in batch.judging():
        await asyncio.sleep(0)
    server.sender.check_sizes(batch.messages)
    await asyncio.to_thread(batch.claim, server.receipts)
    return batch.messages, batch.receipt()
