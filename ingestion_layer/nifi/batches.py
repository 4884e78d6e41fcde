"""A batch of lines that NiFi received over HTTP, taken whole or not at all: by the rules of the server of events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ingestion_layer.http.batch import LineBatch
from ingestion_layer.http.body import check_plain
from ingestion_layer.http.judging import contract_of
from ingestion_layer.http.lines import batch_name
from ingestion_layer.http.receipts import Receipts
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.sender import RETRY_AFTER_S
from ingestion_layer.kafka.producer import EventProducer, RawMessage
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Message
from tidemill.web.problems import MEDIA_TYPE

PATH = "/batches/"
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
        headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in request.headers.items()}
        check_plain(headers)
        name = batch_name(contract.topic, list(headers.items()), request.query.encode("latin-1"))
        batch = LineBatch(contract, name, request.body())
        for _ in batch.judging():
            pass
        batch.claim(self._receipts)
        self._send(contract.topic, batch.messages)
        return batch.receipt()

    def _send(self, topic: str, messages: list[Message]) -> None:
        try:
            with EventProducer(self._settings) as producer:
                producer.send(topic, (RawMessage(message.key, message.value) for message in messages))
                producer.flush()
        except TransientError as error:
            raise RefusedError(503, f"the broker did not acknowledge: {error}", retry_after_s=RETRY_AFTER_S) from error
