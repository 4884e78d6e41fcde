"""``python -m tidemill.stack.supervision.launch FILE``: what supervisord starts; it becomes the service that FILE says.

Before that it ends what a killed predecessor left running (a worker that still holds the port), removes its temporary
files, and records itself, so that the stack finds its processes again when supervisord is gone.
"""

import json
import os
import sys
from pathlib import Path

from tidemill.stack.supervision.processes import MARKER, Record, end, group, marked
from tidemill.stack.supervision.temporary import TEMPORARY, make_empty

GRACE_S = 5.0


def record_path(launch_file: Path) -> Path:
    """Where the process started from ``launch_file`` is recorded."""
    return launch_file.with_suffix(".pid.json")


def main(launch_file: Path) -> None:
    """Replace this process by the one described in ``launch_file``."""
    previous = Record.read(record_path(launch_file))
    leftover = marked(str(launch_file)) + (group(previous) if previous else [])
    end(leftover, GRACE_S)
    starts = previous.starts + 1 if previous else 1
    Record.of(os.getpid(), starts).write(record_path(launch_file))
    launch = json.loads(launch_file.read_text(encoding="utf-8"))
    environment = os.environ | launch["environment"] | {MARKER: str(launch_file)}
    if temporary := launch["environment"].get(TEMPORARY):
        make_empty(Path(temporary))
    os.execvpe(launch["command"][0], launch["command"], environment)  # noqa: S606


if __name__ == "__main__":
    main(Path(sys.argv[1]))
