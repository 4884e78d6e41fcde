"""``python -m stream_processing.flink``: keeps the deployed jobs running, also when the job manager has forgotten them.

Flink's own way to survive a killed job manager needs ZooKeeper or Kubernetes. Here the record of what is to run lies in
the home folder, and a job that the cluster does not have is given to it again, from its newest state.
"""

import logging
import time

from stream_processing.flink.keeping import Keeper
from tidemill.config import load_settings


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_settings()
    keeper = Keeper(settings)
    while True:
        keeper.look()
        time.sleep(settings.flink.watch_s)


if __name__ == "__main__":
    main()
