"""The topic of predictions in the lake, as the stream would land it: each event once, with all that it says."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from data_lake.delta_rs import open_table
from tests.cases.lake import append_rows
from tests.cases.rollouts import LOG
from tests.cases.silver_rows import row
from tests.integration.model_serving.prediction_topic import messages
from tidemill.config import Settings


def logged(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """The events of the topic, each id once, in its order."""
    events = (orjson.loads(value) for _, value in messages(settings))
    return list({event["id"]: event for event in events}.values())


def land(settings: Settings) -> None:
    """Takes over what the lake does not have yet."""
    table = open_table(LOG, settings)
    there = set(table.to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist())
    schema = pa.schema(table.schema().to_arrow())
    new = [_row(event, schema) for event in logged(settings) if event["id"] not in there]
    if new:
        append_rows(settings, LOG, new)


def _row(event: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    said = row(event["id"], datetime.fromisoformat(event["time"]), **event["data"])
    return {column.name: _value(column.type, said.get(column.name)) for column in schema}


def _value(kind: pa.DataType, said: Any) -> Any:
    """What JSON says, as Arrow takes it."""
    if isinstance(said, str) and pa.types.is_timestamp(kind):
        return datetime.fromisoformat(said)
    return list(said.items()) if isinstance(said, Mapping) else said
