"""Keeping the jobs running that are on record: each that the cluster lost or gave up is submitted again."""

import logging
import time
from collections.abc import Iterator

from stream_processing.flink.cluster import ClusterAwayError, SavepointError
from stream_processing.flink.deploying import resubmit
from stream_processing.flink.deployments import DeploymentRecordError, deployment, recorded_jobs
from stream_processing.flink.restoring import MissingStateError
from stream_processing.flink.submission import SubmissionError
from tidemill.config.settings import Settings

log = logging.getLogger("tidemill.flink")
LONGEST_REST_S = 300.0


class Keeper:
    """Looks at every job on record, again and again; what is wrong with one keeps it from none of the others."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rest_s: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._unreadable: dict[str, str] = {}

    def look(self) -> None:
        """One look at each job: one that ends again and again is given longer and longer rests."""
        for job in self._wanted():
            if time.monotonic() < self._due.get(job, 0.0):
                continue
            if self._kept(job):
                self._rest_s.pop(job, None)
            else:
                self._rest_s[job] = min(2 * self._rest_s.get(job, self._settings.flink.watch_s), LONGEST_REST_S)
                self._due[job] = time.monotonic() + self._rest_s[job]

    def _wanted(self) -> Iterator[str]:
        """Those that are to run; what is wrong with a record is said once, and again when it is something else."""
        for job in recorded_jobs(self._settings):
            try:
                recorded = deployment(self._settings, job)
            except DeploymentRecordError as error:
                if self._unreadable.get(job) != str(error):
                    log.error("%s is not looked after: %s", job, error)  # noqa: TRY400 - the sentence says all
                self._unreadable[job] = str(error)
                continue
            self._unreadable.pop(job, None)
            if recorded and recorded.is_wanted:
                yield job

    def _kept(self, job: str) -> bool:
        """Whether nothing had to be done for ``job``."""
        try:
            again = resubmit(self._settings, job)
        except (ClusterAwayError, DeploymentRecordError) as error:
            log.warning("%s: %s", job, error)
            return True
        except SubmissionError:
            log.exception("%s was not submitted", job)
            return False
        except (MissingStateError, SavepointError) as error:
            log.error("%s was not submitted: %s", job, error)  # noqa: TRY400 - the sentence says all
            return False
        if again is None:
            return True
        log.info("%s was submitted again as %s, from %s", job, again.job_id, again.restored or "the beginning")
        return False
