"""The real services in a home with a space and an umlaut in its name, started from a shell without a UTF-8 locale."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration import topics
from tests.integration.conftest import settings_on_free_ports
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO
from tidemill.stack.services import kafka, mlflow, redis
from tidemill.stack.supervision.running import running

NAME = "Höme mit Leerzeichen 家"
JOB = """
import json, sys
from tidemill.config import load_settings
from data_lake.spark import session
settings = load_settings()
spark = session("names", settings)
path = settings.table_path("silver/töpfe und pfannen")
spark.range(3).write.format("delta").save(path)
print(json.dumps([path, spark.read.format("delta").load(path).count()]))
spark.stop()
"""


BROKER = """
from tidemill.config import load_settings
from tidemill.stack.supervision.running import running
from tidemill.stack.services import kafka
settings = load_settings()
for start in range(2):
    with running(kafka.services(settings)[0], settings):
        print("ready")
"""
SHARED = (".venv", ".jars")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of the home; the caller's locale knows ASCII alone."""
    monkeypatch.setenv("LC_ALL", "POSIX")
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    yield settings_on_free_ports(tmp_path / NAME)


def test_kafka_finds_its_topics_after_a_second_start(home: Settings) -> None:
    service = kafka.services(home)[0]
    with running(service, home):
        admin = AdminClient({"bootstrap.servers": home.kafka.bootstrap_servers})
        topics.make(admin, NewTopic("things", 1, 1))
    assert {path.name for path in home.home.parent.iterdir()} == {NAME}
    assert (home.home / "kafka" / "data" / "things-0").is_dir()
    with running(service, home):
        admin = AdminClient({"bootstrap.servers": home.kafka.bootstrap_servers})
        assert "things" in admin.list_topics(timeout=10).topics


@pytest.mark.parametrize("name", [NAME, 'my "1st" home', "a\\b", "it's #1 ;home"])
def test_redis_keeps_its_file_in_the_home(tmp_path: Path, name: str) -> None:
    home = settings_on_free_ports(tmp_path / name)
    with running(redis.services(home)[0], home):
        assert list((home.home / "redis").rglob("*.aof"))


@pytest.mark.matrix
def test_mlflow_keeps_runs_and_artifacts_in_the_home(home: Settings) -> None:
    from mlflow import MlflowClient

    with running(mlflow.services(home)[0], home):
        client = MlflowClient(home.mlflow.tracking_uri)
        run = client.create_run("0").info
        client.log_text(run.run_id, "text", "text.txt")
    assert (home.home / "mlflow" / "mlflow.db").is_file()
    assert [path.read_text() for path in (home.home / "mlflow" / "artifacts").rglob("text.txt")] == ["text"]


@pytest.mark.matrix
def test_spark_and_delta_rs_read_and_write_one_table(home: Settings, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    script = tmp_path / NAME / "jöb mit Leerzeichen.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(JOB, encoding="utf-8")
    program = home.platform_environment / "bin" / "tidemill"
    line = [str(program), "submit", str(script)]
    done = subprocess.run(line, env=os.environ | settings_environment(home), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    path, rows = json.loads(done.stdout.decode().strip().splitlines()[-1])
    assert rows == 3
    assert DeltaTable(path).to_pyarrow_dataset().count_rows() == 3
    assert {child.name for child in tmp_path.iterdir()} == {NAME}


@pytest.mark.matrix
def test_a_clone_in_such_a_folder_starts_kafka_twice_and_runs_a_spark_job(home: Settings, tmp_path: Path) -> None:
    """A copy of the code beside the environments that are there: making new ones takes minutes."""
    clone = tmp_path / "Klön mit Leerzeichen"
    shutil.copytree(REPO, clone, ignore=shutil.ignore_patterns(".*", "tests", "__pycache__"))
    for name in SHARED:
        (clone / name).symlink_to((REPO / name).resolve())
    job = clone / "töpfe.py"
    job.write_text(JOB, encoding="utf-8")
    environment = os.environ | settings_environment(home) | {"PYTHONPATH": str(clone)}
    environment |= {"TIDEMILL_SPARK__JARS": str(clone / ".jars" / "spark")}
    environment |= {"TIDEMILL_PLATFORM_ENVIRONMENT": str(clone / ".venv")}
    program = clone / ".venv" / "bin"
    for line in ([program / "python", "-c", BROKER], [program / "tidemill", "submit", job]):
        done = subprocess.run(line, env=environment, cwd=clone, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert json.loads(done.stdout.decode().strip().splitlines()[-1])[1] == 3


@pytest.mark.parametrize("name", ["a,b", "a:b", "it's", 'say "so"'], ids=["comma", "colon", "quote", "double quote"])
def test_a_clone_whose_name_java_cannot_be_told_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    script = REPO / "deployment" / "local" / "prerequisites"
    done = subprocess.run([str(script)], cwd=tmp_path / name, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "move this folder" in done.stderr
