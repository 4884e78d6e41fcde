"""The program that NiFi takes for Python."""

import os
import subprocess
import sys
from pathlib import Path

import ingestion_layer.nifi

PROGRAM = Path(ingestion_layer.nifi.__file__).with_name("python")


def run(program: Path, packages: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "/nifi/api", "PLATFORM_PYTHON": sys.executable}
    environment |= {"PLATFORM_PACKAGES": str(packages)}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=True).stdout


def test_an_environment_of_a_processors_is_the_platforms_own(tmp_path: Path) -> None:
    run(PROGRAM, tmp_path, "-m", "venv", str(tmp_path / "work" / "PublishFile"))
    given = tmp_path / "work" / "PublishFile" / "bin" / "python"
    assert run(given, tmp_path, "-c", "import sys; print(sys.prefix)").strip() == sys.prefix


def test_the_platforms_libraries_are_there_though_nifi_asks_for_none(tmp_path: Path) -> None:
    assert run(PROGRAM, tmp_path, "-S", "-c", "import confluent_kafka; print('there')") == "there\n"


def test_nifis_modules_come_before_the_platforms(tmp_path: Path) -> None:
    said = run(PROGRAM, tmp_path, "-c", "import sys; print(*sys.path[1:3], sep=':')")
    assert said.strip() == f"/nifi/api:{tmp_path}"
