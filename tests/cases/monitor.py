"""A monitor as a process of its own: ``python -m tests.cases.monitor USE_CASE END TIMES``.

It says ``ready``, begins when it is told to, and looks so many times at the day before ``END``; of each look it prints
the number of the request that the drift led to.
"""

import sys
from datetime import datetime, timedelta

from monitoring.control import Limits, RetrainRequest
from monitoring.looks.look import look
from monitoring.looks.served import Window
from tidemill.config import load_settings


def main(use_case: str, end: str, times: str) -> None:
    settings, until = load_settings(), datetime.fromisoformat(end)
    _say("ready")
    sys.stdin.readline()
    for _ in range(int(times)):
        window = Window(until - timedelta(days=1), until)
        seen = look(settings, use_case, window, once_each=True, limits=Limits(), now=until)
        asked = None if seen is None else seen.request
        _say(str(asked.number) if isinstance(asked, RetrainRequest) else f"no request: {asked}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
