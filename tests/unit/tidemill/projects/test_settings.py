"""The layer of settings that a project adds."""

from pathlib import Path

import pytest

from tidemill.config import installation
from tidemill.config.environment import settings_environment
from tidemill.config.errors import ConfigError
from tidemill.config.settings import load_settings, load_with_origin
from tidemill.stack.catalog import catalog


def write(project: Path, text: str) -> dict[str, str]:
    """Add ``text`` to the project's file, without ports of its own; the variables that name the project."""
    file = project / "tidemill.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"auto"', "0") + text, encoding="utf-8")
    return {"TIDEMILL_PROJECT": str(project)}


def test_the_file_wins_over_the_profile_and_the_environment_over_the_file(project: Path) -> None:
    environ = write(project, "[kafka]\npartitions = 9\nheap_mb = 300\n[redis]\nmax_memory_mb = 64\n")
    environ |= {"TIDEMILL_KAFKA__HEAP_MB": "400", "TIDEMILL_PROFILE": "cluster"}
    settings, origin = load_with_origin(environ)
    assert (settings.kafka.partitions, origin["kafka.partitions"]) == (9, str(project / "tidemill.toml"))
    assert (settings.kafka.heap_mb, origin["kafka.heap_mb"]) == (400, "environment TIDEMILL_KAFKA__HEAP_MB")
    assert (settings.kafka.replication, origin["kafka.replication"]) == (3, "tidemill/config/cluster.toml")
    assert settings.project == project


def test_state_is_the_projects_unless_something_says_where(project: Path) -> None:
    environ = write(project, "")
    assert load_settings(environ).home == project / ".tidemill"
    assert load_settings(environ | {"TIDEMILL_HOME": "/elsewhere"}).home == Path("/elsewhere")
    assert load_settings(environ | {"TIDEMILL_PROFILE": "cluster"}).home == Path("/var/lib/tidemill")


def test_relative_folders_of_the_file_lie_beside_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project / "tidemill.toml"
    file.write_text('home = "state"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    environ = write(project, '[spark]\njars = "../jars"\n')
    monkeypatch.chdir("/")
    settings = load_settings(environ)
    assert (settings.home, settings.spark.jars) == (project / "state", project / ".." / "jars")


def test_what_can_be_trained_is_served(project: Path) -> None:
    environ = write(project, "")
    settings, origin = load_with_origin(environ)
    assert (settings.serving.use_cases, origin["serving.use_cases"]) == (["next_visits"], f"{project}/use_cases")
    (project / "use_cases" / "next_visits" / "model.yaml").unlink()
    assert load_settings(environ).serving.use_cases == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kafka]\npartition = 1\n", r"kafka\.partition = 1 in .*tidemill\.toml: .*did you mean 'partitions'"),
        ("[kafak]\npartitions = 1\n", r"kafak = .* in .*tidemill\.toml: .*did you mean 'kafka'"),
        ("[redis]\nport = 'x'\n", r"redis\.port = 'x' in .*tidemill\.toml"),
        ("[serving]\nuse_cases = ['churn']\n", r"serving\.use_cases = .*tidemill\.toml: .*'churn'.*: next_visits$"),
        ("[stream]\ntopics = ['shop.click.v1']\n", r"stream\.topics = .*: app\.visit\.v1, serving\.prediction\.v1$"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_file(text: str, message: str, project: Path) -> None:
    environ = write(project, text)
    with pytest.raises(ConfigError, match=message):
        load_settings(environ)


def test_a_child_process_gets_the_project_and_one_without_none(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(write(project, ""))
    assert load_settings(settings_environment(settings)) == settings
    alone = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    monkeypatch.chdir(project)
    assert load_settings(settings_environment(alone)) == alone


def test_each_value_says_where_it_came_from(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(project / "tidemill.toml")
    origin = load_with_origin({"TIDEMILL_PROJECT": str(project), "TIDEMILL_PROFILE": ""})[1]
    assert (origin["project"], origin["profile"]) == (file, "tidemill/config/local.toml")
    assert (origin["ports.offset"], origin["redis.port"]) == (file, str(project / ".tidemill" / "ports.json"))
    assert (origin["home"], origin["spark.jars"]) == ("default", "default")
    moved = load_with_origin({"TIDEMILL_PROJECT": str(project), "TIDEMILL_PORTS__OFFSET": "10"})[1]
    assert (moved["redis.port"], moved["ports.offset"]) == ("ports.offset", "environment TIDEMILL_PORTS__OFFSET")
    assert load_with_origin({"TIDEMILL_PROJECT": "", "TIDEMILL_HOME": str(project)})[1]["project"] == "default"
    monkeypatch.setattr(installation, "IS_CLONE", False)
    for variable in ("XDG_CACHE_HOME", "TIDEMILL_CACHE"):
        environ = {"TIDEMILL_PROJECT": str(project), variable: "/cache", "TIDEMILL_SPARK__JARS": "/jars"}
        origin = load_with_origin(environ)[1]
        assert origin["airflow.environment"] == f"environment {variable}"
        assert origin["spark.jars"] == "environment TIDEMILL_SPARK__JARS"


def test_where_no_use_case_is_served_none_can_be_meant(project: Path) -> None:
    environ = write(project, "")
    assert load_settings(environ).serving.first == "next_visits"
    assert "model-server" in catalog(load_settings(environ))
    (project / "use_cases" / "next_visits" / "labels.py").unlink()
    nothing_served = load_settings(environ)
    with pytest.raises(ConfigError, match=r"serving\.use_cases is empty: no use case has features\.py, labels\.py"):
        _ = nothing_served.serving.first
    assert "model-server" not in catalog(nothing_served)
