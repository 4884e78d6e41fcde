"""The job manager's REST API (Flink's documentation, "REST API"), as far as it is needed here."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

TIMEOUT_S = 30.0
POLL_S = 0.3
ENDED = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})
LATE = "numLateRecordsDropped"


class ClusterAwayError(TransientError):
    """The job manager does not answer."""


class SavepointError(TerminalError):
    """Flink made no savepoint; the message says why."""


@dataclass(frozen=True)
class RunningJob:
    """A job as the cluster knows it; ``state`` is Flink's own word, and RUNNING only when every task of it runs."""

    job_id: str
    name: str
    state: str
    started: float
    """In seconds since the epoch."""


class Cluster:
    """Talks to ``settings.flink.url``, past any proxy."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.flink.url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S, trust_env=False)

    def jobs(self) -> Mapping[str, RunningJob]:
        """Every job that this job manager has had since it was started, by id."""
        jobs = (_job(described) for described in self._get("/jobs/overview")["jobs"])
        return {job.job_id: job for job in jobs}

    def state(self, job_id: str) -> str:
        """Of one job; ``UNKNOWN`` when this job manager has not heard of it."""
        job = self.jobs().get(job_id)
        return job.state if job else "UNKNOWN"

    def state_if_told(self, job_id: str) -> str:
        """Its state, or that the manager, busy with what it was asked for, does not tell it in time."""
        try:
            return self.state(job_id)
        except ClusterAwayError:
            return "NOT TOLD"

    def failure(self, job_id: str) -> str:
        """The first line of what made the job fail last; empty when nothing did."""
        entries = self._get(f"/jobs/{job_id}/exceptions").get("exceptionHistory", {}).get("entries", [])
        if not entries:
            return ""
        causes = [line for line in entries[0]["stacktrace"].splitlines() if not line.startswith(("\t", " "))]
        return str(causes[-1].removeprefix("Caused by: ")) if causes else str(entries[0]["exceptionName"])

    def last_checkpoint(self, job_id: str) -> float | None:
        """When the job's last checkpoint was complete, in seconds since the epoch; None before its first one."""
        completed = self._get(f"/jobs/{job_id}/checkpoints").get("latest", {}).get("completed")
        return float(completed["latest_ack_timestamp"]) / 1000 if completed else None

    def restored_from(self, job_id: str) -> str | None:
        """The URI of the checkpoint or savepoint that the job went on from last; None when it began anew."""
        restored = self._get(f"/jobs/{job_id}/checkpoints").get("latest", {}).get("restored")
        return _uri(restored["external_path"]) if restored else None

    def late(self, job_id: str) -> int:
        """Events that came after the result they belong to could be changed, since the job was started last.

        A pass that waits longer leaves out fewer: those that even the last one left out are what is counted.
        """
        passes = _passes(self._get(f"/jobs/{job_id}")["plan"]["nodes"])
        counts = [[self._late(job_id, vertex) or 0 for vertex in of_pass] for of_pass in passes]
        return min(map(max, counts), default=0)

    def _late(self, job_id: str, vertex: str) -> int | None:
        path = f"/jobs/{job_id}/vertices/{vertex}/subtasks/metrics"
        names = [metric["id"] for metric in self._get(path) if metric["id"].endswith(LATE)]
        if not names:
            return None
        sums = self._get(path, get=",".join(names), agg="sum")
        return int(sum(metric["sum"] for metric in sums))

    def savepoint(self, job_id: str, target: str, timeout_s: float, *, stop: bool = False) -> str:
        """The URI of a savepoint below ``target``; with ``stop`` the job ends with it.

        Raises:
            SavepointError: there was none in time, or Flink could not make it.
        """
        action, directory = ("stop", "targetDirectory") if stop else ("savepoints", "target-directory")
        trigger = self._ask("POST", f"/jobs/{job_id}/{action}", json={directory: target})["request-id"]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if operation := self._completed(job_id, trigger):
                return _location(job_id, operation)
            time.sleep(POLL_S)
        raise SavepointError(f"job {job_id}: no savepoint after {timeout_s:.0f} s: see {self.url}/#/job/{job_id}")

    def _completed(self, job_id: str, trigger: str) -> Mapping[str, Any] | None:
        """How a savepoint ended; None while it is made, or while the manager is too busy with it to answer."""
        try:
            answer = self._get(f"/jobs/{job_id}/savepoints/{trigger}")
        except ClusterAwayError:
            return None
        return answer["operation"] if answer["status"]["id"] == "COMPLETED" else None

    def cancel(self, job_id: str) -> None:
        """End the job where it is; its last checkpoint stays."""
        self._ask("PATCH", f"/jobs/{job_id}", mode="cancel")

    def _get(self, path: str, **parameters: str) -> Any:
        return self._ask("GET", path, **parameters)

    def _ask(self, method: str, path: str, json: Any = None, **parameters: str) -> Any:
        try:
            response = self._client.request(method, path, params=parameters, json=json)
            response.raise_for_status()
            return response.json()
        except httpx.HTTPStatusError as error:
            said = " ".join(error.response.text.split())[:300]
            raise ClusterAwayError(
                f"Flink at {self.url} answered {error.response.status_code} to {path}: {said}"
            ) from error
        except (httpx.TransportError, ValueError) as error:
            raise ClusterAwayError(
                f"Flink at {self.url} does not answer ({error or type(error).__name__}): `tidemill up flink`"
            ) from error


def _passes(nodes: Sequence[Mapping[str, Any]]) -> list[set[str]]:
    """The ids of the vertices of each pass: no events go from one to another.

    An event is left out by one vertex of a pass, which may be before others that can leave out events.
    """
    passes: list[set[str]] = []
    for node in nodes:
        near = {node["id"], *(read["id"] for read in node.get("inputs", []))}
        passes = [*(of for of in passes if not of & near), near.union(*(of for of in passes if of & near))]
    return passes


def _job(described: Mapping[str, Any]) -> RunningJob:
    """A job is called running while its tasks are still being started, which is told apart here."""
    tasks, state = described["tasks"], described["state"]
    if state == "RUNNING" and tasks["running"] + tasks["finished"] < tasks["total"]:
        state = "STARTING"
    return RunningJob(described["jid"], described["name"], state, described["start-time"] / 1000)


def _location(job_id: str, operation: Mapping[str, Any]) -> str:
    if "location" in operation:
        return _uri(operation["location"])
    trace = operation.get("failure-cause", {}).get("stack-trace", "no reason given")
    causes = [line for line in trace.splitlines() if not line.startswith(("\t", " "))]
    raise SavepointError(f"job {job_id}: Flink made no savepoint: {causes[-1].removeprefix('Caused by: ')}")


def _uri(place: str) -> str:
    """``place`` as everybody but Flink writes it, which leaves out the empty host: ``file:/folder``."""
    return place.replace("file:/", "file:///", 1) if re.match("file:/[^/]", place) else place
