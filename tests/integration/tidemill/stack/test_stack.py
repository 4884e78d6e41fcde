"""The stack as a person uses it: the ``tidemill`` command, a real supervisord, Kafka and Redis."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from redis import Redis

from tidemill.config import load_settings
from tidemill.config.environment import settings_environment
from tidemill.stack.folders import Folders
from tidemill.stack.lock import locked
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.supervision.daemon import leftovers

PASSWORD = 'with "quotes", a \\ and 100%'  # noqa: S105


@dataclass
class Stack:
    """A home folder, and the ``tidemill`` command run on it."""

    variables: dict[str, str]

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "tidemill"), *arguments]
        environment = os.environ | self.variables | changed
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=400)

    def up(self, *services: str, **changed: str) -> subprocess.CompletedProcess[str]:
        result = self.run("up", *services, **changed)
        assert result.returncode == 0, result.stderr
        return result

    def status(self) -> dict[str, Any]:
        result = self.run("status", "--json")
        assert result.returncode == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def service(self, name: str) -> dict[str, Any]:
        (found,) = [service for service in self.status()["services"] if service["name"] == name]
        return dict(found)

    def wait(self, name: str, is_reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            service = self.service(name)
            if is_reached(service):
                return service
            time.sleep(0.5)
        raise AssertionError(f"not reached within 180 s; last: {service}")

    @property
    def folders(self) -> Folders:
        return Folders.of(load_settings(self.variables))

    @property
    def redis_port(self) -> int:
        return load_settings(self.variables).redis.port

    def redis(self) -> Any:
        return Redis(port=self.redis_port, password=PASSWORD, decode_responses=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    broker, controller, redis = free_ports(3)
    settings = load_settings(
        {
            "TIDEMILL_HOME": str(tmp_path_factory.mktemp("a home with 100% blanks")),
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            "TIDEMILL_REDIS__PORT": str(redis),
            "TIDEMILL_REDIS__PASSWORD": PASSWORD,
        }
    )
    stack = Stack(settings_environment(settings))
    yield stack
    result = stack.run("down")
    assert result.returncode == 0, result.stderr
    assert leftovers(stack.folders) == []


def test_services_are_ready_when_up_returns(stack: Stack) -> None:
    stack.up("kafka", "redis")
    servers = stack.variables["TIDEMILL_KAFKA__BOOTSTRAP_SERVERS"]
    assert AdminClient({"bootstrap.servers": servers}).list_topics(timeout=10).brokers
    assert stack.redis().ping()
    states = {service["name"]: service["state"] for service in stack.status()["services"]}
    assert states["kafka"] == states["redis"] == "ready"
    assert states["stream"] == "stopped"


def test_up_on_a_running_service_says_so_and_succeeds(stack: Stack) -> None:
    stack.up("redis")
    before = stack.service("redis")["pid"]
    assert "already running: redis" in stack.up("redis").stderr
    assert stack.service("redis")["pid"] == before


def test_memory_is_that_of_the_processes(stack: Stack) -> None:
    stack.up("redis")
    service = stack.service("redis")
    resident = psutil.Process(service["pid"]).memory_info().rss
    assert 0 < service["memory_bytes"] <= resident * 1.5
    assert stack.status()["memory_bytes"] > service["memory_bytes"]


def test_everything_listens_on_this_machine_only(stack: Stack) -> None:
    stack.up("kafka", "redis")
    listening = [
        connection.laddr.ip
        for process in leftovers(stack.folders)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("name", ["kafka", "redis"])
def test_a_killed_service_is_started_again(stack: Stack, name: str) -> None:
    stack.up(name)
    before = stack.service(name)
    os.kill(before["pid"], signal.SIGKILL)
    after = stack.wait(name, lambda now: now["state"] == "ready" and now["pid"] != before["pid"])
    assert after["restarts"] == before["restarts"] + 1


def test_data_outlives_a_stop(stack: Stack) -> None:
    stack.up("redis")
    stack.redis().set("kept", "yes")
    assert stack.run("down", "redis").returncode == 0
    assert stack.service("redis")["state"] == "stopped"
    stack.up("redis")
    assert stack.redis().get("kept") == "yes"


def test_a_changed_setting_restarts_the_service_and_reaches_it(stack: Stack) -> None:
    stack.up("redis")
    before = stack.service("redis")["pid"]
    stack.up("redis", TIDEMILL_REDIS__MAX_MEMORY_MB="64")
    assert stack.redis().config_get("maxmemory")["maxmemory"] == str(64 * 2**20)
    assert stack.service("redis")["pid"] != before


def test_when_the_supervisor_is_killed_the_next_up_ends_its_orphans_and_starts_them_again(stack: Stack) -> None:
    stack.up("kafka", "redis")
    before = stack.status()
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    orphan = stack.wait("kafka", lambda now: now["state"] == "orphaned")
    stack.up("redis")
    assert not psutil.pid_exists(orphan["pid"]) or psutil.Process(orphan["pid"]).status() == psutil.STATUS_ZOMBIE
    now = stack.status()
    assert now["supervisor_pid"] != before["supervisor_pid"]
    assert {service["state"] for service in now["services"] if service["name"] in {"kafka", "redis"}} == {"ready"}


def test_a_stale_pid_and_socket_do_not_stop_a_start(stack: Stack) -> None:
    stack.run("down")
    folders = stack.folders
    folders.create()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        folders.supervisor_pid.write_text(str(bystander.pid))
        folders.supervisor_record.write_text(json.dumps({"pid": bystander.pid, "create_time": 1.0}))
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(folders.socket))
        stack.up("redis")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_busy_port_is_one_sentence_and_a_failure(stack: Stack) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        stack.run("down", "redis")
        result = stack.run("up", "redis", TIDEMILL_REDIS__PORT=str(port))
    assert result.returncode == 1
    assert f"redis cannot start: 127.0.0.1:{port} is already in use by process {os.getpid()}" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_second_command_that_changes_the_stack_is_refused(stack: Stack) -> None:
    folders = stack.folders
    folders.create()
    with locked(folders):
        for command in (["up", "redis"], ["down"]):
            result = stack.run(*command)
            assert result.returncode == 75
            assert f"process {os.getpid()} is starting or stopping the stack" in result.stderr


def test_a_service_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    stack = Stack({"TIDEMILL_HOME": str(tmp_path), "TIDEMILL_REDIS__PORT": str(port)})
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_text("not a log of commands\n")
    result = stack.run("up", "redis")
    try:
        assert result.returncode == 1
        assert "redis ended while starting" in result.stderr
        assert f"the log {stack.folders.log('redis')} ends with:" in result.stderr
        assert "Bad file format reading the append only file" in result.stderr
        assert stack.service("redis")["pid"] is None
    finally:
        stack.run("down")


def test_a_missing_prerequisite_is_one_sentence_and_a_failure(stack: Stack, tmp_path: Path) -> None:
    result = stack.run("up", "kafka", TIDEMILL_SPARK__JARS=str(tmp_path / "spark"))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"tidemill: no Kafka jars in {tmp_path / 'kafka'}: run `make setup`"


def test_the_log_of_a_service_can_be_read_and_followed(stack: Stack) -> None:
    stack.up("redis")
    assert "Ready to accept connections" in stack.run("logs", "redis", "-n", "1000").stdout
    command = [str(Path(sys.executable).parent / "tidemill"), "logs", "redis", "-f", "-n", "0"]
    reader = subprocess.Popen(command, env=os.environ | stack.variables, stdout=subprocess.PIPE, text=True)
    read = threading.Event()

    def write_until_read() -> None:
        while not read.wait(0.5):
            with stack.folders.log("redis").open("a") as log:
                log.write("written while following\n")

    threading.Thread(target=write_until_read, daemon=True).start()
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "written while following\n"
    finally:
        read.set()
        reader.terminate()
        reader.communicate()


@pytest.mark.parametrize("command", [["up", "kafak"], ["down", "kafak"], ["logs", "kafak"]])
def test_an_unknown_service_is_refused_with_the_known_ones(stack: Stack, command: list[str]) -> None:
    result = stack.run(*command)
    assert result.returncode == 1
    assert "there is no service 'kafak'; known: kafka, redis" in result.stderr


def test_purge_asks_and_then_removes_everything(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    home = tmp_path / "home"
    stack = Stack({"TIDEMILL_HOME": str(home), "TIDEMILL_REDIS__PORT": str(port)})
    stack.up("redis")
    refused = stack.run("down", "--purge")
    assert refused.returncode == 1
    assert home.exists()
    assert stack.run("down", "--purge", "--yes").returncode == 0
    assert not home.exists()


def test_doctor_accepts_this_machine_for_the_tests_above(stack: Stack) -> None:
    results = {check["name"]: check for check in json.loads(stack.run("doctor", "--json").stdout)}
    assert results["java"]["is_ok"]
    assert results["kafka jars"]["is_ok"]
    assert results["home"]["is_ok"]
