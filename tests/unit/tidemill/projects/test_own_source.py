"""A project's own source, read as a replay reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.config.settings import REPO

READ = """
from ingestion_layer.sources.own import OwnSource
from ingestion_layer.sources.progress import Progress
source = OwnSource("numbers")
batches = list(source.batches(Progress({position})))
print([(batch.position, {{topic: len(events) for topic, events in batch.outgoing.items()}}) for batch in batches])
print(dict(source.counts), len(source.identity))
"""
SOURCE = """
from datetime import UTC, datetime
from tidemill.contracts import contract, event
def events():
    visit = contract("app.visit.v1")
    for number in range(1500):
        data = {"user_id": "u", "page": "p", "platform": "web", "seconds": number}
        yield event(visit, "urn:test", str(number), datetime(2026, 1, 1, tzinfo=UTC), data)
"""


def read(project: Path, text: str, position: int = 0) -> subprocess.CompletedProcess[str]:
    (project / "sources" / "numbers.py").write_text(text, encoding="utf-8")
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-c", READ.format(position=position)]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_events_come_in_batches_and_go_on_where_they_were_acknowledged(project: Path) -> None:
    whole = read(project, SOURCE)
    assert whole.stdout.splitlines()[0] == "[(1000, {'app.visit.v1': 1000}), (1500, {'app.visit.v1': 500})]"
    assert whole.stdout.splitlines()[1] == "{'app.visit.v1': 1500} 16"
    assert read(project, SOURCE, 1000).stdout.splitlines()[0] == "[(1500, {'app.visit.v1': 500})]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def event(): pass\n", "has no function events()"),
        ("def events(): yield 1\n", "yields 1, which is no CloudEvent"),
        ("def events(): yield {'type': 'app.other.v1'}\n", "no contract for topic 'app.other.v1'"),
    ],
)
def test_what_is_no_source_is_said(text: str, message: str, project: Path) -> None:
    assert message in read(project, text).stderr


def test_a_name_of_the_platforms_is_refused(project: Path) -> None:
    (project / "sources" / "replay.py").write_text(SOURCE, encoding="utf-8")
    code = "from ingestion_layer.sources.own import OwnSource; OwnSource('replay')"
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert "source 'replay' is there twice" in done.stderr
