"""What of a killed worker is left in the metrics of the others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

WORKER = """
import sys
from pathlib import Path
from model_serving import metrics
metrics.in_flight.inc(3)
metrics.logged.labels("sent").inc(5)
print("counted", flush=True)
for _ in sys.stdin:
    print(metrics.exposition(Path(sys.argv[1])).decode() + "end", flush=True)
"""


def worker(shared: Path) -> subprocess.Popen[str]:
    """A process that counted, and prints the metrics of all for each line it is sent."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(shared)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(shared)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def asked(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("metrics\n")
    process.stdin.flush()
    samples = {}
    while (line := process.stdout.readline().strip()) != "end":
        if line.startswith("tidemill_"):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
    return samples


def test_a_killed_workers_gauges_go_and_what_it_counted_stays(tmp_path: Path) -> None:
    with worker(tmp_path) as killed, worker(tmp_path) as lives:
        for process in (killed, lives):
            assert process.stdout is not None
            assert process.stdout.readline() == "counted\n"
        in_flight, sent = "tidemill_serving_requests_in_flight", 'tidemill_serving_prediction_log_total{outcome="sent"}'
        both = asked(lives)
        assert (both[in_flight], both[sent]) == (6, 10)

        killed.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note of it

        left = asked(lives)
        assert (left[in_flight], left[sent]) == (3, 10)
        killed.wait()
        assert asked(lives) == left
