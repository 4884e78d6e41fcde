"""NiFi's processor of ours: a file of a partner's to events of a contract."""

from pathlib import Path
from typing import Any

from nifiapi.flowfiletransform import FlowFileTransform, FlowFileTransformResult
from nifiapi.properties import ExpressionLanguageScope, PropertyDescriptor, StandardValidators
from nifiapi.relationship import Relationship

from ingestion_layer.nifi.publishing import PARTIAL, REJECTED, SUCCESS, publish
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError

FAILURE = "failure"
"""NiFi's own: the file is given again."""


class PublishFile(FlowFileTransform):  # type: ignore[misc]
    class Java:
        implements = ["org.apache.nifi.python.processor.FlowFileTransform"]  # noqa: RUF012 - so says NiFi's interface

    class ProcessorDetails:
        version = "1.0.0"
        description = (
            "Sends each row of a file to Kafka as an event, through one of Tidemill's mappings: checked by its "
            "contract, and acknowledged by the broker before the FlowFile goes on. The same file again gives the same "
            "events."
        )
        tags = ["kafka", "contract", "cloudevents"]  # noqa: RUF012 - NiFi reads it from the text, which is to be plain

    # NiFi's Python takes "${a}/${b}" for the attribute a alone: a value is one attribute, or has none at its beginning.
    MAPPING = PropertyDescriptor(
        name="Mapping",
        description="The name of a mapping, sources/NAME.yaml; one attribute, or text",
        required=True,
        default_value="${mapping}",
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )
    FILE = PropertyDescriptor(
        name="File",
        description="The path of the file, whose name ends with its format; one attribute, or text",
        required=True,
        default_value="${claimed.file}",
        validators=[StandardValidators.NON_EMPTY_VALIDATOR],
        expression_language_scope=ExpressionLanguageScope.FLOWFILE_ATTRIBUTES,
    )

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self._settings = load_settings()

    def getPropertyDescriptors(self) -> list[Any]:  # noqa: N802
        return [self.MAPPING, self.FILE]

    def getRelationships(self) -> list[Any]:  # noqa: N802
        """Beside NiFi's own ``original`` and ``failure``, on which a file waits for the broker."""
        return [
            Relationship(SUCCESS, "Every row is an event that the broker has acknowledged"),
            Relationship(PARTIAL, "Some rows are no events: the file named by the attribute rejects.file has each"),
            Relationship(REJECTED, "No row is an event, or the file cannot be read: the attribute reason says why"),
        ]

    def transform(self, context: Any, flowfile: Any) -> Any:
        mapping, path = (
            context.getProperty(descriptor).evaluateAttributeExpressions(flowfile).getValue()
            for descriptor in (self.MAPPING, self.FILE)
        )
        try:
            outcome = publish(self._settings, mapping, Path(path), flowfile.getAttribute("file") or Path(path).name)
        except TidemillError as error:
            self.logger.warn(f"{mapping}: {path} waits: {error}")
            context.yield_resources()
            return FlowFileTransformResult(relationship=FAILURE)
        return FlowFileTransformResult(relationship=outcome.relationship, attributes=dict(outcome.attributes))
