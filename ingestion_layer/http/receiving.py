"""The two ways in: requests with CloudEvents, and batches of lines."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope

from ingestion_layer.http import metrics
from ingestion_layer.http.answer import Answer, json_answer
from ingestion_layer.http.binding import events_in
from ingestion_layer.http.judging import contract_of, fault_of, judge, judge_all, judge_one, refused_whole
from ingestion_layer.http.lines import batch_name, digest_of, event_of, lines_in
from ingestion_layer.http.receipts import BatchName
from ingestion_layer.http.refusal import Fault, RefusedError
from ingestion_layer.http.sender import RETRY_AFTER_S
from ingestion_layer.http.server import Server
from tidemill.contracts import Contract, Rejection
from tidemill.contracts.checker import Message

SLICE = 100

logger = logging.getLogger(__name__)

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
    name = batch_name(contract.topic, scope["headers"], scope["query_string"])
    messages, ids = await _judged_lines(contract, name, body)
    server.sender.check_sizes(messages)
    digest = digest_of(body)
    # Last, since only a batch that is taken has a claim on its key.
    await _claim(server, name, digest)
    receipt = {"key": name.key, "source": name.source, "topic": name.topic, "digest": digest, "count": len(ids)}
    return messages, {**receipt, "ids": ids}


async def _judged_lines(contract: Contract, name: BatchName, body: bytes) -> tuple[list[Message], list[str]]:
    messages: list[Message] = []
    ids: list[str] = []
    faults: list[Fault] = []
    count = 0
    for count, line in enumerate(lines_in(body), start=1):
        if not count % SLICE:
            await asyncio.sleep(0)
        if isinstance(line.content, Fault):
            faults.append(line.content)
            continue
        event = event_of(contract, name, line.number, line.content)
        message = judge(contract, event)
        if isinstance(message, Rejection):
            faults.append(fault_of(event, message, line.place))
        else:
            messages.append(message)
            ids.append(event["id"])
    if faults:
        raise refused_whole(faults, count)
    return messages, ids


async def _claim(server: Server, name: BatchName, digest: str) -> None:
    """That the key means this body.

    Raises:
        RefusedError: 422, it means another; 503, that cannot be told now.
    """
    try:
        held = await asyncio.to_thread(server.receipts.claim, name, digest)
    except sqlite3.Error as error:
        logger.exception("receipts cannot be kept")
        raise RefusedError(503, f"receipts cannot be kept now ({error})", retry_after_s=RETRY_AFTER_S) from error
    if held != digest:
        detail = (
            f"the key {name.key!r} of {name.source} came with another body before ({held}): send that one again, or "
            "give this one a key of its own"
        )
        raise RefusedError(422, detail)
