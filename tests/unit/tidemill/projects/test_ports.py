"""Ports that are a project's own."""

import json
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidemill.config import ports
from tidemill.config.environment import settings_environment
from tidemill.config.errors import ConfigError
from tidemill.config.settings import Settings, load_settings, load_with_origin


def variables(project: Path, offset: str) -> dict[str, str]:
    file = project / "tidemill.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"auto"', offset), encoding="utf-8")
    return {"TIDEMILL_PROJECT": str(project)}


def used(settings: Settings) -> list[int]:
    urls = (settings.mlflow.tracking_uri, settings.airflow.url, settings.serving.url, settings.events.url)
    addresses = (settings.kafka.bootstrap_servers, settings.stream.metrics_address)
    return [
        settings.kafka.controller_port,
        settings.redis.port,
        *(int(at.rsplit(":", 1)[1]) for at in urls + addresses),
    ]


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = load_settings({})
    for key, default in ports.DEFAULTS.items():
        section, name = key.split(".")
        assert getattr(getattr(settings, section), name) == default


def test_an_offset_moves_what_nobody_has_set(project: Path) -> None:
    environ = variables(project, "100") | {"TIDEMILL_REDIS__PORT": "7000"}
    settings, origin = load_with_origin(environ)
    assert (settings.redis.port, origin["redis.port"]) == (7000, "environment TIDEMILL_REDIS__PORT")
    assert (settings.airflow.url, origin["airflow.url"]) == ("http://127.0.0.1:8180", "ports.offset")
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9192"
    cluster = load_settings(environ | {"TIDEMILL_PROFILE": "cluster"})
    assert cluster.kafka.controller_port == 9093


def test_chosen_ports_are_free_and_stay(project: Path) -> None:
    environ = variables(project, '"auto"')
    first = load_settings(environ)
    assert len(set(used(first))) == 8
    for port in used(first):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    assert used(load_settings(environ)) == used(first)
    file = ports.file_of(first.home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_settings(settings_environment(first)) == first


def test_two_who_choose_at_once_choose_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        chosen = set(pool.map(lambda _: ports._kept(tmp_path / "home", choose=True), range(8)))
    assert len(chosen) == 1


def test_nothing_is_written_where_nothing_is_to_be_chosen(project: Path) -> None:
    load_with_origin(variables(project, '"auto"'), choose_ports=False)
    assert not (project / ".tidemill").exists()


def test_a_port_in_use_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "CHOICE", range(10_000, 10_010, 10))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 18_080))
        with pytest.raises(ports.NoFreePortsError, match="no 13 free ports"):
            ports._free_offset()


@pytest.mark.parametrize("content", ["", "[]", '{"offset": "1"}', '{"offset": 3}', '{"offset": true}', "{}", "\xff"])
def test_a_file_that_was_changed_is_refused(content: str, project: Path) -> None:
    environ = variables(project, '"auto"')
    home = project / ".tidemill"
    home.mkdir()
    ports.file_of(home).write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"ports\.json is not as it was written"):
        load_settings(environ)


def test_a_home_that_cannot_be_written_is_said(project: Path) -> None:
    environ = variables(project, '"auto"')
    (project / ".tidemill").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ports\.offset = 'auto': .*cannot be written"):
        load_settings(environ)


@pytest.mark.parametrize("offset", ["-1", "60000", '"some"', "1.5"])
def test_an_offset_of_another_kind_is_refused(offset: str, project: Path) -> None:
    with pytest.raises(ConfigError, match=r"^ports\.offset = .*tidemill\.toml"):
        load_settings(variables(project, offset))


def test_the_file_is_json(tmp_path: Path) -> None:
    offset = ports._kept(tmp_path, choose=True)
    assert json.loads(ports.file_of(tmp_path).read_text(encoding="utf-8")) == {"offset": offset}
    assert os.listdir(tmp_path) == ["ports.json"]  # noqa: PTH208 - also what is hidden
