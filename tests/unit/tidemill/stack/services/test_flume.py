import json
import os
import re
from pathlib import Path

import pytest

from tidemill.config import ConfigError, Settings, load_settings
from tidemill.stack.service import MissingPrerequisiteError, NotReadyError
from tidemill.stack.services import flume

TOPIC = "shop.click.v1"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """The folder that is tailed: a name that is hard for a file of properties and for a regular expression."""
    folder = tmp_path / "logs (é)"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, logs: Path) -> Settings:
    jars = tmp_path / "jars"
    (jars / "flume").mkdir(parents=True)
    (jars / "flume" / "flume-ng-node-1.11.0.jar").touch()
    return tailing({TOPIC: f"{logs}/clicks[1].jsonl*"}, tmp_path)


def tailing(files: dict[str, str], home: Path) -> Settings:
    return load_settings(
        {
            "TIDEMILL_HOME": str(home / "home"),
            "TIDEMILL_SPARK__JARS": str(home / "jars" / "spark"),
            "TIDEMILL_FLUME__FILES": json.dumps(files),
        }
    )


def noted(settings: Settings, text: str) -> None:
    file = flume.positions_file(settings, TOPIC)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def read(settings: Settings, *files: tuple[Path, int]) -> None:
    """What the agent writes of files: inode, bytes, path."""
    noted(settings, json.dumps([{"inode": file.stat().st_ino, "pos": at, "file": str(file)} for file, at in files]))


@pytest.mark.parametrize("name", ["clicks[1].jsonl", "clicks[1].jsonl.7", "clicks[1].jsonl-2026-03-02.é"])
def test_a_pattern_has_its_own_file_and_the_rotated_ones(name: str) -> None:
    assert re.fullmatch(flume.file_expression("clicks[1].jsonl*"), name)


@pytest.mark.parametrize(
    "name", ["clicks1.jsonl", "clicks[1]xjsonl", "a-clicks[1].jsonl", "clicks[1].jsonl.2.gz", "clicks[1].jsonl-1.zst"]
)
def test_a_pattern_has_no_other_file(name: str) -> None:
    assert not re.fullmatch(flume.file_expression("clicks[1].jsonl*"), name)


def test_a_path_is_written_as_java_reads_properties(settings: Settings, logs: Path) -> None:
    lines = dict(line.split(" = ", 1) for line in flume.agent_properties(settings).splitlines())
    written = lines["agent.sources.t0.filegroups.files"]
    assert written.isascii()
    as_java = re.sub(r"\\(u[0-9a-f]{4}|\\)", lambda found: _character(found[1]), written)
    assert as_java == f"{logs}/{flume.file_expression('clicks[1].jsonl*')}"


def _character(escaped: str) -> str:
    return chr(int(escaped[1:], 16)) if escaped.startswith("u") else escaped


def test_each_topic_has_a_channel_of_its_own(tmp_path: Path, logs: Path) -> None:
    two = tailing({TOPIC: f"{logs}/a*", "shop.transaction.v1": f"{logs}/b*"}, tmp_path)
    lines = flume.agent_properties(two).splitlines()
    assert "agent.channels = t0 t1" in lines
    assert [line for line in lines if ".kafka.topic = " in line] == [
        "agent.sinks.t0.kafka.topic = shop.click.v1",
        "agent.sinks.t1.kafka.topic = shop.transaction.v1",
    ]
    assert len({line for line in lines if ".dataDirs = " in line}) == 2


@pytest.mark.parametrize("path", ["clicks.jsonl", "/var/log/*/clicks.jsonl", "/var/log/", "{nowhere}/clicks"])
def test_what_is_no_path_of_files_is_refused_with_the_key(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"flume\.files.*shop\.click\.v1|\{home\}"):
        tailing({TOPIC: path}, tmp_path)


def test_a_topic_without_a_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"flume\.files.*'shop\.klick\.v1'"):
        tailing({"shop.klick.v1": "/var/log/clicks"}, tmp_path)


def test_it_is_not_started_without_files_or_without_their_folder(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(flume.NoFilesToTailError, match=r"flume\.files is empty"):
        flume.launch(tailing({}, tmp_path))
    with pytest.raises(MissingPrerequisiteError, match="there is no folder /nowhere/logs"):
        flume.launch(tailing({TOPIC: "/nowhere/logs/clicks"}, tmp_path))
    assert "org.apache.flume.node.Application" in flume.launch(settings).command


def test_it_is_ready_once_it_noted_since_its_start_how_far_it_is(settings: Settings, logs: Path) -> None:
    flume.probe(settings, 0.0)
    file = logs / "clicks[1].jsonl"
    file.write_text("{}\n")
    with pytest.raises(NotReadyError):
        flume.probe(settings, 0.0)
    read(settings, (file, 0))
    os.utime(flume.positions_file(settings, TOPIC), (1_000, 1_000))
    flume.probe(settings, 999.0)
    with pytest.raises(NotReadyError):
        flume.probe(settings, 1_001.0)


def test_what_waits_of_a_topic_is_told_and_a_line_or_two_are_not(settings: Settings, logs: Path) -> None:
    old, new = logs / "clicks[1].jsonl.1", logs / "clicks[1].jsonl"
    old.write_bytes(b"x" * 3_500_000)
    new.write_bytes(b"x" * 999)
    read(settings, (old, 3_500_000))
    assert flume.trouble(settings) == ""
    read(settings, (old, 1_000_000), (new, 999))
    assert flume.trouble(settings) == f"2.5 MB of {logs}/clicks[1].jsonl* wait"
    noted(settings, '[{"inode": 12')  # the agent is writing it
    assert flume.trouble(settings) == ""


def test_many_small_files_that_wait_are_as_much_as_a_large_one(settings: Settings, logs: Path) -> None:
    for number in range(4):
        (logs / f"clicks[1].jsonl.{number}").write_bytes(b"x" * 400_000)
    assert flume.trouble(settings) == f"1.6 MB of {logs}/clicks[1].jsonl* wait"
