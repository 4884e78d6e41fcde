"""The supervisord of a home folder: started when it is not there, and what a killed one left behind is ended."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from tidemill.config.environment import process_environment
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.logs import last_lines
from tidemill.stack.service import Service
from tidemill.stack.supervision.config import render_config
from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import MARKER, Record, end, group, marked, tree
from tidemill.stack.supervision.supervisor import Supervisor, SupervisorError
from tidemill.stack.supervision.temporary import TEMPORARY, make_empty

START_TIMEOUT_S = 30.0
GRACE_S = 30.0


def ensure_supervisor(services: Sequence[Service], settings: Settings) -> Supervisor:
    """The supervisord of the home folder, with the configuration of ``services``.

    When it is gone, what it left running is ended first: a second broker on the same files would damage them.

    Raises:
        SocketFolderError, SupervisorError
    """
    folders = Folders.of(settings)
    folders.create_socket_folder()
    supervisor = Supervisor(folders)
    config = render_config(services, folders)
    folders.supervisor_config.write_text(config, encoding="utf-8")
    if not supervisor.is_alive():
        end_leftovers(folders)
        _start(supervisor, settings)
    else:  # also with the text of before: a reload that was interrupted left it so
        supervisor.reload()
    return supervisor


def records(folders: Folders) -> list[Record]:
    """The recorded processes of the stack, supervisord among them."""
    found = [Record.read(path) for path in sorted(folders.run.glob("*.pid.json"))]
    return [record for record in found if record is not None]


def leftovers(folders: Folders) -> list[psutil.Process]:
    """The living processes of the stack, each verified by its start or its inherited marker."""
    found = set(marked(f"{folders.run}{os.sep}"))
    for record in records(folders):
        process = record.process()
        found.update(tree(process) if process else [])
        found.update(group(record))
    return list(found)


def end_leftovers(folders: Folders) -> None:
    """End what supervisord left running, and forget it."""
    end(leftovers(folders), GRACE_S)
    for path in folders.run.glob("*.pid.json"):
        path.unlink()


def _start(supervisor: Supervisor, settings: Settings) -> None:
    folders = Folders.of(settings)
    temporary = folders.temporary("supervisor")
    make_empty(temporary)
    environment = process_environment(settings, os.environ) | {TEMPORARY: str(temporary)}
    log = folders.log("supervisor")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(folders.supervisor_config)],
            cwd=folders.home,
            env={name: value for name, value in environment.items() if name != MARKER},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    Record.of(process.pid).write(folders.supervisor_record)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if supervisor.is_alive():
            return
        time.sleep(0.1)
    raise SupervisorError(f"supervisord did not start; the log {log} ends with:\n{last_lines(log)}")


def service_record(folders: Folders, name: str) -> Record | None:
    """The last start of the service ``name``."""
    return Record.read(record_path(folders.launch_file(name)))


def service_processes(folders: Folders, name: str) -> list[psutil.Process]:
    """What runs of the service ``name``, each verified by its start, its group or its inherited marker."""
    record = service_record(folders, name)
    return list({*marked(str(folders.launch_file(name))), *(group(record) if record else [])})


def has_processes(folders: Folders, name: str) -> bool:
    """Whether anything is left of the service ``name``: its process, or one of its process group."""
    record = service_record(folders, name)
    return record is not None and bool(group(record))
