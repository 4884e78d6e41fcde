"""The rendered configuration is read back by supervisord's own parser."""

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from tidemill.config import Settings, load_settings
from tidemill.stack.catalog import catalog
from tidemill.stack.folders import MAX_SOCKET_BYTES, Folders
from tidemill.stack.supervision.config import render_config


@pytest.fixture(params=["home", "a home with 100% blanks", 'my #1 ;home; it\'s "mine" #', "long/" * 30])
def parsed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Any]:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path / request.param)})
    folders = Folders.of(settings)
    folders.create()
    folders.supervisor_config.write_text(render_config(list(catalog(settings).values()), folders), encoding="utf-8")
    monkeypatch.chdir(settings.home)
    monkeypatch.setattr(tempfile, "tempdir", str(settings.home / "tmp" / "100% blanks"))
    options: Any = ServerOptions()
    options.realize(["-c", str(folders.supervisor_config), "-n"])
    return settings, options


def _programs(options: Any) -> dict[str, Any]:
    return {program.name: program for group in options.process_group_configs for program in group.process_configs}


def test_supervisord_reads_one_program_for_each_service(parsed: tuple[Settings, Any]) -> None:
    settings, options = parsed
    assert set(_programs(options)) == set(catalog(settings))


def test_supervisord_reads_the_paths_as_they_are(parsed: tuple[Settings, Any]) -> None:
    settings, options = parsed
    for name, program in _programs(options).items():
        assert shlex.split(program.command)[-1] == str(settings.home / "run" / f"{name}.json")
        assert str(Path(program.stdout_logfile).absolute()) == str(settings.home / "logs" / f"{name}.log")
    assert options.logfile == str(settings.home / "logs" / "supervisor.log")
    assert options.pidfile == str(settings.home / "run" / "supervisord.pid")


def test_supervisord_reads_a_python_in_such_a_folder(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    python = "/srv/clone #2; 50% 'tried'/bin/python"
    monkeypatch.setattr(sys, "executable", python)
    folders = Folders.of(settings)
    folders.create()
    folders.supervisor_config.write_text(render_config(list(catalog(settings).values()), folders), encoding="utf-8")
    monkeypatch.chdir(settings.home)
    options: Any = ServerOptions()
    options.realize(["-c", str(folders.supervisor_config), "-n"])
    assert {shlex.split(program.command)[0] for program in _programs(options).values()} == {python}


def test_every_service_is_restarted_and_stopped_with_its_children(parsed: tuple[Settings, Any]) -> None:
    _, options = parsed
    for program in _programs(options).values():
        assert not program.autostart
        assert program.autorestart is not False
        assert program.stopasgroup
        assert program.killasgroup
        assert program.redirect_stderr
        assert program.stdout_logfile_maxbytes > 0


def test_services_stop_before_those_they_need(parsed: tuple[Settings, Any]) -> None:
    settings, options = parsed
    programs = _programs(options)
    for service in catalog(settings).values():
        assert all(programs[name].priority < programs[service.name].priority for name in service.after)


def test_a_service_that_is_new_changes_no_other(settings: Settings) -> None:
    services, folders = list(catalog(settings).values()), Folders.of(settings)
    without = [service for service in services if service.name != "model-server"]
    assert set(render_config(without, folders).split("\n\n")) < set(render_config(services, folders).split("\n\n"))


def test_the_socket_fits_where_the_home_is_deep(parsed: tuple[Settings, Any]) -> None:
    settings, options = parsed
    (server,) = options.server_configs
    assert server["file"] == str(Folders.of(settings).socket)
    assert len(server["file"].encode()) <= MAX_SOCKET_BYTES


def test_two_deep_homes_have_two_sockets() -> None:
    deep = Path("/", *["folder"] * 30)
    assert Folders(deep / "a").socket != Folders(deep / "b").socket
