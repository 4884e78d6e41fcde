"""``python -m stream_processing.flink``: keeps the deployed jobs running, also when the job manager has forgotten them.

Flink's own way to survive a killed job manager needs ZooKeeper or Kubernetes. Here the record of what is to run lies in
the home folder, and a job that the cluster does not have is given to it again, from its newest checkpoint.
"""

import logging
import time

from stream_processing.flink.cluster import ClusterAwayError, SavepointError
from stream_processing.flink.deploying import resubmit
from stream_processing.flink.deployments import deployments
from stream_processing.flink.restoring import MissingStateError
from stream_processing.flink.submission import SubmissionError
from tidemill.config import load_settings
from tidemill.config.settings import Settings

log = logging.getLogger("tidemill.flink")
LONGEST_REST_S = 300.0


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_settings()
    rest_s: dict[str, float] = {}
    due: dict[str, float] = {}
    while True:
        for deployment in deployments(settings):
            if not deployment.is_wanted or time.monotonic() < due.get(deployment.job, 0.0):
                continue
            if _kept(settings, deployment.job):
                rest_s.pop(deployment.job, None)
            else:
                rest_s[deployment.job] = min(2 * rest_s.get(deployment.job, settings.flink.watch_s), LONGEST_REST_S)
                due[deployment.job] = time.monotonic() + rest_s[deployment.job]
        time.sleep(settings.flink.watch_s)


def _kept(settings: Settings, job: str) -> bool:
    """Whether nothing had to be done for ``job``: one that ends again and again is given longer and longer rests."""
    try:
        again = resubmit(settings, job)
    except ClusterAwayError as error:
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


if __name__ == "__main__":
    main()
