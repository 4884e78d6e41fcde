"""A real supervisord, whose services only sleep."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tidemill.config import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.service import Launch, Service
from tidemill.stack.supervision.daemon import end_leftovers, ensure_supervisor
from tidemill.stack.supervision.supervisor import RUNNING, Supervisor


def sleeper(name: str) -> Service:
    return Service(name, name, "", launch=lambda: Launch(("sleep", "600")), probe=lambda _: None)


@pytest.fixture
def folders(settings: Settings) -> Iterator[Folders]:
    folders = Folders.of(settings)
    folders.create()
    for name in ("first", "second"):
        folders.launch_file(name).write_text(json.dumps({"command": ["sleep", "600"], "environment": {}}))
    yield folders
    if Supervisor(folders).is_alive():
        Supervisor(folders).shutdown()
    end_leftovers(folders)
    folders.remove_socket()


@pytest.mark.usefixtures("folders")
def test_what_ran_before_its_configuration_changed_runs_afterwards(settings: Settings) -> None:
    services = [sleeper("first"), sleeper("second")]
    supervisor = ensure_supervisor(services, settings)
    supervisor.start("first")
    before = supervisor.program("first").pid
    ensure_supervisor([replace(service, stop_timeout_s=7) for service in services], settings)
    programs = supervisor.programs()
    assert programs["first"].state in RUNNING
    assert programs["first"].pid != before
    assert programs["second"].state == "STOPPED"


@pytest.mark.usefixtures("folders")
def test_a_reload_that_was_interrupted_is_done_by_the_next_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Supervisor) -> None:
        raise KeyboardInterrupt

    services = [sleeper("first"), sleeper("second")]
    supervisor = ensure_supervisor(services[:1], settings)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Supervisor, "reload", interrupted)
        ensure_supervisor(services, settings)
    ensure_supervisor(services, settings)
    assert set(supervisor.programs()) == {"first", "second"}
