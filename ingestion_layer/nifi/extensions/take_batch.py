"""NiFi's processor of ours for HTTP: a batch of lines to events of a contract, and the answer to its sender."""

from typing import Any

from nifiapi.flowfiletransform import FlowFileTransform, FlowFileTransformResult
from nifiapi.relationship import Relationship

from ingestion_layer.nifi.batches import Receiver, Request
from tidemill.config import load_settings

HEADERS = "http.headers."


class TakeBatch(FlowFileTransform):  # type: ignore[misc]
    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileTransform"]  # noqa: RUF012 - so says NiFi's interface

    class ProcessorDetails:
        version = "1.0.0"
        description = (
            "Takes a batch of JSON lines that HandleHttpRequest received under an Idempotency-Key: whole or not at "
            "all, checked by the contract of the topic in its path, and acknowledged by the broker. The content "
            "becomes the answer, the attribute http.status its status."
        )
        tags = ["http", "kafka", "contract", "batch"]  # noqa: RUF012 - NiFi reads it from the text

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self._receiver = Receiver(load_settings())

    def getRelationships(self) -> list[Any]:  # noqa: N802
        return [Relationship("answer", "What the sender is told: 202 with a receipt, or why not, line by line")]

    def transform(self, _context: Any, flowfile: Any) -> Any:
        attributes = dict(flowfile.getAttributes())
        request = Request(
            path=attributes.get("http.request.uri", ""),
            query=attributes.get("http.query.string", ""),
            headers={n.removeprefix(HEADERS).lower(): v for n, v in attributes.items() if n.startswith(HEADERS)},
            size=int(flowfile.getSize()),
            body=lambda: bytes(flowfile.getContentsAsBytes()),
        )
        answer = self._receiver.answer(request, attributes["uuid"])
        told = {
            "http.status": str(answer.status),
            "Content-Type": answer.content_type,
            "X-Request-Id": attributes["uuid"],
        }
        return FlowFileTransformResult(
            relationship="answer",
            attributes={**told, **{name.title(): value for name, value in answer.headers.items()}},
            contents=answer.body,
        )
