"""Each DAG, run by the real scheduler and started over REST; the platform's commands are a stand-in (``conftest``)."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import psutil
import pytest
from click.testing import CliRunner

from tests.airflow_orchestration.delta_tables import commit, table_id
from tests.airflow_orchestration.platform_double import NOT_AS_EXPECTED, PlatformDouble
from tests.airflow_orchestration.rest import (
    eventually,
    forget_handled,
    handled_commits,
    next_run,
    run,
    run_ids,
    schedule_now,
)
from tidemill.airflow_api import AirflowApi
from tidemill.airflow_client import AirflowClient, DagRunFailedError
from tidemill.commands import dags
from tidemill.config.settings import REPO, Settings

GOLD_TABLES = ["daily_product_sales", "customer_daily", "sessions"]
REFRESH = "lake refresh {}"


@pytest.fixture
def silver(lake: Path, api: AirflowApi) -> Iterator[Path]:
    """A lake with one commit in ``silver/transactions`` that no DAG has handled."""
    forget_handled(api, "lakehouse_gold")
    commit(lake, "silver/transactions")
    yield lake


def test_gold_runs_its_jobs_one_at_a_time_and_records_what_it_handled(
    silver: Path, platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    ended = run(client, "lakehouse_gold")
    ended.raise_for_failure()
    calls = [call for call in platform.calls() if call.arguments[:2] == ["lake", "refresh"]]
    assert sorted(call.arguments[2] for call in calls) == sorted(GOLD_TABLES)
    by_start = sorted(calls, key=lambda call: call.started)
    assert all(first.ended <= second.started for first, second in pairwise(by_start))
    handled = json.loads(handled_commits(api, "lakehouse_gold"))
    assert handled == {"silver/transactions": {"table_id": table_id(silver, "silver/transactions"), "version": 0}}


def test_the_command_follows_a_run_and_tells_its_end(
    silver: Path, platform: PlatformDouble, client: AirflowClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dags, "load_settings", lambda: settings)
    client.wait_for_dag("lakehouse_gold")
    done = CliRunner().invoke(dags.command, ["run", "lakehouse_gold", "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["state"], told["tasks"]["record_handled"]) == ("success", "success")
    assert "customer_daily: success" in done.stderr.splitlines()
    platform.answer({REFRESH.format("customer_daily"): [{"exit": 1, "stderr": ["tidemill: no column unit_price"]}]})
    with pytest.raises(DagRunFailedError, match="no column unit_price"):
        CliRunner().invoke(dags.command, ["run", "lakehouse_gold"], catch_exceptions=False)


def test_a_command_gets_the_settings_and_nothing_of_airflow(
    silver: Path, platform: PlatformDouble, client: AirflowClient, settings: Settings
) -> None:
    run(client, "lakehouse_gold").raise_for_failure()
    environment = platform.calls()[0].environment
    assert environment["TIDEMILL_HOME"] == str(settings.home)
    assert [name for name in environment if "AIRFLOW__" in name and not name.startswith("TIDEMILL_AIRFLOW__")] == []
    assert environment["PYTHONPATH"] == str(REPO)
    assert environment["PATH"].split(":")[0] == str(settings.platform_environment / "bin")


def test_a_job_that_says_try_again_is_tried_again_in_the_same_run(
    silver: Path, platform: PlatformDouble, client: AirflowClient
) -> None:
    command = REFRESH.format("customer_daily")
    platform.answer({command: [{"exit": 75, "stderr": ["the lake is away"]}, {}]})
    ended = run(client, "lakehouse_gold")
    ended.raise_for_failure()
    assert platform.command_lines().count(command) == 2


def test_a_job_that_says_stop_is_not_tried_again_and_nothing_is_recorded(
    silver: Path, platform: PlatformDouble, client: AirflowClient, api: AirflowApi, settings: Settings
) -> None:
    command = REFRESH.format("customer_daily")
    platform.answer({command: [{"exit": 1, "stderr": ["tidemill: no column unit_price"]}]})
    ended = run(client, "lakehouse_gold")
    assert ended.state == "failed"
    assert ended.tasks["record_handled"] == "upstream_failed"
    assert ended.tasks["daily_product_sales"] == "success"
    assert platform.command_lines().count(command) == 1
    assert handled_commits(api, "lakehouse_gold") is None
    assert ended.failure is not None
    assert ended.failure.task_id == "customer_daily"
    assert ended.failure.url.startswith(f"{settings.airflow.url}/dags/lakehouse_gold/runs/manual__")
    with pytest.raises(DagRunFailedError, match="task customer_daily failed") as raised:
        ended.raise_for_failure()
    assert "trying again would change nothing: tidemill: no column unit_price" in str(raised.value)


def test_a_scheduled_run_waits_for_a_commit_in_the_triggerer_and_goes_on_when_it_arrives(
    silver: Path, platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    run(client, "lakehouse_gold").raise_for_failure()
    before = run_ids(api, "lakehouse_gold")
    schedule_now(api, "lakehouse_gold")
    (run_id,) = eventually(lambda: run_ids(api, "lakehouse_gold") - before, "the backfill's run")
    eventually(lambda: client.look("lakehouse_gold", run_id).tasks["new_silver_commits"] == "deferred", "the deferral")
    assert commit(silver, "silver/transactions") == 1
    next_run(api, client, "lakehouse_gold", before).raise_for_failure()
    assert json.loads(handled_commits(api, "lakehouse_gold"))["silver/transactions"]["version"] == 1


def test_upkeep_is_run_for_all_tables_and_one_that_could_not_be_kept_up_fails_it(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    complaint = "tidemill: silver/clicks: its log cannot be read"
    platform.answer({"lake maintain": [{"stdout": ["name"]}, {"exit": 1, "stderr": [complaint]}]})
    run(client, "lakehouse_maintenance").raise_for_failure()
    with pytest.raises(DagRunFailedError, match="task maintain failed") as raised:
        run(client, "lakehouse_maintenance").raise_for_failure()
    assert complaint in str(raised.value)
    assert platform.command_lines() == ["lake maintain", "lake maintain"]


def test_consistency_compares_each_use_case_and_returns_what_it_found(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    platform.answer({"features consistency churn": [{"stdout": ["reading", '{"fetches": 4321, "rate": 0.0}']}]})
    ended = run(client, "feature_consistency", {"begin": "2026-01-01T00:00:00"})
    ended.raise_for_failure()
    assert client.returned(ended, "compare_churn") == {"fetches": 4321, "rate": 0.0}
    (line,) = platform.command_lines()
    assert line == "features consistency churn --at-least 0 --request --json --from 2026-01-01T00:00:00 --allowed 0.0"


def test_values_that_differ_fail_the_run_without_another_try(platform: PlatformDouble, client: AirflowClient) -> None:
    complaint = "tidemill: 3.00% of the values differ from the lake's"
    platform.answer({"features consistency churn": [{"exit": 1, "stderr": [complaint]}]})
    ended = run(client, "feature_consistency")
    assert ended.state == "failed"
    assert len(platform.calls()) == 1
    with pytest.raises(DagRunFailedError, match="task compare_churn failed"):
        ended.raise_for_failure()


def test_a_monitor_looks_at_the_time_of_its_run_and_a_second_try_at_the_same(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    platform.answer({"drift look churn": [{"exit": 75, "stderr": ["tidemill: MLflow is away"]}, {"stdout": ["done"]}]})
    run(client, "monitor_churn").raise_for_failure()
    counted, judged, first, second = sorted(platform.command_lines(), reverse=True)
    assert judged == "models standing churn --request --json"
    assert counted == "retrain new-data churn --by new data monitor --json"
    asked = re.fullmatch(r"drift look churn --request --at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", first)
    assert asked is not None
    assert second == first
    assert datetime.now(UTC) - datetime.fromisoformat(asked[1]) < timedelta(hours=1)


def test_a_monitor_skips_a_champion_of_whom_no_outcome_is_known_and_returns_the_verdict_on_another(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    unknown = {"standing": "unknown", "why": "no outcome of churn is known", "verdict": None, "request": None}
    worse = {"standing": "worse", "verdict": {"outcomes": 900}, "request": {"state": "requested"}}
    platform.answer({"models standing churn": [{"stdout": [json.dumps(said)]} for said in (unknown, worse)]})
    first, second = (run(client, "monitor_churn") for _ in range(2))
    first.raise_for_failure()
    assert (first.tasks["standing"], second.tasks["standing"]) == ("skipped", "success")
    assert client.returned(second, "standing") == worse


def test_of_a_silver_table_that_is_not_as_expected_no_gold_is_made_and_it_is_not_handled(
    silver: Path, platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    platform.answer({"quality run": [NOT_AS_EXPECTED]})
    ended = run(client, "lakehouse_gold")
    assert ended.state == "failed"
    of_it = {"daily_product_sales": "upstream_failed", "customer_daily": "upstream_failed"}
    assert {name: ended.tasks[name] for name in GOLD_TABLES} == of_it | {"sessions": "success"}
    assert sorted(platform.command_lines()) == [REFRESH.format("sessions"), "quality run silver/transactions"]
    assert handled_commits(api, "lakehouse_gold") is None


def test_marking_a_running_task_as_failed_ends_its_processes(
    silver: Path, platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    platform.answer({REFRESH.format("daily_product_sales"): [{"sleep_s": 600}]})
    client.wait_for_dag("lakehouse_gold")
    client.unpause("lakehouse_gold")
    run_id = client.trigger("lakehouse_gold")
    pids = eventually(platform.pids, "the job to start")
    task = f"/dags/lakehouse_gold/dagRuns/{run_id}/taskInstances/daily_product_sales"
    api.request("PATCH", task, json={"new_state": "failed"})
    eventually(lambda: not any(map(psutil.pid_exists, pids)), "the job's processes to end")
    ended = client.wait("lakehouse_gold", run_id, progress=lambda run: None, timeout_s=240)
    assert ended.failure is not None
    assert ended.failure.task_id == "daily_product_sales"


SENTENCE = "batch 7 is stuck"


class Metrics(BaseHTTPRequestHandler):
    """The stream's metrics page, with one query."""

    state: ClassVar[str] = "running"

    def do_GET(self) -> None:
        query = 'query="bronze/shop.transaction.v1"'
        body = (
            f'tidemill_stream_query_state{{{query},state="{Metrics.state}"}} 1.0\n'
            f'tidemill_stream_query_problem{{{query},sentence="{SENTENCE}"}} 1.0\n'
        ).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the test's output free of one line a request."""


@pytest.fixture
def metrics(settings: Settings) -> Iterator[type[Metrics]]:
    host, port = settings.stream.metrics_address.split(":")
    server = ThreadingHTTPServer((host, int(port)), Metrics)
    Thread(target=server.serve_forever, daemon=True).start()
    Metrics.state = "running"
    yield Metrics
    server.shutdown()
    server.server_close()


KEEPALIVE = {"patience_s": 1, "restart_patience_s": 1}


def test_a_healthy_stream_is_left_alone(
    metrics: type[Metrics], platform: PlatformDouble, client: AirflowClient
) -> None:
    ended = run(client, "stream_keepalive", KEEPALIVE)
    ended.raise_for_failure()
    assert ended.tasks["start_stream"] == "skipped"
    assert platform.calls() == []


def test_a_stream_whose_query_failed_is_left_alone_and_the_run_says_what_to_do(
    metrics: type[Metrics], platform: PlatformDouble, client: AirflowClient
) -> None:
    metrics.state = "failed"
    ended = run(client, "stream_keepalive", KEEPALIVE)
    assert platform.calls() == []
    assert ended.failure is not None
    assert ended.failure.task_id == "check_stream"
    assert f"bronze/shop.transaction.v1 failed: {SENTENCE}" in ended.failure.log_tail[-1]


def test_a_stream_whose_query_is_stuck_is_restarted(
    metrics: type[Metrics], platform: PlatformDouble, client: AirflowClient
) -> None:
    metrics.state = "stuck"
    platform.answer({"up stream": [{"sleep_s": 3}]})
    client.wait_for_dag("stream_keepalive")
    client.unpause("stream_keepalive")
    run_id = client.trigger("stream_keepalive", KEEPALIVE)
    eventually(platform.pids, "the restart")
    metrics.state = "running"
    ended = client.wait("stream_keepalive", run_id, progress=lambda run: None, timeout_s=240)
    ended.raise_for_failure()
    assert platform.command_lines() == ["down stream", "up stream"]
    assert client.returned(ended, "check_stream") == SENTENCE


def test_a_restart_that_does_not_help_fails_the_run_in_one_sentence(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    ended = run(client, "stream_keepalive", KEEPALIVE)
    assert platform.command_lines() == ["down stream", "up stream"]
    assert ended.failure is not None
    assert ended.failure.task_id == "confirm_stream"
    assert "the stream was restarted and is not healthy after 1 s" in ended.failure.log_tail[-1]


def test_a_scoring_is_of_the_runs_own_time_also_when_its_task_is_cleared(
    platform: PlatformDouble, client: AirflowClient, api: AirflowApi
) -> None:
    platform.answer({"models score churn": [{"stdout": ['{"rows": 12}']}]})
    ended = run(client, "score_churn")
    ended.raise_for_failure()
    assert client.returned(ended, "score") == {"rows": 12}
    body = {"dry_run": False, "dag_run_id": ended.run_id, "task_ids": ["score"], "only_failed": False}
    api.request("POST", "/dags/score_churn/clearTaskInstances", json=body)
    eventually(lambda: len(platform.calls()) == 2, "the cleared task")
    first, second = platform.command_lines()
    assert first == second
    assert re.fullmatch(r"models score churn --json --at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first)


def test_a_scoring_of_events_is_of_a_range(platform: PlatformDouble, client: AirflowClient) -> None:
    conf = {"begin": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00", "version": "7"}
    run(client, "score_fraud", conf).raise_for_failure()
    (line,) = platform.command_lines()
    assert line == "models score fraud --json --from 2026-01-01T00:00:00 --to 2026-01-02T00:00:00 --version 7"


def test_a_step_of_a_rollout_is_one_command_and_skipped_where_nothing_is_rolled_out(
    platform: PlatformDouble, client: AirflowClient
) -> None:
    taken = {"action": "step", "why": "the step of 10 % is passed", "rollout": {"epoch": 5}}
    platform.answer({"rollout step": [{"stdout": [json.dumps(taken)]}, {"stdout": ['{"action": null}']}]})
    ended = run(client, "rollout_churn")
    assert (ended.tasks["step"], client.returned(ended, "step")) == ("success", taken)
    assert run(client, "rollout_churn").tasks["step"] == "skipped"
    assert platform.command_lines() == ["rollout step churn --by rollout_churn --json"] * 2
