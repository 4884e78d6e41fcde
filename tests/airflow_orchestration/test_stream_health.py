import pytest

from airflow_orchestration.stream_health import Health, QueryFailedError, StreamUnhealthyError, judge

NOW = 1_700_000_000.0
STATES = ("starting", "running", "retrying", "stuck", "failed")


def page(*queries: tuple[str, str, str], watched_s: float = 5) -> str:
    """The metrics of queries given as (name, state, sentence), looked at so many seconds ago."""
    lines = ["# TYPE tidemill_stream_query_state gauge"]
    for name, now, sentence in queries:
        lines += [
            f'tidemill_stream_query_state{{query="{name}",state="{state}"}} {float(state == now)}' for state in STATES
        ]
        if sentence:
            escaped = sentence.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'tidemill_stream_query_problem{{query="{name}",sentence="{escaped}"}} 1.0')
        lines.append(f'tidemill_stream_lag_rows{{query="{name}"}} 12.0')
    watched = f"tidemill_stream_watched_timestamp_seconds {NOW - watched_s:.9e}"
    return "\n".join([*lines, watched, "process_cpu_seconds_total 3.5", ""])


def test_queries_that_run_or_start_or_are_tried_again_by_the_application_itself_are_working() -> None:
    exposition = page(
        ("silver/t", "running", ""), ("bronze/t", "retrying", "no broker"), ("features/f", "starting", "")
    )
    assert judge(exposition, NOW) == Health(("bronze/t", "features/f", "silver/t"), {})


@pytest.mark.parametrize(
    ("exposition", "problem"),
    [
        pytest.param(
            page(("bronze/t", "running", ""), ("silver/t", "stuck", "silver/t is stuck: batch 7 of 601 s")),
            "^silver/t is stuck: batch 7 of 601 s$",
            id="stuck",
        ),
        pytest.param(
            page(("bronze/t", "running", ""), watched_s=601),
            "^the application has not looked at its queries for 601 s$",
            id="nobody looks",
        ),
        pytest.param("process_cpu_seconds_total 3.5\n", "^the stream runs no query$", id="none"),
    ],
)
def test_what_a_restart_may_help_is_named(exposition: str, problem: str) -> None:
    with pytest.raises(StreamUnhealthyError, match=problem):
        judge(exposition, NOW)


def test_a_failed_query_waits_for_a_person_and_is_no_reason_to_restart_the_others() -> None:
    sentence = 'column "x" \\ y\nis gone'
    health = judge(page(("silver/t", "running", ""), ("bronze/t", "failed", sentence)), NOW)
    assert health == Health(("silver/t",), {"bronze/t": sentence})
    with pytest.raises(QueryFailedError) as raised:
        health.raise_for_failed()
    assert str(raised.value) == f"bronze/t failed: {sentence}"
