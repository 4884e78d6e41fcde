"""NiFi's processor of ours for pages: what one says new becomes events of a contract."""

from typing import Any

from nifiapi.flowfiletransform import FlowFileTransform, FlowFileTransformResult
from nifiapi.properties import ExpressionLanguageScope, PropertyDescriptor, StandardValidators
from nifiapi.relationship import Relationship

from ingestion_layer.nifi.polling import UNAVAILABLE, UNCHANGED, WAITING, Pages
from ingestion_layer.nifi.publishing import PARTIAL, REJECTED, SUCCESS
from tidemill.config import load_settings


class PollPage(FlowFileTransform):  # type: ignore[misc]
    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileTransform"]  # noqa: RUF012 - so says NiFi's interface

    class ProcessorDetails:
        version = "1.0.0"
        description = (
            "Asks a page of JSON for what is new (ETag, Last-Modified), and sends each new row to Kafka as an event "
            "through one of Tidemill's mappings. A server that is tired is asked less often, and as late as it says."
        )
        tags = ["http", "poll", "kafka", "contract"]  # noqa: RUF012 - NiFi reads it from the text, which is to be plain

    MAPPING = PropertyDescriptor(
        name="Mapping",
        description="The name of a mapping, sources/NAME.yaml; one attribute, or text",
        required=True,
        default_value="${mapping}",
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )
    URL = PropertyDescriptor(
        name="URL",
        description="The page; one attribute, or text",
        required=True,
        default_value="${url}",
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self._pages = Pages(load_settings())

    def getPropertyDescriptors(self) -> list[Any]:  # noqa: N802
        return [self.MAPPING, self.URL]

    def getRelationships(self) -> list[Any]:  # noqa: N802
        return [
            Relationship(SUCCESS, "Every new row is an event that the broker has acknowledged"),
            Relationship(PARTIAL, "Some new rows are no events: the file named by the attribute rejects.file has each"),
            Relationship(UNCHANGED, "The page says what it said before"),
            Relationship(WAITING, "It was asked a moment ago, or its server is left in peace"),
            Relationship(
                UNAVAILABLE, "No usable answer, or no broker; the attribute reason says why, and it is tried again"
            ),
            Relationship(REJECTED, "The page or the mapping cannot be used as they are: the attribute reason says why"),
        ]

    def transform(self, context: Any, flowfile: Any) -> Any:
        mapping, url = (
            context.getProperty(descriptor).evaluateAttributeExpressions(flowfile).getValue()
            for descriptor in (self.MAPPING, self.URL)
        )
        outcome = self._pages.look(mapping, url)
        if reason := outcome.attributes.get("reason"):
            self.logger.warn(f"{mapping}: {reason}")
        return FlowFileTransformResult(relationship=outcome.relationship, attributes=dict(outcome.attributes))
