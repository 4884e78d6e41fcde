"""What set-up makes: whole or not at all, once, and nothing of somebody else's."""

import hashlib
import json
import os
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from tidemill.config import Settings, installation, load_settings
from tidemill.config.errors import ConfigError
from tidemill.config.installation import POMS, REPO, cache_folder
from tidemill.setup import classes, environments, jars, packages
from tidemill.setup.lock import SetupFailedError

MAVEN = """#!/bin/sh
echo called >> "$(dirname "$0")/calls"
for argument in "$@"; do
    case "$argument" in -DoutputDirectory=*) folder="${argument#-DoutputDirectory=}" ;; esac
done
[ -e "$(dirname "$0")/broken" ] && { echo "no route to host" >&2; exit 1; }
echo jar > "$folder/a.jar"
"""

AIRFLOW = {
    "airflow_of_a_test.py": "def main(): print('airflow 3.3.2')\n",
    "apache_airflow-3.3.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: apache-airflow\nVersion: 3.3.2\n",
    "apache_airflow-3.3.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "apache_airflow-3.3.2.dist-info/entry_points.txt": "[console_scripts]\nairflow = airflow_of_a_test:main\n",
    "apache_airflow-3.3.2.dist-info/RECORD": "",
}
"""The files of a wheel in Airflow's place: it has its name and its program."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    cache = tmp_path / "cache"
    folders = {"TIDEMILL_HOME": str(tmp_path / "home"), "TIDEMILL_AIRFLOW__ENVIRONMENT": str(cache / "airflow")}
    return load_settings(folders | {"TIDEMILL_SPARK__JARS": str(cache / "jars" / "spark"), "TIDEMILL_CACHE": "/c"})


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in Maven's place: what it would fetch is nobody's test here."""
    program = tmp_path / "bin" / "mvn"
    program.parent.mkdir()
    program.write_text(MAVEN, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program.parent


def calls(maven: Path) -> int:
    return len((maven / "calls").read_text(encoding="utf-8").splitlines()) if (maven / "calls").exists() else 0


def test_jars_are_fetched_once_and_again_when_one_is_not_whole(settings: Settings, maven: Path) -> None:
    said: list[str] = []
    folder = jars.fetch_jars(settings, said.append)
    assert (calls(maven), said) == (2, ["fetching the jars of kafka", "fetching the jars of spark"])
    jars.fetch_jars(settings, said.append)
    assert calls(maven) == 2
    (folder / "spark" / "a.jar").write_text("cut", encoding="utf-8")
    jars.fetch_jars(settings, said.append)
    assert calls(maven) == 3
    (folder / "kafka" / "pom.xml").write_text("another", encoding="utf-8")
    jars.fetch_jars(settings, said.append)
    assert calls(maven) == 4
    assert all(jars.is_whole(folder / name, POMS / name / "pom.xml") for name in ("kafka", "spark"))


def test_the_jars_of_flink_are_fetched_when_they_are_asked_for(settings: Settings, maven: Path) -> None:
    assert not (jars.fetch_jars(settings, lambda _: None) / "flink").exists()
    folder = jars.fetch_jars(settings, lambda _: None, ["flink"])
    assert (calls(maven), jars.is_whole(folder / "flink", POMS / "flink" / "pom.xml")) == (3, True)


def test_of_two_who_fetch_at_once_one_does(settings: Settings, maven: Path) -> None:
    threads = [threading.Thread(target=jars.fetch_jars, args=(settings, lambda _: None)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls(maven) == 2


def test_what_could_not_be_fetched_is_not_there_and_is_said(settings: Settings, maven: Path) -> None:
    (maven / "broken").touch()
    with pytest.raises(SetupFailedError, match=r"the jars of kafka; it said:\nno route to host"):
        jars.fetch_jars(settings, lambda _: None)
    left = [path.name for path in settings.spark.jars.parent.iterdir() if path.is_dir()]
    assert left == []


def test_what_one_that_was_killed_left_is_removed(settings: Settings, maven: Path) -> None:
    folder = settings.spark.jars.parent
    (folder / ".spark.4711").mkdir(parents=True)
    (folder / ".spark.4711" / "a.jar").write_text("half", encoding="utf-8")
    (folder / ".spark.lock").touch()
    jars.fetch_jars(settings, lambda _: None)
    assert {path.name for path in folder.iterdir()} == {".spark.lock", "kafka", "spark"}


def test_an_archive_of_classes_that_one_left_who_was_killed_is_removed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.spark.jars.parent
    folder.mkdir(parents=True)
    (folder / "spark.4711").write_text("half", encoding="utf-8")
    monkeypatch.setattr("data_lake.spark.submit_command", lambda *_: ["false"])
    with pytest.raises(SetupFailedError):
        classes.archive_classes(settings, lambda _: None)
    assert {path.name for path in folder.iterdir()} == {".spark.jsa.lock", "spark.log"}


@pytest.mark.parametrize("content", ["", "[]", '{"a.jar": "4"}', '{"b.jar": 4}', "null"])
def test_a_record_that_was_changed_is_not_believed(content: str, settings: Settings, maven: Path) -> None:
    folder = jars.fetch_jars(settings, lambda _: None)
    (folder / "spark" / jars.MANIFEST).write_text(content, encoding="utf-8")
    assert not jars.is_whole(folder / "spark", POMS / "spark" / "pom.xml")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TIDEMILL_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/tidemill"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/tidemill"),
        ({"HOME": "/h"}, "/h/.cache/tidemill"),
    ],
)
def test_the_cache_is_where_caches_are(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ) == Path(folder)


def test_a_relative_cache_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"TIDEMILL_CACHE = 'here': give an absolute path"):
        cache_folder({"TIDEMILL_CACHE": "here"})


def test_an_environment_of_somebody_elses_is_left_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "IS_CLONE", False)
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    (tmp_path / "airflow.txt").write_text("apache-airflow==3.3.2\n", encoding="utf-8")
    mine = settings.airflow.environment / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    with pytest.raises(SetupFailedError, match="is not set-up's: remove it, or name another"):
        environments.make_airflow(settings, lambda _: None)
    assert mine.exists()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_the_environment_has_what_is_locked_and_is_made_once(
    installer: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "apache_airflow-3.3.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in AIRFLOW.items():
            file.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirement = f"apache-airflow @ file://{wheel} --hash=sha256:{digest}\n"
    (tmp_path / "airflow.txt").write_text(requirement, encoding="utf-8")
    monkeypatch.setattr(environments, "IS_CLONE", False)
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not (Path(place) / "uv").exists()]
    own = [str(REPO / ".tools" / "bin")] if installer == "uv" else []
    monkeypatch.setenv("PATH", os.pathsep.join([*own, *places]))

    said: list[str] = []
    for _ in range(2):
        environment = environments.make_airflow(settings, said.append)
    assert len(said) == 1
    done = subprocess.run([environment / "bin" / "airflow"], capture_output=True, text=True, check=True)
    assert done.stdout == "airflow 3.3.2\n"

    (tmp_path / "airflow.txt").write_text(requirement.replace(digest, "0" * 64), encoding="utf-8")
    with pytest.raises(SetupFailedError, match=r"(?is)airflow\.log ends with:.*hash"):
        environments.make_airflow(settings, said.append)


def test_a_clone_without_airflow_says_what_makes_it(settings: Settings) -> None:
    with pytest.raises(SetupFailedError, match="in a clone `make setup` makes it"):
        environments.make_airflow(settings, lambda _: None)


def test_a_clone_without_flink_says_what_makes_it(settings: Settings, tmp_path: Path) -> None:
    flink = settings.flink.model_copy(update={"environment": tmp_path / "none"})
    with pytest.raises(SetupFailedError, match=r"no Flink in .*none: in a clone `make setup-flink` makes it"):
        environments.make_flink(settings.model_copy(update={"flink": flink}), lambda _: None)


def test_airflow_sees_our_packages_and_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "IS_CLONE", False)
    monkeypatch.setenv("TIDEMILL_CACHE", str(tmp_path))
    folder = packages.link_packages()
    assert sorted(path.name for path in folder.iterdir()) == sorted(installation.PACKAGES)
    (folder / "tidemill").unlink()
    (folder / "tidemill").symlink_to("/elsewhere")
    packages.link_packages()
    assert all((folder / name / "__init__.py").is_file() for name in installation.PACKAGES)


def test_a_cache_that_cannot_be_written_is_said(settings: Settings, tmp_path: Path, maven: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(SetupFailedError, match=r"cannot be made: .*TIDEMILL_CACHE"):
        jars.fetch_jars(settings, lambda _: None)


def test_the_record_has_each_jar(settings: Settings, maven: Path) -> None:
    folder = jars.fetch_jars(settings, lambda _: None)
    assert json.loads((folder / "spark" / jars.MANIFEST).read_text(encoding="utf-8")) == {"a.jar": 4}
