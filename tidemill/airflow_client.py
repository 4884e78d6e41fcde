"""A client of Airflow's REST API: start a DAG, follow the run, and say why it failed."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tidemill.airflow_api import AirflowApi, AirflowConflictError, AirflowRefusedError, AirflowUnavailableError
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

ENDED = ("success", "failed")
FAILED_TASKS = ("failed", "upstream_failed")
LOG_TAIL_LINES = 20


class DagRunFailedError(TerminalError):
    """A run failed; the message names the task, its page and the end of its log."""


@dataclass(frozen=True)
class Failure:
    """The task that made a run fail, its page in the UI, and the last lines of its log."""

    task_id: str
    url: str
    log_tail: tuple[str, ...]


@dataclass(frozen=True)
class DagRun:
    """A run as it stands. ``tasks`` has each task's state (None: not yet scheduled), in the order they started."""

    dag_id: str
    run_id: str
    state: str
    tasks: Mapping[str, str | None]
    url: str
    failure: Failure | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def raise_for_failure(self) -> None:
        """Raises DagRunFailedError when the run did not end in success."""
        if self.state == "success":
            return
        if self.failure is None:
            raise DagRunFailedError(f"DAG {self.dag_id} {self.state}, see {self.url}")
        tail = "\n".join(self.failure.log_tail)
        raise DagRunFailedError(
            f"DAG {self.dag_id}: task {self.failure.task_id} failed, see {self.failure.url}; its log ends with:\n{tail}"
        )


class AirflowClient:
    """Starts and follows DAG runs; use it in a ``with`` block."""

    def __init__(self, settings: Settings) -> None:
        self._api = AirflowApi(settings)

    def __enter__(self) -> "AirflowClient":
        return self

    def __exit__(self, *exception: object) -> None:
        self._api.close()

    def run(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        progress: Callable[[DagRun], None] = lambda run: None,
        timeout_s: float = 3600.0,
        poll_s: float = 2.0,
    ) -> DagRun:
        """Start ``dag_id`` with ``conf`` and wait until the run has ended, in success or failure.

        ``progress`` is called after each look. A paused DAG is unpaused first, else it would never start.

        Raises:
            AirflowUnavailableError: no answer, or not ended after ``timeout_s``.
            AirflowRefusedError: the DAG has an import error, or Airflow rejects the conf.
        """
        self.wait_for_dag(dag_id)
        self.unpause(dag_id)
        return self.wait(dag_id, self.trigger(dag_id, conf), progress=progress, timeout_s=timeout_s, poll_s=poll_s)

    def wait_for_dag(self, dag_id: str, timeout_s: float = 120.0) -> None:
        """Return when the DAG processor has parsed ``dag_id``."""
        deadline = time.monotonic() + timeout_s
        while not self._is_parsed(dag_id):
            if time.monotonic() > deadline:
                broken = "".join(f"; {file} does not import: {why}" for file, why in self._import_errors())
                raise AirflowUnavailableError(
                    f"DAG {dag_id} did not show up in {timeout_s:.0f} s at {self._api.url}{broken}"
                )
            time.sleep(1.0)

    def unpause(self, dag_id: str) -> None:
        self._api.repeat("PATCH", f"/dags/{quote(dag_id)}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run and return its id. The id is chosen here, so that asking twice starts one run."""
        run_id = f"manual__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        try:
            self._api.repeat("POST", f"/dags/{quote(dag_id)}/dagRuns", json=body)
        except AirflowConflictError:  # an answer got lost: Airflow made the run and could not say so
            self._api.get(_run_path(dag_id, run_id))
        return run_id

    def wait(
        self, dag_id: str, run_id: str, *, progress: Callable[[DagRun], None], timeout_s: float, poll_s: float = 2.0
    ) -> DagRun:
        """Look at a run every ``poll_s`` seconds until it has ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.look(dag_id, run_id)
            progress(run)
            if run.has_ended:
                return run
            if time.monotonic() > deadline:
                raise AirflowUnavailableError(
                    f"DAG {dag_id} was still {run.state} after {timeout_s:.0f} s, see {run.url}"
                )
            time.sleep(poll_s)

    def look(self, dag_id: str, run_id: str) -> DagRun:
        """The run as it stands; with the failure once it has failed."""
        path = _run_path(dag_id, run_id)
        state = str(self._api.get(path)["state"])
        found = self._api.listed(f"{path}/taskInstances", "task_instances", "id")
        instances = sorted(found, key=lambda instance: instance["start_date"] or "9999")
        failed = [instance for instance in instances if instance["state"] in FAILED_TASKS]
        return DagRun(
            dag_id,
            run_id,
            state,
            {instance["task_id"]: instance["state"] for instance in instances},
            self._page(dag_id, run_id),
            self._failure(failed[0]) if state == "failed" and failed else None,
        )

    def returned(self, run: DagRun, task_id: str) -> Any:
        """What ``task_id`` returned in ``run``: its XCom ``return_value``."""
        path = f"{_run_path(run.dag_id, run.run_id)}/taskInstances/{quote(task_id)}/xcomEntries/return_value"
        return self._api.get(path, stringify=False)["value"]

    def _is_parsed(self, dag_id: str) -> bool:
        dags = self._api.listed("/dags", "dags", "dag_id", dag_id_pattern=dag_id)
        if any(dag["dag_id"] == dag_id for dag in dags):
            return True
        for file, trace in self._import_errors():
            if file.endswith(f"{dag_id}.py"):
                raise AirflowRefusedError(f"{file} does not import:\n{trace}")
        return False

    def _import_errors(self) -> list[tuple[str, str]]:
        """Each file that Airflow cannot import, with the trace."""
        errors = self._api.listed("/importErrors", "import_errors", "id")
        return [(str(error["filename"]), str(error["stack_trace"])) for error in errors]

    def _failure(self, instance: Mapping[str, Any]) -> Failure:
        dag_id, run_id, task_id = instance["dag_id"], instance["dag_run_id"], instance["task_id"]
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{max(instance['try_number'], 1)}"
        lines = list(_log_lines(self._api.get(path, full_content=True)["content"]))
        return Failure(task_id, f"{self._page(dag_id, run_id)}/tasks/{quote(task_id)}", tuple(lines[-LOG_TAIL_LINES:]))

    def _page(self, dag_id: str, run_id: str) -> str:
        return f"{self._api.url}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _log_lines(content: Iterable[Any]) -> Iterator[str]:
    """The task's own lines of a log, exceptions as ``Type: message``; Airflow's folded groups are left out."""
    in_group = False
    for entry in content:
        event = str(entry["event"]) if isinstance(entry, Mapping) else str(entry)
        if event.startswith(("::group::", "::endgroup::")):
            in_group = event.startswith("::group::")
        elif not in_group:
            yield event
            details = entry.get("error_detail") or () if isinstance(entry, Mapping) else ()
            yield from (f"{detail['exc_type']}: {detail['exc_value']}" for detail in details)
