"""A batch of lines that NiFi received over HTTP, taken whole or not at all: by the rules of the server of events."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ingestion_layer.http.judging import contract_of, fault_of, judge, refused_whole
from ingestion_layer.http.lines import batch_name, digest_of, event_of, lines_in
from ingestion_layer.http.receipts import BatchName, Receipts
from ingestion_layer.http.refusal import Fault, RefusedError
from ingestion_layer.kafka.producer import EventProducer, RawMessage
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings
from tidemill.contracts import Contract, Rejection
from tidemill.contracts.checker import Message
from tidemill.web.problems import MEDIA_TYPE

PATH = "/batches/"
RETRY_AFTER_S = 5
DAY_S = 86_400


@dataclass(frozen=True)
class Request:
    """What a client sent: ``path`` and ``query`` as they stood in the request, headers by name in lower case."""

    path: str
    query: str
    headers: Mapping[str, str]
    size: int
    body: Callable[[], bytes]
    """Reads it, which is not done for one that is too large."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver:
    """Takes batches for topics of the contracts; keys are remembered in the same file as by the server of events."""

    def __init__(self, settings: Settings) -> None:
        timeout_s = settings.events.acknowledge_timeout_s
        kafka = settings.kafka.model_copy(update={"delivery_timeout_s": timeout_s})
        self._settings = settings.model_copy(update={"kafka": kafka})
        self._receipts = Receipts(settings.home / "events" / "receipts.db", settings.events.receipt_days * DAY_S)
        self._receipts.prepare()

    def answer(self, request: Request, request_id: str) -> Answer:
        """What the client is told; 202 once the broker has acknowledged every line."""
        try:
            return Answer(202, orjson.dumps(self._take(request)))
        except RefusedError as refused:
            headers = {name.decode(): value.decode() for name, value in refused.headers}
            return Answer(refused.status, refused.body(request_id), MEDIA_TYPE, headers)

    def _take(self, request: Request) -> dict[str, Any]:
        if not request.path.startswith(PATH):
            raise RefusedError(404, f"there is nothing at {request.path[:100]}: send to {PATH}TOPIC")
        most = self._settings.events.max_body_bytes
        if request.size > most:
            raise RefusedError(413, f"the body is larger than {most:,} bytes: send smaller batches")
        contract = contract_of(request.path.removeprefix(PATH))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
        name, body = batch_name(contract.topic, headers, request.query.encode("latin-1")), request.body()
        messages, ids = judged_lines(contract, name, body)
        digest = digest_of(body)
        self._claim(name, digest)
        self._send(contract.topic, messages)
        receipt = {"key": name.key, "source": name.source, "topic": name.topic, "digest": digest, "count": len(ids)}
        return {**receipt, "ids": ids}

    def _claim(self, name: BatchName, digest: str) -> None:
        try:
            held = self._receipts.claim(name, digest)
        except sqlite3.Error as error:
            detail = f"receipts cannot be kept now ({error})"
            raise RefusedError(503, detail, retry_after_s=RETRY_AFTER_S) from error
        if held != digest:
            raise RefusedError(
                422,
                f"the key {name.key!r} of {name.source} came with another body before ({held}): send that one again, "
                "or give this one a key of its own",
            )

    def _send(self, topic: str, messages: list[Message]) -> None:
        try:
            with EventProducer(self._settings) as producer:
                producer.send(topic, (RawMessage(message.key, message.value) for message in messages))
                producer.flush()
        except TransientError as error:
            raise RefusedError(503, f"the broker did not acknowledge: {error}", retry_after_s=RETRY_AFTER_S) from error


def judged_lines(contract: Contract, name: BatchName, body: bytes) -> tuple[list[Message], list[str]]:
    """The messages of a batch and their ids.

    Raises:
        RefusedError: 422, some lines are no events; each is named by its number.
    """
    messages: list[Message] = []
    ids: list[str] = []
    faults: list[Fault] = []
    lines = list(lines_in(body))
    for line in lines:
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
        raise refused_whole(faults, len(lines))
    return messages, ids
