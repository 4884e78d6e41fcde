"""Which Java NiFi gets: one of version 21 or newer, beside the one of Kafka and Spark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tidemill.stack.machine import java
from tidemill.stack.service import MissingPrerequisiteError


def java_of(folder: Path, version: str) -> Path:
    """A folder with a program that says what ``java -version`` does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def seventeen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_of(tmp_path / "java-17", "17.0.15")))
    monkeypatch.setattr(java, "PLACES", (str(tmp_path / "jvm" / "*"),))


def test_the_java_of_everything_else_is_taken_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = java_of(tmp_path / "java-21", "21.0.7")
    java_of(tmp_path / "jvm" / "temurin-25", "25.0.1")
    monkeypatch.setenv("JAVA_HOME", str(chosen))
    assert java.newer_java(None) == str(chosen / "bin" / "java")


def test_another_that_is_installed_is_found(tmp_path: Path) -> None:
    java_of(tmp_path / "jvm" / "java-11", "11.0.2")
    there = java_of(tmp_path / "jvm" / "temurin-25", "25.0.1")
    assert java.newer_java(None) == str(there / "bin" / "java")


def test_where_there_is_none_what_is_there_is_told_and_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisiteError, match=r"needs Java 21 or newer \(.*java-17.* is Java 17\): install"):
        java.newer_java(None)


def a_text(program: Path) -> None:
    program.write_text("no program")
    program.chmod(0o755)


def not_to_be_run(program: Path) -> None:
    program.touch(mode=0o644)


def endless(program: Path) -> None:
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)


def of_another_script(program: Path) -> None:
    program.write_bytes(b"#!/bin/sh\necho \xff >&2\n")
    program.chmod(0o755)


@pytest.mark.parametrize("make", [a_text, not_to_be_run, endless, of_another_script])
def test_one_that_does_not_run_is_of_an_unknown_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(java, "TIMEOUT_S", 0.5)
    broken = tmp_path / "jvm" / "zulu" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    make(broken)
    with pytest.raises(MissingPrerequisiteError, match=f"{broken} is Java of an unknown version"):
        java.newer_java(broken.parent.parent)


def test_the_one_of_the_settings_is_the_only_one_looked_at(tmp_path: Path) -> None:
    java_of(tmp_path / "jvm" / "temurin-25", "25.0.1")
    with pytest.raises(MissingPrerequisiteError, match="none found"):
        java.newer_java(tmp_path / "nothing")
