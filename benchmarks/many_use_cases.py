"""What a use case more costs the streaming application, when it reads the features that others read too.

    python benchmarks/many_use_cases.py [--use-cases 1 3 10] [--rate 50] [--seconds 60]

For each number it makes a project of `tidemill new` with so many use cases over its visits in a temporary folder, all
of which read one feature group; then the same with a group of its own for each (other windows), for comparison. It
starts a broker, a Redis and the whole streaming application, sends events, and counts the processor time that the
application takes a second while they come. A group is computed once, however many services read it.
"""

import argparse
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from many_contracts import Figures, apart, processor_s

from feature_store import catalog
from ingestion_layer.kafka.producer import Event, EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from tidemill.config import Settings, load_settings
from tidemill.contracts import contract, event
from tidemill.projects.new import new
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka, redis, stream
from tidemill.stack.supervision.running import running

TOPIC, TEMPLATE = "app.visit.v1", "next_visits"
SHARED, OWN = "shared", "own"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--use-cases", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--rate", type=int, default=50, help="events a second")
    parser.add_argument("--seconds", type=int, default=60, help="of sending, twice: to warm up, then measured")
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.project is not None:
        print(json.dumps(measure(options.project, options.rate, options.seconds)))
        return
    found = [in_a_process(number, groups, options) for groups in (SHARED, OWN) for number in options.use_cases]
    base = {groups: next(one for one in found if one["groups"] == groups) for groups in (SHARED, OWN)}
    for one in found:
        one["of_the_first"] = round(one["busy_cpu_percent"] / base[one["groups"]]["busy_cpu_percent"], 2)
    print(json.dumps({"runs": found}, indent=2))


def in_a_process(number: int, groups: str, options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory(prefix="tidemill-use-cases-") as folder:
        project = make_project(Path(folder) / "project", number, groups)
        return apart(__file__, project, options, {"use_cases": number, "groups": groups})


def make_project(root: Path, number: int, groups: str) -> Path:
    """The use cases beside the template's have its files, under other names, and its group or one like it."""
    new(root)
    first = root / "use_cases" / TEMPLATE
    for one in range(1, number):
        folder = root / "use_cases" / f"{TEMPLATE}{one}"
        folder.mkdir()
        for name in ("features.py", "labels.py", "model.yaml"):
            text = (first / name).read_text(encoding="utf-8").replace(f'name="{TEMPLATE}"', f'name="{folder.name}"')
            if groups == OWN:
                text = text.replace('name="visits"', f'name="visits{one}"').replace("visits__", f"visits{one}__")
                text = text.replace("days(28)", f"days({28 + one})").replace("count_28d", f"count_{28 + one}d")
            (folder / name).write_text(text, encoding="utf-8")
    return root


def measure(project: Path, rate: int, seconds: int) -> Figures:
    settings = settings_in(project)
    with running(kafka.services(settings)[0], settings), running(redis.services(settings)[0], settings):
        ensure_topics(settings)
        with running(stream.services(settings)[0], settings) as application:
            send(settings, rate, seconds)
            before = processor_s(application.pid)
            send(settings, rate, seconds)
            busy = (processor_s(application.pid) - before) / seconds
    computed = len(catalog.served_groups(settings.serving.use_cases))
    return {"groups_computed": computed, "busy_cpu_percent": round(100 * busy, 1)}


def settings_in(project: Path) -> Settings:
    broker, controller, store, metrics = free_ports(4)
    return load_settings(
        {
            "TIDEMILL_PROJECT": str(project),
            "TIDEMILL_HOME": os.environ["TIDEMILL_HOME"],
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            "TIDEMILL_REDIS__PORT": str(store),
            "TIDEMILL_STREAM__METRICS_ADDRESS": f"127.0.0.1:{metrics}",
        }
    )


def send(settings: Settings, rate: int, seconds: int) -> None:
    number, began = 0, time.monotonic()
    with EventProducer(settings) as producer:
        while (elapsed := time.monotonic() - began) < seconds:
            due = int(elapsed * rate) - number
            producer.send(TOPIC, [visit() for _ in range(due)])
            producer.flush()
            number += due
            time.sleep(0.1)


def visit() -> Event:
    now = time.monotonic_ns()
    data = {"user_id": f"u{now % 1000}", "page": "start", "platform": "web", "seconds": 1.5}
    return event(contract(TOPIC), "urn:benchmark", str(now), datetime.now(UTC), data)


if __name__ == "__main__":
    main()
