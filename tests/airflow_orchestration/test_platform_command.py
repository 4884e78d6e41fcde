"""The operator against real processes: small programs in a folder that stands for the platform environment."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from airflow_orchestration.plugins.hooks.platform import PlatformHook, platform_variables
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from tidemill.config.environment import GIVEN
from tidemill.config.settings import REPO, Settings

OUT_OF_MEMORY_KILL = 9


@pytest.fixture
def environment(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose ``bin/program`` is what :func:`program` writes."""
    monkeypatch.setenv("TIDEMILL_PLATFORM_ENVIRONMENT", str(tmp_path))
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(environment: Path, body: str) -> None:
    path = environment / "bin" / "program"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(0o755)


def run(*arguments: str) -> Any:
    return PlatformCommandOperator(task_id="command", command=["program", *arguments]).execute({})


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 120
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, f"{path} was never written"
        time.sleep(0.05)
    return path.read_text()


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 120
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("stdout", "returned"),
    [
        pytest.param('{"run_id": "r1"}', {"run_id": "r1"}, id="one-line"),
        pytest.param('starting\n{"a": 1}\n{"a": 2}\ndone', {"a": 2}, id="last-object-among-other-lines"),
        pytest.param('{\n  "a": [\n    {}\n  ]\n}', {"a": [{}]}, id="indented-document"),
        pytest.param('[{"name": "bronze"}]', [{"name": "bronze"}], id="list"),
        pytest.param("no json", None, id="text"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_json_a_command_prints_is_what_the_task_returns(environment: Path, stdout: str, returned: object) -> None:
    program(environment, f"print({stdout!r})")
    assert run() == returned


def test_arguments_arrive_as_they_are_and_no_shell_reads_them(environment: Path) -> None:
    program(environment, "import json, sys; print(json.dumps({'arguments': sys.argv[1:]}))")
    assert run("--reason", "two words; $HOME `id`", "") == {"arguments": ["--reason", "two words; $HOME `id`", ""]}


@pytest.mark.parametrize(
    ("ending", "expected", "is_tried_again"),
    [
        pytest.param("sys.exit(75)", "may work when tried again: the broker is away", True, id="transient"),
        pytest.param("sys.exit(1)", "trying again would change nothing: the broker is away", False, id="terminal"),
        pytest.param("sys.exit(2)", "ended with exit status 2", False, id="usage"),
        pytest.param("os.kill(os.getpid(), 9)", "was ended by signal 9", True, id="killed"),
        pytest.param("sys.exit(143)", "was ended by signal 15", True, id="ended in order"),
    ],
)
def test_how_a_command_ends_decides_whether_it_is_tried_again(
    environment: Path, ending: str, expected: str, is_tried_again: bool
) -> None:
    program(environment, f"import os, sys; print('the broker is away', file=sys.stderr, flush=True); {ending}")
    with pytest.raises(AirflowException, match=expected) as raised:
        run()
    assert isinstance(raised.value, AirflowFailException) is not is_tried_again


def test_each_line_is_logged_when_it_is_printed_not_at_the_end(
    environment: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go_on = environment / "go-on"
    program(
        environment,
        f"""
        import pathlib, sys, time
        print("first line")
        print("on stderr", file=sys.stderr)
        while not pathlib.Path({str(go_on)!r}).exists():
            time.sleep(0.05)
        print("last line")
        """,
    )
    task = threading.Thread(target=run)
    task.start()
    logged = ""
    try:
        deadline = time.monotonic() + 120
        while "first line" not in logged or "on stderr" not in logged:
            assert time.monotonic() < deadline, logged
            time.sleep(0.05)
            logged += capfd.readouterr().out
        assert "last line" not in logged
    finally:
        go_on.touch()
        task.join()
    assert "last line" in capfd.readouterr().out


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])  # inherits that SIGTERM is ignored
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}\\n")
time.sleep(600)
"""


def test_a_timeout_ends_the_whole_process_group_even_when_it_ignores_sigterm(environment: Path) -> None:
    program(environment, STUBBORN)
    noted = environment / "pids"
    with pytest.raises(AirflowTaskTimeout), timeout(2):
        run(str(noted))
    for pid in wait_for(noted).split():
        assert_gone(int(pid))


def test_killing_the_task_ends_the_whole_process_group_and_the_task_is_tried_again(environment: Path) -> None:
    program(environment, STUBBORN)
    noted = environment / "pids"
    operator = PlatformCommandOperator(task_id="command", command=["program", str(noted)])
    raised: list[BaseException] = []

    def execute() -> None:
        try:
            operator.execute({})
        except AirflowException as error:
            raised.append(error)

    task = threading.Thread(target=execute)
    task.start()
    pids = [int(pid) for pid in wait_for(noted).split()]
    operator.on_kill()
    task.join(30)
    assert not task.is_alive()
    for pid in pids:
        assert_gone(pid)
    assert [str(error) for error in raised] == [f"`program {noted}` was ended by signal 9: "]


def test_what_a_command_leaves_running_in_its_group_is_ended(environment: Path) -> None:
    program(
        environment,
        """
        import json, subprocess
        child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
        print(json.dumps({"pid": child.pid}))
        """,
    )
    assert_gone(run()["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_a_command_ends_when_the_task_itself_is_killed(environment: Path) -> None:
    noted = environment / "pid"
    program(environment, f"import os, time; open({str(noted)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(600)")
    body = (
        "from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator\n"
        "PlatformCommandOperator(task_id='command', command=['program']).execute({})"
    )
    task = subprocess.Popen([sys.executable, "-c", body], cwd=REPO, env=os.environ)
    try:
        pid = int(wait_for(noted))
    finally:
        task.send_signal(signal.SIGKILL)
        task.wait()
    assert_gone(pid)


def test_the_platform_gets_our_settings_and_nothing_of_airflows_environment(settings: Settings) -> None:
    airflow_bin, platform_bin = settings.airflow.environment / "bin", settings.platform_environment / "bin"
    inherited = {
        "AIRFLOW__CORE__FERNET_KEY": "key",
        "AIRFLOW_HOME": "/airflow",
        "AIRFLOW_CTX_DAG_ID": "lakehouse_gold",
        "_AIRFLOW__SKIP": "1",
        "__AIRFLOW_SUPERVISOR": "1",
        "PYTHONPATH": "/airflow/plugins",
        "PYTHONHOME": "/python",
        "VIRTUAL_ENV": str(settings.airflow.environment),
        "PATH": f"{airflow_bin}:/usr/bin:/bin",
        "HOME": "/home/me",
        "JAVA_HOME": "/java",
        "TIDEMILL_HOME": "/data",
        "TIDEMILL_SPARK__MASTER": "local[1]",
    }
    assert platform_variables(settings, inherited) == {
        "PATH": f"{platform_bin}:/usr/bin:/bin",
        "HOME": "/home/me",
        "JAVA_HOME": "/java",
        "TIDEMILL_HOME": "/data",
        "TIDEMILL_SPARK__MASTER": "local[1]",
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
        **GIVEN,
    }


def test_a_program_the_environment_lacks_is_named(environment: Path, settings: Settings) -> None:
    with pytest.raises(FileNotFoundError, match=str(environment / "bin" / "absent")):
        PlatformHook(settings.model_copy(update={"platform_environment": environment})).run(["absent"])
