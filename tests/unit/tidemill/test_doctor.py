import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill import doctor
from tidemill.config import Settings, load_settings


def test_every_failure_says_what_to_do(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    settings = load_settings(
        {
            "TIDEMILL_HOME": str(tmp_path),
            "TIDEMILL_PLATFORM_ENVIRONMENT": nowhere,
            "TIDEMILL_AIRFLOW__ENVIRONMENT": nowhere,
            "TIDEMILL_SPARK__JARS": f"{nowhere}/spark",
        }
    )
    failed = {check.name: check for check in doctor.checks(settings) if not check.is_ok}
    assert {"python", "platform environment", "airflow environment", "spark jars", "kafka jars"} <= set(failed)
    assert all(check.advice and check.found for check in failed.values())


def test_a_busy_port_is_found(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        moved = settings.model_copy(update={"redis": settings.redis.model_copy(update={"port": port})})
        (check,) = [check for check in doctor.ports(moved) if check.name == "port of redis"]
    assert not check.is_ok
    assert f"127.0.0.1:{port} is already in use by process {os.getpid()}" in check.found
    assert "TIDEMILL_REDIS__PORT" in check.advice


def test_jars_filled_from_an_older_pom_are_found(settings: Settings, tmp_path: Path) -> None:
    for name in ("spark", "kafka"):
        folder = tmp_path / "jars" / name
        folder.mkdir(parents=True)
        (folder / "some.jar").touch()
        (folder / "pom.xml").write_text("<project/>")
    moved = settings.model_copy(
        update={"spark": settings.spark.model_copy(update={"jars": tmp_path / "jars" / "spark"})}
    )
    assert [(check.is_ok, check.advice) for check in doctor.jars(moved)] == [(False, "run `make setup`")] * 2


@pytest.mark.parametrize(
    ("script", "is_ok"),
    [
        pytest.param("echo 'openjdk version \"17.0.15\"' >&2", True, id="17"),
        pytest.param("echo 'openjdk version \"21\" 2023-09-19' >&2", True, id="21"),
        pytest.param("echo 'java version \"1.8.0_412\"' >&2", False, id="8"),
        pytest.param("exit 1", False, id="broken"),
    ],
)
def test_only_a_java_that_runs_the_stack_is_accepted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, is_ok: bool
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert doctor.java(settings).is_ok is is_ok


def test_a_java_home_without_java_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    check = doctor.java(settings)
    assert not check.is_ok
    assert f"JAVA_HOME ({tmp_path})" in check.found


def test_variables_that_are_left_out_are_named_without_their_values(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "tidemill"), "doctor", "--json"]
    foreign = {"HTTP_PROXY": "http://me:s3cret@corp", "ALL_PROXY": "socks5://corp", "JAVA_TOOL_OPTIONS": "-Xmx16m"}
    environment = os.environ | foreign | {"TIDEMILL_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    (check,) = [check for check in json.loads(done.stdout) if check["name"] == "variables of this shell"]
    kept, left_out = (set(part.split(", ")) for part in check["found"].removeprefix("kept ").split("; left out "))
    assert {"HTTP_PROXY", "PATH", "TIDEMILL_HOME"} <= kept
    assert {"ALL_PROXY", "JAVA_TOOL_OPTIONS"} <= left_out
    assert "s3cret" not in done.stdout


def test_without_nifi_nothing_is_wrong_whatever_java_there_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = settings.nifi.model_copy(update={"java_home": tmp_path / "none"})
    monkeypatch.setattr(doctor, "is_made", lambda _: False)
    check = doctor.nifi(settings.model_copy(update={"nifi": none}))
    assert check.is_ok
    assert check.found.startswith("not set up (optional); NiFi needs Java 21 or newer")


def test_nifi_without_a_java_that_it_runs_on_is_told_what_to_install(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = settings.nifi.model_copy(update={"java_home": tmp_path / "none"})
    monkeypatch.setattr(doctor, "is_made", lambda _: True)
    check = doctor.nifi(settings.model_copy(update={"nifi": none}))
    assert (check.is_ok, check.found) == (False, "NiFi needs Java 21 or newer (none found)")
    assert check.advice.startswith("install one beside the other")
