import pytest

from airflow_orchestration.stream_health import StreamUnhealthyError, judge

NOW = 1_700_000_000.0


def page(*queries: tuple[str, int, float]) -> str:
    """The metrics of queries given as (name, up, seconds since the last report)."""
    lines = ["# HELP tidemill_stream_query_up 1 while the query runs.", "# TYPE tidemill_stream_query_up gauge"]
    for name, is_up, silent_s in queries:
        lines += [
            f'tidemill_stream_query_up{{query="{name}"}} {float(is_up)}',
            f'tidemill_stream_last_report_timestamp_seconds{{query="{name}"}} {NOW - silent_s:.9e}',
            f'tidemill_stream_lag_rows{{query="{name}"}} 12.0',
        ]
    return "\n".join([*lines, "process_cpu_seconds_total 3.5", ""])


def test_queries_that_report_are_healthy() -> None:
    assert judge(page(("silver/t", 1, 9), ("bronze/t", 1, 1799)), NOW) == ["bronze/t", "silver/t"]


@pytest.mark.parametrize(
    ("exposition", "problem"),
    [
        pytest.param(page(("bronze/t", 1, 5), ("silver/t", 0, 5)), "^silver/t has ended$", id="ended"),
        pytest.param(
            page(("bronze/t", 1, 1801), ("silver/t", 1, 5)), "^bronze/t has not reported for 1801 s$", id="hangs"
        ),
        pytest.param(
            page(("bronze/t", 1, 1900), ("silver/t", 0, 5)),
            "^bronze/t has not reported for 1900 s; silver/t has ended$",
            id="both",
        ),
        pytest.param("process_cpu_seconds_total 3.5\n", "^the stream runs no query$", id="none"),
    ],
)
def test_a_query_that_ended_or_hangs_is_named(exposition: str, problem: str) -> None:
    with pytest.raises(StreamUnhealthyError, match=problem):
        judge(exposition, NOW)
