from prometheus_client import CollectorRegistry, Gauge, generate_latest

from stream_processing.spark_streaming.queries.progress import StateCollector
from stream_processing.spark_streaming.queries.states import QueryStates, State
from tidemill.stack.stream.progress import QueryProgress, parse_progress

NOTHING = QueryProgress("silver/shop.click.v1", "starting", "", *[None] * 8)
SENTENCE = 'a "sentence" with \\ and\na line more: rm -r /tmp/it'


def test_progress_is_read_from_what_a_prometheus_client_writes() -> None:
    registry, states = CollectorRegistry(), QueryStates()
    figures = {
        "batch_id": 7,
        "batch_started_timestamp_seconds": 1_700_000_000.5,
        "batch_tasks_done": 3,
        "batch_tasks": 4,
        "input_rows_per_second": 1234.5,
        "processed_rows_per_second": 9e4,
        "batch_duration_seconds": 0.75,
        "lag_rows": 3e6,
    }
    for name, value in figures.items():
        Gauge(f"tidemill_stream_{name}", name, ["query"], registry=registry).labels("bronze/shop.click.v1").set(value)
    Gauge("other", "not the stream's", ["query"], registry=registry).labels("x").set(1)
    states.set("bronze/shop.click.v1", State.STUCK, SENTENCE)
    registry.register(StateCollector(states))
    assert parse_progress(generate_latest(registry).decode()) == [
        QueryProgress(
            "bronze/shop.click.v1", "stuck", SENTENCE, 7, 1_700_000_000.5, 3, 4, 1234.5, 90_000, 0.75, 3_000_000
        )
    ]


def test_a_query_that_has_not_reported_has_no_figures() -> None:
    assert parse_progress('tidemill_stream_query_up{query="silver/shop.click.v1"} 0\n') == [NOTHING]


def test_the_lag_of_a_query_that_ended_is_unknown() -> None:
    assert parse_progress('tidemill_stream_lag_rows{query="silver/shop.click.v1"} NaN\n') == [NOTHING]
