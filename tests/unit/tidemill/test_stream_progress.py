from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tidemill.stack.stream_progress import QueryProgress, parse_progress


def test_progress_is_read_from_what_a_prometheus_client_writes() -> None:
    registry = CollectorRegistry()
    figures = {
        "query_up": 1,
        "batch_id": 7,
        "input_rows_per_second": 1234.5,
        "processed_rows_per_second": 9e4,
        "batch_duration_seconds": 0.75,
        "lag_rows": 3e6,
    }
    for name, value in figures.items():
        Gauge(f"tidemill_stream_{name}", name, ["query"], registry=registry).labels("bronze/shop.click.v1").set(value)
    Gauge("other", "not the stream's", ["query"], registry=registry).labels("x").set(1)
    assert parse_progress(generate_latest(registry).decode()) == [
        QueryProgress("bronze/shop.click.v1", True, 7, 1234.5, 90_000, 0.75, 3_000_000)
    ]


def test_a_query_that_has_not_reported_has_no_figures() -> None:
    text = 'tidemill_stream_query_up{query="silver/shop.click.v1"} 0\n'
    assert parse_progress(text) == [QueryProgress("silver/shop.click.v1", False, None, None, None, None, None)]


def test_the_lag_of_a_query_that_ended_is_unknown() -> None:
    text = 'tidemill_stream_lag_rows{query="silver/shop.click.v1"} NaN\n'
    assert parse_progress(text) == [QueryProgress("silver/shop.click.v1", False, None, None, None, None, None)]
