"""The wheel, in an environment of its own and away from the clone: what a user who has no clone does first."""

import os
import subprocess
from pathlib import Path

import pytest

from tidemill.config.settings import REPO

UV = REPO / ".tools" / "bin" / "uv"
NOT_ON_A_CPU = "nvidia-nccl-cu12; sys_platform == 'never'\nnvidia-nccl-cu13; sys_platform == 'never'\n"


def done(command: list[object], folder: Path, **variables: str) -> str:
    # A user's shell knows mirrors and certificate authorities, and nothing of the clone.
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TIDEMILL_"))}
    given |= variables
    ended = subprocess.run([*map(str, command)], cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.matrix
def test_a_wheel_makes_checks_and_tests_a_project_without_the_clone(tmp_path: Path) -> None:
    dist, environment, locked = tmp_path / "dist", tmp_path / "environment", tmp_path / "constraints.txt"
    done([UV, "build", "--wheel", "--out-dir", dist], REPO)
    options = ["--frozen", "--no-default-groups", "--group", "platform", "--no-emit-project", "--no-hashes"]
    done([UV, "export", *options, "--format", "requirements-txt", "--output-file", locked], REPO)
    (tmp_path / "override.txt").write_text(NOT_ON_A_CPU, encoding="utf-8")
    done([UV, "venv", environment], tmp_path)
    (wheel,) = dist.glob("*.whl")
    install = [
        "--python",
        environment / "bin" / "python",
        "--constraint",
        locked,
        "--override",
        tmp_path / "override.txt",
    ]
    done([UV, "pip", "install", *install, wheel], tmp_path)

    tidemill, project = environment / "bin" / "tidemill", tmp_path / "away" / "mine"
    project.parent.mkdir()
    done([tidemill, "new", project], tmp_path)
    assert "nothing wrong" in done([tidemill, "check"], project)
    tested = done([tidemill, "test"], project)
    assert "2 passed" in tested
    assert "cases: 5, 0 failed" in tested
    shown = done([tidemill, "config", "show", "--json"], project, TIDEMILL_CACHE=str(tmp_path / "cache"))
    assert str(tmp_path / "cache" / "jars-") in shown
    assert str(REPO) not in shown
