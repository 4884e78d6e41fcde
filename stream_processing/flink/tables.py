"""The topics as tables of Flink SQL, made from their contracts: what a query reads, and where its results go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stream_processing.flink.identity import identity_sql, literal
from tidemill.config.settings import Settings
from tidemill.contracts.columns import ArrayType, ColumnType, MapType, data_types
from tidemill.contracts.registry import Contract, envelope

ENVELOPE = ("specversion", "id", "source", "type", "time", "datacontenttype", "dataschema")
RESERVED = ("event_id", "event_identity", "event_time", "broker_time", "arrived")
"""Columns that every table of events has beside those of its contract, which none of these may be called like."""
TIME = "TIMESTAMP_LTZ(3)"
"""What Flink's time attributes can be: milliseconds."""


@dataclass(frozen=True)
class Clock:
    """How long is waited for latecomers, and for a partition without a message before it holds nobody back."""

    wait_s: float
    idle_s: float


def time_sql(text: str) -> str:
    """The moment that the RFC 3339 text in the column ``text`` names, rounded down to a millisecond; null for none.

    The session's time zone has to be UTC.
    """
    local = f"REGEXP_REPLACE(UPPER(REGEXP_EXTRACT({text}, '^.{{10}}[Tt ].{{8}}([.][0-9]{{1,3}})?', 0)), '[T]', ' ')"
    offset = "([+-])([0-9]{2}):([0-9]{2})$"
    sign, hours, minutes = (f"REGEXP_EXTRACT({text}, '{offset}', {group})" for group in (1, 2, 3))
    east = f"COALESCE(CAST({hours} AS INT) * 60 + CAST({minutes} AS INT), 0)"
    signed = f"CASE WHEN {sign} = '-' THEN {east} ELSE -{east} END"
    return f"CAST(TIMESTAMPADD(MINUTE, {signed}, TRY_CAST({local} AS {TIME})) AS {TIME})"


def time_text_sql(time: str) -> str:
    """The moment ``time`` as RFC 3339 text in UTC."""
    return f"DATE_FORMAT({time}, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')"


def interval_sql(seconds: float) -> str:
    """So many seconds, to the millisecond; below ten days, since Flink's intervals have no more digits."""
    rest, milliseconds = divmod(round(seconds * 1000), 1000)
    rest, second = divmod(rest, 60)
    rest, minute = divmod(rest, 60)
    days, hour = divmod(rest, 24)
    return f"INTERVAL '{days} {hour:02}:{minute:02}:{second:02}.{milliseconds:03}' DAY TO SECOND(3)"


def topic_table(settings: Settings, name: str, contract: Contract, clock: Clock, group: str) -> str:
    """The statement that makes ``name`` of the topic's messages as they come, whether valid or not.

    Its time goes ``clock.wait_s`` behind the newest event, and never ahead of the broker's clock: one event from a
    clock that is fast does not make all others late.
    """
    columns = [f"`{field}` STRING" for field in ENVELOPE]
    columns += [
        f"`data` ROW<{_fields(contract)}>",
        f"`broker_time` {TIME} METADATA FROM 'timestamp' VIRTUAL",
        f"`event_time` AS {time_sql('`time`')}",
        f"WATERMARK FOR `event_time` AS LEAST(`event_time`, `broker_time`) - {interval_sql(clock.wait_s)}",
        "`arrived` AS PROCTIME()",
    ]
    options = _connection(settings, contract.topic) | {
        "format": "json",
        "json.ignore-parse-errors": "true",
        "scan.startup.mode": "earliest-offset",
        "scan.watermark.idle-timeout": f"{round(clock.idle_s * 1000)} ms",
        "properties.group.id": group,
        "properties.isolation.level": settings.stream.isolation,
    }
    return f"CREATE TEMPORARY TABLE `{name}` (\n  {_lines(columns)}\n) WITH (\n  {_options(options)}\n)"


def events_view(settings: Settings, name: str, messages: str, contract: Contract) -> str:
    """The statement that makes ``name`` of what the table ``messages`` has that silver would take, by its columns."""
    columns = [
        "`id` AS `event_id`",
        f"{identity_sql('`source`', '`id`')} AS `event_identity`",
        "`event_time`",
        "`broker_time`",
        "`arrived`",
        *(f"{_read(column, kind)} AS `{column}`" for column, kind in data_types(contract).items()),
    ]
    conditions = "\n  AND ".join(_conditions(settings, contract))
    return f"CREATE TEMPORARY VIEW `{name}` AS SELECT\n  {_lines(columns)}\nFROM `{messages}`\nWHERE {conditions}"


def results_table(settings: Settings, name: str, contract: Contract) -> str:
    """The statement that makes ``name`` of the topic that results are sent to.

    At least once, without a transaction: what is sent again has the same id.
    """
    columns = ["`message_key` STRING", *(f"`{field}` STRING" for field in ENVELOPE), f"`data` ROW<{_fields(contract)}>"]
    options = _connection(settings, contract.topic) | {
        "key.format": "raw",
        "key.fields": "message_key",
        "value.format": "json",
        "value.fields-include": "EXCEPT_KEY",
        "value.json.encode.decimal-as-plain-number": "true",
        "sink.delivery-guarantee": "at-least-once",
        "properties.acks": "all",
        "properties.compression.type": "lz4",
        "properties.delivery.timeout.ms": str(int(settings.kafka.delivery_timeout_s * 1000)),
        "properties.request.timeout.ms": str(int(settings.kafka.delivery_timeout_s * 500)),
    }
    return f"CREATE TEMPORARY TABLE `{name}` (\n  {_lines(columns)}\n) WITH (\n  {_options(options)}\n)"


def flink_type(kind: ColumnType) -> str:
    """The type in a message's JSON; a time is a text there."""
    if isinstance(kind, ArrayType):
        return f"ARRAY<{flink_type(kind.items)}>"
    if isinstance(kind, MapType):
        return f"MAP<STRING, {flink_type(kind.values)}>"
    return "STRING" if kind.sql == "TIMESTAMP" else kind.sql


def _fields(contract: Contract) -> str:
    return ", ".join(f"`{name}` {flink_type(kind)}" for name, kind in data_types(contract).items())


def _read(name: str, kind: ColumnType) -> str:
    field = f"`data`.`{name}`"
    return time_sql(field) if kind.sql == "TIMESTAMP" else field


def _conditions(settings: Settings, contract: Contract) -> Iterator[str]:
    """What a message must fulfil, of what the checker asks: the envelope, its time, and the bounds of simple fields."""
    stream = settings.stream
    yield f"`type` = {literal(contract.topic)}"
    for field, schema in envelope()["properties"].items():
        if field in ENVELOPE:
            yield from _bounds(f"`{field}`", schema, is_required=True)
    yield "`event_time` IS NOT NULL"
    yield f"`event_time` >= CAST('{stream.earliest_event:%Y-%m-%d} 00:00:00' AS {TIME})"
    yield f"`event_time` <= TIMESTAMPADD(SECOND, {int(stream.latest_skew_s)}, `broker_time`)"
    required = set(contract.schema["required"])
    for name, schema in contract.schema["properties"].items():
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        yield from _bounds(f"`data`.`{name}`", schema, is_required=name in required and "null" not in kinds)


def _bounds(column: str, schema: Mapping[str, Any], *, is_required: bool) -> Iterator[str]:
    may_be_null = "" if is_required else f"{column} IS NULL OR "
    if is_required:
        yield f"{column} IS NOT NULL"
    for keyword, value in schema.items():
        if condition := _bound(column, keyword, value):
            yield f"({may_be_null}{condition})"


def _bound(column: str, keyword: str, value: Any) -> str:
    """One keyword of a schema as a condition; empty for what SQL is not asked."""
    lengths = {"minLength": ">=", "maxLength": "<="}
    numbers = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    if keyword in lengths:
        return f"CHAR_LENGTH({column}) {lengths[keyword]} {value}"
    if keyword in numbers:
        return f"{column} {numbers[keyword]} {value}"
    if keyword == "const" and isinstance(value, str):
        return f"{column} = {literal(value)}"
    if keyword == "enum" and all(isinstance(allowed, str) for allowed in value if allowed is not None):
        return f"{column} IN ({', '.join(literal(allowed) for allowed in value if allowed is not None)})"
    return ""


def _connection(settings: Settings, topic: str) -> dict[str, str]:
    client = {f"properties.{name}": value for name, value in settings.flink.kafka_options.items()}
    servers = {"connector": "kafka", "topic": topic, "properties.bootstrap.servers": settings.kafka.bootstrap_servers}
    return servers | client


def _options(options: Mapping[str, str]) -> str:
    return _lines([f"{literal(name)} = {literal(value)}" for name, value in options.items()])


def _lines(items: list[str]) -> str:
    return ",\n  ".join(items)
