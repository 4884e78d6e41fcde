"""A job manager in memory, with the states that Flink leaves on disk: the real one needs a JVM and minutes."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_processing.flink.cluster import RunningJob, SavepointError
from stream_processing.flink.configuration import checkpoints, path_of
from stream_processing.flink.submission import SubmissionError
from tests.unit.stream_processing.flink.states import JOB, written_savepoint
from tidemill.config import Settings


@dataclass
class FakeCluster:
    """``states`` are those of its jobs by id, each of which is called as ``names`` says, else :data:`JOB`.

    ``dies`` names the moment of a stop with a savepoint at which who asked for it is killed; ``fails`` says why Flink
    refuses it: its disk is ``full``, or another was ``asked`` for before, with which the job ends. ``refuses`` is what
    it says to whoever submits a program other than ``accepts``.
    """

    settings: Settings
    states: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    submitted: list[tuple[str, str | None]] = field(default_factory=list)
    dies: str = ""
    fails: str = ""
    refuses: str = ""
    accepts: Mapping[str, Any] | None = None
    url: str = "http://flink"
    next_savepoint: int = 50

    def jobs(self) -> Mapping[str, RunningJob]:
        return {
            job_id: RunningJob(job_id, self.names.get(job_id, JOB), state, 0.0) for job_id, state in self.states.items()
        }

    def state(self, job_id: str) -> str:
        return self.states.get(job_id, "UNKNOWN")

    state_if_told = state

    def failure(self, _job_id: str) -> str:
        return "no disk"

    def cancel(self, job_id: str) -> None:
        self.states[job_id] = "CANCELED"

    def savepoint(self, job_id: str, target: str, _timeout_s: float, *, stop: bool = False) -> str:
        if stop and self.dies == "before":
            raise KeyboardInterrupt
        if self.fails == "full":
            raise SavepointError("no disk")
        made = written_savepoint(path_of(target), self.next_savepoint)
        self.next_savepoint += 1
        if stop:
            self.states[job_id] = "FINISHED"  # of such a job Flink removes all checkpoints (FLINK-18263)
            shutil.rmtree(path_of(checkpoints(self.settings, JOB)) / job_id, ignore_errors=True)
            if self.dies == "after":
                raise KeyboardInterrupt
        if self.fails == "asked":
            raise SavepointError("not all of its tasks run")
        return made

    def submit(self, _settings: Settings, program: Mapping[str, Any], job_id: str, restore: str | None) -> None:
        self.submitted.append((job_id, restore))
        if self.refuses and program != self.accepts:
            raise SubmissionError(self.refuses)
        self.states[job_id] = "RUNNING"
